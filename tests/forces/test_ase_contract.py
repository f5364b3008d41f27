"""What ASE's own tests ask of calculators: units, caching, changed atoms, slopes, trajectories.

``ase.test.calculator.test_h2_bond_force`` fits a force constant twice; those of trajectories,
``calculation_required`` and unknown properties are restated here for molecules in free space, as
ASE's have periodic cells, which are refused.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import qhw
from tests.forces.molecules import random_field

ase = pytest.importorskip("ase")
from ase import Atoms, units  # noqa: E402
from ase.build import molecule  # noqa: E402
from ase.calculators.calculator import (  # noqa: E402
    Calculator,
    PropertyNotImplementedError,
    all_changes,
)
from ase.calculators.fd import calculate_numerical_forces  # noqa: E402
from ase.io import read, write  # noqa: E402

MAKERS: dict[str, Callable[[], Calculator]] = {
    "torch": lambda: qhw.calculator("ethanol"),
    "circuits": lambda: qhw.calculator(random_field(0), "exact"),
}


@pytest.fixture(params=["torch", pytest.param("circuits", marks=pytest.mark.slow)])
def atoms(request: pytest.FixtureRequest) -> Atoms:
    found = molecule("CH3CH2OH") if request.param == "torch" else molecule("H2O")
    found.calc = MAKERS[request.param]()
    return found


def test_nothing_is_required_twice_and_a_file_keeps_it(atoms: Atoms, tmp_path: Path) -> None:
    """``ase.test.calculator.test_traj``."""
    assert atoms.calc.calculation_required(atoms, ["energy"])
    energy = atoms.get_potential_energy()
    assert not atoms.calc.calculation_required(atoms, ["energy"])
    forces = atoms.get_forces()
    assert not atoms.calc.calculation_required(atoms, ["energy", "forces"])
    for name in ("a.traj", "a.xyz"):
        write(tmp_path / name, atoms)
        again = read(tmp_path / name)
        assert abs(energy - again.get_potential_energy()) < 1e-8 * abs(energy)
        assert np.abs(forces - again.get_forces()).max() < 1e-7


def test_only_what_changes_a_molecule_counts_as_a_change(atoms: Atoms) -> None:
    before = atoms.get_potential_energy()
    calc = atoms.calc
    assert calc.check_state(atoms) == []
    assert set(calc.check_state(molecule("CO2"))) <= set(all_changes)
    atoms.positions[0, 0] += 0.05
    assert calc.check_state(atoms) == ["positions"]
    assert calc.get_property("energy", atoms, allow_calculation=False) is None
    assert atoms.get_potential_energy() != before
    other = atoms.copy()
    other.positions += 1.0
    other.calc = calc  # shared by two molecules
    assert other.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=1e-8)
    calc.reset()
    assert calc.calculation_required(atoms, ["energy"])


def test_what_it_has_not_is_said_as_ase_says_it(atoms: Atoms) -> None:
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_stress()
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_dipole_moment()
    assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()


def test_a_copy_of_the_calculator_is_one_of_its_own(atoms: Atoms) -> None:
    energy = atoms.get_potential_energy()
    twin = atoms.copy()
    twin.calc = copy.deepcopy(atoms.calc)
    twin.positions[0, 0] += 0.1
    assert twin.get_potential_energy() != energy == atoms.get_potential_energy()


def test_units_are_ev_and_angstrom() -> None:
    """Force constant of ethanol's O-H from energies and from forces, as ASE does for H2."""
    atoms = molecule("CH3CH2OH")
    atoms.calc = qhw.calculator("ethanol")
    oxygen = int(np.flatnonzero(atoms.numbers == 8)[0])
    near = min(np.flatnonzero(atoms.numbers == 1), key=lambda i: atoms.get_distance(oxygen, i))
    along = atoms.get_distance(oxygen, near, vector=True)
    length = np.linalg.norm(along)
    steps = np.linspace(-0.04, 0.04, 5)
    energies, pulls, start = [], [], atoms.positions[near].copy()
    for step in steps:
        atoms.positions[near] = start + step * along / length
        energies.append(atoms.get_potential_energy())
        pulls.append(atoms.get_forces()[near] @ along / length)
    by_energy = 2 * np.polyfit(steps, energies, 2)[0]
    by_force = -np.polyfit(steps, pulls, 1)[0]
    assert by_energy == pytest.approx(by_force, rel=0.02)
    wave = np.sqrt(by_force * units._e * 1e20 / (0.948 * units._amu)) / (2e2 * np.pi * units._c)
    assert 3400 < wave < 4100  # cm^-1, an O-H stretch
    slope = calculate_numerical_forces(atoms, eps=1e-4, iatoms=[int(near)])
    assert np.abs(slope - atoms.get_forces()[[near]]).max() < 1e-5
