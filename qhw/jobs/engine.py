"""What happens to a job, one step at a time, from any state a crash may have left it in."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import numpy as np

from backends.base import BackendError
from backends.last_check import check_last, checked_last
from backends.vendor import (
    JobCounts,
    JobHandle,
    JobState,
    JobStatus,
    Submission,
    SubmissionRefused,
    VendorBackend,
    VendorError,
    VendorUnavailable,
)
from qhw.jobs.clock import since_boot
from qhw.jobs.config import Patience
from qhw.jobs.desk import Desk, LeaseLost
from qhw.jobs.records import AttemptRecord, JobRecord
from qhw.jobs.states import Attempt, State

_LOG = logging.getLogger(__name__)
Observe = Callable[[str, JobRecord], None]

_CLOCK_SKEW = timedelta(days=1)
"""A vendor's clock may be this far behind ours when it says when a job was created."""
_WAITING = {State.QUEUED, State.RUNNING}
_PREFERENCE = (
    JobState.DONE,
    JobState.RUNNING,
    JobState.QUEUED,
    JobState.FAILED,
    JobState.CANCELLED,
)
"""Of several copies the one to keep: the first of these, then the oldest."""


class _Suspended(Exception):  # noqa: N818 - not an error: it is tried again
    """The process slept between confirming its lease and posting."""


def _silent(step: str, record: JobRecord) -> None:
    _LOG.debug("job %d: %s", record.id, step)


@dataclass(frozen=True)
class Engine:
    """Moves jobs on.

    Attributes:
        desk: ledger and lease.
        backend: the vendor; its name is that of the jobs.
        patience: waits and repeats.
        observe: told of every step just before and after it.
    """

    desk: Desk
    backend: VendorBackend
    patience: Patience
    observe: Observe = _silent

    def advance(self, job_id: int) -> JobRecord | None:
        """Do everything that can be done for a job now; ``None`` while another worker has it."""
        record = self.desk.claim(job_id)
        if record is None:
            return None
        self.observe("claimed", record)
        try:
            return self._advance(record)
        except LeaseLost:
            _LOG.warning("job %d: another process went on with it", job_id)
            return None
        finally:
            self.desk.release(job_id)

    def _advance(self, record: JobRecord) -> JobRecord:
        try:
            while not record.state.final:
                before = record.state
                record = self._step(record)
                self.observe(f"{before} done", record)
                if record.state is before or {record.state, before} == _WAITING:
                    break
            if record.state.final:
                self._settle_extras(record)
        except VendorError as error:  # a question without an answer is asked again next time
            _LOG.warning("job %d: %s", record.id, error)
            return self.desk.change(record, record.state, vendor_text=str(error))
        return record

    def _step(self, record: JobRecord) -> JobRecord:
        steps = {
            State.INTENDED: self._send,
            State.UNCERTAIN: self._resolve,
            State.QUEUED: self._poll,
            State.RUNNING: self._poll,
            State.FINISHED: self._fetch,
            State.SETTLING: self._settle,
        }
        return steps[record.state](record)

    def _send(self, record: JobRecord) -> JobRecord:
        if record.cancel_requested:
            return self.desk.change(record, State.CANCELLED)
        if record.not_before is not None and record.not_before > self.desk.ledger.now():
            return record
        submission = self.desk.submission(record)
        record, number = self.desk.begin_post(record)
        self.observe("about to post", record)
        try:
            with checked_last(partial(self._confirm, record, number)):
                check_last()
                handle = self.backend.submit(submission, record.key)
        except _Suspended:
            text = "not posted: the process was suspended"
            return self.desk.end_post(record, number, Attempt.UNSENT, text, State.INTENDED)
        except SubmissionRefused as error:
            self.observe("post refused", record)
            return self._refused(record, number, str(error))
        except BackendError as error:  # whatever it says, the post may have arrived
            self.observe("post uncertain", record)
            return self.desk.end_post(
                record,
                number,
                Attempt.UNCERTAIN,
                str(error),
                State.UNCERTAIN,
                uncertain_since=self.desk.ledger.now(),
            )
        self.observe("post accepted", record)
        try:
            return self.desk.accept(record, number, handle)
        except LeaseLost:
            self._settle_extras(record)
            raise

    def _confirm(self, record: JobRecord, number: int) -> None:
        """The last thing before a post, and before each repeat of it.

        Raises:
            LeaseLost: another worker has the job.
            _Suspended: the lease confirmed here may be over by the end of the post.
        """
        started = since_boot()
        self.desk.confirm_post(record, number)
        if since_boot() - started > self.patience.lease_s / 2:
            raise _Suspended

    def _refused(self, record: JobRecord, number: int, text: str) -> JobRecord:
        posts = self._posts(record)
        if posts >= self.patience.attempts:
            return self.desk.end_post(record, number, Attempt.REFUSED, text, State.REFUSED)
        wait = timedelta(seconds=self.patience.backoff_s * 2 ** (posts - 1))
        return self.desk.end_post(
            record,
            number,
            Attempt.REFUSED,
            text,
            State.INTENDED,
            not_before=self.desk.ledger.now() + wait,
        )

    def _resolve(self, record: JobRecord) -> JobRecord:
        """Ask the vendor for the key; only a late enough question may conclude absence."""
        assert record.uncertain_since is not None  # set by whoever made the state uncertain
        asked = self.desk.ledger.now()
        found = self.backend.find(record.key, record.created - _CLOCK_SKEW)
        self.observe("looked up", record)
        too_many = self._ids(record, Attempt.EXTRA)
        found = tuple(handle for handle in found if handle.vendor_id not in too_many)
        if found:
            kept = self._best(found)
            return self.desk.adopt(record, kept, [h for h in found if h is not kept])
        if asked < record.uncertain_since + timedelta(seconds=self.patience.visibility_s):
            return record
        if record.cancel_requested:
            return self.desk.absent(record, State.CANCELLED, "cancelled; it was never accepted")
        if self._posts(record) >= self.patience.attempts:
            text = record.vendor_text or "no post of this job was ever accepted"
            return self.desk.absent(record, State.REFUSED, text)
        return self.desk.absent(record, State.INTENDED, record.vendor_text)

    def _best(self, found: tuple[JobHandle, ...]) -> JobHandle:
        if len(found) == 1:
            return found[0]
        ranks = [_PREFERENCE.index(self.backend.status(handle).state) for handle in found]
        return found[int(np.argmin(ranks))]

    def _poll(self, record: JobRecord) -> JobRecord:
        handle = self._kept(record)
        status = self.backend.status(handle)
        if record.cancel_requested and not status.state.final:
            status = self.backend.cancel(handle)
        self.observe("polled", record)
        state = State.FINISHED if status.state.final else State(status.state.value)
        return self.desk.change(
            record,
            state,
            vendor_text=status.vendor_text,
            queue_position=status.queue_position,
            outcome=status.state.value if status.state.final else None,
        )

    def _fetch(self, record: JobRecord) -> JobRecord:
        if record.outcome == JobState.CANCELLED:
            return self.desk.change(record, State.SETTLING)
        submission = self.desk.submission(record)
        try:
            counts = self.backend.fetch(self._kept(record), submission)
            errors = _checked(counts, submission)
        except VendorUnavailable:
            raise
        except VendorError as error:
            if record.outcome == JobState.FAILED:  # no part of it worked; the reason is kept
                return self.desk.change(record, State.SETTLING)
            return self.desk.change(record, State.FINISHED, vendor_text=str(error))
        self.observe("fetched", record)
        return self.desk.store(record, counts, errors)

    def _settle(self, record: JobRecord) -> JobRecord:
        """Look for copies nobody knew of, and write every copy's cost down."""
        known = self._ids(record, Attempt.EXTRA, Attempt.KEPT)
        found = self.backend.find(record.key, record.created - _CLOCK_SKEW)
        extras = [handle for handle in found if handle.vendor_id not in known]
        if extras:
            self.desk.add_extras(record.id, extras)
        self.observe("audited", record)
        if not self._settle_extras(record):
            return record
        kept = self._attempt(record, Attempt.KEPT)
        if not kept.settled:
            self.desk.settle(kept, self.backend.usage(_handle(record, kept)))
        self.observe("usage written", record)
        return self.desk.finish(record)

    def _settle_extras(self, record: JobRecord) -> bool:
        """Cancel copies that are too many and write their costs down; whether all are done."""
        open_copies = [
            a
            for a in self.desk.attempts(record.id)
            if a.state is Attempt.EXTRA and not a.settled and a.vendor_id is not None
        ]
        done = True
        for copy in open_copies:
            handle = _handle(record, copy)
            status: JobStatus = self.backend.cancel(handle)
            self.observe("extra copy cancelled", record)
            if status.state.final:
                self.desk.settle(copy, self.backend.usage(handle))
            done = done and status.state.final
        return done

    def _posts(self, record: JobRecord) -> int:
        found = {Attempt.UNSENT, Attempt.EXTRA}
        return sum(a.state not in found for a in self.desk.attempts(record.id))

    def _ids(self, record: JobRecord, *states: Attempt) -> frozenset[str | None]:
        return frozenset(a.vendor_id for a in self.desk.attempts(record.id) if a.state in states)

    def _attempt(self, record: JobRecord, state: Attempt) -> AttemptRecord:
        return next(a for a in self.desk.attempts(record.id) if a.state is state)

    def _kept(self, record: JobRecord) -> JobHandle:
        return _handle(record, self._attempt(record, Attempt.KEPT))


def _handle(record: JobRecord, copy: AttemptRecord) -> JobHandle:
    assert copy.vendor_id is not None  # only accepted attempts are turned into handles
    assert copy.vendor_created is not None
    return JobHandle(record.backend, copy.vendor_id, record.key, copy.vendor_created)


def _checked(counts: JobCounts, submission: Submission) -> str:
    """The rows that failed, as JSON.

    Raises:
        VendorError: counts of another shape, or a row without shots that nobody reports failed.
    """
    shape = (len(submission.angles), 2**submission.compiled.n_measured)
    if counts.counts.shape != shape or (counts.counts < 0).any():
        raise VendorError(
            f"Counts must have shape {shape} and none below 0, but have {counts.counts.shape}"
        )
    empty = set(np.flatnonzero(counts.counts.sum(axis=1) == 0).tolist())
    missing = sorted(empty - set(counts.row_errors))
    if missing:
        raise VendorError(f"Counts must have shots in every row, but rows {missing} have none")
    return json.dumps({str(row): text for row, text in sorted(counts.row_errors.items())})
