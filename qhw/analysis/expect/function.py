"""Exact expectation values of a circuit as a differentiable function of its angles, in torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import ParameterExpression
from torch import Tensor

from backends.exact import BASIS, MAX_QUBITS
from backends.plain import plain, with_written_bits
from qhw.circuits.ansatz import Ansatz, Op
from qhw.mitigation.bases import as_measured
from qhw.mitigation.expectation import read_observables
from qhw.mitigation.observables import Observable, ObservableLike
from qhw.models.sweep import gate_tables, rows_after

FloatArray = NDArray[np.float64]

_MOST_WEIGHTS = 2**27
"""Numbers that stand for the observables, 1 GiB."""


class ExpectationFunction:
    """Exact expectation values of Pauli observables, differentiable in the circuit's angles.

    One call computes all rows, in single precision (complex64 states) for float32 angles and in
    double (complex128) for float64. Derivatives are exact, by the adjoint method: about three times
    the cost of the values, whatever the number of parameters. First derivatives only.

    Attributes:
        parameter_names: of the P columns of angles, in the order of ``circuit.parameters``.
        observables: the K observables on the measured bits, or on all qubits.
    """

    def __init__(self, circuit: QuantumCircuit, observables: Sequence[Observable]) -> None:
        self.parameter_names = tuple(p.name for p in circuit.parameters)
        self.observables = tuple(observables)
        native = _native(circuit)
        ansatz, offsets, slopes = _as_ansatz(native, self.parameter_names)
        self._gates = gate_tables(ansatz, range(ansatz.n_wires))
        self._offsets, self._slopes = torch.from_numpy(offsets), torch.from_numpy(slopes)
        self._flips, weights = _weights(_on_qubits(circuit, self.observables))
        self._weights = torch.from_numpy(weights)

    def __call__(self, angles: Tensor) -> Tensor:
        """Values ``(B, K)`` for angles ``(B, P)``, or ``(K,)`` for ``(P,)``.

        Args:
            angles: radians, float32 or float64, on the CPU. Weights that all rows share are
                expanded: ``torch.cat([data, weights.expand(len(data), -1)], 1)``.

        Raises:
            ValueError: a wrong shape or type, or values that are not finite.
        """
        x = self._checked(angles)
        rows = x if x.ndim == 2 else x[None]
        planes = rows_after(
            self._gates, self._offsets.to(x.dtype) + rows @ self._slopes.to(x.dtype).T
        )
        total = rows.new_zeros(len(rows), len(self.observables))
        for flip, (even, odd) in zip(self._flips, self._weights.to(x.dtype), strict=True):
            # of <psi|P|psi>, P flipping some bits: products of amplitudes with their partners
            partner = planes[:, :, flip]
            same = (planes * partner).sum(1)
            turned = partner[:, 0] * planes[:, 1] - partner[:, 1] * planes[:, 0]
            total = total + same @ even + turned @ odd
        return total if x.ndim == 2 else total[0]

    def _checked(self, angles: Tensor) -> Tensor:
        width = len(self.parameter_names)
        if not isinstance(angles, Tensor) or angles.dtype not in (torch.float32, torch.float64):
            kind = angles.dtype if isinstance(angles, Tensor) else type(angles).__name__
            raise ValueError(
                f"Argument `angles` must be a tensor of float32 or float64, but is {kind}"
            )
        if angles.ndim not in (1, 2) or angles.shape[-1] != width:
            raise ValueError(
                f"Argument `angles` must have shape (B, {width}) or ({width},), but has "
                f"{tuple(angles.shape)}"
            )
        if angles.device.type != "cpu":
            raise ValueError(f"Argument `angles` must be on the CPU, but is on {angles.device}")
        if not bool(torch.isfinite(angles).all()):
            raise ValueError("Argument `angles` must be finite, but is not")
        return angles


def expectation_function(
    circuit: QuantumCircuit, observables: ObservableLike | Sequence[ObservableLike]
) -> ExpectationFunction:
    """Exact expectation values of a circuit as a differentiable function in torch.

    Args:
        circuit: gates with free parameters, angles linear in them. Observables act on the classical
            bits that it writes; of a circuit without measurements, on all its qubits.
        observables: one or several, see :func:`qhw.expect`.

    Returns:
        A function of angles ``(B, P)`` that gives values ``(B, K)``.

    Raises:
        ValueError: more than 20 qubits, observables that do not fit the circuit or have too many
            terms, or an angle that is not linear in the parameters.
        BackendError: what is no fixed sequence of gates and then measurements.

    Example:
        >>> from qiskit.circuit import Parameter
        >>> circuit = QuantumCircuit(1)
        >>> _ = circuit.ry(Parameter("t"), 0)
        >>> angles = torch.tensor([[0.5]], dtype=torch.float64, requires_grad=True)
        >>> expectation_function(circuit, "Z")(angles).sum().backward()
        >>> angles.grad.numpy().round(4)  # minus the sine
        array([[-0.4794]])
    """
    if not isinstance(circuit, QuantumCircuit):
        raise ValueError(
            f"Argument `circuit` must be a QuantumCircuit, but is {type(circuit).__name__}"
        )
    if circuit.num_qubits > MAX_QUBITS:
        raise ValueError(
            f"Argument `circuit` must have at most {MAX_QUBITS} qubits, but has "
            f"{circuit.num_qubits}"
        )
    opened = with_written_bits(plain(circuit))
    width = opened.num_clbits or opened.num_qubits
    return ExpectationFunction(circuit, read_observables(observables, width))


def _native(circuit: QuantumCircuit) -> QuantumCircuit:
    gates = as_measured(circuit)
    return transpile(gates, basis_gates=list(BASIS), optimization_level=0)


def _as_ansatz(
    native: QuantumCircuit, names: Sequence[str]
) -> tuple[Ansatz, FloatArray, FloatArray]:
    """Gates as plain data, an angle of its own each: ``offsets + slopes @ parameters``."""
    n, ops = native.num_qubits, []
    offsets: list[float] = []
    slopes: list[FloatArray] = []

    def turn(name: str, wire: int, offset: float, slope: FloatArray) -> None:
        ops.append(Op(name, (wire,), len(offsets)))  # type: ignore[arg-type]  # rz or ry
        offsets.append(offset)
        slopes.append(slope)

    nothing = np.zeros(len(names))
    for item in native.data:
        wires = tuple(n - 1 - native.find_bit(q).index for q in item.qubits)
        name = item.operation.name
        if name == "cz":
            ops.append(Op("cz", wires))
        elif name in ("rx", "ry", "rz"):
            offset, slope = _affine(item.operation.params[0], names)
            if name == "rx":  # a rotation about y, the axes turned
                turn("rz", wires[0], np.pi / 2, nothing)
                turn("ry", wires[0], offset, slope)
                turn("rz", wires[0], -np.pi / 2, nothing)
            else:
                turn(name, wires[0], offset, slope)
    table = np.array(slopes).reshape(len(offsets), len(names))
    return Ansatz(n, tuple(ops), len(offsets)), np.array(offsets, dtype=np.float64), table


def _affine(angle: ParameterExpression | float, names: Sequence[str]) -> tuple[float, FloatArray]:
    slope = np.zeros(len(names))
    if not isinstance(angle, ParameterExpression) or not angle.parameters:
        return float(angle), slope
    for parameter in angle.parameters:
        found = angle.gradient(parameter)
        if isinstance(found, ParameterExpression) and found.parameters:
            raise ValueError(
                "Argument `circuit` must have angles that are linear in its parameters, but one "
                f"is {angle}"
            )
        slope[names.index(parameter.name)] = float(np.real(complex(found)))
    return float(angle.bind(dict.fromkeys(angle.parameters, 0.0))), slope


def _on_qubits(circuit: QuantumCircuit, observables: Sequence[Observable]) -> list[Observable]:
    """Observables of the measured bits as those of all qubits, the last one leftmost."""
    measured = as_measured(circuit)
    n, m = measured.num_qubits, measured.num_clbits
    wire = {}
    for item in measured.get_instructions("measure"):
        bit = m - 1 - measured.find_bit(item.clbits[0]).index
        wire[n - 1 - measured.find_bit(item.qubits[0]).index] = bit

    def widened(string: str) -> str:
        return "".join(string[wire[w]] if w in wire else "I" for w in range(n))

    return [Observable(tuple((widened(s), c) for s, c in o.terms)) for o in observables]


def _weights(observables: Sequence[Observable]) -> tuple[list[Tensor], FloatArray]:
    """What products of amplitudes count for.

    Returns:
        For each pattern of flipped bits the partner of every amplitude index, and weights
        ``(patterns, 2, 2**n, K)`` of the real and of the imaginary part of
        ``conj(psi[partner]) psi``.
    """
    n, index = observables[0].n_wires, np.arange(2 ** observables[0].n_wires)
    masks: dict[int, int] = {}
    for observable in observables:
        for string, _ in observable.terms:
            masks.setdefault(_mask(string, "XY"), len(masks))
    if len(masks) * 2 * 2**n * len(observables) > _MOST_WEIGHTS:
        raise ValueError(
            f"Argument `observables` must be fewer, or of fewer terms, on {n} qubits, but "
            f"{len(observables)} of them flip bits in {len(masks)} ways"
        )
    weights = np.zeros((len(masks), 2, 2**n, len(observables)))
    for k, observable in enumerate(observables):
        for string, c in observable.terms:
            signs = 1.0 - 2.0 * (np.bitwise_count(index & _mask(string, "ZY")) & 1)
            y = string.count("Y")
            # i**y times real + i imaginary, of which the real part stays
            sign = (1.0, -1.0, -1.0, 1.0)[y % 4]
            weights[masks[_mask(string, "XY")], y % 2, :, k] += c * sign * signs
    return [torch.from_numpy(index ^ mask) for mask in masks], weights


def _mask(string: str, letters: str) -> int:
    return int("".join("1" if letter in letters else "0" for letter in string), 2)
