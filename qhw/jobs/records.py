"""Rows of the ledger as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from qhw.jobs.states import Attempt, Remark, State

GIVEN = "given"
"""Kind of a cost that a person named when giving a job up."""


@dataclass(frozen=True)
class JobRecord:
    """One vendor job as the ledger knows it; money in millionths of a dollar.

    Attributes:
        id: number in the ledger.
        run_id: run it belongs to.
        role: circuit of the model.
        part: place among the jobs of that role; rows continue from part to part.
        key: unique key that the vendor is given with every post.
        backend: registry name.
        circuit_id: compiled circuit.
        angles_sha256: blob of the angle matrix.
        rows: circuits.
        shots: per row.
        created: of the intent, UTC.
        updated: of the last change, UTC.
        state: where it stands.
        outcome: vendor's final state, once known.
        vendor_text: the vendor's latest words, verbatim.
        queue_position: where known.
        uncertain_since: since when nobody is posting and the outcome is unknown.
        not_before: wait until then before the next post.
        cancel_requested: somebody asked for it.
        estimate_micro: price before it was made.
        reserve_micro: what the vendor may charge for it at most.
        charge_micro: what counts against the caps: what is reserved, in the end the actual cost.
        project: whose cap it counts against.
        lease_owner: who works on it.
        lease_until: until when.
        rehearsal: went to a vendor simulated on this machine: no device, no money.
    """

    id: int
    run_id: str
    role: str
    part: int
    key: str
    project: str
    backend: str
    circuit_id: str
    angles_sha256: str
    rows: int
    shots: int
    created: datetime
    updated: datetime
    state: State
    outcome: str | None
    vendor_text: str
    queue_position: int | None
    uncertain_since: datetime | None
    not_before: datetime | None
    cancel_requested: bool
    estimate_micro: int
    charge_micro: int
    reserve_micro: int
    lease_owner: str | None
    lease_until: datetime | None
    rehearsal: bool

    @classmethod
    def of(cls, row: Row[Any]) -> JobRecord:
        """From a row of the table ``job``."""
        values: dict[str, Any] = dict(row._mapping)
        return cls(**(values | {"state": State(values["state"])}))


@dataclass(frozen=True)
class AttemptRecord:
    """One post, or one copy found at the vendor.

    Attributes:
        id: number in the ledger.
        job_id: its job.
        created: when the post began, or the copy was found.
        state: what became of it.
        vendor_id: the vendor's id, where accepted.
        vendor_created: the vendor's creation time.
        vendor_text: the vendor's words.
        settled: for accepted ones, whether the actual cost is written.
        repeated: an older version took an id that another job has.
        payload_sha256: of the body that was about to be posted; ``None`` of copies found at the
            vendor, and where it could not be made.
    """

    id: int
    job_id: int
    created: datetime
    state: Attempt
    vendor_id: str | None
    vendor_created: datetime | None
    vendor_text: str
    settled: bool
    repeated: bool
    payload_sha256: str | None

    @classmethod
    def of(cls, row: Row[Any]) -> AttemptRecord:
        """From a row of the table ``attempt``."""
        values: dict[str, Any] = dict(row._mapping)
        return cls(**(values | {"state": Attempt(values["state"])}))


@dataclass(frozen=True)
class RunRecord:
    """One submission by a person; money in millionths of a dollar.

    Attributes:
        id: name.
        created: UTC.
        task: of the main job.
        project: whose cap it counts against.
        backend: registry name.
        settings: JSON of what was asked for.
        command: command line.
        budget_micro: its own cap.
        later_micro: reserved for stages that cannot be submitted yet.
        rehearsal: went to a vendor simulated on this machine.
    """

    id: str
    created: datetime
    task: str
    project: str
    backend: str
    settings: str
    command: str
    budget_micro: int | None
    later_micro: int
    rehearsal: bool

    @classmethod
    def of(cls, row: Row[Any]) -> RunRecord:
        """From a row of the table ``run``."""
        return cls(**dict(row._mapping))


@dataclass(frozen=True)
class CostRecord:
    """What a job was estimated to cost, or one copy of it did cost."""

    kind: str
    micro: int | None
    qpu_seconds: float | None
    basis: str
    written: datetime


@dataclass(frozen=True)
class RemarkRecord:
    """What is remarked of a job."""

    kind: Remark
    text: str
    written: datetime
