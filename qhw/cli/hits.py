"""``qhw judge --condition``: how often a conditional model gives what it is asked for."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qhw.cli.console import emit_json, out

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from qhw.analysis.hits.hit_rate import Question
    from qhw.models.base import Model
    from qhw.models.conditions import ConditionScale
    from qhw.models.exact import ExactModel
    from qhw.scheduler import Scheduler

    FloatArray = NDArray[np.float64]

Conditions = Annotated[
    list[str] | None,
    typer.Option(
        "--condition",
        metavar="PROPERTY=VALUES",
        help="Hit rates of a conditional --model at these values, such as logP=0,1,2; once for "
        "each of its properties. Of a model whose trained prior takes conditions: once for any.",
    ),
]
Control = Annotated[
    str | None,
    typer.Option(
        "--control",
        help="Model without a condition that hit rates stand beside, qvae-l4 by default; of a "
        "prior that is asked always the same without the condition.",
    ),
]
Windows = Annotated[
    list[str] | None,
    typer.Option(
        "--window",
        metavar="PROPERTY=HALF",
        help="Half width of a property's window; default: 0.5 of logP, 0.05 of QED, 0.1 of SA, "
        "0.5 eV of gap.",
    ),
]
Gap = Annotated[
    str,
    typer.Option(
        "--gap",
        help="Where gaps come from: surrogate (fast), xtb or b3lyp (extras of these names).",
    ),
]


@dataclass(frozen=True)
class Hits:
    """What is asked about hits.

    Attributes:
        model: conditional.
        control: not; ``None``: the usual one.
        conditions: texts.
        windows: texts.
        gap: estimator.
        folder: where the report's folder is made.
    """

    model: str
    control: str | None
    conditions: list[str]
    windows: list[str]
    gap: str
    folder: Path


def judge_hits(
    asked: Hits,
    samples: int,
    prior: str | None,
    seed: int,
    *,
    as_json: bool,
    scheduler: Scheduler | None,
) -> None:
    """Generate, count, and write DIR/<run>/ with report.html and result.json."""
    import torch

    from qhw.analysis.hits.hit_rate import as_json as document_of
    from qhw.analysis.hits.hit_rate import hit_rates
    from qhw.models.checkpoint import load
    from qhw.report.hit_rates import hit_table, render_hits
    from qhw.report.runfolder import run_folder, run_id

    torch.set_num_threads(1)
    loaded, card = load(asked.model)
    model, control, conditions, question = _put(asked, loaded, card.name, samples, prior, seed)
    name, beside = question.prior, question.control_prior
    title = (
        f"{card.name}: {samples:,} molecules a condition, generated exactly, prior {name}; without "
        f"the condition: {control.name}, prior {beside}"
    )
    settings = json.dumps([asked.conditions, asked.windows, card.sha256, samples, name, seed])
    with run_folder(asked.folder, run_id("hits", settings)) as folder:
        rates = hit_rates(model, control, conditions, question, scheduler)
        document = {
            "schema_version": 1,
            "judged": title,
            "model": card.name,
            "control": control.name,
            "prior": name,
            "control_prior": beside,
            "seed": seed,
            "hit_rates": [document_of(rate) for rate in rates],
        }
        text = json.dumps(document, indent=1) + "\n"
        (folder.staging / "result.json").write_text(text, encoding="utf-8")
        page = render_hits(rates, title, shlex.join(["qhw", *sys.argv[1:]]))
        (folder.staging / "report.html").write_text(page, encoding="utf-8")
    if as_json:
        emit_json({"run": str(folder.final), **document})
        return
    out.print(hit_table(rates, title), crop=False)
    for words in dict.fromkeys(f"{rate.name}: {rate.estimator}" for rate in rates):
        out.print(words, soft_wrap=True, markup=False)
    out.print(f"report: {folder.final / 'report.html'}", soft_wrap=True)


def _put(
    asked: Hits, loaded: Model, name: str, samples: int, prior: str | None, seed: int
) -> tuple[ExactModel, ExactModel, list[FloatArray], Question]:
    """The model, its control, the conditions and how hits are counted.

    Raises:
        ValueError: what neither the model nor its prior can be asked.
    """
    from qhw.analysis.compare.model import check_prior, drawn_prior
    from qhw.analysis.hits.hit_rate import Question, asked_conditions, prior_conditions
    from qhw.chem.gap import gap_estimator
    from qhw.models.checkpoint import load
    from qhw.models.conditions import scales_of
    from qhw.models.exact import ExactModel

    gap, scales = gap_estimator(asked.gap), scales_of(loaded)
    model = ExactModel(loaded.double(), name, "qhw judge --condition")
    if scales:
        own = check_prior(prior)
        conditions = asked_conditions(asked.conditions, scales, name)
        # what p(latent | condition) is to the model, all latents are to one without a condition
        beside = "posterior" if own == "near-condition" else own
        other, card = load(asked.control or "qvae-l4")
        control = ExactModel(other.double(), card.name, "qhw judge --control")
        windows = _windows(asked.windows, scales)
        return model, control, conditions, Question(samples, own, beside, seed, windows, gap)
    if asked.control is not None:
        raise ValueError(
            f"Argument `control` must be left out of model {name}: its prior is asked for the "
            "condition, and the control is the same prior without it"
        )
    own = check_prior(drawn_prior(prior, loaded, {}))
    scales, beside, conditions = prior_conditions(asked.conditions, model, own)
    windows = _windows(asked.windows, scales)
    question = Question(samples, own, beside, seed, windows, gap, prior_scales=scales)
    return model, model, conditions, question


def _windows(texts: list[str], scales: tuple[ConditionScale, ...]) -> dict[str, float]:
    """Half widths of all properties of a model.

    Raises:
        ValueError: text of another form, a property the model has not, or a width that is none.
    """
    from qhw.models.conditions import window_of

    known = {scale.property for scale in scales}
    given: dict[str, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            given[name] = float(number)
        except ValueError:
            given[name] = float("nan")
        if name not in known:
            raise ValueError(
                f"Argument `window` must be PROPERTY=HALF of {', '.join(sorted(known))}, but is "
                f"{text!r}"
            )
    return {name: window_of(name, given.get(name)) for name in known}
