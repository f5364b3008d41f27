"""Expectation values from a device behind the ledger: written down, sent together, read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends.ibm.emulator import IBMEmulator
from qhw.jobs.budget import Budget
from qhw.jobs.device import LedgerBackend, Pending
from qhw.jobs.intent import RunRequest
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import jobs_of
from qhw.mitigation.expectation import Expectations, estimate_observables
from tests.mitigation.test_expectation import ANGLES, ENERGY, chain, exact


def test_all_bases_go_through_the_ledger_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QHW_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    vendor = IBMEmulator("ibm_fez")
    request = RunRequest(id="run", task="expect", project="p", settings="{}", command="test")

    def ask(wait: bool) -> Expectations:
        backend = LedgerBackend(
            Ledger.open(), request, vendor.name, lambda: vendor, Budget(), wait=wait
        )
        return estimate_observables(
            backend, chain(), ANGLES[:1], ENERGY,
            pipeline="readout(share=0.1)", shots=4000, seed=0, label="energy",
        )  # fmt: skip

    with pytest.raises(Pending):
        ask(wait=False)
    found, again = ask(wait=True), ask(wait=True)
    with Ledger.open().read() as connection:
        jobs = jobs_of(connection, "run")
    assert len(jobs) == 1 + len(found.groups)
    assert {job.role.partition("/")[0] for job in jobs} == {"energy"}
    assert np.array_equal(found.values, again.values)
    assert np.abs(found.values - exact(ENERGY)[:1]).max() < 0.05 + 4 * found.standard_error.max()
    assert found.vendor is None
