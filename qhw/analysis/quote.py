"""What a run on a paid device will cost, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

import numpy as np

from backends.base import Backend, BackendError, CompiledTemplate
from backends.vendor import Submission, VendorBackend
from qhw.analysis.compare import check_request, given_molecules, model_runner
from qhw.analysis.early import ROLES, check_device
from qhw.analysis.mitigated import MitigationPlan
from qhw.analysis.result import Settings
from qhw.analysis.stage import Notify, Role, StageRunner
from qhw.chem.qm9 import sample_molecules
from qhw.circuits.templates import build_template
from qhw.jobs.intent import PlannedJob, Quote, plan_batches
from qhw.jobs.money import to_micro
from qhw.models.base import plan_of
from qhw.models.checkpoint import load


@dataclass(frozen=True, eq=False)
class StageQuote(Quote):
    """One circuit of a run, priced.

    Attributes:
        role: which circuit of the model.
        compiled: for the device.
        jobs: their angles are zeros, which no price depends on.
        plan: what mitigation runs, ``None`` where that is the circuit itself and no more.
        plain_micro: price of the circuit itself with as many shots, millionths of a dollar;
            ``None`` where the device would not take that.
    """

    role: Role
    compiled: CompiledTemplate
    plan: MitigationPlan | None
    plain_micro: int | None

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
        ValueError: as :func:`qhw.analysis.compare.compare`.
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
        notify(f"{role}: compiling for {vendor.name}")
        plan = plan_of(model, role, settings.model, f"task {settings.task}")
        template = build_template(plan, settings.preparation, name=role)
        compiled = vendor.compile(template.circuit, seed=settings.seed)
        notify(f"{role}: checking and pricing")
        stages.append(quote_stage(runner, vendor, role, compiled, settings.molecules))
    return tuple(stages)


def quote_stage(
    runner: StageRunner, vendor: VendorBackend, role: Role, compiled: CompiledTemplate, rows: int
) -> StageQuote:
    """Check and price one circuit of a run.

    Args:
        runner: of the run.
        vendor: the device.
        role: which circuit.
        compiled: for the device.
        rows: of angles.

    Raises:
        MitigationError: pipeline, shots, circuit, device and calibration do not go together.
        BackendError: the device would refuse it, or its price is unknown.
    """
    angles = np.zeros((rows, len(compiled.parameter_names)))
    plain = Submission(compiled, angles, runner.shots)
    plan = runner.plan(role, compiled, angles)
    more = None if plan.alone else plan
    return StageQuote(_jobs_of(vendor, plan), role, compiled, more, _price(vendor, plain))


def _jobs_of(vendor: VendorBackend, plan: MitigationPlan) -> tuple[PlannedJob, ...]:
    return tuple(job for jobs in plan_batches(vendor, plan.batches).values() for job in jobs)


def _price(vendor: VendorBackend, submission: Submission) -> int | None:
    try:
        return sum(to_micro(vendor.estimate(part).usd) for part in vendor.split(submission))
    except BackendError:
        return None


def reserved_later(stages: tuple[StageQuote, ...]) -> dict[str, int]:
    """The most that the stages after each one may cost, millionths of a dollar."""
    return {
        stage.role: sum(later.reserve_micro for later in stages[place + 1 :])
        for place, stage in enumerate(stages)
    }
