"""What the loopback IBM does with a job: decode the genuine payload, check it, run it.

A real server refuses or fails what its device cannot do; so does this one, with the calibration
it publishes. Results go out in the schema of the executor program, version 2.0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from ibm_quantum_schemas.common import CompressedTensorModel
from ibm_quantum_schemas.executor.version_2_0 import ParamsModel, QuantumProgramResultModel
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime.fake_provider.executor.broadcast_sample import broadcast_sample
from qiskit_ibm_runtime.quantum_program.params_converters import QUANTUM_PROGRAM_PARAMS_CONVERTERS
from samplomatic.quantum_program import SamplexItem

from backends.aer import MAX_STATE_QUBITS, AerBackend
from backends.base import CompiledTemplate, ShotResult
from backends.binding import angle_values
from backends.checks import measured_qubits, sample
from backends.dynamic.circuit import every_operation, is_dynamic
from backends.dynamic.surrogate import counted
from backends.native.schedule import schedule_alap
from backends.outcomes import Outcomes, tabulated
from backends.reference.twirled import noisy_shots
from calibration.noise import NoiseOptions
from calibration.snapshot import DeviceSnapshot

_ALWAYS = ("barrier", "measure", "delay", "reset")
_ROUNDING = 1e-9


class IllegalProgramError(Exception):
    """The device cannot do what the program asks; the text is the failed job's reason."""


@dataclass(frozen=True)
class Work:
    """One circuit and the angles it runs with.

    Attributes:
        circuit: as posted, on the whole device.
        angles: ``(B, P)`` radians, columns ``circuit.parameters``.
        shape: shape of the leading axes that ``B`` flattens.
        extra: arrays that go back as they are (bit flips of measurement twirling).
    """

    circuit: QuantumCircuit
    angles: NDArray[np.float64]
    shape: tuple[int, ...]
    extra: dict[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """A decoded payload."""

    works: tuple[Work, ...]
    shots: int
    rep_delay_s: float
    params: ParamsModel


def decode(params: dict[str, Any], *, seed: int, default_rep_delay_s: float) -> Program:
    """The program in a job's ``params``, twirling drawn.

    Raises:
        IllegalProgramError: not a version 2.0 executor program.
    """
    try:
        model = ParamsModel.model_validate(params)
        program, options = QUANTUM_PROGRAM_PARAMS_CONVERTERS["v2.0"].decoder(model)
    except (ValueError, TypeError, KeyError) as error:
        raise IllegalProgramError(f"invalid params: {error}") from error
    generator = np.random.default_rng(seed)
    return Program(
        works=tuple(_work(item, generator) for item in program.items),
        shots=program.shots,
        rep_delay_s=options.execution.rep_delay or default_rep_delay_s,
        params=model,
    )


def _work(item: Any, generator: np.random.Generator) -> Work:
    if isinstance(item, SamplexItem):
        item.samplex.finalize()
        drawn = broadcast_sample(item.samplex, item.samplex_arguments, item.shape, generator)
        angles = drawn.pop("parameter_values")
        return Work(item.circuit, _rows(angles), tuple(item.shape), drawn)
    angles = np.asarray(item.circuit_arguments, dtype=np.float64)
    return Work(item.circuit, _rows(angles), angles.shape[:-1])


def _rows(angles: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(angles, dtype=np.float64).reshape(
        math.prod(angles.shape[:-1]), angles.shape[-1]
    )


def check(program: Program, snapshot: DeviceSnapshot) -> None:
    """Refuse gates where the device has none, and angles it does not take.

    Raises:
        IllegalProgramError: the first instruction that cannot be done.
    """
    limits = snapshot.job_limits
    if limits.max_shots is not None and program.shots > limits.max_shots:
        raise IllegalProgramError(f"{program.shots} shots, at most {limits.max_shots}")
    for work in program.works:
        columns = {p: i for i, p in enumerate(work.circuit.parameters)}
        for operation, qubits in every_operation(work.circuit):
            name = operation.name
            if name in _ALWAYS:
                continue
            gate = snapshot.gate(name, qubits) if max(qubits) < snapshot.n_qubits else None
            turned = gate is not None and name == "ecr" and gate.qubits != qubits
            if gate is None or not gate.usable or turned:
                raise IllegalProgramError(f"instruction {name} on qubits {qubits} not supported")
            limit = snapshot.limit(name)
            if limit is not None:
                angle = np.asarray(angle_values(operation.params[0], columns, work.angles))
                low = -math.inf if limit.minimum is None else limit.minimum - _ROUNDING
                high = math.inf if limit.maximum is None else limit.maximum + _ROUNDING
                if not ((low <= angle) & (angle <= high)).all():
                    raise IllegalProgramError(f"angle of {name} on qubits {qubits} out of range")


def quantum_seconds(program: Program, snapshot: DeviceSnapshot) -> float:
    """Time the device is busy: 2 s a job, then circuit, readout and repetition delay a shot."""
    seconds = 2.0
    for work in program.works:
        circuit, qubits = _used_part(work.circuit)
        part = snapshot.restricted(qubits)
        timed = counted(circuit, snapshot, qubits)
        shot = schedule_alap(timed, part).duration_s + program.rep_delay_s
        shot += max((q.readout_s or 0.0) for q in part.qubits)
        seconds += len(work.angles) * program.shots * shot
    return seconds


def run(
    program: Program, snapshot: DeviceSnapshot, noise: NoiseOptions | None, seed: int
) -> tuple[dict[str, Any], list[NDArray[np.int64]]]:
    """Execute on Aer; the result document, and the counts of each circuit that it was made of.

    The counts are ``(B, 2**clbits)``, classical bit 0 least significant.

    Args:
        program: checked.
        snapshot: the device.
        noise: strength of its noise; ``None`` for a perfect device.
        seed: of shots.
    """
    started = datetime.now(UTC)
    data, parts, measured = [], [], []
    for index, work in enumerate(program.works):
        found = _counts(work, program.shots, snapshot, noise, seed + index)
        measured.append(found.counts)
        bits = _shots_of(found, program.shots, work.circuit.num_clbits, seed + index)
        arrays = {**_by_register(work, bits), **work.extra}
        data.append(
            {
                "results": {
                    name: CompressedTensorModel.from_numpy(np.ascontiguousarray(array))
                    for name, array in arrays.items()
                },
                "metadata": {},
            }
        )
        rows = len(work.angles)
        parts.append(
            {
                "idx_item": index,
                "size": rows,
                "permutation": list(range(len(work.shape))),
                "element_range": (0, rows, 1),
            }
        )
    span = {"start": started, "stop": datetime.now(UTC), "parts": parts}
    asked = program.params.quantum_program
    model = QuantumProgramResultModel(
        data=data,
        metadata={"chunk_timing": [span]},
        passthrough_data=asked.passthrough_data,
        semantic_role=asked.semantic_role,
    )
    document: dict[str, Any] = model.model_dump(mode="json")
    return document, measured


def _counts(
    work: Work, shots: int, snapshot: DeviceSnapshot, noise: NoiseOptions | None, seed: int
) -> ShotResult:
    """Counts ``(B, 2**clbits)``, classical bit 0 least significant."""
    circuit, qubits = _used_part(work.circuit)
    if noise is None:
        return _perfect_counts(circuit, work, shots, seed)
    if not is_dynamic(circuit):
        circuit = schedule_alap(circuit, snapshot.restricted(qubits)).circuit
    template = CompiledTemplate(
        circuit=circuit,
        parameter_names=tuple(p.name for p in work.circuit.parameters),
        n_measured=circuit.num_clbits,
        physical_qubits=qubits,
        two_qubit_gates=0,
        two_qubit_depth=0,
        depth=0,
        duration_s=0.0,
        seed=0,
        snapshot=snapshot,
    )
    simulator = AerBackend(snapshot, noise=noise)
    return simulator.run(template, work.angles, shots=shots, seed=seed)


def _perfect_counts(circuit: QuantumCircuit, work: Work, shots: int, seed: int) -> ShotResult:
    """The same without noise, orders of magnitude faster."""
    done = datetime.now(UTC)
    if is_dynamic(circuit):
        return _perfect_courses(circuit, work, shots, seed)
    if circuit.num_qubits > MAX_STATE_QUBITS:
        rng = np.random.default_rng(seed)
        rows = [circuit.assign_parameters(row.tolist()) for row in work.angles]
        table, outcomes = tabulated([noisy_shots(row, None, shots, rng) for row in rows])
        return ShotResult(table, shots, "loopback", seed, done, outcomes=outcomes)
    measured = circuit.remove_final_measurements(inplace=False)
    measured.save_probabilities(list(reversed(measured_qubits(circuit))))
    simulator = AerSimulator(method="statevector")
    parameters = list(work.circuit.parameters)
    if parameters:
        binds = [{p: work.angles[:, i].tolist() for i, p in enumerate(parameters)}]
        found = simulator.run(measured, parameter_binds=binds).result()
    else:
        found = simulator.run([measured] * len(work.angles)).result()
    exact = np.array([r.data.to_dict()["probabilities"] for r in found.results])
    counts = sample(exact, shots, np.random.default_rng(seed))
    return ShotResult(counts, shots, "loopback", seed, done)


def _perfect_courses(circuit: QuantumCircuit, work: Work, shots: int, seed: int) -> ShotResult:
    """Of a dynamic circuit: every shot takes its own course."""
    simulator = AerSimulator(method="statevector")
    table = np.zeros((len(work.angles), 2**circuit.num_clbits), dtype=np.int64)
    for row, values in enumerate(work.angles):
        bound = circuit.assign_parameters(values.tolist())
        found = simulator.run(bound, shots=shots, seed_simulator=seed + row).result()
        for outcome, count in found.results[0].data.to_dict()["counts"].items():
            table[row, int(outcome, 16)] = count
    return ShotResult(table, shots, "loopback", seed, datetime.now(UTC))


def _shots_of(result: ShotResult, shots: int, bits: int, seed: int) -> NDArray[np.bool_]:
    """``(B, shots, clbits)``, classical bit i at index i, shots in random order."""
    generator = np.random.default_rng([seed, 1])
    counts = result.counts
    outcomes = Outcomes.all_of(bits) if result.outcomes is None else result.outcomes
    written = outcomes.bits()[:, ::-1]
    found = np.empty((len(counts), shots, bits), dtype=np.bool_)
    for row, count in enumerate(counts):
        found[row] = written[generator.permutation(np.repeat(np.arange(len(count)), count))]
    return found


def _by_register(work: Work, bits: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    found = {}
    for register in work.circuit.cregs:
        columns = [work.circuit.find_bit(bit).index for bit in register]
        found[register.name] = bits[:, :, columns].reshape(*work.shape, bits.shape[1], -1)
    return found


def _used_part(circuit: QuantumCircuit) -> tuple[QuantumCircuit, tuple[int, ...]]:
    """The circuit on the qubits that do something, and their places on the device.

    A qubit that only waits counts where others wait for it; IBM's client lets all others wait too.
    """
    index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
    places: dict[str, list[set[int]]] = {"barrier": [], "delay": [], "": []}
    for item in circuit.data:
        kind = item.operation.name if item.operation.name in places else ""
        places[kind].append({index[q] for q in item.qubits})
    busy: set[int] = set().union(*places[""])
    joined = set().union(*(together for together in places["barrier"] if together & busy))
    busy |= joined & set().union(*places["delay"])
    qubits = tuple(sorted(busy))
    part = QuantumCircuit(len(qubits))
    part.add_bits(circuit.clbits)
    for register in circuit.cregs:
        part.add_register(register)
    place = {circuit.qubits[q]: part.qubits[i] for i, q in enumerate(qubits)}
    for item in circuit.data:
        kept = [place[q] for q in item.qubits if q in place]
        if item.operation.name == "barrier":
            if kept:
                part.barrier(*kept)
        elif kept:
            part.append(item.operation, kept, item.clbits)
    return part, qubits
