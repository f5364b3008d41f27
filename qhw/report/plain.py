"""Text from outside, made harmless for a terminal: file and device names, vendors' words, titles.

What steers a terminal (escape sequences of 7 and 8 bits) or turns the order of letters round is
shown as an escape, so that nothing is hidden and nothing happens.
"""

from __future__ import annotations

import json
import logging
import re

_STEERING = re.compile(
    "["
    r"\x00-\x09\x0b-\x1f\x7f-\x9f"  # C0 without the line break, C1
    r"\u2028\u2029\ud800-\udfff\ue000-\uf8ff\U000f0000-\U0010ffff"  # breaks, surrogates, private
    # format characters (Cf): bidi controls and what nobody sees
    r"\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2\u180e\u200b-\u200f"
    r"\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd"
    r"\U00013430-\U00013438\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001"
    r"\U000e0020-\U000e007f"
    "]"
)


def plain(text: str) -> str:
    """The text with everything that would steer a terminal as an escape; line breaks stay."""
    return _STEERING.sub(_escape, text)


def plain_line(text: str) -> str:
    """:func:`plain` on one line: a line break is an escape, too."""
    return plain(text).replace("\n", r"\n")


def plain_json(text: str) -> str:
    """A JSON document with such characters as JSON's own escapes; it means the same."""
    # outside of strings, JSON knows of these only tabs and carriage returns, which we write none of
    return _STEERING.sub(lambda found: json.dumps(found[0])[1:-1], text)


class PlainFormatter(logging.Formatter):
    """Log records in plain text."""

    def format(self, record: logging.LogRecord) -> str:
        """The record, made harmless."""
        return plain(super().format(record))


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
