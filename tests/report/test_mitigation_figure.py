from __future__ import annotations

import re

from qhw.analysis.bench.result import Budget, Cell, DeviceBench
from qhw.analysis.scores.crossed import Measured
from qhw.mitigation.words import DEFAULT
from qhw.report.mitigation_figures import distance_figure


def test_with_one_budget_no_two_pipelines_have_the_same_mark() -> None:
    names = ["none", "readout", *(f"pipeline {k}" for k in range(10)), DEFAULT]
    cells = tuple(
        Cell(asked=name, tvd=Measured(value=0.01 * (k + 2), error=0.0))
        for k, name in enumerate(names)
    )
    device = DeviceBench(
        device="engine:a",
        taken=None,
        two_qubit_gates=1,
        two_qubit_depth=1,
        duration_s=0.0,
        expected_errors=None,
        uniform=0.8,
        prior_mean=0.7,
        loading=0.0,
        default="readout",
        budgets=(Budget(shots=1000, floor=0.01, cells=cells),),
    )
    drawn = distance_figure([device])
    # matplotlib names a mark after its shape and style: the same for two series that look alike
    marks = set(re.findall(r'<use xlink:href="#([\w-]+)"[^>]*?style="(fill: #\w+)', drawn))
    assert len(marks) == len(names) - 1  # the default alone has the colour of the text
