"""What nobody may read in a vendor's words: our credentials, and all that looks like some.

A vendor, or a proxy before it, may echo a request's login in an error or in a failed job's reason.
Such text is stored, logged and shown; so it is scrubbed where it comes in.
"""

from __future__ import annotations

import re
import threading
from urllib.parse import quote

HIDDEN = "[hidden]"
_LEAST = 8
"""Letters of a secret; something shorter would be found in innocent words."""
_PATTERNS = (
    re.compile(r"\beyJ[\w-]{4,}\.[\w-]{4,}(?:\.[\w-]*)?"),  # JSON web tokens
    re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}\b"),  # AWS's key ids
    re.compile(r"(?<=://)[^\s/@:]+:[^\s/@]+(?=@)"),  # user and password of a URL
    re.compile(r"\bcrn:v1:[^\s\"',;)}\]]+"),  # IBM's name of an account's instance
)
_NAMED = re.compile(
    r"(?i)\b(authorization|(?:x[_-]amz|service|x[_-]auth)[_-](?:security[_-]token|signature|credential"
    r"|crn|token)|api[_-]?key|(?:access|refresh|session|security|id)[_-]?token|token|password|passwd|pwd"
    r"|(?:aws[_-])?secret[_-]?access[_-]?key|(?:client[_-])?secret(?:[_-]?key)?|signature)"
    r"([\"']?\s*[=:]\s*[\"']?(?:(?:bearer|basic|apikey)\s+)?)([^\s\"',;&}]+)"
)
_SCHEME = re.compile(r"(?i)\b(bearer|apikey)([\s=:\"']+)([^\s\"',;&}]+)")
_WORDS = frozenset(
    (
        "token",
        "tokens",
        "key",
        "is",
        "was",
        "not",
        "of",
        "for",
        "and",
        "or",
        "the",
        "a",
        "has",
        "in",
    )
)
"""What may follow a scheme's name in a sentence, and is no secret."""


class _Known:
    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._values: tuple[str, ...] = ()

    def add(self, value: str) -> None:
        forms = {value, quote(value, safe="")} if len(value) >= _LEAST else set()
        with self._guard:
            # the longest first: one secret may be a part of another
            self._values = tuple(sorted({*self._values, *forms}, key=len, reverse=True))

    def hide(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, HIDDEN)
        return text


_KNOWN = _Known()


def remember_secret(value: str | None) -> None:
    """From now on, hide this wherever a vendor says it."""
    if value and value.strip():
        _KNOWN.add(value.strip())


def without_secrets(text: str) -> str:
    """The text with every credential known to this process, or that looks like one, hidden."""
    text = _KNOWN.hide(text)
    for pattern in _PATTERNS:
        text = pattern.sub(HIDDEN, text)
    text = _NAMED.sub(rf"\1\2{HIDDEN}", text)
    return _SCHEME.sub(_after_scheme, text)


def _after_scheme(found: re.Match[str]) -> str:
    scheme, between, value = found.groups()
    innocent = between.isspace() and value.lower().strip(".") in _WORDS
    return found[0] if innocent else f"{scheme}{between}{HIDDEN}"
