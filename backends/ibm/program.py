"""A submission as IBM's executor program.

A submission is one parameter-broadcast PUB a template: the circuit once, and a row of angles for
each molecule. The executor-based Sampler posts what it is given unchecked, so everything is
checked here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit_ibm_runtime.executor_sampler.prepare import prepare
from qiskit_ibm_runtime.options_models.sampler import SamplerOptions
from qiskit_ibm_runtime.quantum_program.params_converters import QUANTUM_PROGRAM_PARAMS_CONVERTERS

from backends.base import BackendError, CompiledTemplate
from backends.binding import angle_values, columns_of
from backends.checks import check_angles, check_shots
from backends.delays import is_own_delay
from backends.dynamic.circuit import every_operation, is_dynamic
from backends.dynamic.devices import check_runs_dynamic
from backends.ibm.results import OUR_DATA
from backends.ibm.timing import JOB_OVERHEAD_S
from backends.vendor import Submission
from calibration.snapshot import DeviceSnapshot

MAX_EXECUTIONS = 10_000_000
"""Bound circuits times shots of one job."""
LONGEST_JOB_S = 10_800
"""IBM stops every job after three hours of device time."""
_RANDOMIZATIONS: tuple[int, ...] = (32, *range(64, 7, -1))
_SCHEMA = "v2.0"
_NOT_GATES = ("barrier", "measure", "delay", "reset")

Sequence = Literal["XX", "XpXm", "XY4"]


@dataclass(frozen=True)
class IBMOptions:
    """How a circuit is run; everything that IBM would otherwise choose is said.

    Attributes:
        fractional: use ``rx`` and ``rzz`` where they are calibrated.
        twirl_gates: random Paulis around two-qubit gates, on the gate's qubits only (``active``;
            IBM's default dresses every qubit used so far and costs serial circuits fidelity).
        twirl_readout: random bit flips before readout, undone in the result.
        decoupling: pulses on waiting qubits, none by default.
        rep_delay_s: pause between shots; the device's own by default.
    """

    fractional: bool = False
    twirl_gates: bool = False
    twirl_readout: bool = False
    decoupling: Sequence | None = None
    rep_delay_s: float | None = None

    @property
    def twirled(self) -> bool:
        """Whether shots are spread over random variants of the circuit."""
        return self.twirl_gates or self.twirl_readout


def split(submission: Submission) -> tuple[Submission, ...]:
    """As few jobs as possible with at most :data:`MAX_EXECUTIONS` executions each."""
    rows = max(1, MAX_EXECUTIONS // max(1, submission.shots))
    if len(submission.angles) <= rows:
        return (submission,)
    # jobs of equal length: none is a remainder of a few rows
    count = math.ceil(len(submission.angles) / rows)
    parts = np.array_split(np.arange(len(submission.angles)), count)
    return tuple(submission.rows(int(part[0]), int(part[-1]) + 1) for part in parts)


def check(submission: Submission, snapshot: DeviceSnapshot, options: IBMOptions) -> None:
    """Check everything that can be known without asking the device.

    Raises:
        BackendError: the first thing the device would refuse.
    """
    angles = check_angles(submission.compiled, submission.angles)
    if not len(angles):
        raise BackendError("Argument `angles` must have at least one row, but has none.")
    least, most = shot_limits(snapshot)
    shots = check_shots(submission.shots, least=least, most=most)
    if shots * len(angles) > MAX_EXECUTIONS:
        raise BackendError(
            f"Argument `submission` must have at most {MAX_EXECUTIONS} rows times shots, but has "
            f"{len(angles)} times {shots}: use `split`."
        )
    if options.twirled:
        randomizations(shots)
    for part in submission.parts():
        if is_dynamic(part.compiled.circuit) and (options.twirled or options.decoupling):
            raise BackendError(
                "Argument `options` must have no twirling and no decoupling for a dynamic circuit, "
                "but has: both are for gates in a fixed order."
            )
        _check_gates(part.compiled, part.angles, snapshot)


def shot_limits(snapshot: DeviceSnapshot) -> tuple[int, int]:
    """Fewest and most shots of a circuit."""
    limits = snapshot.job_limits
    return limits.min_shots, min(limits.max_shots or MAX_EXECUTIONS, MAX_EXECUTIONS)


def check_early(shots: int, snapshot: DeviceSnapshot, *, whole: bool) -> None:
    """Check shots of a row, see :class:`backends.vendor.ChecksEarly`.

    Raises:
        BackendError: the device does not take them.
    """
    least, most = shot_limits(snapshot)
    check_shots(shots if whole else min(shots, most), least=least, most=most)


def _check_gates(
    compiled: CompiledTemplate, angles: NDArray[np.float64], snapshot: DeviceSnapshot
) -> None:
    columns = columns_of(compiled)
    if is_dynamic(compiled.circuit):
        check_runs_dynamic(compiled.circuit, snapshot)
    for operation, places in every_operation(compiled.circuit):
        name = operation.name
        if name in _NOT_GATES:
            continue
        qubits = tuple(compiled.physical_qubits[q] for q in places)
        gate = snapshot.gate(name, qubits) if max(qubits) < snapshot.n_qubits else None
        # cz and rzz are symmetric, ecr is not and exists in one direction
        turned = gate is not None and name == "ecr" and gate.qubits != qubits
        if gate is None or not gate.usable or turned:
            raise BackendError(
                f"Argument `submission` must use native gates of {snapshot.name} where it has "
                f"them, but has {name} on qubits {qubits}."
            )
        limit = snapshot.limit(name)
        if limit is None:
            continue
        values = np.unique(np.atleast_1d(angle_values(operation.params[0], columns, angles)))
        wrong = [value for value in values if not limit.permits(float(value))]
        if wrong:
            raise BackendError(
                f"Argument `submission` must keep the angle of {name} from {limit.minimum} to "
                f"{limit.maximum}, but has {wrong[0]:.6g} on qubits {qubits}."
            )


def check_delays(submission: Submission, *, twirled: bool, decoupling: bool = False) -> None:
    """Check that a circuit's own delays are what they are after IBM's client was at it.

    Args:
        submission: what is sent.
        twirled: IBM's client twirls: it drops barriers, and moves gates of other qubits past a
            delay that they were to wait for.
        decoupling: IBM's client puts pulses wherever a qubit waits.

    Raises:
        BackendError: they would not be.
    """
    for part in submission.parts():
        items = part.compiled.circuit.data
        if not any(is_own_delay(item.operation) for item in items):
            continue
        if decoupling:
            raise BackendError(
                "Argument `options` must have no decoupling for a circuit with delays, but has: "
                "IBM would put pulses into them."
            )
        joined = (i.operation.name == "barrier" and len(i.qubits) > 1 for i in items)
        if twirled and any(joined):
            raise BackendError(
                "Argument `options` must have no twirling for a circuit with delays and barriers, "
                "but has: IBM would let no qubit wait for another."
            )


def check_units(submission: Submission) -> None:
    """Check that the payload keeps the length of every wait and delay.

    Raises:
        BackendError: one is not in clock periods.
    """
    for part in submission.parts():
        waits = part.compiled.circuit.get_instructions("delay")
        if any(item.operation.unit != "dt" for item in waits):
            raise BackendError(
                "Argument `submission` must have delays in clock periods (dt), but has one in "
                "other units: IBM's payload holds the number alone."
            )


def randomizations(shots: int) -> int:
    """Random variants over which shots are spread evenly when twirled, 8 to 64.

    Raises:
        BackendError: the shots cannot be shared out evenly.
    """
    for count in _RANDOMIZATIONS:
        if shots % count == 0:
            return count
    raise BackendError(
        f"Argument `shots` must have a divisor from {min(_RANDOMIZATIONS)} to "
        f"{max(_RANDOMIZATIONS)} when twirled, but is {shots}."
    )


def device_seconds(submission: Submission, snapshot: DeviceSnapshot, rep_delay_s: float) -> float:
    """Time the device is busy with a job: overhead, then circuit, readout and pause a shot."""
    used = (snapshot.qubits[q] for q in submission.compiled.physical_qubits)
    readout_s = max((qubit.readout_s or 0.0 for qubit in used), default=0.0)
    pause_s = readout_s + rep_delay_s
    each = [len(part.angles) * (part.compiled.duration_s + pause_s) for part in submission.parts()]
    return JOB_OVERHEAD_S + submission.shots * sum(each)


def longest_seconds(seconds: float) -> int:
    """``max_execution_time``: IBM stops a job there, so it bounds the cost.

    Half as much again as estimated and five seconds, since a stopped job is paid and lost; budgets
    reserve all of it, since it may be used.
    """
    return min(LONGEST_JOB_S, math.ceil(1.5 * seconds) + 5)


def encode(
    submission: Submission, n_qubits: int, options: IBMOptions, backend: Any, *, key: str = ""
) -> dict[str, Any]:
    """The ``params`` of the executor program.

    Args:
        submission: checked.
        n_qubits: of the device.
        options: how it is run.
        backend: Qiskit backend, needed for the timing of ``options.decoupling`` only.
        key: of the job; IBM passes it through into the results, which name no job themselves.
    """
    asked = sampler_options(submission, options)
    program, executor_options = prepare(
        pubs_of(submission, n_qubits), asked, submission.shots, backend=backend
    )
    program._semantic_role = "sampler_v2"  # as Sampler.run sets it
    if key:
        program.passthrough_data = {**program.passthrough_data, OUR_DATA: {"key": key}}
    params = QUANTUM_PROGRAM_PARAMS_CONVERTERS[_SCHEMA].encoder(program, executor_options)
    encoded: dict[str, Any] = params.model_dump(mode="json")
    return encoded


def sampler_options(submission: Submission, options: IBMOptions) -> SamplerOptions:
    """IBM's options, each said."""
    parts = submission.parts()
    names = {item.operation.name for part in parts for item in part.compiled.circuit.data}
    twirling: dict[str, Any] = {
        "enable_gates": options.twirl_gates,
        "enable_measure": options.twirl_readout,
        "strategy": "active",
        # of the Paulis, rzz commutes with some only
        "group": "local_pauli" if "rzz" in names else "pauli",
    }
    if options.twirled:
        n = randomizations(submission.shots)
        twirling |= {"num_randomizations": n, "shots_per_randomization": submission.shots // n}
    decoupling: dict[str, Any] = {"enable": options.decoupling is not None}
    if options.decoupling is not None:
        # else IBM's pass also pulses every qubit of the device that the circuit does not use
        decoupling |= {"sequence_type": options.decoupling, "skip_reset_qubits": True}
    return SamplerOptions(
        default_shots=submission.shots,
        dynamical_decoupling=decoupling,
        twirling=twirling,
        execution={"rep_delay": options.rep_delay_s, "init_qubits": True},
    )


def pubs_of(submission: Submission, n_qubits: int | None) -> list[Any]:
    """PUBs of a submission: one a template, or one a row where there is nothing to bind.

    Args:
        submission: checked.
        n_qubits: width of the device; ``None`` leaves circuits on their own qubits.
    """
    pubs: list[Any] = []
    for part in submission.parts():
        compiled = part.compiled
        circuit = _in_one_register(compiled, n_qubits)
        columns = columns_of(compiled)
        if not columns:
            pubs += [(circuit,)] * len(part.angles)
            continue
        order = [columns[p] for p in circuit.parameters]
        values = np.ascontiguousarray(part.angles[:, order], dtype=np.float64)
        pubs.append((circuit, values))
    return pubs


def _in_one_register(compiled: CompiledTemplate, n_qubits: int | None) -> QuantumCircuit:
    """The circuit on the qubits of the whole device, or its own, measured into one register."""
    circuit = compiled.circuit
    if n_qubits is None and len(circuit.cregs) == 1:
        return circuit
    qubits = range(circuit.num_qubits) if n_qubits is None else compiled.physical_qubits
    wide = QuantumCircuit(
        QuantumRegister(n_qubits or circuit.num_qubits, "q"),
        ClassicalRegister(compiled.n_measured, "c"),
        name="qhw",
    )
    return wide.compose(circuit, qubits=list(qubits), clbits=wide.clbits)
