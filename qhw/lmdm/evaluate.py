"""What drawn molecules are by EDM's rules, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qhw.chem.edm import EDMJudgement, judge_edm
from qhw.lmdm.diffusion import SamplingConfig
from qhw.lmdm.model import LMDM


def drawn_metrics(
    model: LMDM, samples: int, seeds: Sequence[int], sampling: SamplingConfig | None = None
) -> dict[str, float | None]:
    """:func:`edm_shares` of what a model draws.

    Args:
        model: in evaluation mode.
        samples: molecules drawn with each seed.
        seeds: of the draws.
        sampling: sampler and steps.
    """
    return edm_shares([judge_edm(model.sample(samples, seed=s, sampling=sampling)) for s in seeds])


def edm_shares(found: Sequence[EDMJudgement]) -> dict[str, float | None]:
    """Shares by EDM's rules, with 95 % intervals over molecules as ``NAME/low`` and ``NAME/high``.

    Args:
        found: what was drawn with each seed.

    Returns:
        ``samples`` of all seeds together, ``stable_atoms``, ``stable``, ``valid``, ``connected``,
        ``stable_connected`` (stable and in one piece), ``unique_of_valid``, which has no interval
        and is the mean over seeds, since it falls with the number of samples; and the smallest and
        the largest ``stable`` of a seed if there are several.
    """
    shares = {
        "stable_atoms": _interval(*(_joined(found, n) for n in ("stable_atoms", "atoms"))),
        "stable": _interval(_joined(found, "stable")),
        "valid": _interval(_joined(found, "valid")),
        "connected": _interval(_joined(found, "connected")),
        "stable_connected": _interval(_joined(found, "stable") * _joined(found, "connected")),
    }
    metrics: dict[str, float | None] = {"samples": float(sum(map(len, found)))}
    for name, (share, half) in shares.items():
        metrics[name] = share
        metrics[f"{name}/low"], metrics[f"{name}/high"] = share - half, share + half
    valid = [int(one.valid.sum()) for one in found]
    if all(valid):
        each = [one.unique / n for one, n in zip(found, valid, strict=True)]
        metrics["unique_of_valid"] = float(np.mean(each))
    if len(found) > 1:
        stable = [float(one.stable.mean()) for one in found]
        metrics["stable/lowest_seed"], metrics["stable/highest_seed"] = min(stable), max(stable)
    return metrics


def _joined(found: Sequence[EDMJudgement], name: str) -> NDArray[np.float64]:
    return np.concatenate([np.asarray(getattr(one, name), dtype=np.float64) for one in found])


def _interval(
    part: NDArray[np.float64], whole: NDArray[np.float64] | None = None
) -> tuple[float, float]:
    """A ratio of sums over molecules, and 1.96 standard errors of it."""
    of = np.ones_like(part) if whole is None else whole
    share = part.sum() / of.sum()
    error = math.sqrt(float(((part - share * of) ** 2).sum())) / of.sum()
    return float(share), 1.96 * float(error)
