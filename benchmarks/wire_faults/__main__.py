"""``python -m benchmarks.wire_faults --vendor braket --only 'sent.*usage' --json``.

A row a fault and scene, a column a command: ``right``, ``one line`` (of error), or what was
wrong. Exit code 1 where something was. A whole table takes minutes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.vendor_process import DEVICES
from benchmarks.wire_faults.cases import Case, cases
from benchmarks.wire_faults.commands import load
from benchmarks.wire_faults.stage import Cell, Stage

_LONGEST_NAME = 60


def table_of(cells: list[Cell]) -> Table:
    """Problems by case; a case in which everything held is one word."""
    table = Table(box=None, pad_edge=False)
    for heading in ("vendor", "scene", "fault", "what held"):
        table.add_column(heading, overflow="fold")
    rows: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        rows.setdefault((cell.vendor, cell.scene, cell.fault), []).append(cell)
    for (vendor, scene, fault), row in rows.items():
        bad = [f"{cell.command}: {cell.verdict}" for cell in row if cell.problems]
        well = ", ".join(dict.fromkeys(c.verdict for c in row if not c.problems))
        held = "; ".join(bad).replace("\n", " ") if bad else well
        table.add_row(vendor, scene, fault[:_LONGEST_NAME], f"{'X ' if bad else ''}{held}")
    return table


def play(vendor: str, wanted: list[Case], *, progress: bool) -> Iterator[Cell]:
    """Every cell of a vendor's cases."""
    with tempfile.TemporaryDirectory(prefix="qhw-wire-") as name:
        stage = Stage(vendor, Path(name))
        try:
            shown = Console(stderr=True, quiet=not progress)
            for case in track(wanted, f"{vendor}, {len(wanted)} cases", console=shown):
                yield from stage.play(case)
        finally:
            stage.close()


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wire_faults", description=__doc__)
    parser.add_argument("--vendor", choices=sorted(DEVICES), action="append")
    parser.add_argument("--only", metavar="REGEX", default="", help='of "scene fault"')
    parser.add_argument("--json", action="store_true", help="every cell, one document")
    given = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="qhw-wire-") as name:
        load(Path(name))
    cells: list[Cell] = []
    for vendor in given.vendor or sorted(DEVICES):
        found = [c for c in cases(vendor) if re.search(given.only, f"{c.scene} {c.name}")]
        cells += play(vendor, found, progress=sys.stderr.isatty())
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 220)
    if given.json:
        print(json.dumps([dataclasses.asdict(cell) for cell in cells], indent=1))
    else:
        console.print(table_of(cells))
        bad = sum(bool(cell.problems) for cell in cells)
        console.print(f"{len(cells)} cells, {bad} with a problem")
        console.print(f"{time.monotonic() - begin:.0f} s")
    return int(any(cell.problems for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
