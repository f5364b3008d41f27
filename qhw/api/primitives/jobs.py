"""Jobs of the primitives: computed beside the caller, or runs in the ledger."""

from __future__ import annotations

import uuid
from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeAlias

from qiskit.primitives import BasePrimitiveJob, PrimitiveResult
from qiskit.providers import JobStatus

from qhw.api.running import Run
from qhw.jobs.states import State

Result: TypeAlias = PrimitiveResult[Any]

_FINAL = (JobStatus.DONE, JobStatus.CANCELLED, JobStatus.ERROR)
_WAITING = (State.INTENDED, State.SENDING, State.UNCERTAIN, State.QUEUED)


class DeviceJob(BasePrimitiveJob[Result, JobStatus]):
    """What every job of these primitives answers beside its result."""

    @abstractmethod
    def status(self) -> JobStatus:
        """Where it stands; does not wait."""

    def done(self) -> bool:
        """Whether the result is there."""
        return self.status() is JobStatus.DONE

    def running(self) -> bool:
        """Whether it is being computed."""
        return self.status() is JobStatus.RUNNING

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.status() is JobStatus.CANCELLED

    def in_final_state(self) -> bool:
        """Whether nothing more will happen."""
        return self.status() in _FINAL


class SimulatedJob(DeviceJob):
    """A job that this process computes, in a thread of its own.

    Args:
        compute: gives the result.
    """

    def __init__(self, compute: Callable[[], Result]) -> None:
        super().__init__(str(uuid.uuid4()))
        pool = ThreadPoolExecutor(max_workers=1)
        self._future: Future[Result] = pool.submit(compute)
        pool.shutdown(wait=False)

    def result(self) -> Result:
        """The result, once it is there.

        Raises:
            BackendError: the device refuses a circuit.
            MitigationError: pipeline, shots, circuit and device do not go together.
        """
        return self._future.result()

    def status(self) -> JobStatus:
        """Where it stands."""
        if self._future.cancelled():
            return JobStatus.CANCELLED
        if not self._future.done():
            return JobStatus.RUNNING if self._future.running() else JobStatus.QUEUED
        return JobStatus.DONE if self._future.exception() is None else JobStatus.ERROR

    def cancel(self) -> bool:
        """Cancel it, if it has not begun; whether that is so."""
        return self._future.cancel()


class LedgerJob(DeviceJob):
    """Runs in the ledger; the process may end, and the same call again takes them up.

    Args:
        runs: in the order in which ``read`` takes their results.
        read: gives the result from theirs.
    """

    def __init__(self, runs: Sequence[Run], read: Callable[[list[Any]], Result]) -> None:
        super().__init__("+".join(run.id for run in runs))
        self.runs = tuple(runs)
        self._read = read
        self._found: Result | None = None

    def result(self) -> Result:
        """The result, waited for.

        Raises:
            BackendError: circuits failed, or the vendor cannot be reached.
        """
        if self._found is None:
            self._found = self._read([run.wait() for run in self.runs])
        return self._found

    def status(self) -> JobStatus:
        """Where its jobs stand in the ledger; the vendor is not asked."""
        states = [job.state for run in self.runs for job in run.jobs]
        if State.CANCELLED in states:
            return JobStatus.CANCELLED
        if any(state.final and not state.has_counts for state in states):
            return JobStatus.ERROR
        if all(state.final for state in states):
            return JobStatus.DONE
        return JobStatus.QUEUED if all(s in _WAITING for s in states) else JobStatus.RUNNING

    def cancel(self) -> None:
        """Ask the vendor to cancel what has not run; what has run stays paid and is kept."""
        for run in self.runs:
            run.cancel()
