import numpy as np
import pytest
from hypothesis import given

from qhw.chem.encoding import (
    LAYOUTS,
    N_AMPLITUDES,
    RELEASED_BOX,
    RELEASED_DECODE,
    BoundingBox,
    DecodeOptions,
    Layout,
    decode,
    encode,
    inside,
    slots,
)
from qhw.chem.frames import to_frame
from qhw.chem.molecule import MAX_ATOMS, MoleculeBatch
from qhw.chem.qm9 import sample_molecules
from tests.chem.molecules import batches, joined, molecule

UNIT_BOX = BoundingBox((0.0, 0.0, 0.0), 1.0)


@pytest.mark.parametrize("layout", LAYOUTS)
@given(batch=batches())
def test_round_trip_is_exact(layout: Layout, batch: MoleculeBatch) -> None:
    amplitudes = encode(batch, layout=layout)
    assert amplitudes.shape == (len(batch), N_AMPLITUDES)
    assert (amplitudes >= 0).all()
    np.testing.assert_allclose(np.linalg.norm(amplitudes, axis=1), 1.0, atol=1e-14)
    back = decode(amplitudes, layout=layout)
    np.testing.assert_array_equal(back.types, batch.types)
    np.testing.assert_allclose(back.positions, batch.positions, atol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_qm9_round_trip(layout: Layout) -> None:
    molecules = to_frame(sample_molecules().molecules, "paper")
    assert inside(molecules, RELEASED_BOX).all()
    back = decode(encode(molecules, layout=layout), layout=layout)
    np.testing.assert_array_equal(back.types, molecules.types)
    np.testing.assert_allclose(back.positions, molecules.positions, atol=1e-12)


def test_layouts_by_hand() -> None:
    two = molecule("NC", [[0.5, 0.0, 0.25], [0.0, 1.0, 0.0]])
    aux = [np.sqrt(3 - 0.3125), np.sqrt(2)]
    scale = 2 * np.sqrt(2)
    paper = [0.5, 0, 0.25, 0, 1, 0, 0, aux[0], 0, 1, 0, 1, 0, 0, 0, aux[1]]
    released = [0.5, 0, 0.25, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, *aux]
    for layout, expected in (("paper", paper), ("released", released)):
        row = encode(two, layout=layout, box=UNIT_BOX)[0]  # type: ignore[arg-type]
        np.testing.assert_allclose(row[:16], np.array(expected) / scale, atol=1e-15)
        assert (row[16:] == 0).all()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("n_atoms", range(1, MAX_ATOMS + 1))
def test_slots_share_out_all_amplitudes(layout: Layout, n_atoms: int) -> None:
    where = slots(layout, n_atoms)
    everything = np.concatenate(
        [where.places.ravel(), where.types.ravel(), where.aux, where.padding]
    )
    np.testing.assert_array_equal(np.sort(everything), np.arange(N_AMPLITUDES))
    assert len(where.padding) == N_AMPLITUDES - 8 * n_atoms


def test_threshold_stops_at_the_first_missing_atom() -> None:
    amplitudes = np.zeros((1, N_AMPLITUDES))
    amplitudes[0, [4, 13, 29]] = 0.6, 0.6, np.sqrt(1 - 0.72)  # atoms 0 (N), 1 (O) and 3
    read = decode(amplitudes, options=DecodeOptions(count="threshold"))
    np.testing.assert_array_equal(read.types[0, :3], [1, 2, -1])


def test_released_options_on_hand_made_amplitudes() -> None:
    amplitudes = np.zeros((1, N_AMPLITUDES))
    amplitudes[0, :7] = [0.1, 0.2, 0.3, 0.0, 0.0, 0.15, 0.06]  # type amplitudes sum to 0.21
    amplitudes[0, 10:14] = [0.06, 0.05, 0.05, 0.039]  # 0.199
    amplitudes[0, 100] = np.sqrt(1 - (amplitudes**2).sum())
    read = decode(amplitudes, layout="released", options=RELEASED_DECODE)
    np.testing.assert_array_equal(read.types[0], [2] + [-1] * 8)
    expected = np.array([0.1, 0.2, 0.3]) * 2 * 10.36 + [-3.92718444, -4.54352093, -5.10957203]
    np.testing.assert_allclose(read.positions[0, 0], expected, atol=1e-12)


def test_released_scale_shrinks_by_root_n() -> None:
    batch = molecule("CNO", [[1, 2, 3], [0, 0.5, 1], [2, 2, 2]])
    amplitudes = encode(batch)
    full = RELEASED_BOX.to_unit(decode(amplitudes).positions[0, :3])
    shrunk = decode(amplitudes, options=DecodeOptions(scale="released")).positions[0, :3]
    np.testing.assert_allclose(RELEASED_BOX.to_unit(shrunk) * np.sqrt(3), full, atol=1e-12)


def test_threshold_rule_misses_whole_large_molecules() -> None:
    """One type amplitude of a 7-atom molecule is 1/(2 sqrt 7) = 0.19, below T = 0.2."""
    six, seven = (molecule("C" * n, [[0.1 * k, 0, 0] for k in range(n)]) for n in (6, 7))
    read = decode(encode(joined(six, seven)), options=DecodeOptions(count="threshold"))
    np.testing.assert_array_equal(read.counts, [6, 0])


def test_max_atoms_limits_the_count() -> None:
    batch = molecule("C" * 9, [[0.1 * k, 0, 0] for k in range(9)])
    for count in ("threshold", "nearest"):
        options = DecodeOptions(count=count, threshold=0.1, max_atoms=4)  # type: ignore[arg-type]
        assert decode(encode(batch), options=options).counts[0] == 4


def test_decode_does_not_depend_on_the_norm() -> None:
    molecules = to_frame(sample_molecules().molecules[:20], "paper")
    amplitudes = encode(molecules)
    np.testing.assert_allclose(
        decode(7.0 * amplitudes).positions, decode(amplitudes).positions, atol=1e-12
    )


@given(batch=batches())
def test_box_holds_what_it_was_made_from(batch: MoleculeBatch) -> None:
    atoms = batch.positions[batch.types >= 0]
    if np.ptp(atoms, axis=0).max() < 1e-6:
        return
    box = BoundingBox.from_molecules(batch)
    assert inside(batch, box).all()
    assert box.side == pytest.approx(np.ptp(atoms, axis=0).max())
    wide = BoundingBox.from_molecules(batch, margin=0.5)
    assert wide.side == pytest.approx(box.side + 1.0)


GOOD = molecule("CO", [[0, 0, 0], [1.4, 0, 0]])
FAULTS = {
    "outside": (molecule("CO", [[0, 0, 0], [9, 0, 0]]), "bounding box"),
    "empty": (molecule("", []), "at least one atom"),
    "not finite": (molecule("CO", [[0, 0, 0], [np.nan, 0, 0]]), "finite"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_unencodable_molecules_are_named(fault: str) -> None:
    bad, words = FAULTS[fault]
    with pytest.raises(ValueError, match=rf"`molecules` must .*{words}.*molecule 1 "):
        encode(joined(GOOD, bad))


def test_unsupported_element_gap_and_size_are_named() -> None:
    sulphur = MoleculeBatch(
        np.where(GOOD.types == 2, 4, GOOD.types).astype(np.int8), GOOD.positions
    )
    with pytest.raises(ValueError, match=r"elements C, N, O, F only.*molecule 1 "):
        encode(joined(GOOD, sulphur))
    gap = MoleculeBatch(GOOD.types[:, ::-1], GOOD.positions[:, ::-1])
    with pytest.raises(ValueError, match=r"before the padding.*molecule 0 "):
        encode(gap)
    ten = MoleculeBatch(np.zeros((1, 10), dtype=np.int8), np.zeros((1, 10, 3)))
    with pytest.raises(ValueError, match=r"at most 9 heavy atoms.*molecule 0 "):
        encode(ten)


@pytest.mark.parametrize("bad", [0.0, np.nan, -0.5, np.inf])
def test_undecodable_rows_are_named(bad: float) -> None:
    amplitudes = np.repeat(encode(GOOD), 2, axis=0)
    amplitudes[1] = bad
    with pytest.raises(ValueError, match="row 1 is not"):
        decode(amplitudes)


def test_wrong_choices_are_named() -> None:
    with pytest.raises(ValueError, match="one of paper, released"):
        encode(GOOD, layout="flat")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"must be \(B, 128\)"):
        decode(np.ones((1, 64)))
    with pytest.raises(ValueError, match="nearest or threshold"):
        DecodeOptions(count="any")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="sqrt_n or released"):
        DecodeOptions(scale="n")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="`threshold` must be finite"):
        DecodeOptions(threshold=float("nan"))
    with pytest.raises(ValueError, match="`max_atoms` must be 1 to 9"):
        DecodeOptions(max_atoms=10)
    with pytest.raises(ValueError, match="all atoms coincide"):
        BoundingBox.from_molecules(molecule("C", [[1, 1, 1]]))
