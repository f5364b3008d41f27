"""Quantum and classical generators, exact and through noise, under every protocol.

    python experiments/classical_yardstick/yardstick.py --out DIR [--samples N] [--rows N]

Every line is printed as it comes; DIR/table.csv and DIR/table.md are written anew after each.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rdkit import Chem

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
from qhw.models.checkpoint import load
from qhw.models.conditions import sample_for
from qhw.models.exact import ExactModel
from qhw.report.format import interval, percent

MODELS = ("lmdm", "lmdm-plain", "qvae-l10", "qcvae-logp", "nisq-chain5")
ON_DEVICES = "nisq-chain5"
SHARES = ("stable atoms / atoms", "stable / all", "valid / all", "stable and connected / all")
Row = dict[str, str]


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
    given = asked.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    found: list[Row] = []
    for row in lines(given):
        found.append(row)
        print(" | ".join(row.values()), flush=True)
        with (given.out / "table.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(found[0]))
            writer.writeheader()
            writer.writerows(found)
        table = [found[0].keys(), ["---"] * len(found[0]), *(row.values() for row in found)]
        text = "".join(f"| {' | '.join(cells)} |\n" for cells in table)
        (given.out / "table.md").write_text(text, encoding="utf-8")


def lines(given: argparse.Namespace) -> Iterator[Row]:
    """QM9, every model exactly, one model on devices."""
    yield line(
        "QM9 with its hydrogens", of_geometries("QM9", whole_sample()[: given.samples]), None
    )
    heavy = sample_molecules().molecules[: given.samples]
    yield line("QM9's heavy atoms, hydrogens added", of_heavy("QM9", heavy), heavy)
    for name in MODELS:
        try:
            model, card = load(name)
        except (ValueError, FileNotFoundError) as error:
            print(f"left out: {name}: {error}", file=sys.stderr)
            continue
        start = time.process_time()
        subject, batch = generated(model, name, given.samples, given.seed)
        spent = (time.process_time() - start) / given.samples
        yield line(
            f"{name}, exact",
            subject,
            batch,
            parameters=f"{sum(p.numel() for p in model.parameters()):,}",
            training=str((card.training or {}).get("seconds", "-")),
            seconds=f"{spent:.2g}",
        )
    for device in given.devices:
        for reading, batch, spent in on_device(device, given):
            what = f"{ON_DEVICES}, {device}, {reading}"
            yield line(what, of_heavy(what, batch), batch, seconds=spent)


def line(
    what: str,
    subject: Subject,
    heavy: MoleculeBatch | None,
    parameters: str = "-",
    training: str = "-",
    seconds: str = "-",
) -> Row:
    """Shares of all samples with 95 % intervals."""
    judged = reports(heavy_part(subject.whole) if heavy is None else heavy)
    whole = judge_whole(subject, Measures())
    edm, valency = whole.edm or {}, whole.valency or {}
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
    }


def shown(share: Share) -> str:
    """A share and its interval."""
    return f"{percent(share.share)} ({interval(share.interval, as_percent=True)})"


def generated(
    model: Model, name: str, samples: int, seed: int
) -> tuple[Subject, MoleculeBatch | None]:
    """Molecules without a device, from the model's usual prior."""
    if isinstance(model, Samples):
        return of_geometries(name, model.sample(samples, seed=seed)), None
    exact = ExactModel(model.double(), name, "classical_yardstick")
    prior = drawn_prior(None, model, {})
    source = make_prior(prior, exact, sample_for(model), seed)
    latents = source.sample(samples, np.random.default_rng(seed))
    batch = exact.molecules(exact.decoder(latents))
    return of_heavy(name, batch), batch


def on_device(device: str, given: argparse.Namespace) -> Iterator[tuple[str, MoleculeBatch, str]]:
    """Raw and mitigated molecules of one comparison, and wall seconds a molecule."""
    folder = given.out / f"on-{device}"
    command = [sys.executable, "-c", "from qhw.cli.app import main; main()", "compare"]
    command += [
        "--model",
        ON_DEVICES,
        "--task",
        "generate",
        "--device",
        f"engine:{device}",
        "--shots",
        given.shots,
    ]
    command += ["--molecules", str(given.rows), "--seed", str(given.seed)]
    command += ["--mitigation", "default", "--out", str(folder)]
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    spent = f"{(time.monotonic() - start) / given.rows:.2g}"
    file = max(folder.glob("*/molecules.sdf"), key=lambda path: path.stat().st_mtime)
    read = [m for m in Chem.SDMolSupplier(str(file), sanitize=False, removeHs=False) if m]
    for reading in ("raw", "mitigated"):
        chosen = [m for m in read if m.GetProp("source") == f"device, {reading}"]
        yield reading, heavy_part(geometries_of(chosen), charges_of(chosen)), spent


def charges_of(molecules: list[Chem.Mol]) -> np.ndarray:
    """Formal charges ``(B, A)``, as the strict protocol wrote them."""
    found = np.zeros((len(molecules), max(m.GetNumAtoms() for m in molecules)), dtype=np.int8)
    for row, one in enumerate(molecules):
        found[row, : one.GetNumAtoms()] = [atom.GetFormalCharge() for atom in one.GetAtoms()]
    return found


if __name__ == "__main__":
    main()
