"""``qhw plan-shots`` and ``qhw sample-latents``."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Annotated

import typer

from qhw.cli.console import emit_json, out
from qhw.cli.options import Atoms, Json, Model, OutFile, Prior, SamplerSteps, Seed, Temperature


def plan_shots_command(
    kappa: Annotated[
        float, typer.Option(help="Of the latent von Mises-Fisher (vMF) distribution, 0 to 1e5.")
    ],
    dim: Annotated[int, typer.Option(help="Latent dimension.")] = 32,
    share: Annotated[
        float, typer.Option(help="Largest shot-noise angle, as a share of the vMF's own.")
    ] = 0.1,
    as_json: Json = False,
) -> None:
    """Encoder shots for which shot noise hides behind the latent's own spread."""
    from qhw.latent.shot_plan import plan_shots

    plan = plan_shots(kappa, dim, share)
    if as_json:
        emit_json({"kappa": kappa, "dim": dim, **asdict(plan)})
        return
    out.print(f"{plan.shots:,} shots", style="bold")
    shot, vmf = math.degrees(plan.shot_angle_rad), math.degrees(plan.vmf_angle_rad)
    out.print(
        f"shot noise turns the mean direction by {shot:.3g} degrees (rms), the vMF by {vmf:.3g}: "
        f"a share of {100 * plan.share:.3g} %, which widens the spread by "
        f"{100 * plan.extra_spread:.2g} %",
        soft_wrap=True,
    )


def sample_latents(
    out_file: OutFile,
    model: Model = None,
    count: Annotated[int, typer.Option(max=1_000_000, help="Latents drawn.")] = 100,
    prior: Prior = None,
    temperature: Temperature = None,
    sampler_steps: SamplerSteps = None,
    atoms: Atoms = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Draw latents from a model's prior, for use elsewhere."""
    import numpy as np

    from qhw.analysis.compare.model import default_model, drawn_prior, make_prior
    from qhw.models.checkpoint import load, write_atomically
    from qhw.models.conditions import sample_for
    from qhw.models.exact import ExactModel

    if count < 1:
        raise ValueError(f"Argument `count` must be >= 1, but is {count}")
    loaded, card = load(model or default_model())
    exact = ExactModel(loaded.double(), card.name, "qhw sample-latents")
    drawing = {"temperature": temperature, "steps": sampler_steps, "atoms": atoms}
    prior = drawn_prior(prior, loaded, drawing)
    source = make_prior(prior, exact, sample_for(loaded), seed)
    latents = source.sample(count, np.random.default_rng(seed))
    document: dict[str, object] = {
        "model": card.name,
        "prior": prior,
        "seed": seed,
        "latents": latents[:, : exact.latent_dim].tolist(),
    }
    if latents.shape[1] > exact.latent_dim:  # a conditional model's, of held-out molecules
        document["condition_angles"] = latents[:, exact.latent_dim :].tolist()
    write_atomically(out_file, (json.dumps(document) + "\n").encode())
    if as_json:
        emit_json({"file": str(out_file), "count": count, "dim": exact.latent_dim})
        return
    out.print(f"{count} latents of dimension {exact.latent_dim}: {out_file}", soft_wrap=True)
