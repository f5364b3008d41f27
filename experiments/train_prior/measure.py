"""Hit rates of a conditional prior, exact and through a device model, written into its card.

python experiments/train_prior/measure.py guidance|exact|device FOLDER

``guidance`` tries weights on a few samples of a seed of its own and writes the best into the card;
``exact`` and ``device`` measure with it. Each of these writes all it found beside the card too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from qhw.analysis.compare.model import compare
from qhw.analysis.compare.settings import Settings
from qhw.analysis.hits.hit_rate import (
    HitRate,
    Question,
    as_json,
    compared,
    hit_rates,
    prior_conditions,
)
from qhw.chem.gap import surrogate
from qhw.latent.diffusion import CARD, PriorCard, card_text, load_prior
from qhw.models.checkpoint import load, write_atomically
from qhw.models.conditions import WINDOWS
from qhw.models.exact import ExactModel

MODEL, DEVICE, ROWS, SHOTS = "nisq-chain5", "engine:ibm_boston", 250, 100_000
ASKED = ("logP=-1,0,1,2", "QED=0.35,0.45,0.55", "SA=0.45,0.6,0.75")
ON_DEVICE = ("logP=1", "QED=0.55", "SA=0.6", "logP=-1", "logP=2", "SA=0.75")
TRIED_ON = ("logP=1", "QED=0.55", "SA=0.6")
TRIED, TRIED_WITH, TRIED_SEED = (1.0, 2.0, 3.0), 100, 77
SAMPLES, SEED, DEVICE_SEED = 2000, 1, 3


def exact_model() -> ExactModel:
    """The model whose circuits run."""
    loaded, card = load(MODEL)
    return ExactModel(loaded.double(), card.name, "measure.py")


def exact_rates(folder: Path, texts: Sequence[str], samples: int, seed: int) -> list[HitRate]:
    """Strict hit rates of every condition by itself, one control of all."""
    found: list[HitRate] = []
    model = exact_model()
    for text in texts:
        scales, aside, values = prior_conditions([text], model, str(folder))
        question = Question(
            samples, str(folder), aside, seed, WINDOWS, surrogate(), prior_scales=scales
        )
        found += hit_rates(model, model, values, question)
    return [rate for rate in found if rate.protocol == "strict"]


def write(folder: Path, step: str, rates: Sequence[HitRate], prefix: str, **data: str) -> None:
    """The rates into the card, and whole beside it."""
    card = load_prior(folder).card
    metrics = dict(card.metrics)
    for rate in rates:
        name = f"{prefix}{rate.name}={rate.asked:g}"
        metrics[f"{name}/valid"] = rate.model.valid / rate.model.samples
        for key, share in (("hits", rate.model), ("control", rate.control)):
            metrics[f"{name}/{key}_rate"] = share.rate.value if share.rate else None
            metrics[f"{name}/{key}_of_valid"] = float(share.known)
        metrics[f"{name}/difference_low"] = rate.difference.low if rate.difference else None
        metrics[f"{name}/difference_high"] = rate.difference.high if rate.difference else None
    save(folder, card.model_copy(update={"metrics": metrics, "data": {**card.data, **data}}))
    (folder / f"{step}.json").write_text(json.dumps([as_json(rate) for rate in rates], indent=1))


def save(folder: Path, card: PriorCard) -> None:
    """Write the card."""
    write_atomically(folder / CARD, card_text(card))


def choose_guidance(folder: Path) -> None:
    """The weight with most hits among all samples, the mean over conditions."""
    card = load_prior(folder).card
    shares = {}
    for weight in TRIED:
        save(folder, card.model_copy(update={"guidance": weight}))
        rates = exact_rates(folder, TRIED_ON, TRIED_WITH, TRIED_SEED)
        shares[weight] = sum(rate.model.rate_of_all for rate in rates) / len(rates)
        valid = sum(rate.model.valid for rate in rates) / sum(rate.model.samples for rate in rates)
        print(f"guidance {weight:g}: hits of all {shares[weight]:.3f}, valid {valid:.3f}")
    best = max(shares, key=lambda weight: shares[weight])
    chosen = {"guidance": best, "training": {**card.training, "guidance": best}}
    save(folder, card.model_copy(update=chosen))


def measure_exact(folder: Path) -> None:
    """All conditions, exactly."""
    rates = exact_rates(folder, ASKED, SAMPLES, SEED)
    told = (
        f"strict, {SAMPLES} samples a condition, seed {SEED}, exact; hits of the valid; control: "
        "the same prior without a condition; Newcombe 95 %"
    )
    write(folder, "exact", rates, "", hit_rates=told)
    show(rates)


def measure_device(folder: Path) -> None:
    """Some conditions, through a device model with the default mitigation."""
    found: list[HitRate] = []
    model = exact_model()
    aside = judged(folder, ())
    for text in ON_DEVICE:
        scales, _, values = prior_conditions([text], model, str(folder))
        own = judged(folder, (text,))
        question = Question(ROWS, None, None, DEVICE_SEED, WINDOWS, surrogate())
        found += compared(own, aside, scales, values[0], question)
        rates = [rate for rate in found if rate.protocol == "strict"]
        told = (
            f"strict, {ROWS} samples a condition, seed {DEVICE_SEED}, {SHOTS} shots a row, "
            "mitigation default"
        )
        write(folder, "device", rates, f"{DEVICE}/", device_hit_rates=told)
        show(rates[-1:])


def judged(folder: Path, condition: tuple[str, ...]):  # type: ignore[no-untyped-def]
    """Reports on what the device gives after mitigation."""
    settings = Settings.parse(
        model=MODEL,
        device=DEVICE,
        task="generate",
        molecules=ROWS,
        shots=SHOTS,
        mitigation="default",
        seed=DEVICE_SEED,
        prior=str(folder),
        condition=condition,
    )
    reports = compare(settings).outcome.judged
    print({source: report["strict"].valid for source, report in reports.items()}, flush=True)
    return reports.get("device_mitigated", reports.get("device_readout"))


def show(rates: Sequence[HitRate]) -> None:
    """Rows of the README's table."""
    for rate in rates:
        own, other, apart = rate.model, rate.control, rate.difference
        if own.rate is None or other.rate is None or apart is None:
            print(f"| {rate.name} = {rate.asked:g} | none valid |")
            continue
        print(
            f"| {rate.name} = {rate.asked:g} | {own.valid:,} ({own.unique:,}) | "
            f"{own.hits:,} = {100 * own.rate.value:.1f} % | "
            f"{other.hits:,} of {other.known:,} = {100 * other.rate.value:.1f} % | "
            f"{100 * apart.value:+.1f} ({100 * apart.low:+.1f} to {100 * apart.high:+.1f}) |",
            flush=True,
        )


STEPS = {"guidance": choose_guidance, "exact": measure_exact, "device": measure_device}

if __name__ == "__main__":
    torch.set_num_threads(1)
    STEPS[sys.argv[1]](Path(sys.argv[2]).resolve())
