"""Results made up of a few numbers."""

from __future__ import annotations

from datetime import UTC, datetime

from qhw.analysis.bench.result import (
    BenchResult,
    BenchSettings,
    Budget,
    Cell,
    Comparison,
    DeviceBench,
)
from qhw.analysis.scores.crossed import Measured


def made_up_cell(asked: str, tvd: float, told: Comparison | None) -> Cell:
    """A pipeline at one budget."""
    ratio = Measured(value=0.07 / tvd, error=0.02)
    return Cell(asked=asked, tvd=Measured(value=tvd, error=0.001), ratio=ratio, against_raw=told)


def made_up_device(*cells: Cell, constant: float = 0.3) -> DeviceBench:
    """One budget on one device, raw counts first."""
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
        budgets=(Budget(shots=2000, floor=0.01, cells=(made_up_cell("none", 0.07, None), *cells)),),
    )


def made_up_bench(device: DeviceBench) -> BenchResult:
    """A bench of one device."""
    return BenchResult(
        settings=BenchSettings(model="m", devices=("engine:a",), shots=(2000,), pipelines=("all",)),
        devices=(device,),
        created=datetime(2026, 1, 1, tzinfo=UTC),
        command="qhw mitigate bench",
        git_revision=None,
        versions={},
        wall_s=1.0,
    )
