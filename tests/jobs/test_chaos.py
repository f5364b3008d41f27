"""Seeded schedules of faults and killed clients; ``python -m benchmarks.chaos`` runs more."""

from __future__ import annotations

import pytest

from benchmarks.chaos.__main__ import run_all


def check(vendor: str, schedules: int, first: int) -> None:
    reports = run_all(vendor, schedules, first)
    assert {report.seed: report.problems for report in reports if report.problems} == {}
    assert sum(report.killed for report in reports) >= schedules // 2
    assert sum(report.billed for report in reports) >= schedules // 2


@pytest.mark.parametrize("first", [0])
def test_books_agree_after_faults_and_kills(first: int) -> None:
    check("local", 3, first)


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize("vendor", [pytest.param("ibm", marks=pytest.mark.slow), "braket"])
def test_books_agree_over_http(vendor: str) -> None:
    check(vendor, 2, 0)


@pytest.mark.slow
@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize("vendor", ["ibm", "braket"])
def test_books_agree_over_http_longer(vendor: str) -> None:
    check(vendor, 40, 100)
