"""Quantum and classical generators, exact and through noise, under every protocol.

    python experiments/classical_yardstick/yardstick.py --out DIR [--samples N] [--rows N]

Every line is printed as it comes; DIR/table.csv, table.md and page.html are written anew after
each, and lines that DIR/table.csv has already are not made again. --trained takes folders of
`qhw train experiments/generation/...yaml`: those of one name are seeds of one line.
"""

from __future__ import annotations

import argparse
import csv
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem

import qhw
from qhw.analysis.compare.model import drawn_prior, make_prior
from qhw.analysis.scores.molecules import reports
from qhw.analysis.whole.report import Measures, Share, judge_whole
from qhw.analysis.whole.subject import Subject, of_geometries, of_heavy
from qhw.chem.hydrogens import heavy_part
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.qm9 import sample_molecules
from qhw.chem.whole_sdf import geometries_of
from qhw.lmdm.reference import whole_sample
from qhw.models.base import Model, Samples
from qhw.models.checkpoint import ModelCard, load
from qhw.models.conditions import sample_for
from qhw.models.exact import ExactModel
from qhw.report.format import interval, number, percent
from qhw.report.page import render_rows
from qhw.shot_counts import parse_shots

MODELS = ("lmdm", "lmdm-plain", "qvae-l10", "qcvae-logp", "nisq-chain5")
ON_DEVICES = "nisq-chain5"
SHARES = ("stable atoms / atoms", "stable / all", "valid / all", "stable and connected / all")
STATED = {"qvae-l10": "about 60", "nisq-chain5": "about 300 + prior 1,114"}
"""Seconds of training that a model's page states (docs/models.md), where its card holds none."""
_NOT_RECORDED = "not recorded"
Row = dict[str, str]
Line = tuple[str, Callable[[], Row]]
Part = tuple[str, str | None]
"""A model, and the folder of its prior; ``None`` for the usual one."""


def main() -> None:
    """Every line, one after another."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--out", type=Path, required=True)
    asked.add_argument(
        "--samples", type=int, default=1_000, help="molecules of an exact line; QM9: 1,000 at most"
    )
    asked.add_argument("--rows", type=int, default=100, help="molecules of a device's line")
    asked.add_argument("--shots", default="20k", help="of a device's row, mitigation included")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument(
        "--devices", nargs="*", default=["ibm_boston", "iqm_garnet", "ionq_forte_enterprise"]
    )
    asked.add_argument("--trained", type=Path, nargs="*", default=[], metavar="DIR")
    given = asked.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    table = given.out / "table.csv"
    before: dict[str, Row] = {}
    if table.exists():
        with table.open(newline="") as file:
            before = {row["what"]: row for row in csv.DictReader(file)}
    found: list[Row] = []
    for what, made in lines(given):
        found.append(before.get(what) or made())
        print(" | ".join(found[-1].values()), flush=True)
        write(found, table)


def write(found: list[Row], table: Path) -> None:
    """The table as CSV, Markdown and a page."""
    headings = list(found[0])
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=headings)
        writer.writeheader()
        writer.writerows(found)
    rows = [list(row.values()) for row in found]
    text = "".join(
        f"| {' | '.join(cells)} |\n" for cells in [headings, ["---"] * len(headings), *rows]
    )
    table.with_suffix(".md").write_text(text, encoding="utf-8")
    page = render_rows(
        "What would a classical generator do?",
        "Percent of all samples with 95 % intervals over molecules.",
        headings,
        rows,
        shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    )
    table.with_name("page.html").write_text(page, encoding="utf-8")


def lines(given: argparse.Namespace) -> Iterator[Line]:
    """QM9, every model exactly, controls, one model on devices; each is made when it is called."""
    whole, heavy = whole_sample()[: given.samples], sample_molecules().molecules[: given.samples]
    for what, subject, batch in (
        ("QM9 with its hydrogens", of_geometries("QM9", whole), None),
        ("QM9's heavy atoms, hydrogens added", of_heavy("QM9", heavy), heavy),
    ):
        yield what, partial(line, what, subject, batch)
    for name in MODELS:
        what = f"{name}, exact"
        yield what, partial(exactly, [(name, None)], what, given)
    for name, folders in trained(given.trained).items():
        parts: list[Part] = [(str(folder / "model"), str(folder)) for folder in folders]
        what = f"{name}, short training, {len(parts)} seeds, exact"
        yield what, partial(exactly, parts, what, given)
    for device in given.devices:
        made: list[tuple[MoleculeBatch, str]] = []
        for place, reading in enumerate(("raw", "mitigated")):
            what = f"{ON_DEVICES}, {device}, {reading}"
            yield what, partial(on_device, device, what, place, made, given)


def trained(folders: list[Path]) -> dict[str, list[Path]]:
    """Folders of trained priors by the name of their models."""
    found: dict[str, list[Path]] = {}
    for folder in folders:
        found.setdefault(load(folder / "model")[1].name, []).append(folder)
    return found


def exactly(parts: list[Part], what: str, given: argparse.Namespace) -> Row:
    """Models with their priors, an equal share of the samples each, as one line."""
    subjects: list[Subject] = []
    batches: list[MoleculeBatch] = []
    spent = 0.0
    each = given.samples // len(parts)
    for source, prior in parts:
        model, card = load(source)
        start = time.process_time()
        subject, batch = generated(model, card.name, prior, each, given.seed)
        spent += time.process_time() - start
        subjects.append(subject)
        batches += [] if batch is None else [batch]
    heavy = MoleculeBatch.joined(batches) if batches else None
    whole = subjects[0] if heavy is None else of_heavy(what, heavy)
    return line(
        what,
        whole,
        heavy,
        parameters=f"{sum(p.numel() for p in model.parameters()):,}",
        training=seconds_of_training(card, parts),
        seconds=f"{spent / (each * len(parts)):.2g}",
    )


def seconds_of_training(card: ModelCard, parts: list[Part]) -> str:
    """Of the card, of the logs beside it (mean over seeds), or stated elsewhere."""
    if "seconds" in card.data:
        return f"{card.data['seconds']:,.0f} wall"
    logs = [
        Path(part) / "log.jsonl"
        for model, prior in parts
        for part in (model, prior)
        if prior is not None and part is not None
    ]
    if logs and all(log.exists() for log in logs):
        told = [json.loads(text) for log in logs for text in log.read_text().splitlines()]
        return f"{sum(one['seconds'] for one in told) / len(parts):,.0f} wall"
    return STATED.get(card.name, _NOT_RECORDED)


def line(
    what: str,
    subject: Subject,
    heavy: MoleculeBatch | None,
    parameters: str = "-",
    training: str = "-",
    seconds: str = "-",
    usd: float | None = None,
) -> Row:
    """Shares of all samples with 95 % intervals; ``usd`` is the price of all of them."""
    judged = reports(heavy_part(subject.whole) if heavy is None else heavy)
    whole = judge_whole(subject, Measures())
    edm, valency = whole.edm or {}, whole.valency or {}
    valid = judged["strict"].valid
    return {
        "what": what,
        "samples": f"{len(subject):,}",
        **{
            f"{name}: valid": f"{percent(report.rates['valid/all'])}"
            for name, report in judged.items()
        },
        "strict: different": percent(judged["strict"].rates["unique/all"]),
        **{f"edm: {name.partition(' /')[0]}": shown(edm[name]) for name in SHARES},
        "valency: stable": shown(valency["stable / all"]),
        "hydrogens": "own" if subject.hydrogens == "its own" else "added",
        "parameters": parameters,
        "training (s)": training,
        "s a molecule": seconds,
        "USD a strictly valid one": "-"
        if usd is None
        else number(usd / valid)
        if valid
        else "none valid",
    }


def shown(share: Share) -> str:
    """A share and its interval."""
    return f"{percent(share.share)} ({interval(share.interval, as_percent=True)})"


def generated(
    model: Model, name: str, prior: str | None, samples: int, seed: int
) -> tuple[Subject, MoleculeBatch | None]:
    """Molecules without a device, from a prior's folder or the model's usual prior."""
    if isinstance(model, Samples):
        return of_geometries(name, model.sample(samples, seed=seed)), None
    exact = ExactModel(model.double(), name, "classical_yardstick")
    source = make_prior(drawn_prior(prior, model, {}), exact, sample_for(model), seed)
    latents = source.sample(samples, np.random.default_rng(seed))
    batch = exact.molecules(exact.decoder(latents))
    return of_heavy(name, batch), batch


def on_device(
    device: str,
    what: str,
    place: int,
    made: list[tuple[MoleculeBatch, str]],
    given: argparse.Namespace,
) -> Row:
    """One reading of a comparison, which runs once for both."""
    if not made:
        made += compared(device, given)
    batch, spent = made[place]
    usd = price(device, given.rows * parse_shots(given.shots))
    return line(what, of_heavy(what, batch), batch, seconds=spent, usd=usd)


def compared(device: str, given: argparse.Namespace) -> list[tuple[MoleculeBatch, str]]:
    """Raw and mitigated molecules of one comparison, and wall seconds a molecule."""
    folder = given.out / f"on-{device}"
    command = [sys.executable, "-c", "from qhw.cli.app import main; main()", "compare"]
    command += ["--model", ON_DEVICES, "--task", "generate", "--device", f"engine:{device}"]
    command += ["--shots", given.shots, "--molecules", str(given.rows), "--seed", str(given.seed)]
    command += ["--mitigation", "default", "--out", str(folder)]
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    spent = f"{(time.monotonic() - start) / given.rows:.2g}"
    file = max(folder.glob("*/molecules.sdf"), key=lambda path: path.stat().st_mtime)
    read = [m for m in Chem.SDMolSupplier(str(file), sanitize=False, removeHs=False) if m]
    found = []
    for reading in ("raw", "mitigated"):
        chosen = [m for m in read if m.GetProp("source") == f"device, {reading}"]
        found.append((heavy_part(geometries_of(chosen), charges_of(chosen)), spent))
    return found


def price(device: str, shots: int) -> float | None:
    """US dollars of the decoder's shots at list prices, by the depth report's rule."""
    depths = qhw.depth_report(ON_DEVICES, device, levels=(1,), seeds=1, shots=shots, processes=1)
    row = depths.report.best_row(f"{ON_DEVICES} decoder, brickwork preparation")
    return None if row is None or row.cost is None else row.cost.usd


def charges_of(molecules: list[Chem.Mol]) -> NDArray[np.int8]:
    """Formal charges ``(B, A)``, as the strict protocol wrote them."""
    found = np.zeros((len(molecules), max(m.GetNumAtoms() for m in molecules)), dtype=np.int8)
    for row, one in enumerate(molecules):
        found[row, : one.GetNumAtoms()] = [atom.GetFormalCharge() for atom in one.GetAtoms()]
    return found


if __name__ == "__main__":
    main()
