"""What a run on a paid device will cost, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backends.base import CompiledTemplate
from backends.vendor import Submission, VendorBackend
from qhw.analysis.result import Settings
from qhw.analysis.stage import Notify, Role
from qhw.circuits.templates import build_template
from qhw.jobs.intent import PlannedJob, plan_jobs
from qhw.models.checkpoint import load

_ROLES: dict[str, tuple[Role, ...]] = {
    "generate": ("decoder",),
    "encode": ("encoder",),
    "reconstruct": ("encoder", "decoder"),
}
"""Circuits of each task, in the order they run."""


@dataclass(frozen=True, eq=False)
class StageQuote:
    """One circuit of a run, priced.

    Attributes:
        role: which circuit of the model.
        compiled: for the device.
        jobs: vendor jobs; their angles are zeros, which no price depends on.
    """

    role: Role
    compiled: CompiledTemplate
    jobs: tuple[PlannedJob, ...]

    @property
    def micro(self) -> int:
        """Price, millionths of a dollar."""
        return sum(job.micro for job in self.jobs)

    @property
    def reserve_micro(self) -> int:
        """The most the vendor may charge, millionths of a dollar."""
        return sum(job.reserve_micro for job in self.jobs)


def quote(settings: Settings, vendor: VendorBackend, notify: Notify) -> tuple[StageQuote, ...]:
    """Compile, check and price every stage of a run.

    Args:
        settings: of the run.
        vendor: the device.
        notify: told what is being done.

    Raises:
        CheckpointError: the model is unknown or damaged.
        BackendError: the device would refuse it, or its price is unknown.
    """
    model, _ = load(settings.model)
    plans = {"encoder": model.encoder_plan, "decoder": model.decoder_plan}
    stages = []
    for role in _ROLES[settings.task]:
        notify(f"{role}: compiling for {vendor.name}")
        template = build_template(plans[role](), settings.preparation, name=role)
        compiled = vendor.compile(template.circuit, seed=settings.seed)
        angles = np.zeros((settings.molecules, len(compiled.parameter_names)))
        jobs = plan_jobs(vendor, Submission(compiled, angles, settings.shots))
        stages.append(StageQuote(role, compiled, jobs))
    return tuple(stages)


def reserved_later(stages: tuple[StageQuote, ...]) -> dict[str, int]:
    """The most that the stages after each one may cost, millionths of a dollar."""
    return {
        stage.role: sum(later.reserve_micro for later in stages[place + 1 :])
        for place, stage in enumerate(stages)
    }
