"""What a vendor writes, bounded, without secrets and what terminals and databases choke on."""

from __future__ import annotations

import re

from backends.secrets import without_secrets

MOST = 2000
"""Characters of a vendor's text that are kept by default."""
_MARK = " [...]"
_GAPS = re.compile(r"[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+")
# C0, DEL and C1 controls, lone surrogates, and what turns or hides text (bidi, zero width, tags)
_BAD = re.compile(
    r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)


def clean_text(text: object, limit: int = MOST) -> str:
    """A vendor's text on one line, every character printable, no secret, of bounded length.

    Line breaks become blanks. Control characters, NUL, lone surrogates and marks that turn or
    hide text become ``U+FFFD``.

    Args:
        text: what the vendor said; other than text is written as Python does.
        limit: most characters of the result; where more were said, it ends in ``[...]``.
    """
    said = text if isinstance(text, str) else repr(text)
    # a megabyte of text is not worth a pass over all of it
    said = without_secrets(said[: 4 * limit + 64])
    # marks hidden inside a credential must not hide it from the search
    plain = without_secrets(_BAD.sub("\ufffd", _GAPS.sub(" ", said))).strip()
    if len(plain) <= limit:
        return plain
    return plain[: max(0, limit - len(_MARK))].rstrip() + _MARK
