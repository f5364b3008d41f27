"""A pipeline is called best only where it is told from raw counts."""

from __future__ import annotations

import html
import io
import json
import re

import pytest
from rich.console import Console

from qhw.analysis.bench.result import BEST_RULE, BenchResult
from qhw.report.mitigation import render_bench, verdict_level, verdict_words
from qhw.report.mitigation_terminal import bench_lines
from tests.report.made_up import made_up_bench, made_up_cell, made_up_device


def test_least_distance_is_not_named_where_it_is_not_told_from_raw() -> None:
    device = made_up_device(made_up_cell("twirl(8)+readout", 0.069, "not told apart"))
    assert verdict_words(device) == (
        "engine:a: at 2,000 shots none is significantly different from raw (0.070, floor 0.010). "
        "Closer to exact than the best constant (0.300)."
    )


def test_pipelines_worse_than_raw_are_told_from_it() -> None:
    words = verdict_words(made_up_device(made_up_cell("zne(1,3)", 0.09, "worse")))
    assert "at 2,000 shots none is better than raw (0.070, floor 0.010)." in words


def test_best_is_the_least_of_those_better_than_raw() -> None:
    device = made_up_device(
        made_up_cell("a", 0.02, "not told apart"),
        made_up_cell("b", 0.035, "better"),
        made_up_cell("c", 0.05, "better"),
    )
    words = verdict_words(device)
    assert "at 2,000 shots best b (0.035, raw 2.00 times as far, floor 0.010)." in words


@pytest.mark.parametrize(
    ("constant", "level"), [(0.1, "better"), (0.0715, "same"), (0.05, "worse")]
)
def test_raw_is_beside_the_constant_where_nothing_is_better(constant: float, level: str) -> None:
    assert (
        verdict_level(made_up_device(made_up_cell("a", 0.069, "not told apart"), constant=constant))
        == level
    )


def test_page_terminal_and_json_name_the_same_best_and_say_why_no_nearer_one() -> None:
    """The nearest is better than readout in the table, but not told apart from raw counts."""
    nearest = made_up_cell("zne(1,3)", 0.02, "not told apart").model_copy(
        update={"against_readout": "better"}
    )
    named = made_up_cell("cdr(16)", 0.035, "better").model_copy(
        update={"against_readout": "not told apart"}
    )
    device = made_up_device(made_up_cell("readout", 0.05, "better"), nearest, named)
    result = made_up_bench(device)
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
