"""The states of a job in the ledger, and every change of state that is allowed."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a job stands.

    ``intended``: written down, budget reserved, nothing sent. ``sending``: a process may be
    posting it now. ``uncertain``: it may have been accepted; the vendor must be asked.
    ``queued``, ``running``: at the vendor. ``finished``: final at the vendor, counts not here yet.
    ``settling``: counts are here (or there are none), the actual cost is not.
    The rest are final: ``complete`` (all rows), ``partial`` (some rows failed), ``failed``,
    ``cancelled``, ``refused`` (never accepted), ``given_up`` (a person ended it; what the vendor
    did is not known). ``docs/job_states.md`` names the way out of each.
    """

    INTENDED = "intended"
    SENDING = "sending"
    UNCERTAIN = "uncertain"
    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    SETTLING = "settling"
    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    GIVEN_UP = "given_up"

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to the job."""
        return not NEXT[self]

    @property
    def has_counts(self) -> bool:
        """Whether counts of at least one row are in the ledger for good."""
        return self in (State.COMPLETE, State.PARTIAL)


NEXT: dict[State, frozenset[State]] = {
    # sent; cancelled before it was sent; refused too often
    State.INTENDED: frozenset({State.SENDING, State.CANCELLED, State.REFUSED, State.GIVEN_UP}),
    # accepted; certainly not accepted (to be tried again, or for the last time); not known
    State.SENDING: frozenset({State.QUEUED, State.INTENDED, State.REFUSED, State.UNCERTAIN}),
    # found at the vendor; certainly absent (to be tried again, refused, or cancelled meanwhile)
    State.UNCERTAIN: frozenset(
        {State.QUEUED, State.INTENDED, State.REFUSED, State.CANCELLED, State.GIVEN_UP}
    ),
    # vendors report states out of order, so the two may alternate
    State.QUEUED: frozenset({State.RUNNING, State.FINISHED, State.GIVEN_UP}),
    State.RUNNING: frozenset({State.QUEUED, State.FINISHED, State.GIVEN_UP}),
    # queued again where the vendor's id was wrong, and the job was found under its key
    State.FINISHED: frozenset({State.SETTLING, State.QUEUED, State.GIVEN_UP}),
    State.SETTLING: frozenset(
        {State.COMPLETE, State.PARTIAL, State.FAILED, State.CANCELLED, State.GIVEN_UP}
    ),
    State.COMPLETE: frozenset(),
    State.PARTIAL: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
    State.REFUSED: frozenset(),
    State.GIVEN_UP: frozenset(),
}
"""The only changes the ledger takes."""

OPEN = tuple(state for state in State if NEXT[state])
"""States in which something is left to do."""


class Attempt(StrEnum):
    """What became of one post, or what one copy at the vendor is.

    ``sending``: a process may be posting. ``unsent``: given up before the post. ``refused``:
    certainly not accepted. ``uncertain``: not known. ``absent``: looked up, certainly not there.
    ``kept``: accepted, its counts are the job's. ``extra``: a further copy, to be cancelled.
    ``foreign``: the vendor answered with an id that is not this job's.
    """

    SENDING = "sending"
    UNSENT = "unsent"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"
    ABSENT = "absent"
    KEPT = "kept"
    EXTRA = "extra"
    FOREIGN = "foreign"


def check_change(old: State, new: State) -> None:
    """Refuse a change of state that is not in :data:`NEXT`.

    Raises:
        AssertionError: the engine is wrong, not its user.
    """
    if new is not old and new not in NEXT[old]:
        raise AssertionError(f"a job in state {old} cannot become {new}")


class Remark(StrEnum):
    """What is remarked of a job.

    ``contradiction``: the vendor said what cannot be; nothing was booked or stored for it.
    ``unproven``: what could not be checked about whose counts these are. ``given up``: who ended
    the job, and why.
    """

    CONTRADICTION = "contradiction"
    UNPROVEN = "unproven"
    GIVEN_UP = "given up"
