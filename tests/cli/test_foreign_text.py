"""Words of files, vendors and the ledger reach a terminal as text: they steer and hide nothing."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Group
from rich.text import Text

from benchmarks.chaos.local import LocalVendor
from calibration.catalog import load_snapshot
from qhw.cli.console import PlainConsole, emit_json
from qhw.jobs.budget import Budget
from qhw.jobs.intent import RunRequest
from qhw.jobs.ledger import Ledger
from qhw.jobs.schema import attempt, job, run
from qhw.jobs.work import submit_run
from qhw.report.plain import PlainFormatter, plain, plain_json, plain_line
from qhw.report.tables import WholeTable
from tests.cli.test_jobs_cli import qhw
from tests.jobs.conftest import small_submission

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\u2066[link=https://x]y[/link] [red]z\r\x08\x7f"
STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f]")


def harmless(shown: str) -> None:
    found = STEERING.search(shown)
    assert found is None, repr(shown[max(0, found.start() - 40) : found.end() + 40])


def printed(*objects: object) -> str:
    console = PlainConsole(width=200)
    console.file = io.StringIO()
    console.print(*objects, soft_wrap=True)
    return str(console.file.getvalue())


def test_every_steering_character_is_escaped() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    left = {unicodedata.category(c) for c in plain(every)}
    assert not left & {"Cf", "Cs", "Co", "Zl", "Zp"}
    assert [c for c in plain(every) if unicodedata.category(c) == "Cc"] == ["\n"]


@given(st.text())
@example(EVIL)
def test_plain_text_stays_what_it_is_and_all_else_is_told(text: str) -> None:
    shown = plain(text)
    assert plain(shown) == shown
    assert "\n" not in plain_line(text)
    if all(unicodedata.category(c)[0] != "C" and c not in "\u2028\u2029" for c in text):
        assert shown == text
    document = {"a": [text, {text: 1}]}
    dumped = plain_json(json.dumps(document, indent=2, ensure_ascii=False))
    assert json.loads(dumped) == document
    harmless(dumped)


@pytest.mark.parametrize("form", ["string", "text", "group", "table", "title"])
def test_whatever_is_printed_is_harmless(form: str) -> None:
    table = WholeTable(title=EVIL if form == "title" else None)
    table.add_column("a")
    table.add_row(EVIL)
    shown = printed(
        {"string": EVIL, "text": Text(EVIL), "group": Group(Text(EVIL), EVIL)}.get(form, table)
    )
    harmless(shown)
    assert "[red]z" in shown and r"\x1b" in shown and "[link=https://x]y[/link]" in shown
    assert r"\x9b31m" in shown and r"\u202e" in shown


def test_a_line_break_makes_no_second_line() -> None:
    table = WholeTable(box=None)
    table.add_column("a")
    table.add_row("queued\ncomplete")
    assert printed("ibm\nerror: none") == "ibm\\nerror: none\n"
    assert r"queued\ncomplete" in printed(table)


@pytest.fixture
def evil_ledger(own_home: None, tmp_path: Path) -> str:
    """A ledger whose every word may come from somebody else."""
    vendor = LocalVendor(tmp_path / "vendor.db")
    with Ledger.open() as ledger:
        submit_run(
            ledger,
            vendor,
            small_submission(vendor, rows=1),
            RunRequest("run-1", project=EVIL, command=EVIL),
            Budget(run_cap=10**9),
        )
        ledger.write(
            lambda c: [
                c.execute(run.update().values(backend=EVIL, task=EVIL)),
                c.execute(job.update().values(vendor_text=EVIL, backend=EVIL, role=EVIL)),
                c.execute(attempt.update().values(vendor_text=EVIL, vendor_id=EVIL)),
            ]
        )
    return "run-1"


@pytest.mark.parametrize("command", ["list", "show", "counts", "reconcile", "fetch", "cancel"])
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_the_ledgers_words(
    evil_ledger: str, command: str, form: tuple[str, ...], tmp_path: Path
) -> None:
    named = () if command in ("list", "reconcile") else (evil_ledger,)
    out = ("--out", tmp_path / "o") if command in ("counts", "fetch") else ()
    done = qhw("jobs", command, *named, *form, *out)
    harmless(done.stdout)
    harmless(done.stderr)
    assert "Traceback" not in done.output and done.output
    if form and done.exit_code == 0:
        json.loads(done.stdout)


@pytest.mark.slow
def test_a_snapshots_words_and_a_files_name(tmp_path: Path) -> None:
    snapshot = load_snapshot("iqm_garnet")
    evil = snapshot.model_copy(update={"source": EVIL, "processor": EVIL})
    file = tmp_path / "evil\x1b[31m\u202e.json"
    file.write_text(evil.to_json())
    done = qhw("snapshot", "show", file)
    assert done.exit_code == 0, done.output
    harmless(done.output)
    assert "[red]z" in done.stdout
    for command in (("snapshot", "show", file), ("judge", "--input", file), ("depth-report", file)):
        file.write_text("no such thing")
        refused = qhw(*command)
        assert refused.exit_code == 2
        harmless(refused.output)
        assert r"\x1b[31m" in refused.stderr


def test_json_is_harmless_and_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    emit_json({"text": EVIL, "name": "\udc80"})
    shown = capsys.readouterr().out
    harmless(shown)
    assert json.loads(shown) == {"text": EVIL, "name": "\udc80"}


def test_logs_are_harmless() -> None:
    record = logging.LogRecord("qhw", logging.WARNING, "f", 1, "job %s", (EVIL,), None)
    harmless(PlainFormatter().format(record))
