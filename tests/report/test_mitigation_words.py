"""A pipeline is called best only where it is told from raw counts."""

from __future__ import annotations

import html
import io
import json
import re
from datetime import UTC, datetime

import pytest
from rich.console import Console

from qhw.analysis.bench_result import (
    BEST_RULE,
    BenchResult,
    BenchSettings,
    Budget,
    Cell,
    Comparison,
    DeviceBench,
)
from qhw.analysis.crossed import Measured
from qhw.report.mitigation import render_bench, verdict_level, verdict_words
from qhw.report.mitigation_terminal import bench_lines


def _cell(asked: str, tvd: float, told: Comparison | None) -> Cell:
    ratio = Measured(value=0.07 / tvd, error=0.02)
    return Cell(asked=asked, tvd=Measured(value=tvd, error=0.001), ratio=ratio, against_raw=told)


def _device(*cells: Cell, constant: float = 0.3) -> DeviceBench:
    return DeviceBench(
        device="engine:a",
        taken=None,
        two_qubit_gates=1,
        two_qubit_depth=1,
        duration_s=0.0,
        expected_errors=None,
        uniform=0.8,
        prior_mean=constant,
        loading=0.0,
        default="readout",
        budgets=(Budget(shots=2000, floor=0.01, cells=(_cell("none", 0.07, None), *cells)),),
    )


def test_least_distance_is_not_named_where_it_is_not_told_from_raw() -> None:
    device = _device(_cell("twirl(8)+readout", 0.069, "not told apart"))
    assert verdict_words(device) == (
        "engine:a: at 2,000 shots none is significantly different from raw (0.070, floor 0.010). "
        "Closer to exact than the best constant (0.300)."
    )


def test_pipelines_worse_than_raw_are_told_from_it() -> None:
    words = verdict_words(_device(_cell("zne(1,3)", 0.09, "worse")))
    assert "at 2,000 shots none is better than raw (0.070, floor 0.010)." in words


def test_best_is_the_least_of_those_better_than_raw() -> None:
    device = _device(
        _cell("a", 0.02, "not told apart"), _cell("b", 0.035, "better"), _cell("c", 0.05, "better")
    )
    words = verdict_words(device)
    assert "at 2,000 shots best b (0.035, raw 2.00 times as far, floor 0.010)." in words


@pytest.mark.parametrize(
    ("constant", "level"), [(0.1, "better"), (0.0715, "same"), (0.05, "worse")]
)
def test_raw_is_beside_the_constant_where_nothing_is_better(constant: float, level: str) -> None:
    assert verdict_level(_device(_cell("a", 0.069, "not told apart"), constant=constant)) == level


def test_page_terminal_and_json_name_the_same_best_and_say_why_no_nearer_one() -> None:
    """The nearest is better than readout in the table, but not told apart from raw counts."""
    nearest = _cell("zne(1,3)", 0.02, "not told apart").model_copy(
        update={"against_readout": "better"}
    )
    named = _cell("cdr(16)", 0.035, "better").model_copy(
        update={"against_readout": "not told apart"}
    )
    device = _device(_cell("readout", 0.05, "better"), nearest, named)
    result = BenchResult(
        settings=BenchSettings(model="m", devices=("engine:a",), shots=(2000,), pipelines=("all",)),
        devices=(device,),
        created=datetime(2026, 1, 1, tzinfo=UTC),
        command="qhw mitigate bench",
        git_revision=None,
        versions={},
        wall_s=1.0,
    )
    page = render_bench(result, "run-1")
    console = Console(file=io.StringIO(), width=200, force_terminal=True, color_system=None)
    console.print(bench_lines(result))
    terminal = console.file.getvalue()
    said = "At 2,000 shots zne(1,3) is nearer (0.020), but not significantly different from raw."
    for text in (html.unescape(page), terminal):
        assert BEST_RULE in text
        assert "best cdr(16) (0.035" in text and said in text
        assert "than raw" in text and "than readout" in text
    (marked,) = re.findall(r'<tr class="device"><th scope="row">([^<]+)', page)
    row = re.search(r"<th scope=\"row\">zne\(1,3\).*?</tr>", page, re.S)
    assert row is not None and re.findall(r"<td>(better|not significant)</td>", row[0]) == [
        "not significant",
        "better",
    ]
    (budget,) = json.loads(result.to_json())["devices"][0]["budgets"]
    assert marked == budget["best_pipeline"] == "cdr(16)"
    assert budget["best_rule"] == BEST_RULE
    assert BenchResult.from_json(result.to_json()) == result
