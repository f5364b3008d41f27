"""A prior as it is written on a command line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhw.latent.asked import AskedPrior

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.from_regex(r"[a-z][a-z0-9.-]{0,10}", fullmatch=True),
    st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True), NUMBERS, max_size=3),
)
def test_what_is_written_reads_back(name: str, options: dict[str, float]) -> None:
    asked = AskedPrior(name, options)
    assert AskedPrior.parse(str(asked)) == asked


def test_reads_names_options_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = AskedPrior.parse("latent-diffusion( temperature=0.8, steps=8 )")
    assert asked == AskedPrior("latent-diffusion", {"temperature": 0.8, "steps": 8.0})
    assert str(asked) == "latent-diffusion(temperature=0.8,steps=8)"
    assert not asked.is_folder and asked.placed() is asked
    assert AskedPrior.parse("posterior()") == AskedPrior("posterior")
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    placed = AskedPrior.parse("mine(steps=3)").placed()
    assert placed == AskedPrior(str(tmp_path / "mine"), {"steps": 3.0})
    assert AskedPrior.parse("no/such").is_folder


@pytest.mark.parametrize(
    "text", ["p(0.8)", "p(t=)", "p(t=nan)", "p(t=inf)", "p(t=1,)", "p(t=1=2)", "p(=1)", "p(t=x)"]
)
def test_options_that_are_no_numbers_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"`prior` must have options such as"):
        AskedPrior.parse(text)


def test_an_option_is_given_once() -> None:
    with pytest.raises(ValueError, match="must have t once"):
        AskedPrior.parse("p(t=1,t=2)")
    with pytest.raises(ValueError, match="`t` must be given once"):
        AskedPrior.parse("p(t=1)").having(t=2)
    assert AskedPrior("p").having(t=2, u=None) == AskedPrior("p", {"t": 2.0})
