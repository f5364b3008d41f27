from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import qhw
from qhw.cli.app import app

ase = pytest.importorskip("ase")
from ase import Atoms, units  # noqa: E402
from ase.build import molecule  # noqa: E402
from ase.calculators.lj import LennardJones  # noqa: E402
from ase.calculators.morse import MorsePotential  # noqa: E402
from ase.io import read, write  # noqa: E402

from qhw.forces import scans  # noqa: E402
from qhw.forces.dynamics import dynamics  # noqa: E402
from qhw.forces.scans import scan, vibrations  # noqa: E402

DEPTH, WIDTH, LENGTH = 4.0, 6.0, 1.3


def test_a_morse_oscillator_has_its_wave_number() -> None:
    """k = 2 D a^2, omega = sqrt(k / mu)."""
    atoms = Atoms("Ar2", [[0, 0, 0], [1.31, 0, 0]])
    (found,) = vibrations(atoms, MorsePotential(epsilon=DEPTH, rho0=WIDTH, r0=LENGTH))
    stiff = 2 * DEPTH * (WIDTH / LENGTH) ** 2
    wanted = np.sqrt(stiff / (atoms.get_masses()[0] / 2)) * units._hbar * 1e10
    wanted *= np.sqrt(units._e / units._amu) / units._e / units.invcm
    assert found == pytest.approx(wanted, rel=2e-3)  # steps of 0.01 Å


@pytest.mark.slow
def test_vibrations_of_water_are_near_the_labels_harmonic_ones() -> None:
    """The shipped set's card has PySCF's, MP2/aug-cc-pVDZ, as its forces are."""
    card = json.loads((files("qhw") / "data" / "geometries" / "h2o.json").read_text())
    found = vibrations(molecule("H2O"), qhw.calculator("siqnn-h2o"))
    off = found / np.array(card["harmonic_wavenumbers"]) - 1
    assert np.abs(off).max() < 0.05, found


def test_a_scan_moves_what_hangs_on_the_bond(tmp_path: Path) -> None:
    atoms = molecule("CH3CH2OH")
    oxygen = int(np.flatnonzero(atoms.numbers == 8)[0])
    near = np.argsort(atoms.get_distances(oxygen, range(len(atoms))))
    hydrogen, carbon = (int(next(i for i in near[1:] if atoms.numbers[i] == z)) for z in (1, 6))
    other = int(next(i for i in np.flatnonzero(atoms.numbers == 6) if i != carbon))
    values = np.linspace(0, 180, 4)
    places = [other, carbon, oxygen, hydrogen]
    found = scan(atoms, LennardJones(), places, values, tmp_path / "s.xyz")
    frames = read(tmp_path / "s.xyz", ":")
    rest = [i for i in range(len(atoms)) if i != hydrogen]
    for frame, value, energy in zip(frames, values, found.energies, strict=True):
        assert frame.get_dihedral(*places) == pytest.approx(value, abs=1e-4)
        assert np.allclose(frame.positions[rest], atoms.positions[rest], atol=1e-7)
        assert frame.get_potential_energy() == pytest.approx(energy, abs=1e-6)
    scan(atoms, LennardJones(), [carbon, oxygen], np.array([1.6]), tmp_path / "s.xyz")
    moved = read(tmp_path / "s.xyz")
    assert moved.get_distance(carbon, oxygen) == pytest.approx(1.6)
    assert moved.get_distance(oxygen, hydrogen) == pytest.approx(
        atoms.get_distance(oxygen, hydrogen)
    )


def test_the_command_prints_a_torsion(tmp_path: Path) -> None:
    write(tmp_path / "a.xyz", molecule("CH3CH2OH"))
    words = ["force-field", "scan", "ethanol", str(tmp_path / "a.xyz"), "--atoms", "1,2,3,4"]
    words += ["--from", "60", "--to", "180", "--points", "3", "--out", str(tmp_path / "s.xyz")]
    told = CliRunner().invoke(app, [*words, "--json"])
    assert told.exit_code == 0, told.output
    energies = np.array(json.loads(told.stdout)["energies"])
    assert np.ptp(energies) < 0.5 and np.ptp(energies) > 0.005


def test_what_cannot_be_scanned_is_one_line(tmp_path: Path) -> None:
    ring = molecule("C6H6")
    for places, words in (([0, 1], "in no ring"), ([0], "2 or 4"), ([0, 99], "from 0 to 11")):
        with pytest.raises(ValueError, match=words) as caught:
            scan(ring, LennardJones(), places, np.array([1.0]), tmp_path / "s.xyz")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.9, 0.2], "atoms 1 and 2 of frame 2 are 0.200 Å apart"),
        ([-1.2, -0.9], "distances above 0, but are -1.2 to -0.9"),
        ([0.9, float("nan")], "must be finite"),
    ],
)
def test_a_bad_distance_is_told_before_anything_runs(
    tmp_path: Path, values: list[float], words: str
) -> None:
    (tmp_path / "s.xyz").write_text("measured before")
    pair, calculator = Atoms("Ar2", [[0, 0, 0], [1.3, 0, 0]]), LennardJones()
    with pytest.raises(ValueError, match=words):
        scan(pair, calculator, [0, 1], np.array(values), tmp_path / "s.xyz")
    assert (tmp_path / "s.xyz").read_text() == "measured before" and not calculator.results


def test_vibrations_away_from_a_minimum_are_refused() -> None:
    apart = Atoms("Ar2", [[0, 0, 0], [1.31, 0, 0]])
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(
            ValueError, match=r"near a minimum, but after 1 steps .* force is [1-9.]+ eV"
        ),
    ):
        patch.setattr(scans, "_STEPS", 1)
        vibrations(apart, MorsePotential(epsilon=DEPTH, rho0=WIDTH, r0=LENGTH))


def test_distances_along_a_trajectory_are_counted(tmp_path: Path) -> None:
    atoms = Atoms("Ar3", [[0, 0, 0], [1.12, 0, 0], [0.56, 0.97, 0]])
    found = dynamics(atoms, LennardJones(rc=50), tmp_path / "a.xyz", steps=5, temperature=50)
    middle, pairs = found.radial_distribution(50)
    assert pairs.sum() * (middle[1] - middle[0]) == pytest.approx(3)
    assert abs((middle * pairs).sum() / pairs.sum() - 1.12) < 0.05
