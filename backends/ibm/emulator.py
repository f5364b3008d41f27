"""``emulator:<IBM device>``: a rehearsal of ``ibm:`` on this machine, free and at once.

The circuit goes through IBM's own executor-based Sampler in local mode, on the qubits it uses,
with the noise of the device's snapshot.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime.executor_sampler import Sampler

from backends.aer import AerBackend
from backends.base import (
    BackendError,
    CircuitBatch,
    CompiledTemplate,
    run_batches,
    same_columns,
    stream_seed,
)
from backends.emulated import EmulatedJobs, check_width, is_twirled, seed_of
from backends.ibm.program import (
    IBMOptions,
    check,
    check_delays,
    check_early,
    pubs_of,
    sampler_options,
    split,
)
from backends.ibm.results import check_counts, counts_of
from backends.native.compile import compile_template
from backends.vendor import JobCounts, JobHandle, Submission
from calibration.aer_noise import to_aer_noise_model
from calibration.snapshot import DeviceSnapshot

_MAX_QUBITS = 12


class IBMEmulator(EmulatedJobs):
    """A device's snapshot behind the protocol of a paid backend.

    Args:
        snapshot: the device, or its name.
        options: how circuits are run. Decoupling pulses are refused: local noise has no memory
            that they could undo.
    """

    def __init__(
        self, snapshot: DeviceSnapshot | str, *, options: IBMOptions | None = None
    ) -> None:
        super().__init__(snapshot)
        self._options = options or IBMOptions()
        if self._options.decoupling is not None:
            raise BackendError(
                f"Argument `options` must have no decoupling on an emulator, but has "
                f"{self._options.decoupling}."
            )

    @property
    def name(self) -> str:
        """``emulator:`` and the device's name, ``+fractional`` where that was asked for."""
        return f"{super().name}{'+fractional' if self._options.fractional else ''}"

    def check_early(self, shots: int, *, whole: bool) -> None:
        """Refuse shots as ``ibm:`` does.

        Raises:
            BackendError: shots out of range.
        """
        check_early(shots, self._snapshot, whole=whole)

    def compile(self, circuit: QuantumCircuit, *, seed: int = 0) -> CompiledTemplate:
        """Compile as ``aer:`` does, waits included.

        Raises:
            BackendError: the circuit does not fit the device.
        """
        fractional = self._options.fractional
        return compile_template(
            circuit, self._snapshot, seed=seed, fractional=fractional, scheduled=True
        )

    def split(self, submission: Submission) -> tuple[Submission, ...]:
        """Cut as ``ibm:`` does."""
        return split(submission)

    def validate(self, submission: Submission) -> None:
        """Check what ``ibm:`` checks, and that the circuit is small enough to simulate.

        Raises:
            BackendError: the first thing the device would refuse.
        """
        check(submission, self._snapshot, self._options)
        check_delays(submission, twirled=self._options.twirled)
        check_width(submission, _MAX_QUBITS)

    def payload(self, submission: Submission, key: str) -> bytes:
        """Nothing is posted."""
        del submission, key
        return b""

    def fetch(self, handle: JobHandle, submission: Submission) -> JobCounts:
        """Run the job; the same key gives the same counts.

        Raises:
            BackendError: as :meth:`validate`.
        """
        self.validate(submission)
        seed = seed_of(handle)
        if is_twirled(submission):
            return self._wide(submission, seed)
        noise = to_aer_noise_model(self._snapshot, submission.compiled.physical_qubits)
        small = submission.compiled.circuit.num_qubits < _MAX_QUBITS
        simulator = AerSimulator(
            noise_model=noise,
            method="density_matrix" if small else "statevector",
            fusion_threshold=5,
        )
        asked = sampler_options(submission, self._options)
        asked.simulator.angle_decimals = 12  # IBM rounds angles to 1e-5 quarter turns by default
        pubs: list[Any] = []
        for place, pub in enumerate(pubs_of(submission, None)):
            # PUBs of one call get the same random numbers: equal circuits would have equal counts
            asked.simulator.seed_simulator = stream_seed(seed, f"pub {place}") if place else seed
            sampler = Sampler(mode=simulator, options=asked)
            pubs += sampler.run([pub], shots=submission.shots).result()
        counts, outcomes = counts_of(pubs)
        check_counts(counts, outcomes, submission)
        return JobCounts(counts, {}, counts.tobytes(), datetime.now(UTC), outcomes=outcomes)

    def _wide(self, submission: Submission, seed: int) -> JobCounts:
        """Counts of circuits whose noise is twirled; what IBM adds to circuits is not simulated."""
        simulated = AerBackend(self._snapshot, fractional=self._options.fractional)
        batches = [
            CircuitBatch(f"part {place}", part.compiled, part.angles, part.shots)
            for place, part in enumerate(submission.parts())
        ]
        found = run_batches(simulated, batches, seed=seed)
        labelled = {batch.label: result for batch, result in zip(batches, found, strict=True)}
        tables, outcomes = same_columns(labelled)
        counts = np.concatenate(list(tables.values()))
        return JobCounts(counts, {}, counts.tobytes(), datetime.now(UTC), outcomes=outcomes)
