"""A comparison with a pipeline: raw beside it, error bars with it, and no more shots than asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.engine.backend import EngineBackend
from calibration.catalog import load_snapshot
from qhw.analysis.compare.mitigated import equivalent_shots, plain
from qhw.analysis.compare.model import Comparison, compare
from qhw.analysis.compare.result import ComparisonResult
from qhw.analysis.compare.settings import Settings
from qhw.mitigation.base import linear_variance

PIPELINE = "twirl(2)+readout+zne(1,3)"


def run(model: Path, **changes: Any) -> Comparison:
    values = {"device": "engine:ibm_fez", "shots": 40_000, "molecules": 6, "task": "generate"}
    settings = Settings.parse(model=str(model), **(values | changes))
    backend = EngineBackend(load_snapshot("ibm_fez"))
    return compare(settings, backend=backend, notify=lambda _: None)


def mean(result: ComparisonResult, section: str, source: str, metric: str = "") -> float:
    found = result.section(section)
    assert found is not None
    row = found.metric(metric or "total_variation").row(source)
    assert row is not None and row.mean is not None
    return row.mean.value


def test_mitigation_wins_and_raw_numbers_do_not_depend_on_it(small_model: Path) -> None:
    found = run(small_model, mitigation=PIPELINE, shots=400_000)
    result, plainly = found.result, run(small_model, shots=400_000).result
    raw, readout = (mean(plainly, "decoder", f"device_{name}") for name in ("raw", "readout"))
    assert mean(result, "decoder", "device_raw") == raw
    assert mean(result, "decoder", "device_mitigated") < readout < raw
    assert result.verdict.skill.source == "device_mitigated"
    assert ComparisonResult.from_json(result.to_json()) == result
    (circuit,) = result.circuits
    facts = circuit.mitigation
    assert facts is not None
    assert facts.total_shots == facts.raw_extra_shots == 6 * 400_000
    assert facts.raw_shots == 400_000
    assert circuit.negative_mass is not None and circuit.negative_mass >= 0
    (stage,) = found.outcome.stages
    assert stage.pipeline is not None
    assert all(len(table) == 6 for table in stage.pipeline.mitigated.counts.values())
    again = run(small_model, mitigation=PIPELINE, shots=400_000).result
    assert again.model_dump(exclude={"provenance"}) == result.model_dump(exclude={"provenance"})


def test_one_circuit_serves_a_pipeline_that_runs_nothing_else(small_model: Path) -> None:
    (stage,) = run(small_model, mitigation="readout(tensored)").outcome.stages
    assert stage.pipeline is not None and stage.pipeline.plan.raw is None
    assert (stage.counts == stage.pipeline.mitigated.counts["decoder"]).all()
    facts = stage.pipeline.facts()
    assert (facts.raw_extra_shots, facts.shot_multiplier) == (0, 1.0)


@pytest.mark.slow
def test_noisier_directions_leave_less_to_draw(small_model: Path) -> None:
    common = {"task": "reconstruct", "shots": 20_000, "kappa": 200.0}
    plainly = run(small_model, **common).result.draw
    found = run(small_model, mitigation=PIPELINE, **common)
    draw = found.result.draw
    assert plainly is not None and draw is not None
    encoder = found.outcome.stages[0]
    assert encoder.best_shots < 20_000 / 2.5  # (1.5^2 / 0.75 + 0.5^2 / 0.25) and readout
    ratio = np.sqrt(20_000 / encoder.best_shots)
    assert draw.expected_angle == pytest.approx(plainly.expected_angle * ratio, rel=0.15)
    assert draw.kappa_used[0] > plainly.kappa_used[0]


def test_equivalent_shots_of_plain_frequencies_are_their_shots() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(32), size=5)
    for shots in (20, 100, 1234, 100_000):
        error = np.sqrt(linear_variance(p, shots, None))
        assert equivalent_shots(p, error) == shots
    assert equivalent_shots(p, 2 * error) == pytest.approx(100_000 / 4, rel=1e-3)


def test_default_is_resolved_for_the_circuit(small_model: Path) -> None:
    result = run(small_model, mitigation=" default ", shots=4000).result
    assert result.settings.mitigation == "default"
    facts = result.circuits[0].mitigation
    assert facts is not None and "zne" in facts.pipeline and facts.fits


def test_a_prior_that_a_model_does_not_declare_is_refused(small_model: Path) -> None:
    with pytest.raises(ValueError, match="structure must have a model that declares"):
        run(small_model, mitigation="readout+structure")


def test_records_become_json() -> None:
    found = plain({"a": np.arange(3), "b": [np.float64(1.5), float("nan")], "c": np.zeros(99)}, 64)
    assert found == {"a": [0, 1, 2], "b": [1.5, None], "c": "99 values"}
