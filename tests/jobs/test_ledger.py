"""Opening, migrating and failing: every refusal is one line, and nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from benchmarks.chaos.local import LocalVendor
from qhw.jobs import blobs
from qhw.jobs.budget import Budget
from qhw.jobs.content import get_template, pack_template, put_template
from qhw.jobs.errors import LedgerError, UnknownRunError
from qhw.jobs.intent import RunRequest
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import get_run, jobs_of
from qhw.jobs.schema import Moment, blob, metadata
from qhw.jobs.states import NEXT, State, check_change
from qhw.jobs.upgrade import REVISIONS
from qhw.jobs.work import submit_run
from tests.jobs.conftest import QUICK, small_submission

RUN = RunRequest("20261121T000000Z-abcdef")
CAP = Budget(run_cap=10**8)


@contextmanager
def refused(words: str) -> Iterator[None]:
    with pytest.raises(LedgerError, match=words) as caught:
        yield
    assert "\n" not in str(caught.value)


def test_migrations_make_the_schema_of_the_code(ledger: Ledger) -> None:
    with ledger.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_every_migration_is_known_to_the_version_check() -> None:
    folder = resources.files("qhw.jobs").joinpath("migrations", "versions")
    names = sorted(f.name for f in folder.iterdir() if re.match(r"\d{4}_", f.name))
    assert tuple(name[:4] for name in names) == REVISIONS


def test_a_ledger_from_a_newer_version_is_refused(ledger: Ledger, ledger_url: str) -> None:
    ledger.write(lambda c: c.execute(sa.text("UPDATE alembic_version SET version_num = '9999'")))
    with refused("has 9999: it was written by a newer qhw"):
        Ledger.open(ledger_url)


def test_urls_that_are_no_ledgers(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, but long enough to be read as one" * 40)
    (tmp_path / "file").write_text("")
    for url, words in {
        "mysql://host/name": "its kind is 'mysql'",
        "ledger.db": "must be such as sqlite",
        "sqlite://": "must be a file",
        f"sqlite:///{tmp_path / 'text'}": "the file is not a ledger",
        f"sqlite:///{tmp_path / 'file' / 'ledger.db'}": "the file cannot be opened",
        f"postgresql://me:secret@/x?host={tmp_path}": "No such file or directory",
    }.items():
        with refused(words):
            Ledger.open(url)


def test_a_password_is_never_said(tmp_path: Path) -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger.open(f"postgresql://me:hidden-word@/x?host={tmp_path}")
    assert "hidden-word" not in str(caught.value)


def test_a_read_only_ledger_refuses_before_anything_is_sent(
    tmp_path: Path, vendor: LocalVendor
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Ledger.open(url) as ledger:
        forbid(ledger, "PRAGMA query_only=ON")
        with refused(r"it cannot be written \(read-only\)"):
            submit_run(ledger, vendor, small_submission(vendor), RUN, CAP, patience=QUICK)
    assert vendor.tasks() == ()


def test_a_full_disk_refuses_before_anything_is_sent(tmp_path: Path, vendor: LocalVendor) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Ledger.open(url) as ledger:
        with ledger.read() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        forbid(ledger, f"PRAGMA max_page_count={pages}")
        rows = small_submission(vendor, rows=3000, shots=10)
        with refused("the disk is full"):
            submit_run(ledger, vendor, rows, RUN, CAP, patience=QUICK)
        with ledger.read() as connection:
            assert jobs_of(connection, RUN.id) == ()
    assert vendor.tasks() == ()


def forbid(ledger: Ledger, pragma: str) -> None:
    """Apply a pragma to every connection that the ledger opens from now on."""
    engine = ledger._engine
    engine.dispose()
    sa.event.listen(engine, "connect", lambda raw, _: raw.execute(pragma))


def test_a_transaction_that_fails_leaves_nothing(ledger: Ledger) -> None:
    def work(connection: Connection) -> None:
        blobs.put(connection, b"half")
        raise KeyError("then the power went")

    with pytest.raises(KeyError):
        ledger.write(work)
    with ledger.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(blob)) == 0


def test_blobs_come_back_and_are_stored_once(ledger: Ledger) -> None:
    data = bytes(range(256)) * 1000
    shas = [ledger.write(lambda c: blobs.put(c, data)) for _ in range(2)]
    with ledger.read() as connection:
        assert blobs.get(connection, shas[0]) == data
        assert connection.scalar(sa.select(sa.func.count()).select_from(blob)) == 1
    assert shas[0] == shas[1]


@pytest.mark.parametrize("damage", [b"no zlib", b"x\x9c\x03\x00\x00\x00\x00\x01"])
def test_damaged_blobs_are_noticed(ledger: Ledger, damage: bytes) -> None:
    sha = ledger.write(lambda c: blobs.put(c, b"counts"))
    ledger.write(lambda c: c.execute(sa.update(blob).values(data=damage)))
    with refused("is damaged"), ledger.read() as connection:
        blobs.get(connection, sha)
    with refused("must hold blob"), ledger.read() as connection:
        blobs.get(connection, "0" * 64)


def test_equal_gates_of_two_calibrations_are_two_circuits(
    ledger: Ledger, vendor: LocalVendor
) -> None:
    compiled = small_submission(vendor).compiled
    packed = pack_template(compiled)
    from calibration.catalog import load_snapshot

    device = load_snapshot("ibm_boston")
    plain = ledger.write(lambda c: put_template(c, packed, None))
    dated = ledger.write(lambda c: put_template(c, packed, device))
    assert plain != dated
    with ledger.read() as connection:
        assert get_template(connection, plain) == compiled
        assert get_template(connection, dated).snapshot == device


def test_runs_are_found_by_a_beginning_or_an_end(ledger: Ledger, vendor: LocalVendor) -> None:
    for name in ("20261121T000000Z-abcdef", "20261121T000001Z-ghijkl"):
        submit_run(ledger, vendor, small_submission(vendor), RunRequest(name), CAP, patience=QUICK)
    with ledger.read() as connection:
        assert get_run(connection, "abcdef").id == "20261121T000000Z-abcdef"
        assert get_run(connection, "20261121T000001Z").id == "20261121T000001Z-ghijkl"
        for wrong, words in {"2026": "abcdef, .* fit", "zzz": "none is", "": "none is"}.items():
            with pytest.raises(UnknownRunError, match=words):
                get_run(connection, wrong)


def test_wildcards_in_a_name_are_letters(ledger: Ledger, vendor: LocalVendor) -> None:
    submit_run(ledger, vendor, small_submission(vendor), RUN, CAP, patience=QUICK)
    with ledger.read() as connection, pytest.raises(UnknownRunError):
        get_run(connection, "%")


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))
@settings(max_examples=50)
def test_moments_survive_to_the_microsecond(moment: datetime) -> None:
    column = Moment()
    dialect = sa.create_engine("sqlite://").dialect
    stored = column.process_bind_param(moment, dialect)
    assert column.process_result_value(stored, dialect) == moment


def test_states_lead_to_an_end() -> None:
    for state in State:
        reached = {state}
        while not reached >= (more := {n for s in reached for n in NEXT[s]}):
            reached |= more
        assert any(end.final for end in reached)
    with pytest.raises(AssertionError, match="complete cannot become sending"):
        check_change(State.COMPLETE, State.SENDING)
    assert not any(State.SENDING in NEXT[s] for s in State if s is not State.INTENDED)


def test_arrays_come_back() -> None:
    floats = np.random.default_rng(1).normal(size=(3, 4))
    np.testing.assert_array_equal(blobs.unpack_floats(blobs.pack_array(floats)), floats)
