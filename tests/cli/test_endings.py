"""Interrupts and closed outputs: neither ends in a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
import os, signal, time
os.kill(os.getpid(), signal.SIGINT)
time.sleep(0.5)
whole = True
"""
PROGRAM = """
import time
from qhw.cli.interrupts import defer_interrupts
defer_interrupts()
try:
    import interrupts_itself
    time.sleep(600)
except KeyboardInterrupt:
    print(interrupts_itself.whole)
"""


def test_an_import_is_not_cut(tmp_path: Path) -> None:
    (tmp_path / "interrupts_itself.py").write_text(MODULE)
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, tmp_path / "program.py"], capture_output=True, text=True, timeout=120
    )
    assert (done.stdout, done.stderr, done.returncode) == ("True\n", "", 0)


def test_outside_an_import_it_is_immediate(tmp_path: Path) -> None:
    program = PROGRAM.replace("import interrupts_itself\n", "signal.raise_signal(2)\n").replace(
        "interrupts_itself.whole", "'at once'"
    )
    (tmp_path / "program.py").write_text("import signal\n" + program)
    done = subprocess.run(
        [sys.executable, tmp_path / "program.py"], capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "at once\n"


@pytest.mark.parametrize("form", ["", "--json"])
def test_a_closed_output_is_no_error(form: str) -> None:
    code = "from qhw.cli.app import main; main()"
    command = f"exec 1>&-; exec {sys.executable} -c '{code}' plan-shots --kappa 1000 {form}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
