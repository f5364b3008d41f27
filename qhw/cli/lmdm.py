"""``qhw lmdm``: molecules with hydrogens from a latent diffusion model."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Annotated

import typer

from qhw.cli.console import emit_json, out
from qhw.cli.options import RUNS, Json, Out, Seed

if TYPE_CHECKING:
    from qhw.chem.geometries import Geometries

app = typer.Typer(no_args_is_help=True, help="Molecules with hydrogens, by latent diffusion.")


@app.command("sample")
def sample_command(
    model: Annotated[str, typer.Option(help="Shipped name, checkpoint or its folder.")] = "lmdm",
    samples: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many.")] = 100,
    steps: Annotated[int, typer.Option(min=1, max=1000, help="Of the sampler.")] = 50,
    sampler: Annotated[
        str, typer.Option(help="churn, heun, or ancestral (of hundreds of steps).")
    ] = "churn",
    atoms: Annotated[
        int | None, typer.Option(help="Of each, hydrogens included; default as in training.")
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROPERTY=VALUE",
            help="What a conditional model is asked for, such as gap=5000: alpha (Bohr^3), gap, "
            "homo, lumo (meV), mu (D), cv (cal/(mol K)); once for any of its properties.",
        ),
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            metavar="PROPERTY=FROM:TO:VALUES",
            help="Ask for so many values between two, each of the same noise: --samples molecules "
            "a value.",
        ),
    ] = None,
    guidance: Annotated[
        float,
        typer.Option(
            metavar="NUMBER",
            help="Above 1: follow what is asked for more closely (2 to 4 is usual), in twice the "
            "time.",
        ),
    ] = 1.0,
    seed: Seed = 0,
    out_folder: Out = RUNS,
    as_json: Json = False,
) -> None:
    """Draw molecules; writes DIR/<run>/ with molecules.sdf and result.json.

    Bonds in the SDF are read from the distances by EDM's rule; `qhw judge --input` judges them.
    """
    from qhw.api.generating import generate, lmdm
    from qhw.models.checkpoint import load, weights_sha256
    from qhw.provenance import versions
    from qhw.report.format import number
    from qhw.report.runfolder import check_folder, run_folder, run_id

    asked = _values(condition or [])
    swept = [{}] if sweep is None else _sweep(sweep, asked)
    check_folder(out_folder)
    loaded, card = load(model)
    for one in swept:  # before the first is drawn
        lmdm(loaded).asked(asked | one)
    started = time.perf_counter()
    drawn = [
        generate(
            loaded,
            samples,
            seed=seed,
            steps=steps,
            sampler=sampler,  # type: ignore[arg-type]  # checked there, with words
            atoms=atoms,
            condition=asked | one,
            guidance=guidance,
        )
        for one in swept
    ]
    seconds = time.perf_counter() - started
    document = {
        "schema": 1,
        "model": card.name,
        "weights_sha256": weights_sha256(loaded),
        "samples": samples,
        "steps": steps,
        "sampler": sampler,
        "guidance": guidance,
        "atoms": atoms,
        "seed": seed,
        "conditions": [asked | one for one in swept],
        "seconds": round(seconds, 3),
        "versions": versions(),
    }
    text = json.dumps(document, indent=1) + "\n"
    with run_folder(out_folder, run_id("lmdm", text)) as made:
        (made.staging / "result.json").write_text(text, encoding="utf-8")
        sdf = "".join(_sdf(part, asked | one) for part, one in zip(drawn, swept, strict=True))
        (made.staging / "molecules.sdf").write_text(sdf, encoding="utf-8")
    if as_json:
        emit_json({"run": str(made.final), **document})
        return
    count = samples * len(swept)
    out.print(f"{count} molecules of {card.name} in {number(seconds)} s")
    out.print(f"molecules: {made.final / 'molecules.sdf'}", soft_wrap=True)


def _sdf(molecules: Geometries, asked: dict[str, float]) -> str:
    from qhw.chem.whole_sdf import geometries_to_sdf

    properties = {f"{name}_asked": [value] * len(molecules) for name, value in asked.items()}
    return geometries_to_sdf(molecules, properties=properties)


def _values(texts: list[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if name in found:
            raise ValueError(f"Argument `condition` must give {name} once, but gives it twice")
        found[name] = _number("condition", "PROPERTY=VALUE", text, value)
    return found


def _sweep(text: str, asked: dict[str, float]) -> list[dict[str, float]]:
    form = "PROPERTY=FROM:TO:VALUES"
    name, _, ends = (part.strip() for part in text.partition("="))
    parts = ends.split(":")
    if len(parts) != 3 or not parts[2].strip().isdecimal() or not 2 <= int(parts[2]) <= 1000:
        raise ValueError(
            f"Argument `sweep` must be {form} with 2 to 1000 values, but is {text[:80]!r}"
        )
    if name in asked:
        raise ValueError(f"Argument `sweep` must be of a property that `condition` leaves: {name}")
    low, high = (_number("sweep", form, text, part) for part in parts[:2])
    last = int(parts[2]) - 1
    return [{name: low + (high - low) * i / last} for i in range(last + 1)]


def _number(argument: str, form: str, text: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"Argument `{argument}` must be {form}, but is {text[:80]!r}")
    return number
