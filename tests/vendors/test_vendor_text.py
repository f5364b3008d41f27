"""What vendors write, before anybody stores or prints it."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.vendor_text import clean_text

_ANY = st.text(alphabet=st.characters(min_codepoint=0, max_codepoint=sys.maxunicode), max_size=300)


@given(_ANY, st.integers(20, 100))
def test_any_text_becomes_one_bounded_line_that_can_be_stored(text: str, limit: int) -> None:
    plain = clean_text(text, limit)
    assert len(plain) <= limit
    plain.encode()  # no lone surrogate
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in plain)
    assert clean_text(plain, limit) == plain


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("QUEUED", "QUEUED"),
        ("  error 1305:\n  ran too long\r\n", "error 1305:   ran too long"),
        ("nul\x00 in it", "nul\ufffd in it"),
        ("half \ud83d a pair", "half \ufffd a pair"),
        ("\x1b[2Jcleared", "\ufffd[2Jcleared"),
        ("user\u202etxt.exe", "user\ufffdtxt.exe"),
        ("Größe 5 µs", "Größe 5 µs"),
        ({"a": 1}, "{'a': 1}"),
        (None, "None"),
    ],
)
def test_known_texts(said: object, kept: str) -> None:
    assert clean_text(said) == kept


def test_a_long_text_says_that_it_was_cut() -> None:
    assert clean_text("x" * 10**7, 20) == "x" * 14 + " [...]"
    assert clean_text("x" * 20, 20) == "x" * 20
