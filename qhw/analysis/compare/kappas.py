"""What a verdict would be at other concentrations of the latent draw.

A checkpoint that does not hold its kappa has one that somebody assumed, and the draw decides how
alike the decoder's outcomes are, so how hard a constant is to beat. The encoder's counts do not
depend on kappa: how its errors come out of an exact decoder is known at every kappa without another
circuit. The device's own decoder runs again at each, on simulators only.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qhw.analysis.compare.draw import draw_latents, latents_from_shots
from qhw.analysis.compare.facts import KappaPoint
from qhw.analysis.compare.result import Section, SourceKey
from qhw.analysis.compare.stage import Stage, StageRunner
from qhw.analysis.scores.distributions import distribution_section
from qhw.analysis.scores.verdict import verdict
from qhw.models.exact import ExactModel

FloatArray = NDArray[np.float64]
GRID = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""The paper's range."""
_STREAM = 15


def kappa_sweep(
    model: ExactModel, runner: StageRunner, encoder: Stage, *, simulated: bool
) -> tuple[KappaPoint, ...]:
    """Points of :data:`GRID`, for task ``reconstruct``.

    Args:
        model: exact.
        runner: of the run.
        encoder: its counts.
        simulated: the decoder may run again for each point.
    """
    mu, mu_hat = model.direction(encoder.exact), model.direction(encoder.best)
    quiet = replace(runner, notify=lambda _: None, probe=False)
    points = []
    for kappa in GRID:
        runner.notify(f"what kappa {kappa:g} would give")
        latents, _ = latents_from_shots(
            mu_hat, encoder.best, encoder.best_shots, kappa, runner.seed, encoder.kept
        )
        exact = model.decoder(draw_latents(mu, kappa, runner.seed, encoder.kept))
        through = _section(exact, {"device_raw": model.decoder(latents)}, runner)
        device = None
        if simulated:
            work = model.workload("decoder", latents, runner.preparation, seed=runner.seed)
            stage = quiet.run(work)
            device = _section(exact[stage.kept], stage.distributions(), runner)
        points.append(_point(kappa, through, device))
    return tuple(points)


def _section(
    exact: FloatArray, measured: dict[SourceKey, FloatArray], runner: StageRunner
) -> Section:
    rng = runner.stream(_STREAM)
    return distribution_section("pipeline", "", "", exact, measured, runner.shots, rng)


def _point(kappa: float, through: Section, device: Section | None) -> KappaPoint:
    metric = through.leading
    assert metric is not None  # of dense distributions
    rows = [metric.row("uniform"), metric.row("prior_mean")]
    best = min(row.mean.value for row in rows if row is not None and row.mean is not None)
    encoder = verdict((through,)).skill
    found = None if device is None else verdict((device,))
    whole = None if found is None or found.skill is None else found.skill.estimate
    return KappaPoint(
        kappa=kappa,
        constant=best,
        encoder_skill=None if encoder is None else encoder.estimate,
        device_skill=whole,
        level=None if found is None else found.level,
    )
