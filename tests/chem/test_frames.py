import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhw.chem.bonds import distances
from qhw.chem.frames import FRAMES, FrameName, frame_rotations, to_frame
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.qm9 import sample_molecules
from tests.chem.molecules import batches, joined, molecule, moved, ring


@pytest.mark.parametrize("frame", FRAMES)
@given(batch=batches())
def test_proper_rotations_that_keep_distances(frame: FrameName, batch: MoleculeBatch) -> None:
    rotations = frame_rotations(batch, frame)
    np.testing.assert_allclose(np.linalg.det(rotations), 1.0, atol=1e-12)
    identity = np.broadcast_to(np.eye(3), rotations.shape)
    np.testing.assert_allclose(rotations @ rotations.transpose(0, 2, 1), identity, atol=1e-12)
    framed = to_frame(batch, frame)
    np.testing.assert_allclose(distances(framed), distances(batch), atol=1e-9)
    np.testing.assert_allclose(framed.positions.sum(axis=1), 0.0, atol=1e-9)
    assert (framed.positions[batch.types < 0] == 0).all()


@given(seed=st.integers(0, 2**31))
def test_paper_frame_puts_atom_0_on_plus_z(seed: int) -> None:
    framed = to_frame(moved(sample_molecules().molecules[:20], seed), "paper")
    first = framed.positions[:, 0]
    np.testing.assert_allclose(first[:, :2], 0.0, atol=1e-9)
    assert (first[:, 2] >= 0).all()


@given(seed=st.integers(0, 2**31))
def test_fixed_frame_does_not_depend_on_placement(seed: int) -> None:
    batch = sample_molecules().molecules[:200]
    reference = to_frame(batch, "fixed").positions
    np.testing.assert_allclose(
        to_frame(moved(batch, seed), "fixed").positions, reference, atol=1e-8
    )


def test_paper_frame_leaves_the_azimuth_free() -> None:
    batch = sample_molecules().molecules[:50]
    again = to_frame(moved(batch, 3), "paper").positions
    assert np.abs(again - to_frame(batch, "paper").positions).max() > 0.5


SPECIAL = {
    "linear": molecule("NCCN", [[0, 0, -2.6], [0, 0, -1.4], [0, 0, 0], [0, 0, 1.2]]),
    "planar": ring("CCCCCN", 1.39),
    "centre first": molecule("CFF", [[0, 0, 0], [1.3, 0, 0], [-1.3, 0, 0]]),
    "tetrahedral, centre first": molecule(
        "CCCCC", [[0, 0, 0], [1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]
    ),
    "nearly linear": molecule("CCC", [[0, 0, 0], [0, 1e-3, 1.3], [0, 0, 2.6]]),
    "one atom": molecule("O", [[1, 2, 3]]),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_fixed_frame_of_special_shapes(name: str) -> None:
    batch = SPECIAL[name]
    reference = to_frame(batch, "fixed").positions
    assert np.isfinite(reference).all()
    for seed in range(5):
        np.testing.assert_allclose(
            to_frame(moved(batch, seed), "fixed").positions, reference, atol=1e-7
        )


def test_mirror_images_stay_apart() -> None:
    left = molecule("CNOF", [[0, 0, 0], [1.4, 0, 0], [0, 1.4, 0], [0, 0, 1.4]])
    right = MoleculeBatch(left.types, left.positions * np.array([1, 1, -1]))
    framed = to_frame(joined(left, right), "fixed").positions
    np.testing.assert_allclose(framed[0] * [1, -1, 1], framed[1], atol=1e-12)
    assert np.abs(framed[0] - framed[1]).max() > 0.5


def test_unknown_frame() -> None:
    with pytest.raises(ValueError, match="`frame` must be one of paper, fixed"):
        to_frame(SPECIAL["planar"], "lab")  # type: ignore[arg-type]
