"""Molecules with every atom: distances of geometries, valencies, relaxation, shares."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from numpy.typing import NDArray
from rdkit import Chem
from scipy.stats import wasserstein_distance

from qhw.analysis.scores.molecules import wilson
from qhw.analysis.whole.distances import (
    distances_to,
    internal_coordinates,
    weighted_distance,
)
from qhw.analysis.whole.mmd import AT_MOST, bond_length_mmd, squared_mmd
from qhw.analysis.whole.plausible import bust
from qhw.analysis.whole.relax import relax
from qhw.analysis.whole.report import Measures, judge_whole, shares_of
from qhw.analysis.whole.subject import of_geometries, of_heavy
from qhw.chem.edm import EDMJudgement, judge_edm
from qhw.chem.geometries import Geometries
from qhw.chem.hydrogens import heavy_part
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.valency import judge_valency, perceived
from qhw.chem.whole_sdf import whole_rdkit
from tests.chem.molecules import molecule
from tests.chem.test_edm import embedded, joined, linear, methane


def test_every_angle_of_methane_is_the_tetrahedral_one() -> None:
    found = internal_coordinates(methane(1.09))
    np.testing.assert_allclose(found["bond length"]["value"], [1.09] * 4)
    np.testing.assert_allclose(found["angle"]["value"], [np.degrees(np.arccos(-1 / 3))] * 6)
    assert set(found["bond length"]["type"]) == {"H-C"} and set(found["angle"]["type"]) == {"C"}
    assert found["dihedral"].empty


@pytest.mark.parametrize("angle", [0.0, 37.0, 111.0, 180.0, -75.0])
def test_a_dihedral_is_the_turn_between_two_planes(angle: float) -> None:
    """Hydrogen peroxide; both mirror images have the same."""
    turn = np.radians(angle)
    places = [[0.95, 0, 0], [0, 0, 0], [0, 0, 1.45]]
    places.append([0.95 * np.cos(turn), 0.95 * np.sin(turn), 1.45])
    peroxide = Geometries(np.array([[1, 8, 8, 1]]), np.array([places]))
    found = internal_coordinates(peroxide)
    assert found["dihedral"]["type"].tolist() == ["O-O"]
    assert found["dihedral"]["value"].tolist() == pytest.approx([abs(angle)], abs=1e-9)
    assert found["angle"]["value"].tolist() == pytest.approx([90.0, 90.0])


def test_distances_are_wassersteins_by_type() -> None:
    """Between two points it is their distance; types weigh as the reference has them."""
    reference = joined(methane(1.09), linear([1, 8], [0.0, 0.96]))
    sample = joined(methane(1.12), linear([1, 8], [0.0, 0.90]))
    (bonds, angles, dihedrals), _ = distances_to(sample, reference)
    assert bonds.value == pytest.approx((4 * 0.03 + 1 * 0.06) / 5)
    assert angles.value == pytest.approx(0.0, abs=1e-6)
    assert dihedrals.value is None and dihedrals.values == 0
    assert (bonds.covered, bonds.strange) == (1.0, 0.0)
    alone = distances_to(linear([9, 9], [0.0, 1.4]), reference)[0][0]
    assert (alone.value, alone.covered, alone.strange) == (None, 0.0, 1.0)
    half = distances_to(linear([1, 8], [0.0, 0.90]), reference)[0][0]
    assert half.value == pytest.approx(0.06) and half.covered == pytest.approx(0.2)


def test_the_discrepancy_of_two_points_has_a_closed_form() -> None:
    """Each sample is one point k times: 5 within each, five Gaussians across."""
    k, apart = 3, 0.2
    mean = 2 * k**2 * apart**2 / ((2 * k) ** 2 - 2 * k)
    across = sum(np.exp(-(apart**2) / (width * mean)) for width in (0.25, 0.5, 1, 2, 4))
    found = squared_mmd(np.full(k, 1.4), np.full(k, 1.4 + apart))
    assert found == pytest.approx(10 - 2 * across)


def test_the_discrepancy_is_that_of_loops_and_of_thinned_samples() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(1.5, 0.1, 7), rng.normal(1.4, 0.2, 5)
    both = [*x, *y]
    mean = sum((a - b) ** 2 for a in both for b in both) / (12 * 11)

    def kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        widths = (mean / 4, mean / 2, mean, 2 * mean, 4 * mean)
        return float(
            np.mean([[sum(np.exp(-((p - q) ** 2) / w) for w in widths) for q in b] for p in a])
        )

    assert squared_mmd(x, y) == pytest.approx(kernel(x, x) + kernel(y, y) - 2 * kernel(x, y))
    many = np.repeat(x, 3 * AT_MOST)
    assert squared_mmd(many, many) == pytest.approx(0.0, abs=1e-12) and squared_mmd(many, y) > 0.1


def test_bonds_of_heavy_atoms_are_compared_most_frequent_first() -> None:
    reference = {"H-C": np.full(90, 1.1), "C-C": np.array([1.5, 1.6]), "C=O": np.array([1.2])}
    found = bond_length_mmd({"C-C": np.array([1.5, 1.6])}, reference, (reference, reference))
    assert dict(found.by_type) == {"C-C": 0.0} and (found.mean, found.floor) == (0.0, 0.0)
    assert found.types == 2
    nothing = bond_length_mmd({"H-C": np.full(3, 1.1)}, reference, (reference, reference))
    assert nothing.mean is None and not nothing.by_type


def test_wasserstein_of_uniform_samples_is_the_shift() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(size=500)
    found = weighted_distance({"a": values + 0.3}, {"a": values})
    assert found == pytest.approx(0.3) and weighted_distance({}, {"a": values}) is None
    # of two normals of one centre: E|z| times the difference of their spreads
    grid = np.linspace(1e-4, 1 - 1e-4, 4001)
    from scipy.special import ndtri

    apart = wasserstein_distance(ndtri(grid), 2 * ndtri(grid))
    assert apart == pytest.approx(np.sqrt(2 / np.pi), rel=2e-3)


@pytest.mark.parametrize(
    ("smiles", "stable"),
    [
        ("c1ccccc1", True),
        ("c1cc[nH]c1", True),
        ("C[N+](C)(C)C", True),
        ("CC(=O)[O-]", True),
        ("C[N+](=O)[O-]", True),
        ("CS(=O)(=O)C", True),
        ("C[S-]", True),
        ("[CH3]", False),
        ("[CH2]", False),
        ("C[Se]C", False),  # not in the table
    ],
)
@pytest.mark.parametrize("aromatic", [True, False])
def test_valencies_know_charges_and_aromatic_bonds(
    smiles: str, stable: bool, aromatic: bool
) -> None:
    whole = Chem.AddHs(Chem.MolFromSmiles(smiles))
    if not aromatic:
        Chem.Kekulize(whole, clearAromaticFlags=True)
    found = judge_valency([whole], stated=True)
    assert found.stable.tolist() == [stable]
    assert found.counts["stable / all"] == (int(stable), 1)


def test_bonds_of_a_geometry_have_charges_where_it_needs_them() -> None:
    """EDM's rule has no charges: nitromethane and benzene fail there and pass here."""
    whole = embedded("C[N+](=O)[O-]", "c1ccccc1", "CCO")
    found = judge_valency(list(whole_rdkit(whole)), stated=False)
    assert found.stable.all() and found.valid.all() and found.connected.all()
    assert not judge_edm(whole).stable[0]
    charges = [a.GetFormalCharge() for a in perceived(next(whole_rdkit(whole))).GetAtoms()]  # type: ignore[union-attr]
    assert sorted(charges)[0] == -1 and sum(charges) == 0
    broken = Geometries(whole.numbers, whole.positions * 3)
    found = judge_valency(list(whole_rdkit(broken)), stated=False)
    assert not (found.valid & found.connected).any() and not found.stable.any()


def test_heavy_atoms_get_their_hydrogens_and_lose_them_again() -> None:
    heavy = molecule("CCO", [[0, 0, 0], [1.51, 0, 0], [2.0, 1.34, 0]])
    subject = of_heavy("ethanol", heavy)
    found = judge_edm(subject.whole)
    assert found.stable[0] and found.connected[0]
    assert Chem.CanonSmiles(str(found.smiles[0])) == "CCO"
    assert subject.hydrogens.startswith("RDKit's AddHs")
    back = heavy_part(subject.whole)
    np.testing.assert_array_equal(back.types, heavy.types)
    np.testing.assert_allclose(back.positions, heavy.positions)
    crowded = molecule("CCCCCC", [[0, 0, 0], *(1.5 * np.vstack([np.eye(3), -np.eye(3)[:2]]))])
    assert not judge_edm(of_heavy("five neighbours", crowded).whole).stable[0]
    assert len(of_heavy("empty", MoleculeBatch(heavy.types[:0], heavy.positions[:0]))) == 0
    with pytest.raises(ValueError, match=r"molecule 1 has Cl \(atom 2\)"):
        heavy_part(linear([6, 17], [0, 1.77]))


def test_the_interval_of_stable_atoms_is_that_over_molecules() -> None:
    """Molecules that are all right or all wrong are as many trials as there are molecules."""
    atoms = np.full(40, 20)
    good = np.arange(40) < 30
    found = EDMJudgement(atoms, np.where(good, atoms, 0), good, ("C",) * 40)
    shares = shares_of(found)
    assert shares["stable atoms / atoms"].interval == wilson(30, 40)
    assert shares["stable / all"].interval == wilson(30, 40)
    assert shares["unique / valid"].interval is None
    every = EDMJudgement(atoms, atoms, good, ("C",) * 40)
    assert shares_of(every)["stable atoms / atoms"].interval == wilson(40, 40)


def test_everything_at_once_and_as_json() -> None:
    whole = embedded("CCO", "CC", "CCN")
    found = judge_whole(of_geometries("three", whole), Measures(reference=("themselves", whole)))
    document = found.to_dict()
    assert document["samples"] == 3 and document["relaxation"] is None
    assert document["edm"]["valid / all"]["of"] == 3  # type: ignore[index]
    assert [one.value for one in found.distances] == [0.0, 0.0, 0.0]
    assert found.likeness["QED"][1] == 3


def test_relaxing_brings_a_molecule_home() -> None:
    """A stretched hydrogen molecule loses what stretching cost, and a relaxed one nothing."""
    pytest.importorskip("tblite", reason="tblite is not installed: pip install 'qhw[xtb]'")
    stretched = linear([1, 1], [0.0, 1.0])
    found = relax(list(whole_rdkit(stretched)))
    assert found.converged == 1 and found.energies[0] > 10
    assert found.moved[0] == pytest.approx((1.0 - 0.777) / 2, abs=0.005)
    home = linear([1, 1], [0.0, 1.0 - 2 * float(found.moved[0])])
    again = relax(list(whole_rdkit(home)))
    assert again.energies[0] == pytest.approx(0.0, abs=1e-3)
    assert relax([]).summary()["rmsd_angstrom_mean"] is None


def test_posebusters_pass_what_is_good_and_not_what_is_broken() -> None:
    if find_spec("posebusters") is None:
        pytest.skip("posebusters is not installed: pip install 'qhw[posebusters]'")
    benzene = perceived(next(whole_rdkit(embedded("c1ccccc1"))))
    bent = Chem.Mol(benzene)
    place = bent.GetConformer().GetAtomPosition(0)
    place.z += 1.2
    bent.GetConformer().SetAtomPosition(0, place)
    found = bust([benzene, bent], stated=True)
    assert (found.tried, found.passed) == (2, 1)
    assert found.checks["sanitization"] == 2 and found.checks["aromatic_ring_flatness"] == 1
