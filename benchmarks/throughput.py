"""A thousand molecules through a loopback vendor, and a ledger of a hundred thousand jobs.

    python -m benchmarks.throughput [--vendor ibm|braket] [--molecules N] [--shots N] [--jobs N]
                                    [--json]

The vendor is ``qhw vendors serve`` in a process of its own, so time and memory are ours alone:
processor seconds of this process (all threads), and its peak of resident memory. Wall seconds
include the vendor's simulation.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from backends.registry import get_vendor
from backends.vendor import Submission
from benchmarks.chaos.local import LocalVendor
from benchmarks.chaos.world import two_qubit_circuit
from benchmarks.ledger_fill import fill
from qhw.circuits.templates import build_template, data_angles
from qhw.jobs.budget import Budget
from qhw.jobs.intent import Plan, RunRequest, plan_jobs, write_intents
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import count_by_state, jobs_of, latest_jobs, row_counts, unfinished
from qhw.jobs.states import State
from qhw.jobs.work import submit_run, watch
from qhw.models.checkpoint import load

MODEL = "nisq-chain5"
DEVICES = {"ibm": "ibm_boston", "braket": "iqm_garnet"}
_QHW = (sys.executable, "-c", "from qhw.cli.app import main; main()")
_CAP = Budget(run_cap=10**12)


class Steps:
    """Wall and processor seconds of named steps."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = {}
        self.own: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        wall, own = time.perf_counter(), time.process_time()
        yield
        self.wall[name] = time.perf_counter() - wall
        self.own[name] = time.process_time() - own


@contextmanager
def served(vendor: str) -> Iterator[None]:
    """A loopback vendor in another process; the environment leads there."""
    command = (*_QHW, "vendors", "serve", vendor, "--device", DEVICES[vendor], "--perfect")
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            text = ""
            for line in server.stdout:
                text += line
                with contextlib.suppress(json.JSONDecodeError):
                    os.environ.update(json.loads(text)["environment"])
                    break
            yield
        finally:
            server.terminate()


def molecules(vendor: str, rows: int, shots: int, folder: Path) -> dict[str, object]:
    """Submit, fetch and store; the figures."""
    timed = Steps()
    with served(vendor), Ledger.open(f"sqlite:///{folder / 'ledger.db'}") as ledger:
        with timed.step("load model, compile for the device"):
            model, _ = load(MODEL)
            template = build_template(model.decoder_plan(), "exact", name="decoder")
            backend = get_vendor(f"{vendor}:{DEVICES[vendor]}")
            compiled = backend.compile(template.circuit)
        with timed.step("angles"):
            latents = np.random.default_rng(0).normal(size=(rows, 2**template.n_data_wires))
            latents /= np.linalg.norm(latents, axis=1, keepdims=True)
            submission = Submission(compiled, data_angles(template, latents).angles, shots)
        with timed.step("check, price, write down, send"):
            submit_run(ledger, backend, submission, RunRequest("run-1"), _CAP)
        with timed.step("wait, fetch, store, settle"):
            jobs = watch(ledger, lambda _: backend, "run-1")
        with timed.step("read back"), ledger.read() as connection:
            found = row_counts(connection, jobs_of(connection, "run-1"))
    assert [job.state for job in jobs] == [State.COMPLETE] * len(jobs)
    assert found.row_errors == {} and (found.counts.sum(axis=1) == shots).all()
    return {
        "vendor": vendor,
        "molecules": rows,
        "shots": shots,
        "jobs": len(jobs),
        "two_qubit_gates": compiled.two_qubit_gates,
        "own_s": timed.own,
        "wall_s": timed.wall,
        "own_total_s": sum(timed.own.values()),
        "wall_total_s": sum(timed.wall.values()),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def listing(total: int, folder: Path) -> dict[str, object]:
    """A ledger of many jobs: how long its questions take, and ``qhw jobs list`` as a whole."""
    url = f"sqlite:///{folder / 'many.db'}"
    with Ledger.open(url) as ledger:
        vendor = LocalVendor(folder / "vendor.db")
        circuit = vendor.compile(two_qubit_circuit())
        one = Submission(circuit, np.zeros((1, len(circuit.parameter_names))), 100)
        jobs = plan_jobs(vendor, one)
        write_intents(ledger, vendor, RunRequest("run-1"), Plan({"circuit": jobs}), _CAP)
        fill(ledger, total)
        start = time.perf_counter()
        with ledger.read() as connection:
            newest = latest_jobs(connection, limit=30)
            totals = count_by_state(connection)
            left = unfinished(connection)
        took = time.perf_counter() - start
    assert sum(totals.values()) == total and len(newest) == min(30, total) and len(left) == 1
    start = time.perf_counter()
    environment = {**os.environ, "QHW_LEDGER_URL": url}
    subprocess.run([*_QHW, "jobs", "list"], check=True, env=environment, capture_output=True)
    return {"jobs": total, "questions_s": took, "command_s": time.perf_counter() - start}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vendor", choices=tuple(DEVICES), default="ibm")
    parser.add_argument("--molecules", type=int, default=1000)
    parser.add_argument("--shots", type=int, default=4000)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sent = molecules(given.vendor, given.molecules, given.shots, Path(folder))
        listed = listing(given.jobs, Path(folder))
    if given.json:
        print(json.dumps({"molecules": sent, "ledger": listed}, indent=2))
        return
    console = Console()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("step", "own s", "wall s"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    own, wall = sent["own_s"], sent["wall_s"]
    assert isinstance(own, dict) and isinstance(wall, dict)
    for name in own:
        table.add_row(name, f"{own[name]:.2f}", f"{wall[name]:.2f}")
    table.add_row("all", f"{sent['own_total_s']:.2f}", f"{sent['wall_total_s']:.2f}")
    console.print(table)
    console.print(
        f"{sent['molecules']} molecules, {sent['shots']} shots each, {sent['jobs']} job(s) at the "
        f"loopback {sent['vendor']}; peak memory {sent['peak_mb']:.0f} MB"
    )
    console.print(
        f"ledger of {listed['jobs']} jobs: questions of a listing {listed['questions_s']:.3f} s, "
        f"`qhw jobs list` as a whole {listed['command_s']:.2f} s"
    )


if __name__ == "__main__":
    main()
