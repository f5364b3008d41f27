from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import qhw
from qhw.analysis.force.compare import device_reading
from qhw.analysis.force.device import FieldOnDevice, SimulatedReader
from qhw.analysis.force.rows import force_rows
from qhw.analysis.force.shot_plan import (
    Precision,
    deviation_of_one_shot,
    parse_precision,
    shots_without_noise,
)
from qhw.analysis.scores.molecules import wilson
from qhw.api.devices import device
from qhw.api.force_fields import force_field
from qhw.chem.geometries import Geometries
from tests.forces.molecules import clusters, random_field, waters

ase = pytest.importorskip("ase")
from ase import Atoms  # noqa: E402
from ase.io import read, write  # noqa: E402


@pytest.fixture
def atoms() -> Atoms:
    return Atoms("OHH", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])


def _exact(field, rule="shift"):
    backend = device("exact").backend
    return FieldOnDevice(field, SimulatedReader(backend, "none", 0), None, rule)


@pytest.mark.parametrize(
    ("form", "phases"), [("pure", "environment"), ("hybrid", "environment"), ("hybrid", "species")]
)
def test_shifted_circuits_read_exactly_give_autograds_forces(form: str, phases: str) -> None:
    field, frames = random_field(1, form=form, phases=phases), clusters(2, 1, atoms=4)
    energies, forces = field.energy_and_forces(frames)
    found = _exact(field).evaluate(frames, forces=True)
    assert np.abs(found.energies - energies).max() < 1e-8
    assert np.abs(found.forces - forces).max() < 1e-8
    assert not found.energy_error.any() and not found.forces_error.any()


def test_moved_atoms_give_them_up_to_the_step() -> None:
    field, frames = random_field(1), clusters(2, 1, atoms=3)
    _, forces = field.energy_and_forces(frames)
    found = _exact(field, "finite").evaluate(frames, forces=True)
    assert 1e-8 < np.abs(found.forces - forces).max() < 1e-2 * np.abs(forces).max()


@pytest.mark.parametrize("mitigation", ["none", "readout"])
def test_error_bars_are_true(mitigation: str) -> None:
    """Deviations by error bars have mean square one; forces of one read-out fit are correlated."""
    field, frames = random_field(3), waters(1)
    rows = force_rows(field, frames, "shift")
    reader = SimulatedReader(device("engine:ibm_fez").backend, mitigation, 0)
    runs = [reader(rows, 2000, seed) for seed in range(12)]
    got = [rows.combined(run.values.values) for run in runs]
    bars = [rows.errors(run.values) for run in runs]
    for part in (0, 1):
        values = np.array([one[part] for one in got])
        error = np.sqrt(np.mean([one[part] ** 2 for one in bars], axis=0))
        ratio = np.sqrt(np.mean(values.var(axis=0, ddof=1) / error**2))
        assert 0.75 < ratio < 1.3


def test_planned_shots_are_what_the_error_takes() -> None:
    field, frames = random_field(5), waters(1)
    rows = force_rows(field, frames, "shift")
    assert rows.errors(deviation_of_one_shot(field, rows))[0] == pytest.approx(
        np.sqrt(field.shot_variance(frames)), rel=1e-10
    )
    circuit = field.config.head.circuit
    chance = circuit.probabilities(torch.from_numpy(rows.work.angles)).numpy()
    outcomes = (rows.outcomes @ circuit.signs.T)[rows.column]
    exact = rows.combined((chance * outcomes).sum(axis=1))
    rng = np.random.default_rng(0)
    for part, wanted in ((0, Precision(energy=0.2)), (1, Precision(force=0.4))):
        shots = shots_without_noise(field, rows, wanted)
        seen = rng.multinomial(
            shots, chance / chance.sum(axis=1, keepdims=True), (3000, len(chance))
        )
        values = (seen * outcomes).sum(axis=2) / shots
        off = np.array([rows.combined(one)[part] - exact[part] for one in values])
        goal = wanted.energy or wanted.force
        # variance falls as one by shots: this is the share of the shots that it takes
        assert np.mean(off**2) / goal**2 == pytest.approx(1.0, abs=0.1)


def test_the_shipped_hybrids_forces_take_few_shots() -> None:
    """A shifted circuit of ethanol takes at most 100 shots for 65 meV/Å; measured, 4."""
    from ase.build import molecule

    ethanol = molecule("CH3CH2OH")
    moved = 0.05 * np.random.default_rng(0).normal(size=(1, len(ethanol), 3))
    frames = Geometries(ethanol.numbers[None], ethanol.positions + moved)
    field = force_field("ethanol")
    rows = force_rows(field, frames, "shift")
    assert 1 <= shots_without_noise(field, rows, Precision(force=0.065)) <= 10


def test_words_of_a_precision() -> None:
    assert parse_precision("1kcal/mol").energy == pytest.approx(0.0433641)
    assert parse_precision("5 meV, 0.065 eV/Å") == Precision(0.005, 0.065)
    for text in ("1", "0meV", "1kcal", "1meV,2meV", "-1meV", "1 meV/B", ""):
        with pytest.raises(ValueError, match="Argument `precision`"):
            parse_precision(text)


def test_a_calculator_on_a_device_has_error_bars(atoms: Atoms, tmp_path) -> None:
    field = random_field(0)
    atoms.calc = qhw.calculator(field, "engine:ibm_fez", shots="1k", mitigation="readout", seed=3)
    energy = atoms.get_potential_energy()
    assert "forces" not in atoms.calc.results
    forces = atoms.get_forces()
    assert atoms.get_potential_energy() == energy
    results = atoms.calc.results
    assert results["energy_error"] > 0 and results["forces_error"].shape == (3, 3)
    again = atoms.copy()
    again.calc = qhw.calculator(field, "engine:ibm_fez", shots=1000, mitigation="readout", seed=3)
    assert np.array_equal(again.get_forces(), forces)
    write(tmp_path / "a.xyz", atoms)
    assert np.allclose(read(tmp_path / "a.xyz").get_forces(), forces, atol=1e-6)


def test_a_wanted_precision_is_met_on_a_noisy_device(atoms: Atoms) -> None:
    for words, name in (("0.1eV", "energy_error"), ("500meV/A", "forces_error")):
        atoms.calc = qhw.calculator(
            random_field(0), "engine:ibm_fez", precision=words, mitigation="readout"
        )
        atoms.get_forces()
        wanted = 0.1 if name == "energy_error" else 0.5
        found = np.sqrt(np.mean(np.square(atoms.calc.results[name])))
        assert found == pytest.approx(wanted, rel=0.1)


def test_a_rehearsal_goes_through_the_ledger(atoms: Atoms, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("QHW_DATA", str(tmp_path))
    field = random_field(0)
    atoms.calc = qhw.calculator(field, "emulator:ibm_fez", shots=2000)
    off = atoms.get_potential_energy() - field.energy_and_forces(_frame(atoms))[0][0]
    assert abs(off) < 3.0 and atoms.calc.results["energy_error"] > 0


def _frame(atoms: Atoms):
    return Geometries.of_atoms([atoms])


def test_what_cannot_run_is_refused_in_one_line() -> None:
    field = random_field(0)
    for device_name, more, words in (
        ("ibm:ibm_fez", {"shots": 10}, "must cost nothing"),
        ("engine:ibm_fez", {}, "`shots` must be given on engine:ibm_fez"),
        ("exact", {"shots": 10, "precision": "1meV"}, "must be left out where"),
        ("exact", {"forces": "guess"}, 'must be "shift"'),
        (None, {"shots": 10}, "`device` must be given"),
    ):
        with pytest.raises(ValueError, match=words) as caught:
            qhw.calculator(field, device_name, **more)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="must have a circuit"):
        qhw.calculator(random_field(0, "mlp"), "exact")


def test_a_field_of_spins_is_refused_on_a_device() -> None:
    with pytest.raises(ValueError, match=r"must be of kind force-field .*, but is of kind siqnn"):
        qhw.calculator("siqnn-h2o", "exact")


def test_bars_cover_what_was_measured_only() -> None:
    """Water lies in a plane: forces out of it are zero but for rounding, whatever is measured."""
    field = random_field(3)
    flat = np.array([[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93 + more, 0]] for more in (0, 0.05)])
    frames = Geometries(np.tile([8, 1, 1], (2, 1)), flat)
    exact = field.energy_and_forces(frames)
    labelled = replace(frames, energies=exact[0], forces=exact[1])
    found = _exact(field).evaluate(frames, forces=True)
    read = device_reading("raw", labelled, exact, found, 0)
    assert read.energies_covered is None and read.forces_covered is None
    bars = np.where(np.abs(exact[1]) < 1e-9, 1e-13, 1.0)
    assert (bars < 1e-9).sum() == 6
    off = np.where(bars < 1e-9, 3e-13, 0.5)
    measured = replace(
        found, forces=exact[1] + off, forces_error=bars, energy_error=np.full(2, 0.1)
    )
    read = device_reading("raw", labelled, exact, measured, 0)
    assert read.forces_covered.value == read.energies_covered.value == 1.0
    assert read.forces_covered == wilson(int((bars == 1).sum()), int((bars == 1).sum()))
