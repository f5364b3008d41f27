"""Forty seeded schedules of faults and killed clients; the command runs as many as wanted."""

from __future__ import annotations

import pytest

from benchmarks.chaos.__main__ import run_all


@pytest.mark.parametrize("first", [0, 10, 20, 30])
def test_books_agree_after_faults_and_kills(first: int) -> None:
    reports = run_all("local", 10, first)
    assert {report.seed: report.problems for report in reports if report.problems} == {}
    assert sum(report.killed for report in reports) > 5
    assert sum(report.billed for report in reports) > 5
