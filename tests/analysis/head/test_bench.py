"""Refitted heads in a mitigation bench: shots counted, molecules judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qhw.analysis.bench.pipelines import run_bench
from qhw.analysis.bench.result import BenchResult, BenchSettings
from qhw.analysis.head.bench import KNOWN_ROWS, decoding_of
from qhw.chem.validity import judge
from qhw.mitigation.base import MitigationError
from qhw.report.mitigation import render_bench
from tests.small_model import save_small_qvae


def asked(model: Path | str, **changed: Any) -> BenchSettings:
    values: dict[str, Any] = {
        "model": str(model),
        "devices": ("engine:ibm_lagos",),
        "shots": (20_000,),
        "pipelines": ("none+head",),
        "rows": 4,
        "repeats": 2,
        **changed,
    }
    return BenchSettings.parse(**values)


@pytest.mark.slow
def test_known_rows_are_paid_from_the_same_shots(small_model: Path) -> None:
    result = run_bench(asked(small_model))
    (budget,) = result.devices[0].budgets
    cells = {cell.asked: cell for cell in budget.cells}
    assert set(cells) == {"none", "readout", "none+head"}
    head, raw = cells["none+head"], cells["none"]
    assert raw.total_shots == 80_000 == head.total_shots  # 200 x 200 for known rows, half of all
    assert head.multiplier == pytest.approx(2)
    assert head.pipeline == "none+head" and head.against_raw is None
    assert head.valid is not None and head.valid_over_raw is not None
    assert raw.valid is not None and raw.valid_over_raw is None
    assert result.devices[0].valid is not None
    assert BenchResult.from_json(result.to_json()) == result
    page = render_bench(result, "run")
    assert '<th scope="col">strict valid</th>' in page and "Valid molecules, exact" in page


def test_validity_is_that_of_the_decoded_rows() -> None:
    decoding = decoding_of("nisq-chain5", "generate", "brickwork", 0)
    assert decoding is not None and len(decoding.latents) == KNOWN_ROWS
    exact = decoding.exact.decoder(decoding.latents)
    own = decoding.valid(exact)
    assert own.sum() == judge(decoding.exact.molecules(exact), "strict").valid
    # a device without noise gives no reason to refit
    np.testing.assert_array_equal(decoding.valid(exact, exact), own)


def test_what_has_no_linear_head_is_refused(small_model: Path, tmp_path: Path) -> None:
    for model, task in ((small_model, "encode"), (save_small_qvae(tmp_path), "generate")):
        with pytest.raises(MitigationError, match="decoder of a model with a linear head"):
            run_bench(asked(model, task=task))
    with pytest.raises(ValueError, match="`prior` must be left out of task encode"):
        asked(small_model, task="encode", prior="posterior")


@pytest.mark.slow
def test_too_few_shots_for_known_rows_are_told(small_model: Path) -> None:
    result = run_bench(asked(small_model, shots=(60,)))
    cell = result.devices[0].budgets[0].cell("none+head")
    assert cell is not None and "must pay for 200 rows" in (cell.refused or "")
