"""``emulator:<IBM device>``: a rehearsal of ``ibm:`` on this machine, free and at once.

The circuit goes through IBM's own executor-based Sampler in local mode, on the qubits it uses,
with the noise of the device's snapshot. A job needs no memory: its id holds the key, the key seeds
its shots, and :meth:`IBMEmulator.fetch` runs it, also after a restart.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime.executor_sampler import Sampler

from backends.aer import AerBackend
from backends.base import BackendError, CompiledTemplate, CostEstimate
from backends.ibm_program import (
    IBMOptions,
    check,
    check_counts,
    counts_of,
    pubs_of,
    sampler_options,
    split,
)
from backends.vendor import (
    JobCounts,
    JobHandle,
    JobState,
    JobStatus,
    Submission,
    SubmissionRefused,
    Usage,
)
from calibration.aer_noise import to_aer_noise_model
from calibration.catalog import load_snapshot
from calibration.snapshot import DeviceSnapshot

_PREFIX = "local-"
_MAX_QUBITS = 12


class IBMEmulator:
    """A device's snapshot behind the protocol of a paid backend.

    Args:
        snapshot: the device, or its name.
        options: how circuits are run. Decoupling pulses are refused: local noise has no memory
            that they could undo.
    """

    def __init__(
        self, snapshot: DeviceSnapshot | str, *, options: IBMOptions | None = None
    ) -> None:
        self._snapshot = load_snapshot(snapshot) if isinstance(snapshot, str) else snapshot
        self._options = options or IBMOptions()
        if self._options.decoupling is not None:
            raise BackendError(
                f"Argument `options` must have no decoupling on an emulator, but has "
                f"{self._options.decoupling}."
            )

    @property
    def name(self) -> str:
        """``emulator:`` and the device's name."""
        return f"emulator:{self._snapshot.name}"

    @property
    def snapshot(self) -> DeviceSnapshot:
        """Calibration that is emulated."""
        return self._snapshot

    def compile(self, circuit: QuantumCircuit, *, seed: int = 0) -> CompiledTemplate:
        """Compile as ``aer:`` does, waits included.

        Raises:
            BackendError: the circuit does not fit the device.
        """
        simulated = AerBackend(self._snapshot, fractional=self._options.fractional)
        return simulated.compile(circuit, seed=seed)

    def split(self, submission: Submission) -> tuple[Submission, ...]:
        """Cut as ``ibm:`` does."""
        return split(submission)

    def validate(self, submission: Submission) -> None:
        """Check what ``ibm:`` checks, and that the circuit is small enough to simulate.

        Raises:
            BackendError: the first thing the device would refuse.
        """
        check(submission, self._snapshot, self._options)
        if submission.compiled.circuit.num_qubits > _MAX_QUBITS:
            raise BackendError(
                f"Argument `submission` must use at most {_MAX_QUBITS} qubits on an emulator, but "
                f"uses {submission.compiled.circuit.num_qubits}."
            )

    def payload(self, submission: Submission, key: str) -> bytes:
        """Nothing is posted."""
        del submission, key
        return b""

    def estimate(self, submission: Submission) -> CostEstimate:
        """Free."""
        del submission
        return CostEstimate(0.0, None, "emulated on this machine, free")

    def submit(self, submission: Submission, key: str) -> JobHandle:
        """Check; the work is done when the counts are fetched.

        Raises:
            SubmissionRefused: the device would refuse it.
        """
        try:
            self.validate(submission)
        except BackendError as error:
            raise SubmissionRefused(f"Not sent: {error}") from error
        return self._handle(key)

    def find(self, key: str, since: datetime) -> tuple[JobHandle, ...]:
        """The job of the key: every key has one."""
        del since
        return (self._handle(key),)

    def status(self, handle: JobHandle) -> JobStatus:
        """Done."""
        del handle
        return JobStatus(JobState.DONE, "emulated")

    def fetch(self, handle: JobHandle, submission: Submission) -> JobCounts:
        """Run the job; the same key gives the same counts.

        Raises:
            BackendError: as :meth:`validate`.
        """
        self.validate(submission)
        seed = int.from_bytes(hashlib.sha256(handle.key.encode()).digest()[:4], "big")
        noise = to_aer_noise_model(self._snapshot, submission.compiled.physical_qubits)
        small = submission.compiled.circuit.num_qubits < _MAX_QUBITS
        simulator = AerSimulator(
            noise_model=noise,
            method="density_matrix" if small else "statevector",
            fusion_threshold=5,
        )
        asked = sampler_options(submission, self._options)
        asked.simulator.seed_simulator = seed
        asked.simulator.angle_decimals = 12  # IBM rounds angles to 1e-5 quarter turns by default
        sampler = Sampler(mode=simulator, options=asked)
        result = sampler.run(pubs_of(submission, None), shots=submission.shots).result()
        counts = counts_of(result)
        check_counts(counts, submission)
        return JobCounts(counts, {}, counts.tobytes(), datetime.now(UTC))

    def cancel(self, handle: JobHandle) -> JobStatus:
        """Already final."""
        return self.status(handle)

    def usage(self, handle: JobHandle) -> Usage:
        """Free."""
        del handle
        return Usage(0.0, None, "emulated on this machine, free")

    def _handle(self, key: str) -> JobHandle:
        return JobHandle(self.name, f"{_PREFIX}{key}", key, datetime.now(UTC))
