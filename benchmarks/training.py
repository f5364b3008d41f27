"""Training speed of QVAE-Mole (7 qubits) here and in other frameworks, in one run.

Run ``python -m benchmarks.training``; ``--json`` prints one JSON document instead of a table.
Steps of ours and of a rival are timed in turn, and the ratio is the median over turns, so that
each compares the same moments of the same machine. ``--threads`` also limits the cores that the
rivals may use, where the system lets a process choose.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.rivals import RIVALS
from benchmarks.workload import Workload, make_workload, ours


@dataclass(frozen=True)
class Row:
    """One framework at one batch size; times in seconds, medians over steps.

    ``ratio`` is the rival's step over ours in the same turn, median; ``skipped`` says why nothing
    was measured.
    """

    framework: str
    batch: int
    setup: float | None = None
    step: float | None = None
    ours: float | None = None
    ratio: float | None = None
    steps: int = 0
    remark: str = ""
    skipped: str = ""


def timed(
    steps: list[Callable[[], float]], budget: float, most: int = 100
) -> list[list[list[float]]]:
    """Times of single steps by turn: 3 to ``most`` turns, until ``budget`` seconds are used.

    A step much shorter than the longest is repeated, up to ten times in a turn.
    """
    times: list[list[list[float]]] = [[] for _ in steps]
    started = time.perf_counter()
    while len(times[-1]) < 3 or (len(times[-1]) < most and time.perf_counter() - started < budget):
        for step, taken in zip(steps, times, strict=True):
            turn = time.perf_counter()
            taken.append([])
            for _ in range(10):
                before = time.perf_counter()
                step()
                taken[-1].append(time.perf_counter() - before)
                if time.perf_counter() - turn > 0.05:
                    break
    return times


def warm(workload: Workload, threads: int) -> Callable[[], float]:
    """Our step after three to warm up."""
    step = ours(workload, threads)
    for _ in range(3):
        step()
    return step


def time_rival(name: str, workload: Workload, budget: float, threads: int) -> Row:
    """A rival beside ours.

    Raises:
        RuntimeError: its loss at the common starting angles is not ours.
    """
    batch = len(workload.data)
    module, prepare = RIVALS[name]
    if find_spec(module) is None:
        return Row(name, batch, skipped=f"{module} is not installed")
    rival = prepare(workload)
    loss = workload.first_loss()
    difference = abs(rival.first_loss - loss)
    if not difference <= rival.tolerance * max(1.0, loss):
        raise RuntimeError(f"{name} has loss {rival.first_loss}, but the same model here {loss}")
    rival.step()
    own, others = timed([warm(workload, threads), rival.step], budget)
    beside, median = (float(np.median(np.concatenate(t))) for t in (own, others))
    pairs = zip(own, others, strict=True)
    ratio = float(np.median([np.median(theirs) / np.median(ours_) for ours_, theirs in pairs]))
    remark = f"{rival.remark}; loss off by {difference:.0e}"
    return Row(
        name, batch, rival.setup_seconds, median, beside, ratio, sum(map(len, others)), remark
    )


def measure(
    batches: list[int],
    n_blocks: int,
    names: list[str],
    budget: float,
    threads: int,
    console: Console,
) -> list[Row]:
    """Every framework at every batch size, ours first."""
    rows = []
    for batch in batches:
        workload = make_workload(batch, n_blocks)
        (turns,) = timed([warm(workload, threads)], budget / 4)
        times = np.concatenate(turns)
        remark = f"torch {torch.__version__}, {threads} threads, with vMF draw"
        middle = float(np.median(times))
        rows.append(Row("qhw", batch, 0.0, middle, middle, 1.0, len(times), remark))
        for name in names:
            console.print(f"batch {batch}: {name} ...", highlight=False)
            row = time_rival(name, workload, budget, threads)
            if row.step is not None:  # said at once: compiling the next may take minutes
                console.print(
                    f"  {1e3 * row.step:.1f} ms, {row.ratio:.1f} times ours", highlight=False
                )
            rows.append(row)
            gc.collect()
    return rows


def table(rows: list[Row], n_blocks: int) -> Table:
    """Rows for people."""
    shown = Table(title=f"One training step of QVAE-Mole (7 qubits, L = {n_blocks})")
    for name in ("batch", "framework", "set-up, s", "step, ms", "ours beside, ms", "theirs / ours"):
        shown.add_column(name, justify="left" if name == "framework" else "right")
    shown.add_column("remark")
    for row in rows:
        if row.step is None or row.ours is None or row.ratio is None or row.setup is None:
            shown.add_row(str(row.batch), row.framework, *["-"] * 4, f"skipped: {row.skipped}")
            continue
        shown.add_row(
            str(row.batch),
            row.framework,
            f"{row.setup:.1f}",
            f"{1e3 * row.step:.1f}",
            f"{1e3 * row.ours:.1f}",
            f"{row.ratio:.1f}",
            row.remark,
        )
    return shown


def main(argv: list[str] | None = None) -> int:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--batch", type=int, nargs="+", default=[512, 8192])
    parser.add_argument(
        "--blocks", type=int, default=10, help="L; fewer than 10 for quicker compilation by jax"
    )
    parser.add_argument("--rival", choices=sorted(RIVALS), nargs="*", default=list(RIVALS))
    parser.add_argument("--seconds", type=float, default=20.0, help="per measurement (default 20)")
    parser.add_argument("--threads", type=int, help="and cores, of ours and theirs (default: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args(argv)
    if min(arguments.batch) < 1 or any(b > 512 and b % 512 for b in arguments.batch):
        parser.error("--batch must be at most 512 or a multiple of 512")
    threads = arguments.threads or torch.get_num_threads()
    if arguments.threads is not None and hasattr(os, "sched_setaffinity"):
        # before any rival starts its own threads, one a core that it sees
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    # As the trainer: the threads share the pieces of a batch, each with torch on one.
    torch.set_num_threads(1)
    console = Console(stderr=True)
    rows = measure(
        arguments.batch, arguments.blocks, arguments.rival, arguments.seconds, threads, console
    )
    if arguments.json:
        document = {"blocks": arguments.blocks, "rows": [asdict(row) for row in rows]}
        print(json.dumps(document, indent=2))
    else:
        Console(width=None if sys.stdout.isatty() else 160).print(table(rows, arguments.blocks))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
