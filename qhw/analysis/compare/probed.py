"""A circuit's prediction made again with the noise that its probes showed."""

from __future__ import annotations

from dataclasses import replace

from calibration.snapshot import DeviceSnapshot
from qhw.analysis.compare.facts import PredictionFacts, ProbeFacts
from qhw.analysis.compare.predicted import judged, predict
from qhw.analysis.compare.stage import Stage
from qhw.analysis.probe.found import fitted_snapshot, noise_of_the_day


def probe_facts(stage: Stage) -> ProbeFacts | None:
    """What a circuit's probes say; ``None`` where there were none, or none came back."""
    base = stage.compiled.snapshot
    noise = None if base is None else noise_of_the_day(stage.pipeline.probed, base)
    if noise is None or base is None:
        return None
    fitted = fitted_snapshot(base, noise)
    return ProbeFacts(
        role=stage.role,
        noise=noise,
        predicted=_beside(stage, base),
        again=None if fitted is None else _beside(stage, fitted, noise.factor or 0.0),
    )


def _beside(stage: Stage, device: DeviceSnapshot, factor: float = 1.0) -> PredictionFacts:
    """What a device model says of the raw counts, and what they are; only probes were looked at."""
    success = stage.compiled.predicted_success
    compiled = replace(
        stage.compiled,
        snapshot=device,
        predicted_success=None if success is None else success**factor,
    )
    shots = stage.pipeline.raw_shots
    told = predict(stage.role, compiled, stage.angles, stage.exact, shots=shots)
    rows = list(range(len(stage.angles)))
    return judged(told.to_bytes(), rows, stage.counts, stage.exact)
