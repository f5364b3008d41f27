"""Reading and changing one job under a lease: the only place where a job's row is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from backends.answer_values import place
from backends.vendor import JobCounts, JobHandle, JobState, Submission, Usage
from backends.vendor_text import clean_text
from qhw.jobs import blobs, clock
from qhw.jobs.budget import release_later
from qhw.jobs.content import get_submission
from qhw.jobs.lease import is_held, new_owner
from qhw.jobs.ledger import Ledger
from qhw.jobs.money import to_micro
from qhw.jobs.records import GIVEN, AttemptRecord, JobRecord
from qhw.jobs.remarks import add_remark
from qhw.jobs.schema import ONE_OWNER, attempt, cost, job, result
from qhw.jobs.states import Attempt, Remark, State, check_change


class LeaseLost(Exception):  # noqa: N818 - not an error: another process went on with the job
    """The lease ended and another process took the job."""


@dataclass
class Desk:
    """One worker's view of the ledger.

    Attributes:
        ledger: where.
        lease_s: how long a job is held.
        owner: name in the leases.
    """

    ledger: Ledger
    lease_s: float
    owner: str = field(default_factory=new_owner)

    def claim(self, job_id: int) -> JobRecord | None:
        """Take a job to work on; ``None`` while another worker holds it.

        A job found in ``sending`` was left there by a worker that is gone: whether it posted is
        unknown, so the job becomes ``uncertain`` from this moment on.
        """

        def work(connection: Connection) -> JobRecord | None:
            clock.set_clock(connection)
            now = clock.now(connection)
            found = _job(connection, job_id)
            if found.lease_owner != self.owner and is_held(
                found.lease_owner, found.lease_until, now
            ):
                return None
            values: dict[str, Any] = {
                "lease_owner": self.owner,
                "lease_until": now + timedelta(seconds=self.lease_s),
            }
            if found.state is State.SENDING:
                values |= {"state": State.UNCERTAIN, "uncertain_since": now}
                _mark(connection, job_id, Attempt.SENDING, Attempt.UNCERTAIN)
            connection.execute(sa.update(job).where(job.c.id == job_id).values(**values))
            return _job(connection, job_id)

        return self.ledger.write(work)

    def release(self, job_id: int) -> None:
        """Let others have the job."""
        free = {"lease_owner": None, "lease_until": None}
        mine = sa.update(job).where(job.c.id == job_id, job.c.lease_owner == self.owner)
        self.ledger.write(lambda connection: connection.execute(mine.values(**free)))

    def change(self, old: JobRecord, state: State, **values: object) -> JobRecord:
        """Change a held job's state and columns.

        Raises:
            LeaseLost: another worker has it.
        """
        return self.ledger.write(lambda connection: self._change(connection, old, state, **values))

    def begin_post(
        self, old: JobRecord, payload_sha256: str | None = None
    ) -> tuple[JobRecord, int]:
        """Write down that a post is about to be made; returns the job and the attempt.

        Args:
            old: the job.
            payload_sha256: of the body, where it is known.
        """

        def work(connection: Connection) -> tuple[JobRecord, int]:
            record = self._change(connection, old, State.SENDING, not_before=None)
            return record, _add_attempt(connection, old.id, Attempt.SENDING, payload_sha256)

        return self.ledger.write(work)

    def confirm_post(self, old: JobRecord, number: int) -> None:
        """Make sure that an attempt begun here may still post, for the length of a lease from now.

        Raises:
            LeaseLost: another worker has the job; nothing may be sent.
        """

        def work(connection: Connection) -> None:
            begun = sa.select(attempt.c.id).where(
                attempt.c.id == number, attempt.c.state == Attempt.SENDING
            )
            if connection.scalar(begun) is None:
                raise LeaseLost
            self._change(connection, old, State.SENDING)

        self.ledger.write(work)

    def end_post(
        self, old: JobRecord, number: int, found: Attempt, text: str, state: State, **values: object
    ) -> JobRecord:
        """Write down that a post brought no job, or that nobody knows."""

        def work(connection: Connection) -> JobRecord:
            changed = {"state": found, "vendor_text": clean_text(text)}
            connection.execute(sa.update(attempt).where(attempt.c.id == number).values(**changed))
            return self._change(connection, old, state, vendor_text=text, **values)

        return self.ledger.write(work)

    def accept(self, old: JobRecord, number: int, handle: JobHandle) -> JobRecord:
        """Write down that a post was accepted.

        An id that is known already is none of this post: the job then is ``uncertain``, and its
        key must be looked up.

        Raises:
            LeaseLost: another worker has the job; the copy is then written down as an extra one.
        """

        def work(connection: Connection) -> JobRecord | None:
            now = _job(connection, old.id)
            kept = now.lease_owner == self.owner and now.state is State.SENDING
            if not kept and now.state is State.UNCERTAIN:
                return None  # the other worker is about to look the key up, and will adopt it
            owner = _owners(connection, [handle.vendor_id]).get(handle.vendor_id)
            if owner is not None and (kept or owner != old.id):
                return self._taken(connection, old, number, handle, owner, kept=kept)
            known = {
                "state": Attempt.KEPT if kept else Attempt.EXTRA,
                "vendor_id": handle.vendor_id,
                "vendor_created": handle.created,
            }
            if owner is not None:
                return None  # the other worker has found and adopted it
            connection.execute(sa.update(attempt).where(attempt.c.id == number).values(**known))
            if kept:
                return self._change(connection, old, State.QUEUED, vendor_text="")
            _charge(connection, old.id)
            return None

        record = self.ledger.write(work)
        if record is None:
            raise LeaseLost
        return record

    def _taken(
        self,
        connection: Connection,
        old: JobRecord,
        number: int,
        handle: JobHandle,
        owner: int,
        *,
        kept: bool,
    ) -> JobRecord | None:
        """Write down that a post was answered with an id that some job has already."""
        text = f"the post was answered with the id {handle.vendor_id}, which job {owner} has"
        add_remark(connection, old.id, Remark.CONTRADICTION, text)
        state = Attempt.UNCERTAIN if kept else Attempt.FOREIGN
        changed = {"state": state, "vendor_text": clean_text(text)}
        connection.execute(sa.update(attempt).where(attempt.c.id == number).values(**changed))
        if not kept:
            return None
        since = datetime.now(UTC)
        return self._change(
            connection, old, State.UNCERTAIN, uncertain_since=since, vendor_text=text
        )

    def replace(
        self, old: JobRecord, kept: JobHandle, extras: Sequence[JobHandle], why: str
    ) -> JobRecord:
        """Write down that the vendor's id was not the job's, and which one is.

        Raises:
            LeaseLost: as :meth:`adopt`.
        """

        def work(connection: Connection) -> JobRecord:
            _check_unowned(connection, kept)
            add_remark(connection, old.id, Remark.CONTRADICTION, why)
            wrong = {"state": Attempt.FOREIGN, "vendor_id": None, "vendor_text": clean_text(why)}
            chosen = attempt.c.job_id == old.id, attempt.c.state == Attempt.KEPT
            connection.execute(sa.update(attempt).where(*chosen).values(**wrong))
            add_copy(connection, old.id, kept, Attempt.KEPT)
            for handle in extras:
                add_copy(connection, old.id, handle, Attempt.EXTRA)
            _charge(connection, old.id)
            return self._change(connection, old, State.QUEUED, outcome=None, vendor_text=why)

        return self.ledger.write(work)

    def owners(self, vendor_ids: Sequence[str]) -> dict[str, int]:
        """The job of each of the vendor's ids that is known."""
        with self.ledger.read() as connection:
            return _owners(connection, vendor_ids)

    def remark(self, job_id: int, kind: Remark, text: str) -> None:
        """Write down what is remarked of a job, once."""
        self.ledger.write(lambda connection: add_remark(connection, job_id, kind, text))

    def adopt(self, old: JobRecord, kept: JobHandle, extras: Sequence[JobHandle]) -> JobRecord:
        """Write down which copy found at the vendor is the job, and which are too many.

        Raises:
            LeaseLost: another worker has the job, or has written that copy down since it was
                looked up.
        """

        def work(connection: Connection) -> JobRecord:
            _check_unowned(connection, kept)
            unknown = [a for a in attempts_of(connection, old.id) if a.state is Attempt.UNCERTAIN]
            known = {
                "state": Attempt.KEPT,
                "vendor_id": kept.vendor_id,
                "vendor_created": kept.created,
            }
            # which of several posts it came from cannot be seen; the last is as good as any
            last = sa.update(attempt).where(attempt.c.id == unknown[-1].id)
            connection.execute(last.values(**known))
            _mark(connection, old.id, Attempt.UNCERTAIN, Attempt.ABSENT)
            for handle in extras:
                add_copy(connection, old.id, handle, Attempt.EXTRA)
            _charge(connection, old.id)
            return self._change(connection, old, State.QUEUED, uncertain_since=None, vendor_text="")

        return self.ledger.write(work)

    def absent(self, old: JobRecord, state: State, text: str) -> JobRecord:
        """Write down that no post of the job was accepted."""

        def work(connection: Connection) -> JobRecord:
            _mark(connection, old.id, Attempt.UNCERTAIN, Attempt.ABSENT)
            return self._change(connection, old, state, uncertain_since=None, vendor_text=text)

        return self.ledger.write(work)

    def store(self, old: JobRecord, counts: JobCounts, row_errors: str) -> JobRecord:
        """Keep counts and the vendor's raw payload, in the commit that says they are here."""
        packed = blobs.pack_counts(counts.counts, counts.outcomes)

        def work(connection: Connection) -> JobRecord:
            row = {
                "job_id": old.id,
                "counts_sha256": blobs.put(connection, packed),
                "raw_sha256": blobs.put(connection, counts.raw),
                "row_errors": row_errors,
                "finished": counts.finished,
                "fetched": datetime.now(UTC),
            }
            connection.execute(result.insert().values(**row))
            if counts.unproven:
                add_remark(connection, old.id, Remark.UNPROVEN, counts.unproven)
            return self._change(connection, old, State.SETTLING)

        return self.ledger.write(work)

    def add_extras(self, job_id: int, handles: Sequence[JobHandle]) -> None:
        """Write down copies that were found at the vendor and are not known here."""

        def work(connection: Connection) -> None:
            for handle in handles:
                add_copy(connection, job_id, handle, Attempt.EXTRA)
            _charge(connection, job_id)

        self.ledger.write(work)

    def settle(self, copy: AttemptRecord, usage: Usage) -> None:
        """Write down what a copy cost, or that it is not known yet."""

        def work(connection: Connection) -> None:
            if usage.contradiction:
                add_remark(connection, copy.job_id, Remark.CONTRADICTION, usage.contradiction)
            known = sa.select(cost.c.micro).where(cost.c.attempt_id == copy.id)
            written = connection.execute(known).one_or_none()
            # nothing to do where another worker settled the same copy meanwhile
            if written is not None and written.micro is not None:
                return
            row = {
                "micro": None if usage.usd is None else to_micro(usage.usd),
                "qpu_seconds": usage.qpu_seconds,
                "basis": clean_text(usage.basis),
            }
            if written is None:
                first = {"job_id": copy.job_id, "attempt_id": copy.id, "kind": "actual"}
                connection.execute(cost.insert().values(**first, **row, written=datetime.now(UTC)))
            else:  # when it was first asked for stays: questions end some time after that
                connection.execute(
                    sa.update(cost).where(cost.c.attempt_id == copy.id).values(**row)
                )
            done = sa.update(attempt).where(attempt.c.id == copy.id).values(settled=True)
            connection.execute(done)
            _charge(connection, copy.job_id)

        self.ledger.write(work)

    def unpriced(self, job_id: int) -> tuple[AttemptRecord, ...]:
        """Settled copies of a job whose cost the vendor has not said."""
        unknown = sa.select(cost.c.attempt_id).where(
            cost.c.job_id == job_id, cost.c.micro.is_(None)
        )
        with self.ledger.read() as connection:
            ids = set(connection.scalars(unknown))
            return tuple(a for a in attempts_of(connection, job_id) if a.id in ids)

    def give_up(self, old: JobRecord, micro: int, basis: str) -> JobRecord:
        """End a job because a person says so, with the charge that the person names.

        Counts that are here stay the job's. The vendor's own figure, where it is not known, is
        not asked for again.
        """

        def work(connection: Connection) -> JobRecord:
            row = {"job_id": old.id, "kind": GIVEN, "micro": micro, "basis": clean_text(basis)}
            connection.execute(cost.insert().values(**row, written=datetime.now(UTC)))
            add_remark(connection, old.id, Remark.GIVEN_UP, basis)
            mine = sa.update(attempt).where(attempt.c.job_id == old.id)
            connection.execute(mine.values(settled=True))
            record = old
            if not old.state.final:
                there = sa.select(result.c.job_id).where(result.c.job_id == old.id)
                counted = connection.scalar(there) is not None
                record = (
                    self._finished(connection, old)
                    if counted
                    else self._change(connection, old, State.GIVEN_UP)
                )
            _charge(connection, old.id)
            return _job(connection, record.id)

        return self.ledger.write(work)

    def finish(self, old: JobRecord) -> JobRecord:
        """The job's final state, from the vendor's outcome and the counts that are here."""
        return self.ledger.write(lambda connection: self._finished(connection, old))

    def _finished(self, connection: Connection, old: JobRecord) -> JobRecord:
        chosen = sa.select(result.c.row_errors).where(result.c.job_id == old.id)
        errors = connection.scalar(chosen)
        failed = old.rows if errors is None else len(json.loads(errors))
        if old.outcome == JobState.CANCELLED:
            state = State.CANCELLED
        elif failed == old.rows:
            state = State.FAILED
        else:
            state = State.PARTIAL if failed else State.COMPLETE
        return self._change(connection, old, state)

    def submission(self, record: JobRecord) -> Submission:
        """What a job runs."""
        with self.ledger.read() as connection:
            return get_submission(connection, record.circuit_id, record.angles_sha256, record.shots)

    def attempts(self, job_id: int) -> tuple[AttemptRecord, ...]:
        """Every attempt of a job, oldest first."""
        with self.ledger.read() as connection:
            return attempts_of(connection, job_id)

    def _change(
        self, connection: Connection, old: JobRecord, state: State, **values: object
    ) -> JobRecord:
        check_change(old.state, state)
        if "vendor_text" in values:
            values["vendor_text"] = clean_text(values["vendor_text"])
        if "queue_position" in values:
            values["queue_position"] = place(values["queue_position"])
        until = clock.now(connection) + timedelta(seconds=self.lease_s)
        values |= {"state": state, "updated": datetime.now(UTC), "lease_until": until}
        if state.final and not state.has_counts and not _others_may_count(connection, old):
            release_later(connection, old.run_id)  # its run's later stages will never be sent
        mine = sa.update(job).where(
            job.c.id == old.id, job.c.lease_owner == self.owner, job.c.state == old.state
        )
        if connection.execute(mine.values(**values)).rowcount != 1:
            raise LeaseLost
        if state in (State.CANCELLED, State.REFUSED):
            _charge(connection, old.id)
        return _job(connection, old.id)


def attempts_of(connection: Connection, job_id: int) -> tuple[AttemptRecord, ...]:
    """Every attempt of a job, oldest first."""
    rows = sa.select(attempt).where(attempt.c.job_id == job_id).order_by(attempt.c.id)
    return tuple(AttemptRecord.of(row) for row in connection.execute(rows))


def add_copy(connection: Connection, job_id: int, handle: JobHandle, state: Attempt) -> None:
    """Write down a copy found at the vendor, unless it is known."""
    if _owners(connection, [handle.vendor_id]):
        return
    number = _add_attempt(connection, job_id, state)
    known = {"vendor_id": handle.vendor_id, "vendor_created": handle.created}
    connection.execute(sa.update(attempt).where(attempt.c.id == number).values(**known))


def _job(connection: Connection, job_id: int) -> JobRecord:
    return JobRecord.of(connection.execute(sa.select(job).where(job.c.id == job_id)).one())


def _others_may_count(connection: Connection, record: JobRecord) -> bool:
    """Whether another job of the run has counts or may still get some."""
    none = [state for state in State if state.final and not state.has_counts]
    others = sa.select(job.c.id).where(
        job.c.run_id == record.run_id, job.c.id != record.id, job.c.state.not_in(none)
    )
    return connection.scalar(others.limit(1)) is not None


def _add_attempt(
    connection: Connection, job_id: int, state: Attempt, payload_sha256: str | None = None
) -> int:
    row: dict[str, Any] = {
        "job_id": job_id,
        "created": datetime.now(UTC),
        "state": state,
        "vendor_text": "",
        "settled": False,
        "payload_sha256": payload_sha256,
    }
    inserted = connection.execute(attempt.insert().values(**row)).inserted_primary_key
    assert inserted is not None  # one row, autoincrement key
    return int(inserted[0])


def _mark(connection: Connection, job_id: int, old: Attempt, new: Attempt) -> None:
    chosen = sa.update(attempt).where(attempt.c.job_id == job_id, attempt.c.state == old)
    connection.execute(chosen.values(state=new))


def _owners(connection: Connection, vendor_ids: Sequence[str]) -> dict[str, int]:
    """The job of each of the vendor's ids that is known; the first where an old ledger has two."""
    found: dict[str, int] = {}
    for name in vendor_ids:
        # the words of the index, else databases read the whole table
        chosen = sa.select(attempt.c.job_id).where(attempt.c.vendor_id == name, ONE_OWNER)
        owner = connection.scalar(chosen)
        if owner is not None:
            found[name] = int(owner)
    return found


def _check_unowned(connection: Connection, handle: JobHandle) -> None:
    """Nobody has written a copy down since it was looked up: else the look-up is out of date."""
    if _owners(connection, [handle.vendor_id]):
        raise LeaseLost


def _charge(connection: Connection, job_id: int) -> None:
    """Recompute what a job counts against the caps.

    Each copy counts with what it cost, or with what is reserved while that is not known; a job
    without a copy counts with what is reserved until it is certain that there will be none. What
    a person who gave the job up has named comes before all that.
    """
    record = _job(connection, job_id)
    given = sa.select(cost.c.micro).where(cost.c.job_id == job_id, cost.c.kind == GIVEN)
    named = connection.scalar(given.order_by(cost.c.id.desc()).limit(1))
    if named is not None:
        counts = sa.update(job).where(job.c.id == job_id).values(charge_micro=named)
        connection.execute(counts)
        return
    rows = sa.select(attempt.c.id, cost.c.micro).select_from(
        attempt.outerjoin(cost, cost.c.attempt_id == attempt.c.id)
    )
    accepted = rows.where(attempt.c.job_id == job_id, attempt.c.vendor_id.is_not(None))
    copies = [micro for _, micro in connection.execute(accepted)]
    total = sum(record.reserve_micro if micro is None else micro for micro in copies)
    kept = sa.select(attempt.c.id).where(
        attempt.c.job_id == job_id, attempt.c.state == Attempt.KEPT
    )
    if connection.scalar(kept) is None and not record.state.final:
        total += record.reserve_micro
    connection.execute(sa.update(job).where(job.c.id == job_id).values(charge_micro=total))
