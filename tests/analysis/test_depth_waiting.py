"""What waits at devices: shown where vendors say it, and taken into the recommendation."""

from __future__ import annotations

from collections.abc import Collection
from typing import NoReturn

import pytest

from backends.live import Standing
from backends.vendor import CredentialsError
from qhw.analysis.depth.merits import checked_merit
from qhw.analysis.depth.recommend import recommend
from qhw.analysis.depth.waiting import with_waiting
from tests.analysis.test_depth_advice import FACTS, ROWS, row


def answers(names: Collection[str]) -> list[Standing]:
    known = {
        "ibm:ibm_a": Standing("ibm:ibm_a", in_service=True, queue=40),
        "braket:iqm_garnet": Standing("braket:iqm_garnet", in_service=True, queue=3),
        "braket:ionq_forte_1": Standing("braket:ionq_forte_1", in_service=True, queue=0),
    }
    return [known[name] for name in names if name in known]


def test_what_waits_stands_in_its_rows_and_decides_if_asked() -> None:
    more = row("ibm_q", 3, 4, 0.5, 1.0), row("helios", 3, 4, 0.9, 1.0, vendor="quantinuum")
    rows = with_waiting((*ROWS, *more), answers)
    told = {r.device: r.waiting.words for r in rows}
    assert told["ibm_a"] == "40 jobs wait"
    assert told["ibm_q"] == "unknown: the vendor did not answer"
    assert told["helios"] == "unknown: no vendor here sends to it"
    found = recommend(FACTS, rows, "waiting", 500)
    # at ionq_forte_1 nothing waits, but there a constant is predicted to win
    assert (found.best.device, found.best.value) == ("iqm_garnet@2026-05-05", 3)
    assert found.runner_up.device == "ibm_a"
    assert found.why.endswith("3 jobs wait")
    assert recommend(FACTS, ROWS, "waiting", 500).best is None
    with pytest.raises(ValueError, match="must come with --live"):
        checked_merit("waiting", live=False)


def test_what_is_out_of_service_is_not_recommended() -> None:
    def closed(names: Collection[str]) -> list[Standing]:
        return [Standing("ibm:ibm_a", in_service=False, queue=0)]

    rows = with_waiting(ROWS, closed)
    assert recommend(FACTS, ROWS, "success", 500).best.device == "ibm_a"
    assert recommend(FACTS, rows, "success", 500).best.device == "iqm_garnet@2026-05-05"


def test_vendors_that_cannot_be_asked_leave_the_report_standing() -> None:
    def nobody(names: Collection[str]) -> NoReturn:
        raise CredentialsError("no account")

    assert {r.waiting.words for r in with_waiting(ROWS[:2], nobody)} == {"unknown: no account"}

    def one_vendor(names: Collection[str]) -> list[Standing]:
        return [Standing("ibm:*", error="no token"), *answers([n for n in names if "braket" in n])]

    told = {r.device: r.waiting.words for r in with_waiting(ROWS[:4], one_vendor)}
    assert told["ibm_a"] == "unknown: no token"
    assert told["iqm_garnet@2026-05-05"] == "3 jobs wait"
