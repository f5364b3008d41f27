"""What a run on a paid device will cost, before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, cast

import numpy as np

from backends.base import Backend, BackendError, CompiledTemplate
from backends.vendor import Submission, VendorBackend
from qhw.analysis.compare.early import check_device
from qhw.analysis.compare.mitigated import MitigationPlan
from qhw.analysis.compare.model import check_request, given_molecules, model_runner
from qhw.analysis.compare.settings import Settings
from qhw.analysis.compare.stage import Notify, StageRunner
from qhw.analysis.precision.plan import ShotPlan
from qhw.analysis.probe.circuits import Probe
from qhw.chem.qm9 import sample_molecules
from qhw.circuits.workload import Role, Workload
from qhw.jobs.intent import PlannedJob, Quote, plan_batches
from qhw.jobs.money import to_micro
from qhw.mitigation.placed import Placed
from qhw.models.checkpoint import load
from qhw.models.exact import ROLES, template_of


@dataclass(frozen=True, eq=False)
class StageQuote(Quote):
    """One circuit of a run, priced.

    Attributes:
        role: which circuit of the model.
        compiled: for the device.
        jobs: of a model's circuits their angles are zeros, which no price depends on.
        plan: what mitigation runs, ``None`` where that is the circuit itself and no more.
        plain_micro: price of the circuit itself with as many shots, millionths of a dollar;
            ``None`` where the device would not take that.
        probes: smaller circuits of known answer among the jobs.
        shot_plan: how the shots were planned; ``None`` where they were given.
    """

    role: Role
    compiled: CompiledTemplate
    plan: MitigationPlan | None
    plain_micro: int | None
    probes: tuple[Probe, ...] = ()
    shot_plan: ShotPlan | None = None

    @property
    def total_shots(self) -> int:
        """Of all of them."""
        return sum(len(job.submission.angles) * job.submission.shots for job in self.jobs)


def quote(
    settings: Settings, vendor: VendorBackend, notify: Notify, moment: datetime | None = None
) -> tuple[StageQuote, ...]:
    """Compile, check and price every stage of a run.

    Args:
        settings: of the run.
        vendor: the device.
        notify: told what is being done.
        moment: to which ages of calibrations are counted, by default now.

    Raises:
        ValueError: as :func:`qhw.analysis.compare.model.compare`.
        CheckpointError: the model is unknown or damaged.
        MitigationError: pipeline, shots, circuit, device and calibration do not go together.
        BackendError: the device would refuse it, or its price is unknown.
    """
    check_request(settings)
    model, _ = load(settings.model)
    if settings.task != "generate":
        given_molecules(settings, sample_molecules())
    check_device(settings, model, vendor)
    # circuits are built for a device's name; nothing runs on it here
    runner = model_runner(settings, model, cast(Backend, vendor), notify, moment)
    stages = []
    for role in ROLES[settings.task]:
        need = f"task {settings.task}"
        template = template_of(model, role, settings.preparation, settings.model, need)
        # no price depends on angles
        zeros = np.zeros((settings.molecules, len(template.parameter_names)))
        names = tuple(map(str, range(len(zeros))))
        work = Workload(role, template.circuit, template.parameter_names, zeros, names, role)
        placed = runner.place(work)
        notify(f"{role}: checking and pricing")
        stages.append(quote_stage(runner, vendor, placed))
    return tuple(stages)


def quote_stage(runner: StageRunner, vendor: VendorBackend, placed: Placed) -> StageQuote:
    """Check and price one circuit of a run.

    Args:
        runner: of the run.
        vendor: the device.
        placed: the circuit and as many rows as will run.

    Raises:
        MitigationError: pipeline, shots, circuit, device and calibration do not go together.
        BackendError: the device would refuse it, or its price is unknown.
    """
    plain = Submission(placed.compiled, placed.angles, runner.shots)
    plan = runner.plan(placed)
    more = None if plan.alone else plan
    jobs, price = _jobs_of(vendor, plan), _price(vendor, plain)
    return StageQuote(jobs, placed.workload.role, placed.compiled, more, price, plan.probes)


def _jobs_of(vendor: VendorBackend, plan: MitigationPlan) -> tuple[PlannedJob, ...]:
    return tuple(job for jobs in plan_batches(vendor, plan.sent).values() for job in jobs)


def _price(vendor: VendorBackend, submission: Submission) -> int | None:
    try:
        return sum(to_micro(vendor.estimate(part).usd) for part in vendor.split(submission))
    except BackendError:
        return None


class RoleQuote(Protocol):
    """One circuit of a run, priced."""

    @property
    def role(self) -> str:
        """Which circuit."""

    @property
    def reserve_micro(self) -> int:
        """The most it may cost, millionths of a dollar."""


def reserved_later(stages: Sequence[RoleQuote]) -> dict[str, int]:
    """The most that the stages after each one may cost, millionths of a dollar."""
    return {
        stage.role: sum(later.reserve_micro for later in stages[place + 1 :])
        for place, stage in enumerate(stages)
    }
