import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from qhw.chem.molecule import MoleculeBatch
from qhw.chem.qm9 import sample_molecules
from qhw.chem.rmsd import kabsch_rmsd
from tests.chem.molecules import batches, joined, molecule, moved, ring


@given(batch=batches(), seed=st.integers(0, 2**31))
def test_moving_a_molecule_leaves_no_aligned_distance(batch: MoleculeBatch, seed: int) -> None:
    np.testing.assert_allclose(kabsch_rmsd(batch, moved(batch, seed)), 0.0, atol=1e-6)


def test_closed_form_two_atoms() -> None:
    """Bond lengths 1 and 1.6: each atom is off by 0.3 after alignment."""
    short = molecule("CC", [[0, 0, 0], [1, 0, 0]])
    longer = molecule("CC", [[0, 0, 0], [0, 1.6, 0]])
    assert kabsch_rmsd(short, longer)[0] == pytest.approx(0.3)
    assert kabsch_rmsd(short, longer, align=False)[0] == pytest.approx(np.sqrt(3.56 / 2))


def test_raw_distance_of_a_shift() -> None:
    benzene = ring("CCCCCC", 1.39)
    shifted = MoleculeBatch(
        benzene.types,
        np.where((benzene.types >= 0)[..., None], benzene.positions + np.array([0.3, 0.4, 0]), 0.0),
    )
    assert kabsch_rmsd(benzene, shifted, align=False)[0] == pytest.approx(0.5)
    assert kabsch_rmsd(benzene, shifted)[0] == pytest.approx(0.0, abs=1e-9)


def test_against_scipy() -> None:
    first = sample_molecules().molecules[:40]
    noise = np.random.default_rng(0).normal(scale=0.5, size=first.positions.shape)
    second = moved(
        MoleculeBatch(first.types, first.positions + noise * (first.types >= 0)[..., None]), 5
    )
    ours = kabsch_rmsd(first, second)
    for value, (_, a), (_, b) in zip(ours, first, second, strict=True):
        _, rssd = Rotation.align_vectors(a - a.mean(axis=0), b - b.mean(axis=0))
        assert value == pytest.approx(rssd / np.sqrt(len(a)), rel=1e-6)


def test_mirror_image_is_not_superposed() -> None:
    left = molecule("CNOF", [[0, 0, 0], [1.4, 0, 0], [0, 1.4, 0], [0, 0, 1.4]])
    right = MoleculeBatch(left.types, left.positions * [1, 1, -1])
    assert kabsch_rmsd(left, right)[0] > 0.3


def test_different_counts_are_not_a_number() -> None:
    benzene = ring("CCCCCC", 1.39)
    first = joined(benzene, molecule("", []))
    second = joined(ring("CCCCC", 1.39), molecule("", []))
    assert np.isnan(kabsch_rmsd(first, second)).all()
    with pytest.raises(ValueError, match="shape of `first`"):
        kabsch_rmsd(first, benzene)
