"""``qhw judge --condition``: how often a conditional model gives what it is asked for."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from qhw.cli.console import emit_json, out

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
    workers: int | None,
    scheduler: str | None,
) -> None:
    """Generate, count, and write DIR/<run>/ with report.html and result.json."""
    from qhw.api.hits import hit_rates
    from qhw.report.hit_rates import hit_table
    from qhw.report.runfolder import run_id

    found = hit_rates(
        asked.model,
        asked.conditions,
        control=asked.control,
        samples=samples,
        prior=prior,
        windows=_windows(asked.windows),
        gap=asked.gap,
        seed=seed,
        workers=workers,
        scheduler=scheduler,
        command=shlex.join(["qhw", *sys.argv[1:]]),
    )
    settings = [asked.conditions, asked.windows, found.digest, samples, found.question.prior, seed]
    folder = found.save(asked.folder / run_id("hits", json.dumps(settings)))
    if as_json:
        emit_json({"run": str(folder), **found.document()})
        return
    out.print(hit_table(found.rates, found.title), crop=False)
    for words in dict.fromkeys(f"{rate.name}: {rate.estimator}" for rate in found.rates):
        out.print(words, soft_wrap=True, markup=False)
    out.print(f"report: {folder / 'report.html'}", soft_wrap=True)


def _windows(texts: list[str]) -> dict[str, float]:
    """Half widths by property of ``PROPERTY=HALF`` texts.

    Raises:
        ValueError: text of another form.
    """
    given: dict[str, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            given[name] = float(number)
        except ValueError:
            raise ValueError(
                f"Argument `window` must be PROPERTY=HALF, such as logP=0.5, but is {text!r}"
            ) from None
    return given
