import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from qhw.chem.bonds import PROTOCOLS, Protocol
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.novelty import Known, Novelty
from qhw.chem.qm9 import sample_molecules
from qhw.chem.validity import judge
from tests.chem.molecules import batches, joined, molecule, moved, ring

CROWDED = molecule(
    "CCCCCC",
    [[0, 0, 0], [1.6, 0, 0], [-1.6, 0, 0], [0, 1.6, 0], [0, -1.6, 0], [0, 0, 1.6]],
)
STRICT_CASES = [
    (molecule("CCC", [[0, 0, 0], [1.53, 0, 0], [2.04, 1.44, 0]]), "valid", "CCC"),
    (molecule("CC", [[0, 0, 0], [1.33, 0, 0]]), "valid", "C=C"),
    (molecule("CC", [[0, 0, 0], [1.20, 0, 0]]), "valid", "C#C"),
    (molecule("CN", [[0, 0, 0], [1.15, 0, 0]]), "valid", "C#N"),
    (molecule("OCO", [[-1.16, 0, 0], [0, 0, 0], [1.16, 0, 0]]), "valid", "O=C=O"),
    (molecule("CCC", [[-1.31, 0, 0], [0, 0, 0], [1.31, 0, 0]]), "valid", "C=C=C"),
    (ring("CCCCCC", 1.39), "valid", "c1ccccc1"),
    (ring("CCCCCC", 1.53), "valid", "C1CCCCC1"),
    (ring("NCCCCC", 1.37), "valid", "c1ccncc1"),
    (molecule("CO", [[0, 0, 0], [5, 0, 0]]), "disconnected", None),
    (molecule("CC", [[0, 0, 0], [1.0, 0, 0]]), "clash", None),
    (CROWDED, "valence", None),
    (molecule("CFC", [[-1.4, 0, 0], [0, 0, 0], [1.4, 0, 0]]), "valence", None),
    (molecule("C", [[0, 0, 0]]), "too few atoms", None),
    (molecule("", []), "too few atoms", None),
]


@pytest.mark.parametrize(("case", "status", "smiles"), STRICT_CASES)
def test_strict_on_hand_made_molecules(
    case: MoleculeBatch, status: str, smiles: str | None
) -> None:
    report = judge(case, "strict")
    assert report.statuses == (status,)
    expected = None if smiles is None else Chem.CanonSmiles(smiles)
    assert report.smiles == (expected,)


def test_released_accepts_what_strict_refuses() -> None:
    stretched = molecule("CC", [[0, 0, 0], [3.8, 0, 0]])
    crushed = molecule("CC", [[0, 0, 0], [0.3, 0, 0]])
    batch = joined(stretched, crushed)
    assert judge(batch, "released").statuses == ("valid", "valid")
    assert judge(batch, "strict").statuses == ("disconnected", "clash")


def test_released_bond_orders() -> None:
    """Matching raises C-O twice (O is full at 2) and C-C to order 4, which is written single."""
    batch = joined(
        molecule("CO", [[0, 0, 0], [1.4, 0, 0]]),
        molecule("CC", [[0, 0, 0], [1.5, 0, 0]]),
        molecule("CN", [[0, 0, 0], [1.5, 0, 0]]),
    )
    assert judge(batch, "released").smiles == ("C=O", "CC", "C#N")


def test_denominators() -> None:
    ethane = molecule("CC", [[0, 0, 0], [1.53, 0, 0]])
    methanol = molecule("CO", [[0, 0, 0], [1.42, 0, 0]])
    alone = molecule("C", [[0, 0, 0]])
    apart = molecule("CO", [[0, 0, 0], [5, 0, 0]])
    report = judge(
        joined(ethane, moved(ethane, 1), methanol, alone, apart),
        reference=Known.of(["OC", "not a molecule"], "methanol"),
    )
    assert (report.samples, report.kept, report.valid, report.unique) == (5, 4, 3, 2)
    said = "methanol (2 molecules; 1 SMILES, 1 skeletons)"
    assert report.novelty == Novelty(said, novel=2, novel_unique=1, skeletons=2, novel_skeletons=1)
    assert report.rates == pytest.approx(
        {
            "kept/all": 4 / 5,
            "valid/kept": 3 / 4,
            "valid/all": 3 / 5,
            "unique/valid": 2 / 3,
            "unique/all": 2 / 5,
            "novel/valid": 2 / 3,
            "novel/all": 2 / 5,
            "novel_unique/valid": 1 / 3,
            "novel_unique/all": 1 / 5,
            "novel_skeletons/valid": 1 / 3,
            "novel_skeletons/all": 1 / 5,
        }
    )
    np.testing.assert_array_equal(report.is_valid, [True, True, True, False, False])
    assert report.reasons == {"valid": 3, "too few atoms": 1, "disconnected": 1}
    told = json.loads(json.dumps(report.summary()))
    assert (told["valid/all"], told["novel_skeletons"], told["against"]) == (3 / 5, 1, said)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_to_divide_by(protocol: Protocol) -> None:
    nothing = judge(molecule("", []), protocol)
    assert nothing.rates["valid/all"] == 0.0
    assert nothing.rates["valid/kept"] is None
    assert nothing.rates["novel/all"] is None
    empty = MoleculeBatch(np.zeros((0, 9), dtype=np.int8), np.zeros((0, 9, 3)))
    assert judge(empty, protocol).rates["valid/all"] is None


@given(seed=st.integers(0, 2**31))
def test_strict_does_not_depend_on_placement_or_atom_order(seed: int) -> None:
    batch = sample_molecules().molecules[:20]
    order = np.random.default_rng(seed).permuted(np.tile(np.arange(9), (20, 1)), axis=1)
    order = np.take_along_axis(
        order, np.argsort(np.take_along_axis(batch.types, order, 1) < 0, 1, stable=True), 1
    )
    turned = moved(batch, seed)
    shuffled = MoleculeBatch(
        np.take_along_axis(turned.types, order, 1),
        np.take_along_axis(turned.positions, order[..., None], 1),
    )
    before, after = judge(batch), judge(shuffled)
    assert before.statuses == after.statuses
    assert before.smiles == after.smiles


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(batch=batches(low=-2.0, high=2.0))
def test_any_geometry_is_judged(protocol: Protocol, batch: MoleculeBatch) -> None:
    report = judge(batch, protocol)
    for status, smiles in zip(report.statuses, report.smiles, strict=True):
        assert (status == "valid") == (smiles is not None)
        assert smiles is None or Chem.MolFromSmiles(smiles) is not None


def test_qm9_sample_scores() -> None:
    """The ceiling the module prints; and strict SMILES are those of the data set."""
    sample = sample_molecules()
    strict = judge(sample.molecules, reference=Known.of(sample.smiles.tolist(), "itself"))
    assert strict.valid == 963
    assert strict.novelty is not None
    assert strict.novelty.novel == 34
    assert judge(sample.molecules, "released").valid == 642


def test_errors() -> None:
    with pytest.raises(ValueError, match="one of released, strict"):
        judge(CROWDED, "loose")  # type: ignore[arg-type]
    broken = joined(CROWDED, molecule("CC", [[0, 0, 0], [np.inf, 0, 0]]))
    with pytest.raises(ValueError, match="molecule 1 has not"):
        judge(broken)
