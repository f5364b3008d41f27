"""A program's text in pieces: flat statements read here, all else left to the reference parser.

That parser takes a thousand times as long over a gate as running it does, and most files are long
lists of gates. Gates, measurements, resets and barriers on whole registers or numbered elements,
outside any block, are recognised word by word; a box without a duration says nothing that matters
here and is taken for what stands in it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

_NAME = r"[^\W\d]\w*"
_OPERAND = rf"(?:{_NAME}(?:\s*\[\s*\d{{1,9}}\s*\])?|\$\d{{1,9}})"
_NO_BRACKET = r'[^()\[\]{};"]'
_ARGUMENTS = rf"\((?:{_NO_BRACKET}|\((?:{_NO_BRACKET}|\({_NO_BRACKET}*\))*\))*\)"
_GATE = re.compile(
    rf"\s*({_NAME})(?!\w)\s*({_ARGUMENTS})?\s*({_OPERAND}(?:\s*,\s*{_OPERAND})*)\s*;"
)
_MEASURE = re.compile(rf"\s*({_OPERAND})\s*=\s*measure(?!\w)\s*({_OPERAND})\s*;")
_ARROW = re.compile(rf"\s*measure(?!\w)\s*({_OPERAND})\s*->\s*({_OPERAND})\s*;")
_BOX = re.compile(r"\s*box\s*\{")
_CLOSE = re.compile(r"\s*\}")
_ONE = re.compile(rf"({_NAME}|\$\d+)\s*(?:\[\s*(\d+)\s*\])?")
_TOKEN = re.compile(r'"[^"\n]*"|\'[^\'\n]*\'|[{}()\[\];\n]|\w+|[^\s\w]')
_TO_END_OF_LINE = re.compile(r"\s*(#|@|pragma\b)")
_ANNOTATION = re.compile(r"\s*@[^\W\d]")
_KEYWORDS = frozenset(
    """OPENQASM include defcalgrammar def cal defcal gate extern box let break continue if else end
    return for while in switch case default pragma input output const readonly mutable qreg qubit
    creg bool bit int uint float angle complex array void duration stretch gphase inv pow ctrl
    negctrl durationof delay measure""".split()  # noqa: SIM905
)

Operand = tuple[str, int | None]
"""A register or a physical qubit by name, and which element of it."""


@dataclass(frozen=True, slots=True)
class Flat:
    """A gate, reset, barrier or measurement without anything to work out but its angles.

    Attributes:
        name: of the gate; ``measure`` of a measurement, whose operands are qubit and bit.
        arguments: text between its round brackets, or empty.
        operands: as written.
        offset: where it stands in the text.
    """

    name: str
    arguments: str
    operands: tuple[Operand, ...]
    offset: int


@dataclass
class Pieces:
    """The text taken apart.

    Attributes:
        runs: runs of flat statements; run i stands after piece i of ``rest``, an empty first
            piece included.
        rest: what is left to the parser, every piece beginning a line.
        starts: first line of every piece in ``rest``.
    """

    text: str
    runs: list[list[Flat]] = field(default_factory=list)
    rest: str = ""
    starts: list[int] = field(default_factory=list)
    _offsets: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, text: str) -> Pieces:
        """Take a text without comments apart."""
        found = cls(text)
        parts: list[str] = []
        line = 1
        for item in _items(text):
            if isinstance(item, Flat):
                if not found.runs:
                    found._begin(line, 0)
                    parts.append("")
                    line += 1
                found.runs[-1].append(item)
                continue
            start, end = item
            if found.runs and not found.runs[-1] and parts:
                parts[-1] += text[start:end]
                line += text.count("\n", start, end)
            else:
                found._begin(line, start)
                parts.append(text[start:end])
                line += text.count("\n", start, end) + 1
        found.rest = "\n".join(parts)
        return found

    def _begin(self, line: int, offset: int) -> None:
        self.starts.append(line)
        self._offsets.append(offset)
        self.runs.append([])

    def piece(self, line: int) -> int:
        """The piece of a line of ``rest``."""
        return max(0, bisect_right(self.starts, line) - 1)

    def place(self, line: int, column: int) -> str:
        """``line,column`` of the text, of a place in ``rest``."""
        if not self.starts:
            return f"{line},{column}"
        number = self.piece(line)
        first, offset = self.starts[number], self._offsets[number]
        above = self.text.count("\n", 0, offset)
        if line == first:
            column += offset - (self.text.rfind("\n", 0, offset) + 1)
        return f"{above + 1 + line - first},{column}"

    def place_of(self, offset: int) -> str:
        """``line,column`` of an offset in the text."""
        above = self.text.count("\n", 0, offset)
        return f"{above + 1},{offset - (self.text.rfind(chr(10), 0, offset) + 1)}"


def operands(text: str) -> tuple[Operand, ...]:
    """Operands of a list of them."""
    return tuple((name, int(index) if index else None) for name, index in _ONE.findall(text))


def _items(text: str) -> Iterator[Flat | tuple[int, int]]:
    """Flat statements, and start and end of everything else, in order."""
    place, boxes, size = 0, 0, len(text)
    while place < size:
        if (found := _GATE.match(text, place)) and found[1] not in _KEYWORDS:
            arguments = (found[2] or "")[1:-1].strip()
            yield Flat(found[1], arguments, operands(found[3]), found.start(1))
        elif (found := _MEASURE.match(text, place)) and found[1] not in _KEYWORDS:
            yield Flat("measure", "", operands(f"{found[2]},{found[1]}"), found.start(1))
        elif found := _ARROW.match(text, place):
            yield Flat("measure", "", operands(f"{found[1]},{found[2]}"), found.start(1))
        elif found := _BOX.match(text, place):
            boxes += 1
        elif boxes and (found := _CLOSE.match(text, place)):
            boxes -= 1
        else:
            end = _end(text, place)
            if _ANNOTATION.match(text, place) is None:  # it says nothing that matters here
                yield place, end
            place = end
            continue
        place = found.end()
    if boxes:
        yield text.rfind("{"), size  # a box that nothing closes: the parser says so


def _end(text: str, place: int) -> int:
    """Where the statement ends that begins here: after its ``;``, its block or its line."""
    to_end_of_line = _TO_END_OF_LINE.match(text, place) is not None
    inside, blocks, before = 0, 0, ""
    for found in _TOKEN.finditer(text, place):
        word = found[0]
        if word == "\n":
            if to_end_of_line and before:
                return found.end()
            continue
        if word in "([" or (word == "{" and (inside or before in ("in", "="))):
            inside += 1
        elif word == "{":
            blocks += 1
        elif word in ")]" or (word == "}" and inside):
            inside = max(0, inside - 1)
        elif word == "}":
            blocks -= 1
            if blocks <= 0 and not to_end_of_line:
                return found.end()
        elif word == ";" and not inside and not blocks and not to_end_of_line:
            return found.end()
        before = word
    return len(text)
