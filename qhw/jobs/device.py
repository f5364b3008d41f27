"""A paid device as an ordinary backend, whose every run goes through the ledger.

A comparison is computed from its settings and seed alone, so it can be started again at any time:
what was submitted before is taken from the ledger, and where counts are still outstanding the
computation stops with :class:`Pending`. That is how a run of several stages survives a closed
laptop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from backends.base import BackendError, CircuitBatch, CompiledTemplate, CostEstimate, ShotResult
from backends.emulated import is_twirled
from backends.reference.twirled import WORDS
from backends.registry import DEBIAS
from backends.vendor import VendorBackend, VendorMitigated, is_rehearsal
from calibration.snapshot import DeviceSnapshot
from qhw.jobs.budget import Budget
from qhw.jobs.config import Patience
from qhw.jobs.errors import LedgerError
from qhw.jobs.intent import JOINED, Plan, PlannedJob, RunRequest, group_batches, plan_batches
from qhw.jobs.ledger import Ledger
from qhw.jobs.money import MICRO
from qhw.jobs.predictions import get_prediction
from qhw.jobs.queries import (
    actual_costs,
    began_as_rehearsal,
    costs_of,
    jobs_of,
    row_counts,
    template_of,
    variant_jobs,
)
from qhw.jobs.records import CostRecord, JobRecord
from qhw.jobs.remarks import doubts
from qhw.jobs.work import submit_plan

_SAME_ANGLES = 1e-3
"""Angles fitted again on another machine differ by less than this, radians."""


class Pending(Exception):  # noqa: N818 - not an error: the vendor has not finished
    """Counts are outstanding; computing again later goes on from here."""


class Rehearsed(Exception):  # noqa: N818 - not an error: this far and no further was asked for
    """Everything but the sending was done.

    Attributes:
        jobs: what would have been sent.
    """

    def __init__(self, jobs: tuple[PlannedJob, ...]) -> None:
        super().__init__(f"{len(jobs)} jobs, nothing sent")
        self.jobs = jobs


@dataclass
class LedgerBackend:
    """A vendor's device behind the ledger; implements :class:`backends.base.BatchBackend`.

    Attributes:
        ledger: where runs are written down.
        request: the run.
        vendor: maker of the device's backend, called only when the device is needed.
        budget: caps.
        patience: waits and repeats.
        later: reserved after each role, millionths of a dollar.
        compiled: templates compiled already, by role.
        wait: ``False`` stops after each submission, even if its counts came at once.
        dry: stops before anything is written down.
        predict: makers of what is predicted of circuits, by role, called just before the intents
            are written.
    """

    ledger: Ledger
    request: RunRequest
    device: str
    vendor: Callable[[], VendorBackend]
    budget: Budget
    patience: Patience = field(default_factory=Patience)
    later: Mapping[str, int] = field(default_factory=dict)
    compiled: dict[str, CompiledTemplate] = field(default_factory=dict)
    wait: bool = True
    dry: bool = False
    predict: dict[str, Callable[[], bytes]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Registry name of the device."""
        return self.device

    @property
    def snapshot(self) -> DeviceSnapshot | None:
        """Calibration that the circuits were compiled against."""
        for compiled in self.compiled.values():
            return compiled.snapshot
        return self.vendor().snapshot

    @property
    def vendor_mitigation(self) -> str | None:
        """What the vendor itself does to the counts, in words."""
        if not self.device.endswith(f"+{DEBIAS}"):
            return None  # without asking: a finished run is read without credentials
        vendor = self.vendor()
        return vendor.vendor_mitigation if isinstance(vendor, VendorMitigated) else None

    @property
    def rehearsal(self) -> bool:
        """Whether the run went, or would go, to a vendor simulated on this machine."""
        with self.ledger.read() as connection:
            known = began_as_rehearsal(connection, self.request.id)
        return is_rehearsal(self.vendor()) if known is None else known

    def compile(self, circuit: QuantumCircuit, *, seed: int = 0) -> CompiledTemplate:
        """The run's template of that circuit's name; compiled only if there is none."""
        role = circuit.name
        with self.ledger.read() as connection:
            submitted = template_of(connection, self.request.id, role)
        if submitted is not None:
            self.compiled[role] = submitted
        if role not in self.compiled:
            self.compiled[role] = self.vendor().compile(circuit, seed=seed)
        return self.compiled[role]

    def freeze(self, role: str, predict: Callable[[], bytes]) -> None:
        """Have something predicted of a circuit, and written down with its jobs, once."""
        self.predict[role] = predict

    def frozen(self, role: str) -> bytes | None:
        """What was predicted before the circuit was sent; ``None`` of runs of earlier versions.

        Raises:
            LedgerError: damaged.
        """
        with self.ledger.read() as connection:
            return get_prediction(connection, self.request.id, role)

    def run(
        self, compiled: CompiledTemplate, angles: NDArray[np.float64], *, shots: int, seed: int
    ) -> ShotResult:
        """Counts from the ledger; submitted first if the run has no jobs of that circuit.

        Raises:
            Pending: not all counts are here.
            Rehearsed: in a dry run.
            BackendError: the device refuses, or the run was cancelled before this circuit.
            BudgetError: a cap would be passed.
            LedgerError: the run was submitted with other angles.
        """
        batch = CircuitBatch(self._role(compiled), compiled, angles, shots)
        return self.run_batches([batch], seed=seed)[0]

    def run_batches(self, batches: Sequence[CircuitBatch], *, seed: int) -> tuple[ShotResult, ...]:
        """Counts of variants of one circuit of the model, ``<role>/<variant>`` their labels.

        All are written down in one transaction, within the budget for all, before the first is
        sent; all are sent before any is waited for.

        Raises:
            Pending: not all counts are here.
            Rehearsed: in a dry run.
            BackendError: the device refuses one, or the run was cancelled before this circuit.
            BudgetError: a cap would be passed.
            LedgerError: the run was submitted with other circuits, angles or shots.
        """
        del seed  # of simulators
        role = batches[0].label.partition("/")[0]
        fresh = not self._jobs(role)
        if fresh:
            self._check_not_cancelled()
            self._submit(role, batches)
        jobs = self._jobs(role)
        if not all(job.state.final for job in jobs) or (fresh and not self.wait):
            raise Pending(self.request.id)
        groups = group_batches(batches, join=any(JOINED in job.role for job in jobs))
        found: dict[str, ShotResult] = {}
        for name, members in groups.items():
            found |= self._results(members, [job for job in jobs if job.role == name])
        return tuple(found[batch.label] for batch in batches)

    def _results(
        self, batches: Sequence[CircuitBatch], jobs: Sequence[JobRecord]
    ) -> dict[str, ShotResult]:
        """Results by label of batches that share jobs."""
        if not jobs:
            raise self._changed("circuits")
        with self.ledger.read() as connection:
            found = row_counts(connection, jobs)
        angles = np.concatenate([batch.angles for batch in batches])
        same = found.angles.shape == angles.shape
        if not same or np.abs(found.angles - angles).max(initial=0.0) > _SAME_ANGLES:
            raise self._changed("angles")
        if found.shots != batches[0].shots:
            raise self._changed("shots")
        if found.compiled.circuit.count_ops() != batches[0].compiled.circuit.count_ops():
            raise self._changed("circuits")
        finished = max(job.updated for job in jobs)
        simulated = self.rehearsal or self.device.startswith("emulator:")
        out, start = {}, 0
        for batch in batches:
            end = start + len(batch.angles)
            errors = {r - start: text for r, text in found.row_errors.items() if start <= r < end}
            counts = found.counts[start:end]
            out[batch.label] = ShotResult(
                counts,
                found.shots,
                self.device,
                None,
                finished,
                errors,
                found.outcomes,
                WORDS if simulated and is_twirled(found.compiled) else "",
            )
            start = end
        return out

    def _changed(self, what: str) -> LedgerError:
        return LedgerError(
            f"Run {self.request.id} was submitted with other {what} than its settings give "
            "now: the model, the molecules or the code changed since"
        )

    def estimate(self, compiled: CompiledTemplate, *, circuits: int, shots: int) -> CostEstimate:
        """What the run did cost (would have, in a rehearsal); its estimate before that is known."""
        del circuits, shots  # the ledger knows what was submitted
        with self.ledger.read() as connection:
            jobs = variant_jobs(connection, self.request.id, self._role(compiled))
            costs = [costs_of(connection, job.id) for job in jobs]
            doubt = doubts(connection, jobs)
        estimates = [cost for own in costs for cost in own if cost.kind == "estimate"]
        estimated = sum(cost.micro or 0 for cost in estimates)
        actual = [cost for own in costs for cost in actual_costs(own)]
        amounts = [cost.micro for cost in actual if cost.micro is not None]
        free = "nothing was charged, " if self.rehearsal else ""
        warned = f"; NOT BELIEVED OR GIVEN UP: {'; '.join(doubt)}" if doubt else ""
        if not actual or len(amounts) < len(actual):
            seconds = _seconds(estimates)
            return CostEstimate(estimated / MICRO, seconds, f"{free}estimate{warned}")
        first = f" (the first of {len(jobs)} jobs)" if len(jobs) > 1 else ""
        told = f"{free or 'actual, '}{actual[0].basis}{first}"
        basis = f"{told}; the estimate was {estimated / MICRO:g} usd{warned}"
        return CostEstimate(sum(amounts) / MICRO, _seconds(actual), basis)

    def _submit(self, role: str, batches: Sequence[CircuitBatch]) -> None:
        vendor = self.vendor()
        jobs = plan_batches(vendor, batches)
        if self.dry:
            raise Rehearsed(tuple(job for planned in jobs.values() for job in planned))
        # a job of the role itself holds its circuit already
        templates = {} if role in jobs else {role: self.compiled[role]}
        told = {role: self.predict[role]()} if role in self.predict else {}
        plan = Plan(jobs, templates, self.later.get(role, 0), told)
        submit_plan(self.ledger, vendor, plan, self.request, self.budget, patience=self.patience)

    def _check_not_cancelled(self) -> None:
        """Rows that a cancelled circuit left are no reason to pay for the next circuit."""
        with self.ledger.read() as connection:
            jobs = jobs_of(connection, self.request.id)
        if any(job.cancel_requested for job in jobs):
            raise BackendError(
                f"Run {self.request.id} was cancelled: nothing further is submitted for it; "
                f"`qhw jobs counts {self.request.id}` writes the counts that are there"
            )

    def _role(self, compiled: CompiledTemplate) -> str:
        return next(role for role, own in self.compiled.items() if own is compiled)

    def _jobs(self, role: str) -> tuple[JobRecord, ...]:
        with self.ledger.read() as connection:
            return variant_jobs(connection, self.request.id, role)


def _seconds(costs: list[CostRecord]) -> float | None:
    known = [cost.qpu_seconds for cost in costs if cost.qpu_seconds is not None]
    return sum(known) if known else None
