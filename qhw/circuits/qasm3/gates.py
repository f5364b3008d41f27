"""Gates that OpenQASM 3 programs use without defining them.

Names of ``stdgates.inc``, those that Qiskit writes, and Braket's, whose dialect includes nothing.

Source of Braket's gates: Amazon Braket developer guide, "Supported OpenQASM features".
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter
from qiskit.circuit.library import UnitaryGate
from qiskit.circuit.library import standard_gates as std

Made = Callable[..., Gate]


def _defined(name: str, qubits: int, count: int, write: Callable[..., None]) -> Made:
    """A gate of a name, written in gates of Qiskit's."""

    def made(*angles: Any) -> Gate:
        free = [Parameter(f"p{i}") for i in range(count)]
        inside = QuantumCircuit(qubits)
        write(inside, *free)
        gate = Gate(name, qubits, list(angles))
        gate.definition = inside.assign_parameters(dict(zip(free, angles, strict=True)))
        return gate

    return made


def _phase_shift(state: str) -> Callable[..., None]:
    def write(circuit: QuantumCircuit, angle: Any) -> None:
        circuit.append(std.CPhaseGate(angle, ctrl_state=int(state[0])), [0, 1])

    def flipped(circuit: QuantumCircuit, angle: Any) -> None:
        circuit.x(1)
        write(circuit, angle)
        circuit.x(1)

    return write if state[1] == "1" else flipped


def _pswap(circuit: QuantumCircuit, angle: Any) -> None:
    circuit.swap(0, 1)
    circuit.cx(0, 1)
    circuit.p(angle, 1)
    circuit.cx(0, 1)


def _xy(circuit: QuantumCircuit, angle: Any) -> None:
    circuit.append(std.XXPlusYYGate(-angle), [0, 1])


def _gpi(circuit: QuantumCircuit, angle: Any) -> None:
    circuit.rz(-angle, 0)
    circuit.x(0)
    circuit.rz(angle, 0)


def _gpi2(circuit: QuantumCircuit, angle: Any) -> None:
    circuit.r(pi / 2, angle, 0)


def _ms(circuit: QuantumCircuit, first: Any, second: Any, angle: Any) -> None:
    for sign in (-1, 1):
        circuit.rz(sign * first, 0)
        circuit.rz(sign * second, 1)
        if sign < 0:
            circuit.rxx(angle, 0, 1)


def _cv(circuit: QuantumCircuit) -> None:
    circuit.csx(0, 1)


def _plain(*kinds: tuple[str, type[Gate], int, int]) -> dict[str, tuple[Made, int, int]]:
    return {name: (made, count, qubits) for name, made, count, qubits in kinds}


GATES: dict[str, tuple[Made, int, int]] = {
    **_plain(
        ("U", std.UGate, 3, 1),
        ("u", std.UGate, 3, 1),
        ("p", std.PhaseGate, 1, 1),
        ("phase", std.PhaseGate, 1, 1),
        ("phaseshift", std.PhaseGate, 1, 1),
        ("id", std.IGate, 0, 1),
        ("i", std.IGate, 0, 1),
        ("x", std.XGate, 0, 1),
        ("y", std.YGate, 0, 1),
        ("z", std.ZGate, 0, 1),
        ("h", std.HGate, 0, 1),
        ("s", std.SGate, 0, 1),
        ("sdg", std.SdgGate, 0, 1),
        ("si", std.SdgGate, 0, 1),
        ("t", std.TGate, 0, 1),
        ("tdg", std.TdgGate, 0, 1),
        ("ti", std.TdgGate, 0, 1),
        ("sx", std.SXGate, 0, 1),
        ("v", std.SXGate, 0, 1),
        ("sxdg", std.SXdgGate, 0, 1),
        ("vi", std.SXdgGate, 0, 1),
        ("rx", std.RXGate, 1, 1),
        ("ry", std.RYGate, 1, 1),
        ("rz", std.RZGate, 1, 1),
        ("r", std.RGate, 2, 1),
        ("prx", std.RGate, 2, 1),
        ("u1", std.U1Gate, 1, 1),
        ("u2", std.U2Gate, 2, 1),
        ("u3", std.U3Gate, 3, 1),
        ("cx", std.CXGate, 0, 2),
        ("CX", std.CXGate, 0, 2),
        ("cnot", std.CXGate, 0, 2),
        ("cy", std.CYGate, 0, 2),
        ("cz", std.CZGate, 0, 2),
        ("ch", std.CHGate, 0, 2),
        ("cs", std.CSGate, 0, 2),
        ("csdg", std.CSdgGate, 0, 2),
        ("csx", std.CSXGate, 0, 2),
        ("cp", std.CPhaseGate, 1, 2),
        ("cphase", std.CPhaseGate, 1, 2),
        ("cphaseshift", std.CPhaseGate, 1, 2),
        ("cu1", std.CU1Gate, 1, 2),
        ("cu3", std.CU3Gate, 3, 2),
        ("cu", std.CUGate, 4, 2),
        ("crx", std.CRXGate, 1, 2),
        ("cry", std.CRYGate, 1, 2),
        ("crz", std.CRZGate, 1, 2),
        ("swap", std.SwapGate, 0, 2),
        ("iswap", std.iSwapGate, 0, 2),
        ("dcx", std.DCXGate, 0, 2),
        ("ecr", std.ECRGate, 0, 2),
        ("rxx", std.RXXGate, 1, 2),
        ("xx", std.RXXGate, 1, 2),
        ("ryy", std.RYYGate, 1, 2),
        ("yy", std.RYYGate, 1, 2),
        ("rzz", std.RZZGate, 1, 2),
        ("zz", std.RZZGate, 1, 2),
        ("rzx", std.RZXGate, 1, 2),
        ("xx_plus_yy", std.XXPlusYYGate, 2, 2),
        ("xx_minus_yy", std.XXMinusYYGate, 2, 2),
        ("ccx", std.CCXGate, 0, 3),
        ("ccnot", std.CCXGate, 0, 3),
        ("ccz", std.CCZGate, 0, 3),
        ("cswap", std.CSwapGate, 0, 3),
        ("rccx", std.RCCXGate, 0, 3),
        ("c3x", std.C3XGate, 0, 4),
        ("c3sqrtx", std.C3SXGate, 0, 4),
        ("c4x", std.C4XGate, 0, 5),
        ("rc3x", std.RC3XGate, 0, 4),
    ),
    "cv": (_defined("cv", 2, 0, _cv), 0, 2),
    "cphaseshift00": (_defined("cphaseshift00", 2, 1, _phase_shift("00")), 1, 2),
    "cphaseshift01": (_defined("cphaseshift01", 2, 1, _phase_shift("01")), 1, 2),
    "cphaseshift10": (_defined("cphaseshift10", 2, 1, _phase_shift("10")), 1, 2),
    "pswap": (_defined("pswap", 2, 1, _pswap), 1, 2),
    "xy": (_defined("xy", 2, 1, _xy), 1, 2),
    "gpi": (_defined("gpi", 1, 1, _gpi), 1, 1),
    "gpi2": (_defined("gpi2", 1, 1, _gpi2), 1, 1),
    "ms": (_defined("ms", 2, 3, _ms), 3, 2),
}
"""How a gate is made of its angles, how many these are, and how many qubits it has."""


def unitary(matrix: Any) -> Gate:
    """A gate of a matrix written first qubit most significant, as Braket writes it.

    Raises:
        ValueError: the matrix is not unitary, or of no number of qubits.
    """
    values = np.asarray(matrix, dtype=np.complex128)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not np.isfinite(values).all():
        raise ValueError("a unitary must be a square matrix of finite numbers")
    gate = UnitaryGate(values)
    qubits = gate.num_qubits
    axes = [*range(qubits)[::-1], *range(qubits, 2 * qubits)[::-1]]
    turned = values.reshape((2,) * 2 * qubits).transpose(axes).reshape(values.shape)
    return UnitaryGate(turned)
