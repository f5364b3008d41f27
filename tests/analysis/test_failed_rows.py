"""A comparison without some rows is the comparison of the others, number by number."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from backends.base import BackendError, CompiledTemplate, ShotResult
from backends.exact import ExactBackend
from qhw.analysis.compare.model import Comparison, compare
from qhw.analysis.compare.result import ComparisonResult
from qhw.analysis.compare.settings import Settings
from qhw.analysis.compare.stage import TooFewRowsError
from qhw.analysis.scores.baselines import prior_mean
from qhw.analysis.scores.metrics import total_variation
from qhw.mitigation.calibrate import calibrate_readout
from qhw.report.missing import row_ranges

ROWS, SHOTS = 7, 500


@dataclass
class LosesRows(ExactBackend):
    """A perfect device on which some circuits of each batch fail, first batch first."""

    lost: list[dict[int, str]] = field(default_factory=list)
    ran: list[NDArray[np.float64]] = field(default_factory=list)

    def run(
        self, compiled: CompiledTemplate, angles: NDArray[np.float64], *, shots: int, seed: int
    ) -> ShotResult:
        result = super().run(compiled, angles, shots=shots, seed=seed)
        self.ran.append(angles)
        errors = self.lost[len(self.ran) - 1] if len(self.ran) <= len(self.lost) else {}
        counts = result.counts.copy()
        counts[list(errors)] = 0
        return replace(result, counts=counts, row_errors=errors)


def run(model: Path, task: str, *lost: dict[int, str]) -> tuple[Comparison, LosesRows]:
    settings = Settings.parse(
        model=str(model), device="exact", shots=SHOTS, molecules=ROWS, task=task
    )
    backend = LosesRows(lost=list(lost))
    return compare(settings, backend=backend, notify=lambda _: None), backend


def values(result: ComparisonResult, section: str, metric: str, source: str) -> list[float]:
    return result.section(section).metric(metric).row(source).values


@pytest.mark.parametrize(
    ("task", "section"), [("generate", "decoder"), ("encode", "encoder"), ("encode", "direction")]
)
def test_the_rows_that_are_left_keep_their_numbers(
    small_model: Path, task: str, section: str
) -> None:
    kept = [0, 2, 3, 6]
    whole = run(small_model, task)[0].result
    comparison, _ = run(small_model, task, {4: "b", 1: "a", 5: "b"})
    part = comparison.result
    metric = "angle" if section == "direction" else "total_variation"
    of_whole = values(whole, section, metric, "device_raw")
    assert values(part, section, metric, "device_raw") == pytest.approx([of_whole[r] for r in kept])
    assert [(m.index, m.text) for m in part.missing] == [(1, "a"), (4, "b"), (5, "b")]
    assert [m.name for m in part.missing] == [whole.molecules[r].name for r in (1, 4, 5)]
    records = [whole.molecules[r] for r in kept]
    assert [r.index for r in part.molecules] == kept
    assert [r.device_smiles for r in part.molecules] == [r.device_smiles for r in records]
    assert [r.input_smiles for r in part.molecules] == [r.input_smiles for r in records]
    assert {v.samples for v in part.validity if v.source != "qm9"} == {4}
    # the baseline is the mean of the others that are left, not of rows nobody measured
    exact = comparison.outcome.stages[0].exact
    wanted = total_variation(exact, prior_mean(exact))
    if section != "direction":
        assert values(part, section, metric, "prior_mean") == pytest.approx(wanted)
    assert ComparisonResult.from_json(part.to_json()) == part
    assert part.rows == 4


def test_the_decoder_runs_for_the_same_latents_whatever_becomes_of_other_rows(
    small_model: Path,
) -> None:
    _, whole = run(small_model, "reconstruct")
    comparison, part = run(small_model, "reconstruct", {0: "x", 4: "y"}, {2: "z"})
    encoded = [1, 2, 3, 5, 6]
    np.testing.assert_allclose(part.ran[1], whole.ran[1][encoded], atol=1e-6)
    result = comparison.result
    told = [(m.index, m.role, m.text) for m in result.missing]
    assert told == [(0, "encoder", "x"), (3, "decoder", "z"), (4, "encoder", "y")]
    assert [record.index for record in result.molecules] == [1, 2, 5, 6]
    assert [len(values(result, s, "total_variation", "device_raw")) for s in ("encoder",)] == [5]
    for source in ("device_raw", "shots_only", "prior_mean"):
        assert len(values(result, "pipeline", "total_variation", source)) == 4
    # no noise: the whole way without the lost rows still sits on the shot floor
    metric = result.section("pipeline").metric("total_variation")
    device, floor = metric.row("device_raw").mean.value, metric.row("shots_only").mean.value
    assert device == pytest.approx(floor, rel=0.2)


@pytest.mark.parametrize("failed", [{0, 1, 2, 3, 4, 5, 6}, {0, 1, 2, 4, 5, 6}])
def test_fewer_than_two_rows_is_one_error(small_model: Path, failed: set[int]) -> None:
    lost = dict.fromkeys(failed, "laser lost lock")
    words = f"2 decoder rows .* for {7 - len(failed)} of 7: laser lost lock$"
    with pytest.raises(TooFewRowsError, match=words):
        run(small_model, "generate", lost)


def test_many_reasons_are_not_all_in_one_line(small_model: Path) -> None:
    with pytest.raises(TooFewRowsError, match=r"why 0; why 1; why 2; \.\.\.$"):
        run(small_model, "generate", {row: f"why {row}" for row in range(ROWS)})


def test_a_readout_calibration_needs_every_state() -> None:
    backend = LosesRows(lost=[{1: "laser lost lock"}])
    with pytest.raises(BackendError, match="state 1 failed: laser lost lock"):
        calibrate_readout(backend, (0, 1), shots=100, seed=0)


@given(st.sets(st.integers(0, 60)))
def test_row_ranges_name_exactly_these_rows(rows: set[int]) -> None:
    text = row_ranges(sorted(rows))
    read: list[int] = []
    for part in filter(None, text.split(", ")):
        first, _, last = part.partition("-")
        read += range(int(first), int(last or first) + 1)
    assert read == sorted(rows)
    assert text.count(",") == max(0, sum(r - 1 not in rows for r in rows) - 1)
