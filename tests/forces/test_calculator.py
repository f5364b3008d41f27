from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import qhw
from qhw.chem.geometries import Geometries
from qhw.models.checkpoint import save
from tests.forces.molecules import clusters, random_field

ase = pytest.importorskip("ase")
from ase import Atoms, units  # noqa: E402
from ase.calculators.fd import calculate_numerical_forces  # noqa: E402
from ase.md.verlet import VelocityVerlet  # noqa: E402


@pytest.fixture
def atoms() -> Atoms:
    return Atoms("OHH", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])


def test_energy_and_forces_are_the_models(atoms: Atoms) -> None:
    field = random_field(0)
    atoms.calc = qhw.calculator(field)
    energy, forces = field.energy_and_forces(Geometries.of_atoms([atoms]))
    assert atoms.get_potential_energy() == energy[0]
    assert np.array_equal(atoms.get_forces(), forces[0])
    assert atoms.get_potential_energy() == atoms.get_potential_energy(force_consistent=True)
    slope = calculate_numerical_forces(atoms, eps=1e-4)
    assert np.abs(slope - atoms.get_forces()).max() < 1e-5 * np.abs(slope).max()


def test_results_are_kept_until_something_changes(
    atoms: Atoms, monkeypatch: pytest.MonkeyPatch
) -> None:
    calc = qhw.calculator(random_field(0))
    atoms.calc = calc
    calls = []
    original = calc.model.energy_and_forces
    monkeypatch.setattr(
        calc.model, "energy_and_forces", lambda frames: calls.append(1) or original(frames)
    )
    first = atoms.get_potential_energy()
    atoms.get_forces()
    atoms.get_potential_energy()
    assert len(calls) == 1
    atoms.positions[1, 0] += 0.05
    moved = atoms.get_potential_energy()
    assert len(calls) == 2 and moved != first
    atoms.numbers[1] = 6
    assert atoms.get_potential_energy() != moved
    again = atoms.copy()
    again.calc = qhw.calculator(calc.model)
    assert again.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=1e-12)


def test_results_handed_out_are_copies(atoms: Atoms) -> None:
    atoms.calc = qhw.calculator(random_field(0))
    forces = atoms.get_forces()
    forces += 1
    assert not np.allclose(forces, atoms.get_forces())


def test_dynamics_keep_the_energy(atoms: Atoms) -> None:
    field = random_field(7)
    field.head.readout.data *= 0.05
    field.head.bypass.data *= 0.05
    atoms.calc = qhw.calculator(field)
    atoms.set_momenta(0.1 * np.random.default_rng(0).normal(size=(3, 3)))
    energies = []
    run = VelocityVerlet(atoms, timestep=0.1 * units.fs)
    run.attach(lambda: energies.append(atoms.get_total_energy()))
    run.run(20)
    kinetic = atoms.get_kinetic_energy()
    assert np.ptp(energies) < 1e-3 * max(1.0, kinetic)


def test_what_no_molecule_is_gets_one_line(atoms: Atoms) -> None:
    calc = qhw.calculator(random_field(0))

    def refused(given: Atoms, words: str) -> None:
        given.calc = calc
        with pytest.raises(ValueError, match=words) as caught:
            given.get_potential_energy()
        assert "\n" not in str(caught.value)

    refused(Atoms("OHH", atoms.positions, cell=[9, 9, 9], pbc=[True, False, False]), "periodic")
    refused(Atoms("NHH", atoms.positions), "1, 6, 8, but atom 1 of frame 1 has 7")
    refused(Atoms("OHH", [[0, 0, 0], [0.2, 0, 0], [1, 1, 0]]), "0.3 Å apart")
    refused(Atoms("OHH", [[0, 0, 0], [np.nan, 0, 0], [1, 1, 0]]), "finite")


def test_a_stored_model_is_the_same(tmp_path: Path) -> None:
    field = random_field(4)
    save(field, tmp_path / "field.safetensors", name="field")
    frames = clusters(1, 4)
    atoms = Atoms(frames.numbers[0], frames.positions[0])
    atoms.calc = qhw.calculator(tmp_path / "field.json")
    energy, forces = field.energy_and_forces(frames)
    assert atoms.get_potential_energy() == pytest.approx(energy[0], abs=1e-10)
    assert np.allclose(atoms.get_forces(), forces[0], atol=1e-10)


def test_other_models_are_refused() -> None:
    with pytest.raises(ValueError, match="'nisq-chain5' is of kind nisq"):
        qhw.calculator("nisq-chain5")
