"""GEOM-Drugs' published format, as a tiny file of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest

from qhw.api.training import train
from qhw.lmdm.geom import GeomSpec, load_geom_drugs
from qhw.models.checkpoint import load
from tests.lmdm.tiny import AUTOENCODER, NETWORK

WATER = [[8.0, 0.0, 0.0, 0.0], [1.0, 0.96, 0.0, 0.0], [1.0, -0.24, 0.93, 0.0]]
BROMIDE = [[35.0, 0.0, 0.0, 0.0], [1.0, 1.41, 0.0, 0.0]]


def conformer(energy: float, atoms: list[list[float]], shift: float = 0.0) -> dict[str, Any]:
    rows = [[z, x + shift, y, w] for z, x, y, w in atoms]
    return {"totalenergy": energy, "xyz": rows, "degeneracy": 1, "boltzmannweight": 0.5}


def written(path: Path, *parts: Any) -> Path:
    path.write_bytes(b"".join(msgpack.packb(part) for part in parts))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    several = [conformer(e, WATER, shift=e) for e in (3.0, 1.0, 2.0)]
    return written(
        tmp_path / "drugs_crude.msgpack",
        {"O": {"conformers": several, "uniqueconfs": 3}}
        | {"Br": {"conformers": [conformer(0, BROMIDE)]}},
        {f"O{i}": {"conformers": [conformer(i, WATER)]} for i in range(18)},
    )


def test_conformers_of_lowest_energy_are_kept(file: Path) -> None:
    found = load_geom_drugs(GeomSpec(path=str(file), conformers=2))
    assert len(found.smiles) == 20 and found.smiles[:2] == ("O", "Br")
    assert found.molecule[:4].tolist() == [0, 0, 1, 2]
    geometries = found.conformers.geometries
    assert geometries.numbers[:3].tolist() == [[8, 1, 1], [8, 1, 1], [35, 1, 0]]
    assert geometries.positions[:2, 0, 0].tolist() == [1.0, 2.0]
    np.testing.assert_allclose(geometries.positions[2, 1], [1.41, 0, 0])
    small = load_geom_drugs(GeomSpec(path=str(file), largest=2))
    assert small.smiles == ("Br",)
    assert len(load_geom_drugs(GeomSpec(path=str(file), molecules=1)).smiles) == 1


def test_conformers_of_a_molecule_are_on_one_side(file: Path) -> None:
    found = load_geom_drugs(GeomSpec(path=str(file)))
    sides = found.split()
    assert sorted(np.concatenate(sides).tolist()) == list(range(len(found.molecule)))
    molecules = [set(found.molecule[side].tolist()) for side in sides]
    assert [len(side) for side in molecules] == [16, 2, 2]
    assert not molecules[0] & molecules[1] and not molecules[0] & molecules[2]


def test_a_model_is_trained_on_it(file: Path, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        f"name: drugs\nautoencoder_steps: 2\nsteps: 2\nevaluate: 2\ngeom: {{path: {file}}}\n"
        f"model: {{kind: lmdm, config: {{autoencoder: {AUTOENCODER}, score: {NETWORK}}}}}\n"
    )
    model, card = load(train(config, tmp_path / "out", progress=False))
    assert card.data["source"] == "GEOM-Drugs, training split"
    assert set(model.config.elements) <= {1, 8, 35}
    assert model.sample(2, seed=0).numbers.shape[0] == 2


ONE = conformer(0, WATER)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ([1, 2], "must hold maps of SMILES"),
        ({"O": {"conformers": []}}, r"molecule 1 \('O'\) must have `conformers`"),
        ({"O": 3}, "must have `conformers`"),
        ({"O": {"conformers": [ONE, {"xyz": WATER}]}}, "conformer 2 must have `totalenergy`"),
        ({"O": {"conformers": [ONE | {"xyz": [[1, 2], [3]]}]}}, "conformer 1 must have"),
        ({"O": {"conformers": [ONE | {"xyz": [[1, 2]]}]}}, "rows of finite Z x y z"),
        ({"O": {"conformers": [ONE | {"xyz": [[1, 0, float("nan"), 0]]}]}}, "finite Z x y z"),
        ({"O": {"conformers": [ONE | {"totalenergy": float("inf")}]}}, "finite Z x y z"),
        ({"O": {"conformers": [ONE | {"xyz": [[0, 0, 0, 0]]}]}}, "atomic number that is none"),
        ({"O": {"conformers": [ONE | {"xyz": [[1.5, 0, 0, 0]]}]}}, "atomic number that is none"),
        ({"O": {"conformers": [ONE]}}, "no molecule of 2 atoms or fewer"),
    ],
)  # fmt: skip
def test_files_of_another_form_are_refused(tmp_path: Path, part: Any, message: str) -> None:
    spec = GeomSpec(path=str(written(tmp_path / "x.msgpack", part)), largest=2)
    with pytest.raises(ValueError, match=message) as caught:
        load_geom_drugs(spec)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(spec.path)


def test_damaged_and_missing_files_are_refused(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[:-3])
    with pytest.raises(ValueError, match="not MessagePack as GEOM publishes it: it ends within"):
        load_geom_drugs(GeomSpec(path=str(file)))
    file.write_bytes(b"\xc1" * 40)
    with pytest.raises(ValueError, match="not MessagePack"):
        load_geom_drugs(GeomSpec(path=str(file)))
    with pytest.raises(ValueError, match=r"nothing\.msgpack cannot be read: No such file"):
        load_geom_drugs(GeomSpec(path=str(tmp_path / "nothing.msgpack")))
