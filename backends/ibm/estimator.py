"""IBM's own mitigation of expectation values: its Estimator as an executor program.

IBM's client builds the circuits (twirled, folded, in all bases) and fits their results; the device
only samples. So the whole of it can also be rehearsed here, on a snapshot.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp
from qiskit_ibm_runtime.decoders.executor_estimator.decoder import ClientSideEstimatorDecoder
from qiskit_ibm_runtime.executor_estimator.prepare import prepare
from qiskit_ibm_runtime.options_models.estimator import EstimatorOptions
from qiskit_ibm_runtime.quantum_program.params_converters import QUANTUM_PROGRAM_PARAMS_CONVERTERS

from backends.base import BackendError
from backends.binding import columns_of
from backends.checks import measured_qubits
from backends.ibm.backend import IBMBackend
from backends.ibm.program import check_delays
from backends.ibm.results import decode_program
from backends.ibm.timing import JOB_OVERHEAD_S
from backends.loopback import ibm_execute
from backends.vendor import JobCounts, JobHandle, Submission, VendorUnavailable
from calibration.noise import NoiseOptions
from calibration.snapshot import DeviceSnapshot

FloatArray = NDArray[np.float64]
Terms = tuple[tuple[str, float], ...]
"""Pauli strings over the measured wires, wire 0 leftmost, and their coefficients."""

RANDOMIZATIONS = 32
"""Random variants of each circuit where anything is twirled."""
_SCHEMA = "v2.0"
_FEWEST_SCALES = 3


@dataclass(frozen=True)
class IBMMitigation:
    """What IBM's Estimator is asked to do; nothing is left to its defaults.

    Probabilistic error cancellation and amplification are not offered: they need a noise model
    that another paid job learns.

    Attributes:
        readout: twirled readout error extinction, with its own calibration circuits.
        twirl_gates: random Paulis around two-qubit gates.
        scales: noise factors of zero-noise extrapolation by folding; none for no extrapolation.
        extrapolator: model it fits to every term; exponentials of small terms run away.
    """

    readout: bool = True
    twirl_gates: bool = False
    scales: tuple[float, ...] = ()
    extrapolator: Literal["linear", "exponential"] = "linear"

    def __post_init__(self) -> None:
        if self.scales and (len(self.scales) < _FEWEST_SCALES or min(self.scales) < 1):
            raise BackendError(
                f"Argument `scales` must be {_FEWEST_SCALES} or more noise factors from 1 (of "
                f"fewer IBM gives no error bar), but is {list(self.scales)}."
            )
        if self.extrapolator not in ("linear", "exponential"):
            raise BackendError(
                f"Argument `extrapolator` must be linear or exponential, but is "
                f"{self.extrapolator!r}."
            )

    def __str__(self) -> str:
        parts = ["TREX"] if self.readout else []
        parts += ["gate twirling"] if self.twirl_gates else []
        listed = ",".join(f"{s:g}" for s in self.scales)
        parts += [f"ZNE({listed},{self.extrapolator})"] if self.scales else []
        return f"IBM Estimator: {' + '.join(parts) or 'no mitigation'}"


@dataclass(frozen=True, kw_only=True)
class EstimatorSubmission(Submission):
    """A submission whose answer is expectation values; ``shots`` are per row on average.

    All bases, noise factors and readout calibration are counted in ``shots``.

    Attributes:
        observables: K of them, none of them a multiple of the identity.
        mitigation: IBM's.
    """

    observables: tuple[Terms, ...]
    mitigation: IBMMitigation


@dataclass(frozen=True)
class VendorValues:
    """Expectation values as the vendor's client gives them.

    Attributes:
        values: ``(B, K)``.
        standard_error: ``(B, K)``, the vendor's.
    """

    values: FloatArray
    standard_error: FloatArray


@dataclass(frozen=True)
class EstimatorProgram:
    """What is posted.

    Attributes:
        params: of the executor program.
        executions: bound circuits, each run ``shots`` times.
        shots: of each.
    """

    params: dict[str, Any]
    executions: int
    shots: int

    @property
    def total_shots(self) -> int:
        """Of everything."""
        return self.executions * self.shots


def estimator_program(submission: EstimatorSubmission, n_qubits: int | None) -> EstimatorProgram:
    """IBM's Estimator applied to a submission.

    Args:
        submission: compiled in the basis of z, with nothing dropped before its measurements.
        n_qubits: width of the device; ``None`` leaves the circuit on its own qubits.

    Raises:
        BackendError: too few shots for all circuits.
    """
    twirled = submission.mitigation.readout or submission.mitigation.twirl_gates
    check_delays(submission, twirled=twirled)
    each = RANDOMIZATIONS if twirled else 1
    pub = _pub(submission, n_qubits)
    nominal, _ = prepare([pub], _options(submission.mitigation, each, 1))
    executions = sum(item.size() for item in nominal.items)
    total = submission.shots * len(submission.angles)
    shots = total // executions
    if shots < 1:
        raise BackendError(
            f"Argument `shots` must give each of the {executions} circuits at least one, but is "
            f"{submission.shots} for {len(submission.angles)} rows."
        )
    program, options = prepare([pub], _options(submission.mitigation, each, shots))
    program._semantic_role = "estimator_v2"  # as Estimator.run sets it
    params = QUANTUM_PROGRAM_PARAMS_CONVERTERS[_SCHEMA].encoder(program, options)
    return EstimatorProgram(params.model_dump(mode="json"), executions, shots)


def _options(mitigation: IBMMitigation, randomizations: int, shots: int) -> EstimatorOptions:
    zne = {"noise_factors": mitigation.scales, "extrapolator": mitigation.extrapolator}
    return EstimatorOptions(
        resilience_level=0,
        default_shots=randomizations * shots,
        resilience={
            "measure_mitigation": mitigation.readout,
            "zne_mitigation": bool(mitigation.scales),
            **({"zne": zne} if mitigation.scales else {}),
        },
        twirling={
            "enable_gates": mitigation.twirl_gates,
            "enable_measure": mitigation.readout,
            "strategy": "active",
            "num_randomizations": randomizations,
            "shots_per_randomization": shots,
        },
    )


def _pub(submission: EstimatorSubmission, n_qubits: int | None) -> tuple[Any, ...]:
    compiled = submission.compiled
    bare = compiled.circuit.remove_final_measurements(inplace=False)
    wires = list(measured_qubits(compiled.circuit))
    if n_qubits is not None:
        places = compiled.physical_qubits
        bare = QuantumCircuit(n_qubits).compose(bare, qubits=list(places))
        wires = [places[q] for q in wires]
    operators = [[_operator(terms, wires, bare.num_qubits)] for terms in submission.observables]
    columns = columns_of(compiled)
    order = [columns[p] for p in bare.parameters]
    # observables (K, 1) against rows (B,) broadcast to (K, B)
    return bare, operators, np.ascontiguousarray(submission.angles[:, order], dtype=np.float64)


def _operator(terms: Terms, wires: list[int], n_qubits: int) -> SparsePauliOp:
    sparse = []
    for string, coefficient in terms:
        used = [w for w, letter in enumerate(string) if letter != "I"]
        sparse.append(("".join(string[w] for w in used), [wires[w] for w in used], coefficient))
    return SparsePauliOp.from_sparse_list(sparse, num_qubits=n_qubits)


def decode_estimator(text: str) -> VendorValues:
    """IBM's values from a result document.

    Raises:
        ValueError: not a result of an estimator program, or values that are not finite.
    """
    program = decode_program(text)
    if not ClientSideEstimatorDecoder.is_applicable(program):
        raise ValueError("the result is not an estimator's")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # says what the error bars say
        (pub,) = ClientSideEstimatorDecoder.decode(program)
    values, errors = (np.asarray(a, dtype=np.float64).T for a in (pub.data.evs, pub.data.stds))
    if not np.isfinite(values).all() or not (errors >= 0).all():
        raise ValueError("the result holds values that are not finite, or errors that are none")
    return VendorValues(np.ascontiguousarray(values), np.ascontiguousarray(errors))


def rehearse(
    submission: EstimatorSubmission, *, noise: NoiseOptions | None = None, seed: int
) -> tuple[VendorValues, int]:
    """Run a submission here, with the noise of the snapshot it was compiled against.

    Args:
        submission: on a device.
        noise: strength of its noise; as reported by default.
        seed: of twirling and shots.

    Returns:
        What IBM's client makes of it, and the shots of everything.
    """
    snapshot = _snapshot_of(submission).restricted(submission.compiled.physical_qubits)
    asked = estimator_program(submission, None)
    program = ibm_execute.decode(asked.params, seed=seed, default_rep_delay_s=0.0)
    document, _ = ibm_execute.run(program, snapshot, noise or NoiseOptions(), seed)
    return decode_estimator(json.dumps(document)), asked.total_shots


def _snapshot_of(submission: Submission) -> DeviceSnapshot:
    if submission.compiled.snapshot is None:
        raise BackendError("Argument `compiled` must be compiled for a device, but has none.")
    return submission.compiled.snapshot


class IBMEstimator(IBMBackend):
    """An IBM device that answers with expectation values: the same jobs, another program.

    Submissions are :class:`EstimatorSubmission`. As with every vendor backend, whoever calls
    :meth:`submit` writes the key down first.
    """

    def values(self, handle: JobHandle) -> VendorValues:
        """IBM's values of a finished job.

        Raises:
            VendorUnavailable: not finished, or no proper answer.
        """
        status = self.status(handle)
        if not status.state.final:
            raise VendorUnavailable(f"Job {handle.vendor_id} is not finished: {status.vendor_text}")
        return self._client.ask(
            f"results of job {handle.vendor_id}",
            lambda c: decode_estimator(c.job_results(handle.vendor_id)),
        )

    def fetch(self, handle: JobHandle, submission: Submission) -> JobCounts:
        """Refused: an estimator's job has no counts of rows."""
        del submission
        raise BackendError(f"Job {handle.vendor_id} must be read as values, it has no counts.")

    def split(self, submission: Submission) -> tuple[Submission, ...]:
        """One job."""
        return (submission,)

    def _params(self, submission: Submission, key: str) -> dict[str, Any]:
        del key  # the values of one job are asked for by whoever submitted it
        return estimator_program(_checked(submission), self.snapshot.n_qubits).params

    def _seconds(self, submission: Submission) -> float:
        asked, compiled = _checked(submission), submission.compiled
        executed = estimator_program(asked, None).total_shots
        scales = asked.mitigation.scales
        stretch = sum(scales) / len(scales) if scales else 1.0
        qubits = [self.snapshot.qubits[q] for q in compiled.physical_qubits]
        readout_s = max((q.readout_s or 0.0 for q in qubits), default=0.0)
        shot_s = stretch * compiled.duration_s + readout_s + self._rep_delay_s
        return JOB_OVERHEAD_S + executed * shot_s


def _checked(submission: Submission) -> EstimatorSubmission:
    if not isinstance(submission, EstimatorSubmission):
        raise BackendError(
            f"Argument `submission` must be an EstimatorSubmission, but is "
            f"{type(submission).__name__}."
        )
    return submission
