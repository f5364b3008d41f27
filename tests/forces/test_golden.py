"""Force fields written by earlier versions still load, and give the same energies and forces."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from qhw.chem.geometries import Geometries
from qhw.forces.model import ForceField
from qhw.models.checkpoint import load

GOLDEN = Path(__file__).parent / "golden" / "force-field-v1.safetensors"


def test_a_force_field_of_the_first_version_loads() -> None:
    model, card = load(GOLDEN)
    assert isinstance(model, ForceField) and card.format_version == 1
    kept = json.loads(GOLDEN.with_name("force-field-v1-values.json").read_text())
    frames = Geometries(np.array(kept["numbers"]), np.array(kept["positions"]))
    energies, forces = model.energy_and_forces(frames)
    assert np.allclose(energies, kept["energies"], rtol=0, atol=1e-9)
    assert np.allclose(forces, kept["forces"], rtol=0, atol=1e-9)
