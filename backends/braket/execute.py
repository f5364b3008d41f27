"""A genuine Braket payload run on this machine: decoded, checked, simulated with Aer.

Used by the emulator and by the loopback server. What a device would refuse is refused here, with
the calibration it publishes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from braket.ir.openqasm import Program, ProgramSet
from numpy.typing import NDArray
from pydantic.v1 import ValidationError
from qiskit import QuantumCircuit
from qiskit.circuit import CircuitError, Gate
from qiskit.circuit.library import (
    CPhaseGate,
    CZGate,
    RGate,
    RXGate,
    RXXGate,
    RZGate,
    RZZGate,
    iSwapGate,
)
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel

from backends.aer import MAX_STATE_QUBITS
from backends.base import BackendError
from backends.braket.checks import check_native
from backends.checks import measured_qubits
from backends.native.gates import GPi2Gate, GPiGate, for_aer
from backends.native.schedule import schedule_alap
from backends.reference.twirled import misread, noisy_shots
from calibration.aer_noise import to_aer_noise_model
from calibration.noise import DeviceNoise, NoiseOptions
from calibration.snapshot import DeviceSnapshot

_GATES: dict[str, type[Gate]] = {
    "prx": RGate,
    "rx": RXGate,
    "rz": RZGate,
    "gpi": GPiGate,
    "gpi2": GPi2Gate,
    "cz": CZGate,
    "iswap": iSwapGate,
    "cphaseshift": CPhaseGate,
    "zz": RZZGate,
    "xx": RXXGate,
}
_HEAD = re.compile(r"OPENQASM 3(\.0)?;|(bit|qubit)\[\d+\] \w+;")
_MEASURE = re.compile(r"b\[(\d+)\] = measure (?:\$|q\[)(\d+)\]?;")
_GATE = re.compile(r"([a-z]\w*)(?:\(([^()]*)\))? ((?:\$\d+|q\[\d+\])(?:, (?:\$\d+|q\[\d+\]))*);")
_PLACE = re.compile(r"(?:\$|q\[)(\d+)")
_MAX_DENSITY_QUBITS = 10


class IllegalActionError(ValueError):
    """The device cannot do what the action asks; the text is the failed task's reason."""


@dataclass(frozen=True)
class Executable:
    """One decoded program.

    Attributes:
        source: OpenQASM.
        circuit: on qubits ``0 .. k-1``, measurement i into classical bit i.
        labels: the vendor's number of each circuit qubit.
        measured: the vendor's number of each measured qubit, in the order measured.
        verbatim: whether the gates are to be run as they are.
    """

    source: str
    circuit: QuantumCircuit | None
    labels: tuple[int, ...]
    measured: tuple[int, ...]
    verbatim: bool


def decode(action: str) -> tuple[tuple[Executable, ...], bool]:
    """The programs of an action, and whether it is a program set.

    Raises:
        IllegalActionError: neither a program nor a program set, or OpenQASM Braket cannot read.
    """
    try:
        kind = json.loads(action)["braketSchemaHeader"]["name"]
        if kind == "braket.ir.openqasm.program_set":
            programs = list(ProgramSet.parse_raw(action).programs)
        else:
            programs = [Program.parse_raw(action)]
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise IllegalActionError(f"invalid action: {error}") from error
    found = []
    for program in programs:
        if program.inputs:
            raise IllegalActionError("programs with inputs are not rehearsed here")
        found.append(_decode(program.source))
    return tuple(found), kind == "braket.ir.openqasm.program_set"


def _decode(source: str) -> Executable:
    """A program in the plain form that Amazon's SDK and this house write: a statement a line."""
    steps: list[tuple[str, list[float], list[int]]] = []
    measured: list[int] = []
    verbatim = inside = False
    for line in filter(None, map(str.strip, source.splitlines())):
        if _HEAD.fullmatch(line):
            continue
        if line in ("#pragma braket verbatim", "box{", "}"):
            verbatim, inside = True, line == "box{"
        elif read := _MEASURE.fullmatch(line):
            if int(read[1]) != len(measured):
                raise IllegalActionError(f"bits must be written in order, but: {line}")
            measured.append(int(read[2]))
        elif (gate := _GATE.fullmatch(line)) and not measured and inside == verbatim:
            angles = [_number(text) for text in gate[2].split(",")] if gate[2] else []
            steps.append((gate[1], angles, [int(q) for q in _PLACE.findall(gate[3])]))
        else:
            raise IllegalActionError(f"invalid OpenQASM: {line}")
    labels = tuple(sorted({q for _, _, places in steps for q in places} | set(measured)))
    circuit = _circuit(steps, labels, measured) if verbatim else None
    return Executable(source, circuit, labels, tuple(measured), verbatim)


def _circuit(
    steps: Sequence[tuple[str, list[float], list[int]]],
    labels: Sequence[int],
    measured: Sequence[int],
) -> QuantumCircuit:
    index = {label: i for i, label in enumerate(labels)}
    circuit = QuantumCircuit(len(labels), len(measured))
    for name, angles, places in steps:
        if name not in _GATES:
            raise IllegalActionError(f"instruction {name} is not native")
        try:
            circuit.append(_GATES[name](*angles), [index[q] for q in places])
        except (TypeError, CircuitError) as error:
            raise IllegalActionError(f"instruction {name}: {error}") from error
    for bit, label in enumerate(measured):
        circuit.measure(index[label], bit)
    return circuit


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise IllegalActionError(f"an angle must be a number, but is {text}") from error


def check(executables: Sequence[Executable], snapshot: DeviceSnapshot) -> None:
    """Refuse gates where the device has none, and angles it does not take.

    Raises:
        IllegalActionError: the first instruction that cannot be done.
    """
    place = {label: q for q, label in enumerate(snapshot.labels)}
    for executable in executables:
        if executable.circuit is None:
            raise IllegalActionError("only verbatim programs are rehearsed on a QPU")
        unknown = [label for label in executable.labels if label not in place]
        if unknown:
            raise IllegalActionError(f"no qubits {unknown} on the device")
        try:
            check_native([executable.circuit], snapshot, tuple(place[q] for q in executable.labels))
        except BackendError as error:
            raise IllegalActionError(str(error)) from error


def run_native(
    executables: Sequence[Executable],
    snapshot: DeviceSnapshot,
    shots: int,
    seed: int,
    noise: NoiseOptions | None,
) -> list[NDArray[np.int64]]:
    """Shots of native programs, each ``(shots, measured)`` bits in the order measured.

    Args:
        executables: checked.
        snapshot: the device.
        shots: of each.
        seed: of shots.
        noise: strength of the device's noise; ``None`` for a perfect device.
    """
    place = {label: q for q, label in enumerate(snapshot.labels)}
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, executable in enumerate(executables):
        groups.setdefault(tuple(place[q] for q in executable.labels), []).append(row)
    found: list[NDArray[np.int64]] = [np.zeros((0, 0), dtype=np.int64)] * len(executables)
    generator = np.random.default_rng(seed)
    for qubits, rows in groups.items():
        part = snapshot.restricted(qubits)
        model = None if noise is None else to_aer_noise_model(snapshot, qubits, noise)
        if len(qubits) > MAX_STATE_QUBITS:
            device = None if noise is None else DeviceNoise(part, noise)
            for row in rows:
                found[row] = _twirled(executables[row].circuit, part, device, generator, shots)
            continue
        circuits = [_for_aer(executables[row].circuit, part, model) for row in rows]
        small = model is not None and len(qubits) <= _MAX_DENSITY_QUBITS
        simulator = AerSimulator(
            method="density_matrix" if small else "statevector",
            noise_model=model,
            seed_simulator=int(generator.integers(2**31)),
            fusion_threshold=5,
        )
        result = simulator.run(circuits, shots=shots).result()
        if not result.success:
            raise IllegalActionError(f"Aer could not simulate: {result.status}")
        for row, data in zip(rows, result.results, strict=True):
            width = len(executables[row].measured)
            found[row] = _bits(data.data.to_dict()["counts"], width, generator)
    return found


def _for_aer(
    circuit: QuantumCircuit | None, part: DeviceSnapshot, model: NoiseModel | None
) -> QuantumCircuit:
    """Scheduled where there is noise; gates Aer lacks become matrices that keep their names."""
    if circuit is None:
        raise IllegalActionError("only verbatim programs are rehearsed on a QPU")
    return for_aer(circuit if model is None else schedule_alap(circuit, part).circuit)


def _twirled(
    circuit: QuantumCircuit | None,
    part: DeviceSnapshot,
    noise: DeviceNoise | None,
    generator: np.random.Generator,
    shots: int,
) -> NDArray[np.int64]:
    """Shots ``(shots, measured)`` of a wide program, classical bit i in column i."""
    if circuit is None:
        raise IllegalActionError("only verbatim programs are rehearsed on a QPU")
    timed = circuit if noise is None else schedule_alap(circuit, part).circuit
    try:
        bits = noisy_shots(timed, noise, shots, generator)
    except BackendError as error:
        raise IllegalActionError(str(error)) from error
    if noise is not None:
        confusion = np.stack([noise.confusion(q) for q in measured_qubits(timed)])
        bits = misread(bits, confusion, generator)
    return bits[:, ::-1].astype(np.int64)


def _bits(counts: dict[str, int], width: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """``(shots, width)``, classical bit i in column i, shots in random order."""
    outcomes = np.array([int(text, 16) for text in counts])
    repeated = np.repeat(outcomes, np.array(list(counts.values())))
    shuffled = generator.permutation(repeated)
    return np.asarray(shuffled[:, None] >> np.arange(width) & 1, dtype=np.int64)


def run_simulator(executable: Executable, shots: int, kind: str) -> dict[str, Any]:
    """Result document of one program on Amazon's own local simulator.

    Args:
        executable: not verbatim.
        shots: number of shots.
        kind: ``sv1`` or ``dm1``.
    """
    from braket.devices import LocalSimulator  # takes seconds to load, and only simulators need it

    device = LocalSimulator("braket_dm" if kind == "dm1" else "braket_sv")
    result = device.run(Program(source=executable.source), shots=shots).result()
    return {
        "measurements": np.asarray(result.measurements).tolist(),
        "measuredQubits": [int(q) for q in result.measured_qubits],
    }
