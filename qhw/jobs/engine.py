"""What happens to a job, one step at a time, from any state a crash may have left it in."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

import numpy as np

from backends.base import BackendError
from backends.last_check import check_last, checked_last
from backends.outcomes import columns
from backends.vendor import (
    JobCounts,
    JobHandle,
    JobState,
    JobStatus,
    Submission,
    SubmissionRefused,
    UnknownJob,
    Usage,
    VendorBackend,
    VendorError,
    VendorUnavailable,
)
from backends.vendor_text import clean_text
from qhw.jobs.clock import since_boot
from qhw.jobs.config import Patience
from qhw.jobs.desk import Desk, LeaseLost
from qhw.jobs.errors import LedgerError
from qhw.jobs.money import MOST_USD, show_money, to_micro
from qhw.jobs.records import AttemptRecord, JobRecord
from qhw.jobs.states import Attempt, Remark, State

_LOG = logging.getLogger(__name__)
Observe = Callable[[str, JobRecord], None]

_CLOCK_SKEW = timedelta(days=1)
"""A vendor's clock may be this far behind ours when it says when a job was created."""
_MOST_WHY = 500
"""Characters that are kept of why a row failed."""
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
        problems: why a job could not be taken further, by its id; filled while working.
    """

    desk: Desk
    backend: VendorBackend
    patience: Patience
    observe: Observe = _silent
    problems: dict[int, str] = field(default_factory=dict)

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
        was_final = record.state.final
        try:
            while not record.state.final:
                before = record.state
                record = self._step(record)
                self.observe(f"{before} done", record)
                if record.state is before or {record.state, before} == _WAITING:
                    break
            if record.state.final:
                self._settle_extras(record)
                if was_final:  # else the vendor was asked just now
                    self._ask_prices(record)
        except (LeaseLost, LedgerError):
            raise
        except VendorError as error:  # a question without an answer is asked again next time
            return self._hindered(record, str(error))
        except Exception as error:  # whatever a vendor answers, the other jobs go on
            _LOG.warning("job %d", record.id, exc_info=True)
            return self._hindered(record, f"the vendor's answer cannot be read: {error!r}")
        return record

    def _hindered(self, record: JobRecord, text: str) -> JobRecord:
        """Keep why a job could not be taken further."""
        _LOG.warning("job %d: %s", record.id, clean_text(text))
        self.problems[record.id] = clean_text(text)
        if record.state.final:  # its own last words stay
            return record
        return self.desk.change(record, record.state, vendor_text=text)

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
        record, number = self.desk.begin_post(record, self._payload_sha256(submission, record.key))
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
        except (LeaseLost, LedgerError):  # of the last check: nothing was posted after it
            raise
        except Exception as error:  # whatever it is, the post may have arrived
            if not isinstance(error, BackendError):
                _LOG.warning("job %d", record.id, exc_info=True)
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

    def _payload_sha256(self, submission: Submission, key: str) -> str | None:
        """Of the body that is about to be posted; the post itself says why there is none."""
        try:
            return hashlib.sha256(self.backend.payload(submission, key)).hexdigest()
        except Exception:  # of vendors' clients; nothing was sent
            _LOG.debug("no payload of %s", key, exc_info=True)
            return None

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
        found, strange = self._listed(record)
        self.observe("looked up", record)
        too_many = self._ids(record, Attempt.EXTRA)
        found = tuple(handle for handle in found if handle.vendor_id not in too_many)
        if strange and not found:
            raise VendorError(f"{strange}; whether this job was accepted is not known")
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

    def _listed(self, record: JobRecord) -> tuple[tuple[JobHandle, ...], str]:
        """Copies that the vendor lists under the job's key, and what is strange about others."""
        found = self.backend.find(record.key, record.created - _CLOCK_SKEW)
        owners = self.desk.owners([handle.vendor_id for handle in found])
        strange = [h.vendor_id for h in found if owners.get(h.vendor_id, record.id) != record.id]
        if not strange:
            return found, ""
        text = (
            f"the vendor lists {strange[0]} under this job's key, but job {owners[strange[0]]} "
            "has that id"
        )
        self.desk.remark(record.id, Remark.CONTRADICTION, text)
        return tuple(handle for handle in found if handle.vendor_id not in strange), text

    def _missing(self, record: JobRecord, error: UnknownJob) -> JobRecord:
        """The vendor's id leads to no job, or to another's: look the key up once more.

        Raises:
            VendorError: the key leads nowhere either. Nothing is concluded from that: the job may
                have run, and been paid for, before it was deleted.
        """
        kept = self._attempt(record, Attempt.KEPT).vendor_id
        known = self._ids(record, Attempt.EXTRA, Attempt.KEPT)
        found = tuple(h for h in self._listed(record)[0] if h.vendor_id not in known)
        if not found:
            raise VendorError(
                f"{error} No other job carries the key {record.key}. If it stays so: "
                f"`qhw jobs give-up {record.id}`."
            ) from error
        best = self._best(found)
        self.observe("found under another id", record)
        why = f"{best.vendor_id} has this job's key, {kept} has not: {error}"
        return self.desk.replace(record, best, [h for h in found if h is not best], why)

    def _best(self, found: tuple[JobHandle, ...]) -> JobHandle:
        if len(found) == 1:
            return found[0]
        ranks = [_PREFERENCE.index(self.backend.status(handle).state) for handle in found]
        return found[int(np.argmin(ranks))]

    def _poll(self, record: JobRecord) -> JobRecord:
        handle = self._kept(record)
        try:
            status = self.backend.status(handle)
            if record.cancel_requested and not status.state.final:
                status = self.backend.cancel(handle)
        except UnknownJob as error:
            return self._missing(record, error)
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
        except UnknownJob as error:
            return self._missing(record, error)
        except VendorError as error:
            if record.outcome == JobState.FAILED:  # no part of it worked; the reason is kept
                return self.desk.change(record, State.SETTLING)
            self.desk.remark(record.id, Remark.CONTRADICTION, str(error))
            return self._hindered(record, str(error))
        self.observe("fetched", record)
        return self.desk.store(record, counts, errors)

    def _settle(self, record: JobRecord) -> JobRecord:
        """Look for copies nobody knew of, and write every copy's cost down."""
        known = self._ids(record, Attempt.EXTRA, Attempt.KEPT)
        found, _ = self._listed(record)
        extras = [handle for handle in found if handle.vendor_id not in known]
        if extras:
            self.desk.add_extras(record.id, extras)
        self.observe("audited", record)
        if not self._settle_extras(record):
            return record
        kept = self._attempt(record, Attempt.KEPT)
        if not kept.settled:
            self.desk.settle(kept, self._usage(record, kept))
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
                self.desk.settle(copy, self._usage(record, copy))
            done = done and status.state.final
        return done

    def _ask_prices(self, record: JobRecord) -> None:
        """Ask again what copies cost of which the vendor had not said it."""
        for copy in self.desk.unpriced(record.id):
            self.desk.settle(copy, self._usage(record, copy))
            self.observe("usage asked again", record)

    def _usage(self, record: JobRecord, copy: AttemptRecord) -> Usage:
        """What a copy cost, where that can be: no more than was reserved for it."""
        usage = self.backend.usage(_handle(record, copy))
        wrong = usage.contradiction
        if not wrong and usage.usd is not None:
            most = show_money(record.reserve_micro)
            if not math.isfinite(usage.usd) or usage.usd < 0:
                wrong = f"the vendor charges {usage.usd} usd, which is no charge"
            elif usage.usd > MOST_USD or to_micro(usage.usd) > record.reserve_micro:
                wrong = (
                    f"the vendor charges {usage.usd:.10g} usd for {copy.vendor_id}, "
                    f"more than the {most} that it may cost at most: {usage.basis}"
                )
        if not wrong:
            return usage
        basis = f"not booked, what is reserved stays counted: {wrong}"
        return replace(usage, usd=None, qpu_seconds=None, basis=basis, contradiction=wrong)

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
    shape = (len(submission.angles), columns(submission.compiled.n_measured, counts.outcomes))
    if counts.counts.shape != shape or (counts.counts < 0).any():
        raise VendorError(
            f"Counts must have shape {shape} and none below 0, but have {counts.counts.shape}"
        )
    rows, sums = len(submission.angles), counts.counts.sum(axis=1)
    strange = sorted(set(counts.row_errors) - set(range(rows)))
    if strange:
        raise VendorError(f"Failed rows must be among {rows}, but {strange[:5]} are named")
    partly = np.flatnonzero((sums != submission.shots) & (sums != 0)).tolist()
    if partly:
        raise VendorError(
            f"Counts must have {submission.shots} shots in every row, but row {partly[0]} has "
            f"{sums[partly[0]]}"
        )
    empty = set(np.flatnonzero(counts.counts.sum(axis=1) == 0).tolist())
    missing = sorted(empty - set(counts.row_errors))
    if missing:
        raise VendorError(f"Counts must have shots in every row, but rows {missing} have none")
    told = sorted(counts.row_errors.items())
    return json.dumps({str(row): clean_text(text, _MOST_WHY) for row, text in told})
