"""How good ``qhw mitigate advise`` is: its choice beside the best measured one, in held-out cases.

Run ``python -m benchmarks.advise``; ``--json`` prints one JSON document instead of a table,
``--cases N`` stops after N circuits. Every circuit (a model's encoder or decoder on a device) is
predicted and then measured at every budget; the model, rows and shots of the measurement are no
part of the prediction.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from rich.console import Console
from rich.table import Table

from qhw.analysis.advise.advise import Predictor
from qhw.analysis.bench.pipelines import bench_device, noise_options, workload_of
from qhw.analysis.bench.result import BenchSettings
from qhw.analysis.bench.subject import noisy_backend
from qhw.mitigation.placed import Placed
from qhw.models.checkpoint import save
from qhw.models.registry import build

BUDGETS = (5_000, 30_000, 200_000)
PIPELINES = (
    "none",
    "readout",
    "readout+zne(1,3)",
    "readout+zne(1,3,exp)",
    "readout+zne(1,3,shrink)",
    "twirl(4)+readout+zne(1,3,shrink)",
    "readout+cdr(16)",
)
CIRCUITS = (
    ("engine:ibm_torino", "nisq-chain5", "generate", ""),
    ("engine:ibm_kingston", "nisq-chain5", "encode", ""),
    ("engine:ibm_sherbrooke", "deeper", "generate", ""),
    ("engine:rigetti_cepheus_1_108q", "nisq-chain5", "encode", ""),
    ("engine:ibm_aachen", "nisq-chain5", "generate", ""),
    ("engine:iqm_garnet@2026-05-05", "deeper", "generate", ""),
    ("engine:ionq_forte_enterprise", "deeper", "generate", ""),
    ("engine:ibm_pittsburgh", "deeper", "generate", ""),
    ("engine:ibm_marrakesh", "deeper", "encode", "zz_rad=0.05"),
    ("engine:iqm_emerald", "nisq-chain5", "encode", "zz_rad=0.05"),
)
"""Device, model, task and changed noise; no setting of the advice was chosen on them."""
WITHIN, NEEDED = 0.10, 0.90


@dataclass(frozen=True)
class Case:
    """One circuit at one budget; ``excess`` is how much worse the choice is than the best."""

    device: str
    model: str
    task: str
    noise: str
    shots: int
    chosen: str
    predicted: float
    measured: float
    best: str
    best_measured: float
    excess: float


def deeper_model(folder: Path) -> Path:
    """A NISQ-native model of more layers with random weights: other circuits, other outputs."""
    config = {"encoder_layers": 4, "decoder_layers": 7, "kappa": 500.0}
    model = build("nisq", config, torch.Generator().manual_seed(7))
    save(model, folder / "deeper.safetensors", name="deeper")
    return folder / "deeper.json"


def cases(device: str, model: str, task: str, noise: str, folder: Path) -> list[Case]:
    options = {n: float(v) for n, _, v in (p.partition("=") for p in noise.split(",") if p)}
    settings = BenchSettings.parse(
        model=str(deeper_model(folder)) if model == "deeper" else model,
        devices=(device,),
        shots=BUDGETS,
        pipelines=PIPELINES,
        rows=8,
        repeats=3,
        task=task,
        noise=options,
        seed=101,
    )
    backend = noisy_backend(device, noise_options(options))
    subject = Placed.on(backend, workload_of(settings), seed=settings.seed)
    predictor = Predictor(subject, settings)
    measured = bench_device(subject, PIPELINES, settings)
    found = []
    for budget in measured.budgets:
        choice = predictor.ranked(budget.shots)[0]
        cell, best = budget.cell(choice.asked), budget.least
        if choice.tvd is None or cell is None or cell.tvd is None or not best or not best.tvd:
            raise RuntimeError(f"nothing ran on {device}")
        excess = cell.tvd.value / best.tvd.value - 1
        numbers = (choice.tvd.value, cell.tvd.value, best.asked, best.tvd.value, excess)
        found.append(Case(device, model, task, noise, budget.shots, choice.asked, *numbers))
    return found


def table(found: list[Case]) -> Table:
    shown = Table(box=None)
    headings = ("device", "circuit", "shots", "chosen", "predicted", "measured", "best", "excess")
    for heading in headings:
        shown.add_column(heading)
    for c in found:
        circuit = f"{c.model} {c.task} {c.noise}".strip()
        best = f"{c.best} {c.best_measured:.4f}"
        numbers = (f"{c.predicted:.4f}", f"{c.measured:.4f}", best, f"{100 * c.excess:.0f} %")
        shown.add_row(c.device, circuit, f"{c.shots:,}", c.chosen, *numbers)
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--cases", type=int, default=len(CIRCUITS), help="circuits of the list")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    console, started, found = Console(stderr=True), time.monotonic(), []
    with TemporaryDirectory() as folder:
        for circuit in CIRCUITS[: arguments.cases]:
            found += cases(*circuit, Path(folder))
            last = found[-len(BUDGETS) :]
            words = ", ".join(f"{c.chosen} {100 * c.excess:+.0f} %" for c in last)
            took = time.monotonic() - started
            console.print(f"{' '.join(circuit)}: {words} ({took:.0f} s)", markup=False)
    good = sum(c.excess <= WITHIN for c in found)
    if arguments.json:
        print(json.dumps({"within": good, "cases": [asdict(c) for c in found]}, indent=2))
    else:
        Console(width=200).print(table(found))
        print(
            f"{good} of {len(found)} within {WITHIN:.0%} of the best measured ({NEEDED:.0%} wanted)"
        )


if __name__ == "__main__":
    main()
