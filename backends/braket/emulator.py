"""``emulator:<Braket device>``: a rehearsal of ``braket:`` on this machine, free and at once.

The very payload that ``braket:`` would post is decoded and run with the noise of the snapshot,
which keeps both directions of readout error and relaxation apart, as Amazon's own emulator does
not.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
from qiskit import QuantumCircuit

from backends.base import CompiledTemplate
from backends.braket.checks import check_early, check_limits, check_native, rows_a_task
from backends.braket.compile import compile_for, labels_of, rows_of
from backends.braket.devices import described_by
from backends.braket.execute import decode, run_native
from backends.braket.program import Destination, openqasm, task_parameters
from backends.checks import check_angles
from backends.emulated import EmulatedJobs, check_width, seed_of
from backends.outcomes import tabulated
from backends.vendor import JobCounts, JobHandle, Submission
from calibration.noise import NoiseOptions
from calibration.snapshot import DeviceSnapshot

_MAX_QUBITS = 14
_NOWHERE = Destination("amazon-braket-emulated", "qhw")


class BraketEmulator(EmulatedJobs):
    """A device's snapshot behind the protocol of a paid backend.

    Args:
        snapshot: of IQM, Rigetti or IonQ, or its name, or a file of ``deviceCapabilities``.
        noise: strength of each source of noise; as reported by default.
    """

    def __init__(
        self, snapshot: DeviceSnapshot | str, *, noise: NoiseOptions | None = None
    ) -> None:
        super().__init__(snapshot)
        self._noise = noise or NoiseOptions()
        self._device = described_by(self._snapshot, datetime.now(UTC))

    def check_early(self, shots: int, *, whole: bool) -> None:
        """Refuse shots as ``braket:`` does.

        Raises:
            BackendError: shots out of range.
        """
        check_early(shots, self._device, whole=whole)

    def compile(self, circuit: QuantumCircuit, *, seed: int = 0) -> CompiledTemplate:
        """Compile as ``braket:`` does.

        Raises:
            BackendError: the circuit does not fit the device.
        """
        return compile_for(circuit, self._snapshot, seed=seed)

    def split(self, submission: Submission) -> tuple[Submission, ...]:
        """Cut as ``braket:`` does."""
        x = check_angles(submission.compiled, submission.angles)
        size = rows_a_task(self._device, submission.shots)
        return tuple(
            Submission(submission.compiled, x[i : i + size], submission.shots)
            for i in range(0, len(x), size)
        )

    def validate(self, submission: Submission) -> None:
        """Check what ``braket:`` checks, and that the circuit is small enough to simulate.

        Raises:
            BackendError: the first thing the device would refuse.
        """
        check_limits(submission, self._device)
        compiled = submission.compiled
        check_width(submission, _MAX_QUBITS)
        rows = rows_of(compiled, submission.angles)
        check_native(rows, self._snapshot, compiled.physical_qubits)

    def payload(self, submission: Submission, key: str) -> bytes:
        """What ``braket:`` would post, but for where results go."""
        return json.dumps(self._parameters(submission, key), indent=1).encode()

    def fetch(self, handle: JobHandle, submission: Submission) -> JobCounts:
        """Run the job; the same key gives the same counts.

        Raises:
            BackendError: as :meth:`validate`.
        """
        self.validate(submission)
        executables, _ = decode(self._parameters(submission, handle.key)["action"])
        seed = seed_of(handle)
        bits = run_native(executables, self._snapshot, submission.shots, seed, self._noise)
        counts, outcomes = tabulated([found.astype(np.uint8) for found in bits])
        return JobCounts(counts, {}, counts.tobytes(), datetime.now(UTC), outcomes=outcomes)

    def _parameters(self, submission: Submission, key: str) -> dict[str, Any]:
        compiled = submission.compiled
        labels = labels_of(compiled)
        return task_parameters(
            [openqasm(row, labels) for row in rows_of(compiled, submission.angles)],
            submission.shots,
            self._device,
            key,
            _NOWHERE,
            qubits=compiled.circuit.num_qubits,
        )
