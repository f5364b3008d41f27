"""Whole molecules from a trained generator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from calibration.closest import quoted
from qhw.chem.geometries import Geometries
from qhw.lmdm.diffusion import MOST_GUIDANCE, Sampler, SamplingConfig
from qhw.lmdm.model import LMDM
from qhw.models.base import Model
from qhw.models.checkpoint import load

DEFAULT_MODEL = "lmdm"


def generate(
    model: str | Path | Model = DEFAULT_MODEL,
    molecules: int = 100,
    *,
    seed: int = 0,
    steps: int = 50,
    sampler: Sampler = "churn",
    atoms: int | None = None,
    condition: Mapping[str, float] | None = None,
    guidance: float = 1.0,
) -> Geometries:
    """Draw molecules with hydrogens from a model of kind ``lmdm``.

    The noise depends on the seed, the number of molecules and their atoms only: draws with one seed
    and other conditions show what a property does to the same molecules.

    Args:
        model: name of a shipped one, path of a checkpoint, or a live one.
        molecules: how many.
        seed: same seed, same molecules.
        steps: of the sampler; ``heun`` evaluates the network twice in each.
        sampler: ``churn`` (Euler with fresh noise), ``heun`` (no fresh noise), or ``ancestral`` (of
            the polynomial schedule, meant for hundreds of steps).
        atoms: of each, hydrogens included; by default as the training molecules have them.
        condition: wanted values by name: alpha (Bohr^3), gap, homo, lumo (meV), mu (D),
            cv (cal/(mol K)), of a model that takes them; some or all.
        guidance: above 1, molecules follow ``condition`` more closely (2 to 4 is usual) and are
            less diverse; it takes twice the time. See :class:`qhw.lmdm.diffusion.SamplingConfig`.

    Raises:
        ValueError: a model of another kind, fewer than one molecule, steps or a sampler that there
            are not, a property or a number of atoms that the model does not know, a guidance
            out of range or of nothing.
        CheckpointError: the model is unknown or damaged.
    """
    sampling = _sampling(sampler, steps, guidance)
    if guidance != 1 and not condition:
        raise ValueError(
            f"Argument `guidance` must be 1 where no `condition` is given, but is {guidance:g}"
        )
    found = lmdm(model)
    return found.sample(molecules, seed=seed, atoms=atoms, conditions=condition, sampling=sampling)


def lmdm(model: str | Path | Model) -> LMDM:
    """A model of kind ``lmdm``, in single precision.

    Raises:
        ValueError: a model of another kind.
        CheckpointError: the model is unknown or damaged.
    """
    found = model if isinstance(model, Model) else load(model)[0]
    if not isinstance(found, LMDM):
        name = "the one given" if isinstance(model, Model) else quoted(str(model)[:80])
        raise ValueError(
            f"Argument `model` must be of kind {LMDM.kind}, but {name} is of kind {found.kind}"
        )
    return found


def _sampling(sampler: str, steps: int, guidance: float) -> SamplingConfig:
    if sampler not in ("churn", "heun", "ancestral"):
        raise ValueError(
            f"Argument `sampler` must be churn, heun or ancestral, but is {quoted(sampler[:40])}"
        )
    if not 1 <= steps <= 1000:
        raise ValueError(f"Argument `steps` must be from 1 to 1000, but is {steps}")
    if not 0 <= guidance <= MOST_GUIDANCE:
        raise ValueError(
            f"Argument `guidance` must be from 0 to {MOST_GUIDANCE:g}, but is {guidance:g}"
        )
    return SamplingConfig(sampler=cast(Sampler, sampler), steps=steps, guidance=guidance)
