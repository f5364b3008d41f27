from __future__ import annotations

from typing import Any

import pytest

from qhw.study.config import StudyConfig
from qhw.study.grid import MISSING, Digests, digests, expand

KNOWN = Digests({"a": "hash-a", "b": "hash-b"}, {"x": "hash-x", "y": MISSING})


def _config(**changes: Any) -> StudyConfig:
    return StudyConfig.model_validate(
        {"name": "grid", "models": ["a", "b"], "devices": ["x", "y"], "scales": [0, 1]} | changes
    )


def test_grid_is_the_product_once_and_in_order() -> None:
    config = _config(seeds=[3, 4], layout_seeds=[0, 1], budget={"sources": ["idle"]})
    cells = expand(config, KNOWN)
    # models x devices x layouts x seeds x (2 scales + only + without)
    assert len(cells) == 2 * 2 * 2 * 2 * 4
    assert len({cell.key for cell in cells}) == len(cells)
    assert [c.key for c in expand(config, KNOWN)] == [c.key for c in cells]
    assert [(c.scale, c.sources) for c in cells[:4]] == [
        (0, "all"),
        (1, "all"),
        (1, "only idle"),
        (1, "without idle"),
    ]


def test_budget_brings_the_whole_it_is_measured_against() -> None:
    cells = expand(_config(budget={"sources": ["idle"], "scales": [0.7]}), KNOWN)
    assert (0.7, "all") in {(c.scale, c.sources) for c in cells}


def test_more_of_a_study_keeps_the_cells_that_were_there() -> None:
    few = {c.key for c in expand(_config(), KNOWN)}
    many = {c.key for c in expand(_config(name="other", scales=[2, 1, 0], seeds=[0, 1]), KNOWN)}
    assert few < many


@pytest.mark.parametrize(
    "change",
    [
        {"shots": [77]},
        {"mitigation": ["none"]},
        {"molecules": 9},
        {"task": "reconstruct"},
        {"preparation": "exact"},
        {"prior": "uniform-sphere"},
        {"draw": False},
        {"extra": {"zz_rad": 0.1}},
        {"simulator": "aer"},
    ],
)
def test_whatever_changes_numbers_changes_every_key(change: dict[str, Any]) -> None:
    before = {c.key for c in expand(_config(), KNOWN)}
    assert before.isdisjoint(c.key for c in expand(_config(**change), KNOWN))


def test_new_calibration_or_weights_change_the_keys_they_touch() -> None:
    before = {(c.circuit.device, c.scale, c.circuit.model): c for c in expand(_config(), KNOWN)}
    newer = Digests(KNOWN.models, {"x": "hash-new", "y": MISSING})
    for cell in expand(_config(), newer):
        old = before[cell.circuit.device, cell.scale, cell.circuit.model]
        assert (old.key == cell.key) == (cell.circuit.device == "y")


def test_digests_of_what_there_is_and_is_not(tiny: StudyConfig) -> None:
    config = tiny.model_copy(update={"devices": ("iqm_garnet", "nowhere")})
    known = digests(config)
    assert len(known.devices["iqm_garnet"]) == 64
    assert known.devices["nowhere"] == MISSING
    assert digests(config.model_copy(update={"models": ("nobody",)})).models == {"nobody": MISSING}


def test_cells_of_variants_run_again_and_no_others() -> None:
    """Variants had no waits in 0.1.0; the keys of all other cells are those of 0.1.0."""
    known = Digests({"a": "hash-a"}, {"x": "hash-x"})
    keys = {}
    for last in ("none", "readout", "zne(1,3)"):
        mitigation = ["none"] if last == "none" else ["none", last]
        config = _config(models=["a"], devices=["x"], scales=[0], mitigation=mitigation)
        (cell,) = expand(config, known)
        keys[last] = cell.key
    assert keys["none"] == "0027b35fbb380a7935aa445d23f59157"
    assert keys["readout"] == "30089b3d623a3dfd5d419ee5bf3e8b89"
    assert keys["zne(1,3)"] != "40aef52be19e4a6d96d36f92372d64c3"
