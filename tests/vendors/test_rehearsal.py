"""A vendor on this machine is a rehearsal: known from its address, and kept apart in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from backends.bounded_http import on_this_machine
from backends.braket.backend import BraketBackend
from backends.ibm.backend import IBMBackend
from backends.loopback.braket import BraketService
from backends.loopback.ibm import IBMPlatform
from backends.loopback.server import LoopbackServer
from backends.vendor import Submission, VendorBackend, is_rehearsal
from benchmarks.chaos.local import LocalVendor
from qhw.jobs.budget import Budget
from qhw.jobs.config import Caps, Patience
from qhw.jobs.errors import BudgetError, LedgerError
from qhw.jobs.intent import RunRequest, plan_jobs
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import jobs_of
from qhw.jobs.schema import job, run
from qhw.jobs.states import State
from qhw.jobs.work import reconcile, submit_run
from tests.backends.circuits import product_circuit
from tests.jobs.conftest import small_submission
from tests.vendors.ibm.conftest import ANGLES

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

QUICK = Patience(visibility_s=0.0, backoff_s=0.01)
CAP = Budget(run_cap=50_000_000)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


@pytest.fixture
def ibm(monkeypatch: pytest.MonkeyPatch) -> Iterator[IBMPlatform]:
    platform = IBMPlatform(("ibm_lagos",))
    with LoopbackServer(platform) as server:
        for name, value in platform.environment(server.url).items():
            monkeypatch.setenv(name, value)
        yield platform
    platform.stop()


def ibm_order(backend: VendorBackend) -> Submission:
    return Submission(backend.compile(product_circuit(3)), ANGLES, 100)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8080/api", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:80", True),
        ("https://LOCALHOST", True),
        ("https://quantum.cloud.ibm.com/api", False),
        ("https://127.0.0.1.example.com", False),
        ("https://localhost.example.com", False),
        ("http://10.0.0.1", False),
        ("", False),
    ],
)
def test_addresses(url: str, here: bool) -> None:
    assert on_this_machine(url) is here


def test_the_real_addresses_are_no_rehearsal(
    ibm: IBMPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_rehearsal(IBMBackend("ibm_lagos"))
    monkeypatch.delenv("QISKIT_IBM_URL")
    assert not is_rehearsal(IBMBackend("ibm_lagos"))
    service = BraketService(("iqm_garnet",))
    with LoopbackServer(service) as server:
        for name, value in service.environment(server.url).items():
            monkeypatch.setenv(name, value)
        assert is_rehearsal(BraketBackend("iqm_garnet"))
        # botocore's own switch, as a look at the variable alone would miss it
        monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
        assert not is_rehearsal(BraketBackend("iqm_garnet"))
    service.queue.stop()


def test_money_of_rehearsals_and_of_devices_is_counted_apart(
    ibm: IBMPlatform, ledger: Ledger, tmp_path: Path
) -> None:
    """Each kind has the whole cap of the day, and is held to it."""
    ibm.queue.hold()  # what is reserved stays reserved
    backend, real = IBMBackend("ibm_lagos"), LocalVendor(tmp_path / "vendor.db")
    orders: list[tuple[VendorBackend, Submission]] = [
        (backend, ibm_order(backend)),
        (real, small_submission(real)),
    ]
    for times in (1, 2):
        for vendor, order in orders:
            cost = sum(planned.reserve_micro for planned in plan_jobs(vendor, order))
            assert cost > 0
            day = Budget(caps=Caps(per_day=times * cost))
            name = f"{vendor.name}-{times}"
            submit_run(ledger, vendor, order, RunRequest(name), day, patience=QUICK)
            with pytest.raises(BudgetError, match="cap of the day"):
                submit_run(ledger, vendor, order, RunRequest(f"{name}x"), day, patience=QUICK)
    with ledger.read() as connection:
        rows = connection.execute(sa.select(job.c.backend, job.c.rehearsal))
        told = {row.backend: row.rehearsal for row in rows}
    assert told == {backend.name: True, real.name: False}


def test_what_began_at_the_real_vendor_is_never_taken_up_at_a_simulated_one(
    ibm: IBMPlatform, ledger: Ledger
) -> None:
    """A job that only the real vendor knows would else seem lost, and be sent again."""
    ibm.queue.hold()
    backend = IBMBackend("ibm_lagos")
    order = ibm_order(backend)
    submit_run(ledger, backend, order, RunRequest("run-1"), CAP, role="a", patience=QUICK)

    def make_real(connection: sa.Connection) -> None:
        connection.execute(sa.update(run).values(rehearsal=False))
        uncertain = {"state": State.UNCERTAIN, "uncertain_since": job.c.created}
        connection.execute(sa.update(job).values(rehearsal=False, **uncertain))

    ledger.write(make_real)
    ibm.queue.release()
    outcome = reconcile(ledger, lambda _: IBMBackend("ibm_lagos"), patience=QUICK)
    assert "must go on with the real vendor" in outcome.errors["ibm:ibm_lagos"]
    with ledger.read() as connection:
        assert [record.state for record in jobs_of(connection, "run-1")] == [State.UNCERTAIN]
    with pytest.raises(LedgerError, match="must go on with the real vendor"):
        submit_run(ledger, backend, order, RunRequest("run-1"), CAP, role="b", patience=QUICK)
    assert len(ibm.queue.jobs) == 1
