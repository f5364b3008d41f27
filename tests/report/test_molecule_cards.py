"""Cards of molecules: what they say and their colour."""

from __future__ import annotations

import io
import re
from itertools import product

import pytest
from rich.console import Console

from qhw.analysis.compare.comparison import Comparison
from qhw.analysis.compare.facts import Agreement
from qhw.analysis.compare.model import compare
from qhw.analysis.compare.result import MoleculeRecord
from qhw.analysis.compare.settings import Settings
from qhw.analysis.scores.agreement import agreement
from qhw.report.html import Pair, pairs, render
from qhw.report.terminal import summary

LIKENESSES = ("identical molecule", "same connectivity", "differs")


def pair(likeness: str, valid: bool) -> Pair:
    return Pair(0, "a", 0.1, likeness, valid, ())  # type: ignore[arg-type]


@pytest.mark.parametrize(("likeness", "valid"), list(product(LIKENESSES, (True, False))))
def test_green_is_the_same_valid_molecule_and_nothing_else(likeness: str, valid: bool) -> None:
    found = pair(likeness, valid)
    assert (found.tone == "yes") == (likeness == "identical molecule" and valid)
    assert (found.tone == "no") == (not valid or likeness == "differs")
    assert ("not valid" in found.told) == (not valid)


def record(given: str | None, exact: str | None, device: str | None) -> MoleculeRecord:
    return MoleculeRecord(
        index=0,
        name="a",
        input_smiles=given,
        exact_smiles=exact,
        device_smiles=device,
        exact_status="valid" if exact else "clash",
        device_status="valid" if device else "clash",
        rmsd=None,
    )


def test_identical_molecules_are_counted_pair_by_pair() -> None:
    records = (
        record("CO", "CO", "CO"),
        record("CO", "C=O", "C=O"),
        record("CO", "C=O", "CO"),
        record("CO", "CO", None),
        record("CO", None, None),
    )
    assert agreement(records, None, "device_raw") == Agreement(
        rows=5,
        same_connectivity=0,
        device_is_exact=2,
        exact_is_input=2,
        device_is_input=2,
        all_the_same=1,
    )
    generated = agreement((record(None, "CO", "CO"), record(None, None, None)), None, "device_raw")
    assert (generated.device_is_exact, generated.all_the_same) == (1, None)


@pytest.fixture(scope="module")
def generated() -> Comparison:
    settings = Settings.parse(
        model="nisq-chain5",
        device="aer:ibm_boston",
        shots=20_000,
        molecules=8,
        task="generate",
        prior="posterior",
    )
    return compare(settings, notify=lambda _: None)


def test_the_page_tells_what_was_generated_and_what_of_it_is_new(generated: Comparison) -> None:
    page = render(generated, "run")
    assert "Generated molecules: exact beside device" in page
    assert "no molecule goes in" in page
    assert "prior posterior" in page
    result = generated.result
    same = result.agreement
    assert same is not None and same.all_the_same is None
    said = f"<b>{same.device_is_exact} of 8</b>"
    assert said in page.split("identical molecules, device and exact")[1][:80]
    (new,) = [
        v.novelty
        for v in result.validity
        if v.protocol == "strict" and v.source == result.device_source
    ]
    assert new is not None
    assert f"<b>{new.novel_skeletons} of 8</b>" in page
    assert "novel against QM9&#39;s training split (100,000 molecules;" in page
    lines = io.StringIO()
    Console(file=lines, width=500).print(summary(result))
    assert f"identical molecules, device and exact: {same.device_is_exact} of 8" in lines.getvalue()
    assert "novel against QM9's training split (100,000 molecules;" in lines.getvalue()


def test_no_card_of_a_structure_that_is_not_valid_is_green(generated: Comparison) -> None:
    page = render(generated, "run")
    tags = re.findall(r'<span class="tag (\w+)">([^<]+)</span>', page)
    made = pairs(generated)
    assert [tone for tone, _ in tags] == [p.tone for p in made]
    records = generated.result.molecules
    assert any(r.device_status != "valid" for r in records)
    for (tone, told), one in zip(tags, records, strict=True):
        assert (tone == "yes") == one.identical
        assert ("not valid" in told) == (one.device_status != "valid")
