"""Read-outs refitted to counts, in place of the model's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import torch
from numpy.typing import NDArray

from qhw.analysis.compare.facts import HeadFacts, HeadFit
from qhw.analysis.compare.result import HEAD_OF, DeviceSource, SourceKey
from qhw.analysis.compare.stage import Stage
from qhw.analysis.head.calibration import CircuitCounts, HeadCalibration
from qhw.chem.molecule import MoleculeBatch
from qhw.distributions import relative_frequencies
from qhw.mitigation.program import Program, build_program
from qhw.models.base import reading_out
from qhw.models.exact import ExactModel
from qhw.models.refit import LinearMap, Refit, refit

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Refitted:
    """A model's read-outs refitted to a device.

    Attributes:
        exact: the model.
        head: counts that its read-outs are refitted to.
        fits: of every circuit and source that was asked for, in that order.
    """

    exact: ExactModel
    head: HeadCalibration
    fits: list[HeadFit] = field(default_factory=list)

    def directions(self, stage: Stage) -> dict[SourceKey, FloatArray]:
        """Unit latents ``(K, d)`` of an encoder's counts, by source; none if not calibrated.

        The root of the measured distribution goes through a refitted linear map, which is the
        identity without noise, before it is made a unit vector.
        """
        part = self.head.part("encoder")
        if part is None:
            return {}
        wanted = self.exact.direction(self.exact.encoder(part.data()))
        identity = LinearMap(np.eye(wanted.shape[1]), np.zeros(wanted.shape[1]))
        found: dict[SourceKey, FloatArray] = {}
        for source, measured in _sources(stage).items():
            known = calibrated(part, self.head.shots, source, stage.pipeline.plan.program)
            fitted = refit(self.exact.direction(known), wanted, identity)
            mapped = fitted.map(self.exact.direction(measured))
            found[HEAD_OF[source]] = mapped / np.linalg.norm(mapped, axis=1, keepdims=True)
            self._note(stage, source, part, fitted)
        return found

    def molecules(self, stage: Stage) -> dict[SourceKey, MoleculeBatch]:
        """Molecules of a decoder's counts by source; none if not calibrated."""
        part = self.head.part("decoder")
        if part is None:
            return {}
        found: dict[SourceKey, MoleculeBatch] = {}
        for source, measured in _sources(stage).items():
            known = calibrated(part, self.head.shots, source, stage.pipeline.plan.program)
            fitted = refit_decoder(self.exact, part.data(), known)
            found[HEAD_OF[source]] = with_map(self.exact, fitted.map).molecules(measured)
            self._note(stage, source, part, fitted)
        return found

    def facts(self, moment: datetime | None = None) -> HeadFacts:
        """For the result.

        Args:
            moment: to which its age is counted, by default now.
        """
        head = self.head
        return HeadFacts(
            sha256=head.sha256(),
            taken=head.taken,
            age_hours=round(head.age(moment or datetime.now(UTC)).total_seconds() / 3600, 2),
            shots=head.shots,
            total_shots=head.total_shots,
            usd=head.usd,
            rehearsal=head.rehearsal,
            run=head.run,
            fits=tuple(self.fits),
        )

    def _note(self, stage: Stage, source: DeviceSource, part: CircuitCounts, fit: Refit) -> None:
        self.fits.append(
            HeadFit(
                role=stage.role,
                source=source,
                rows=len(part.counts),
                strength=fit.strength,
                error=fit.error,
            )
        )


def refit_decoder(exact: ExactModel, latents: FloatArray, known: FloatArray) -> Refit:
    """The model's linear read-out, refitted.

    Args:
        exact: the model.
        latents: ``(n, d)`` whose outcome is known.
        known: ``(n, 2**m)`` what the device gave for them.

    Raises:
        AbilityError: the model has no linear read-out.
    """
    model = reading_out(exact.model, exact.name, exact.need)
    weight, bias = (part.double().cpu().numpy() for part in model.read_out_map())
    start = LinearMap(weight, bias)
    return refit(_features(exact, known), start(_features(exact, exact.decoder(latents))), start)


def with_map(exact: ExactModel, found: LinearMap) -> ExactModel:
    """The model that decodes by another map."""
    model = reading_out(exact.model, exact.name, exact.need)
    other = model.with_read_out(torch.from_numpy(found.weight), torch.from_numpy(found.bias))
    return ExactModel(other, exact.name, exact.need)  # type: ignore[arg-type]  # a Model as well


def calibrated(
    part: CircuitCounts, shots: int, source: DeviceSource, program: Program
) -> FloatArray:
    """What a calibration's counts become on the way that a run's counts went.

    Args:
        part: counts of the calibration.
        shots: of each row.
        source: raw, or what the run's pipeline makes of raw counts.
        program: of the run, a pipeline of the circuit itself.

    Returns:
        ``(n, 2**m)`` distributions.
    """
    counts = part.table()
    if source == "device_raw":
        return relative_frequencies(counts)
    context = program.context
    again = build_program(
        program.pipeline,
        context.backend,
        program.compiled,
        np.zeros((len(counts), program.angles.shape[1])),  # no correction depends on angles
        shots=shots,
        seed=context.seed,
        calibration=context.calibration,
        moment=context.moment,
    )
    found = again.combine({again.label: counts}).probabilities
    assert found is not None  # no features were asked for
    return found


def _sources(stage: Stage) -> dict[DeviceSource, FloatArray]:
    """Raw distributions, and those that were made of the same counts."""
    return {"device_raw": stage.raw, stage.best_source: stage.best}


def _features(exact: ExactModel, distributions: FloatArray) -> FloatArray:
    model = reading_out(exact.model, exact.name, exact.need)
    with torch.no_grad():
        found = model.read_out_features(torch.from_numpy(distributions))
    return np.asarray(found.double().cpu().numpy(), dtype=np.float64)
