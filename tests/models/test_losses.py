from __future__ import annotations

import numpy as np
import pytest
import torch

from qhw.chem.encoding import RELEASED_BOX
from qhw.chem.frames import to_frame
from qhw.chem.molecule import MoleculeBatch
from qhw.models.losses import LossConfig, amplitude_loss, make_targets


def by_hand(alpha: np.ndarray, target: np.ndarray, types: list[int], layout: str) -> dict:
    """The formulas of the docstring for one molecule, in plain loops."""
    n, weight = len(types), (0.3, 0.8, 0.5, 1.2)
    stride = 8 if layout == "paper" else 7
    coordinates = kinds = focal = norms = aux = 0.0
    used = set()
    for i, t in enumerate(types):
        o = i * stride
        a = o + 7 if layout == "paper" else 7 * n + i
        used |= {*range(o, o + 7), a}
        coordinates += np.sqrt(sum((alpha[o + c] - target[o + c]) ** 2 for c in range(3)))
        s = sum(alpha[o + 3 + k] ** 2 for k in range(4))
        p = alpha[o + 3 + t] ** 2 / s
        kinds += -weight[t] * np.log(p)
        focal += -weight[t] * (1 - p) ** 2 * np.log(p)
        norms += (s - 1 / (4 * n)) ** 2
        aux += abs(alpha[a] - target[a])
    padding = [alpha[j] for j in range(128) if j not in used]
    return {
        "coordinates": coordinates / n,
        "cross_entropy": kinds / n,
        "focal": focal / n,
        "norms": norms / n,
        "rest": aux / n + np.mean(padding),
    }


@pytest.mark.parametrize("layout", ["paper", "released"])
@pytest.mark.parametrize("type_loss", ["cross_entropy", "focal"])
def test_terms_equal_the_formulas(layout, type_loss, molecules: MoleculeBatch) -> None:
    batch = to_frame(molecules[[0, 1, int(molecules.counts.argmin()), 7]], "paper")
    targets = make_targets(batch, layout, RELEASED_BOX, torch.float64)
    noise = torch.rand(4, 128, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    probabilities = noise / noise.sum(-1, keepdim=True)
    config = LossConfig(type_loss=type_loss, type_weight=0.7, norm_weight=30.0, rest_weight=2.0)
    found = amplitude_loss(probabilities, targets, layout, config)
    hand = [
        by_hand(
            probabilities[i].sqrt().numpy(),
            targets.amplitudes[i].numpy(),
            [t for t in batch.types[i].tolist() if t >= 0],
            layout,
        )
        for i in range(4)
    ]
    mean = {key: np.mean([h[key] for h in hand]) for key in hand[0]}
    mean["types"] = mean[type_loss]
    for key in ("coordinates", "types", "norms", "rest"):
        np.testing.assert_allclose(float(found[key]), mean[key], rtol=1e-6)
    total = mean["coordinates"] + 0.7 * mean["types"] + 30 * mean["norms"] + 2 * mean["rest"]
    np.testing.assert_allclose(float(found["total"]), total, rtol=1e-6)


@pytest.mark.parametrize("layout", ["paper", "released"])
def test_a_perfect_output_costs_nothing(layout, molecules: MoleculeBatch) -> None:
    batch = to_frame(molecules[:20], "paper")
    targets = make_targets(batch, layout, RELEASED_BOX, torch.float64)
    for config in (LossConfig(), LossConfig(kind="fidelity")):
        found = amplitude_loss(targets.amplitudes.square(), targets, layout, config)
        assert abs(float(found["total"])) < 1e-5


def test_infidelity_of_orthogonal_output(molecules: MoleculeBatch) -> None:
    targets = make_targets(to_frame(molecules[:3], "paper"), "paper", RELEASED_BOX, torch.float64)
    empty = torch.zeros(3, 128, dtype=torch.float64)
    empty[:, 127] = 1  # padding of every molecule
    found = amplitude_loss(empty, targets, "paper", LossConfig(kind="fidelity"))
    np.testing.assert_allclose(float(found["total"]), 1, atol=1e-9)
