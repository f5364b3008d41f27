"""How large a circuit OpenQASM text asks for, found from its words before anything is built.

One pass over the words of either version: registers, gate definitions, nesting. It knows no more
grammar than that, so what it lets through is still read, and refused, by Qiskit's importers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_QUBITS = 4096
"""Several times the largest device."""
MAX_BITS = 65_536
MAX_OPERATIONS = 1_000_000
"""Gates and measurements after registers and gate definitions are written out."""
MAX_NESTING = 64
"""Brackets within brackets, and definitions that use definitions."""
MAX_WORDS = 16_000_000
MAX_POWER_QUBITS = 8
"""Qiskit raises a gate to a power by its matrix."""

MAX_CONTROL_MODIFIERS = 4
"""Controls added one by one; every further one takes the importer ten times as long."""
MAX_OPERATORS = 500
"""In one statement: every one may be a level deeper for a parser."""
_OPERATORS = frozenset("+-*/^~!%&|<>=@") | {"if", "else", "for", "while"}

_WORD = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
    |"[^"\n]*"|'[^'\n]*'
    |[^\W\d]\w*|\$\d+
    |0[xXbBoO][\da-fA-F_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?
    |\S""",
    re.VERBOSE | re.DOTALL,
)
_OPEN, _CLOSE = "([{", ")]}"
_QUBITS, _BITS = ("qreg", "qubit"), ("creg", "bit")
_ONLY_3 = {"qubit", "bit", '"stdgates.inc"'}
_OF_2 = {"qreg", "creg", '"qelib1.inc"'}


class TooLargeError(ValueError):
    """Text that asks for more than is read; the message names the line."""


@dataclass
class _Block:
    """An open brace: what stands in it, written out."""

    gate: str | None = None
    operations: int = 0
    depth: int = 1


@dataclass
class _Gate:
    operations: int
    depth: int


@dataclass
class _Sizes:
    """What was declared so far."""

    qubits: int = 0
    bits: int = 0
    registers: dict[str, int] = field(default_factory=dict)
    gates: dict[str, _Gate] = field(default_factory=dict)


def without_comments(text: str) -> str:
    """The text with blanks for comments: every other character keeps its line and column."""

    def blank(word: re.Match[str]) -> str:
        comment = word["comment"]
        return word[0] if comment is None else re.sub(r"[^\n]", " ", comment)

    return _WORD.sub(blank, text)


def version_of(text: str) -> str | None:
    """Major version by the header, else by words that only one has; ``None`` if nothing tells.

    Args:
        text: without comments.
    """
    words = (word[0] for word in _WORD.finditer(text))
    if next(words, "") == "OPENQASM":
        return next(words, "").partition(".")[0]
    found = [word[0] for word in _WORD.finditer(text)]
    if not _ONLY_3.isdisjoint(found):
        return "3"
    return None if not found or not _OF_2.isdisjoint(found) else "3"


def check_size(text: str) -> None:
    """Refuse text of either version that asks for too much.

    Args:
        text: without comments.

    Raises:
        TooLargeError: qubits, classical bits, operations, nesting or length beyond the bounds.
    """
    sizes, open_blocks = _Sizes(), [_Block()]
    for words, end, place in _statements(text, MAX_WORDS):
        try:
            _take(words, end, sizes, open_blocks)
        except TooLargeError as error:
            line = text.count("\n", 0, place) + 1
            raise TooLargeError(f"line {line}: {error}") from None


def _statements(text: str, most: int) -> Iterator[tuple[list[str], str, int]]:
    """Words up to ``;`` or a brace outside other brackets, which of these ends them, and where."""
    words: list[str] = []
    inside, braces, place, operators = 0, 0, 0, 0
    for number, match in enumerate(_WORD.finditer(text)):
        word = match[0]
        if not words:
            place = match.start()
        if number >= most:
            raise TooLargeError(f"must have at most {most} words, but has more")
        if word in "([" or (word == "{" and inside):
            inside += 1
        elif word in ")]" or (word == "}" and inside):
            inside = max(0, inside - 1)
        elif word in ";{}" and not inside:
            braces = max(0, braces + {"{": 1, "}": -1}.get(word, 0))
            yield words, word, place
            words, operators = [], operators if word == "}" else 0
            continue
        operators += word in _OPERATORS
        if inside + braces > MAX_NESTING:
            line = text.count("\n", 0, match.start()) + 1
            raise TooLargeError(
                f"line {line}: must nest brackets at most {MAX_NESTING} deep, but nests deeper"
            )
        if operators > MAX_OPERATORS:
            line = text.count("\n", 0, match.start()) + 1
            raise TooLargeError(
                f"line {line}: must have at most {MAX_OPERATORS} operators in a statement, but has "
                "more"
            )
        words.append(word)
    yield words, "", place


def _take(words: list[str], end: str, sizes: _Sizes, blocks: list[_Block]) -> None:
    """One statement, or the head of a block, or the end of one."""
    if words:
        if words[0] == "gate" and end == "{":
            blocks.append(_Block(gate=words[1] if len(words) > 1 else ""))
            return
        _declare(words, sizes)
        operations, depth = _called(words, sizes)
        _add(blocks[-1], operations, depth)
    if end == "{":
        blocks.append(_Block())
    elif end == "}" and len(blocks) > 1:
        done = blocks.pop()
        if done.gate is None:
            _add(blocks[-1], done.operations, done.depth)
        else:
            sizes.gates[done.gate] = _Gate(max(1, done.operations), done.depth + 1)


def _add(block: _Block, operations: int, depth: int) -> None:
    block.operations += operations
    block.depth = max(block.depth, depth)
    if block.operations > MAX_OPERATIONS:
        raise TooLargeError(
            f"must have at most {MAX_OPERATIONS} operations when all is written out, but has more"
        )
    if block.depth > MAX_NESTING:
        raise TooLargeError(
            f"must nest gate definitions at most {MAX_NESTING} deep, but nests deeper"
        )


def _declare(words: list[str], sizes: _Sizes) -> None:
    """Add up the registers that a statement declares, and the device's qubits that it names."""
    for word in words:
        if word[0] == "$":
            sizes.qubits = max(sizes.qubits, _number(word[1:]) + 1)
    kind = next((word for word in words[:2] if word in (*_QUBITS, *_BITS)), None)
    if kind is not None:
        start = words.index(kind) + 1
        size = _product(words[start:])
        if kind in _QUBITS:
            sizes.qubits += size
        else:
            sizes.bits += size
        named = (word for word in words[start:] if word.isidentifier())
        sizes.registers[next(named, "")] = size
    elif words[0] == "let" and len(words) > 1:
        sizes.registers[words[1]] = sizes.qubits + sizes.bits
    for found, most, what in (
        (sizes.qubits, MAX_QUBITS, "qubits"),
        (sizes.bits, MAX_BITS, "classical bits"),
    ):
        if found > most:
            raise TooLargeError(f"must have at most {most} {what}, but declares {found}")


def _product(words: list[str]) -> int:
    """Bound on a size in brackets: the importer adds and multiplies, no more."""
    if "[" not in words or "]" not in words:
        return 1
    size = 1
    for word in words[words.index("[") + 1 : words.index("]")]:
        if word[0].isdigit():
            size *= max(_number(word), 1)
    return 2 * size if "+" in words else size


def _number(word: str) -> int:
    digits = word.replace("_", "")
    if len(digits) > 18:  # more than any bound, and slow to read
        return 10**18
    try:
        return int(digits) if digits.isdigit() else int(digits, 0)
    except ValueError:
        return 1


def _called(words: list[str], sizes: _Sizes) -> tuple[int, int]:
    """Operations that a statement stands for, and how deep its gates' definitions go."""
    used = [sizes.gates[word] for word in words if word in sizes.gates]
    operations = sum(gate.operations for gate in used) or 1
    if "@" in words:
        operations *= _modified(words)
    return operations * _broadcast(words, sizes), max((g.depth for g in used), default=1)


def _modified(words: list[str]) -> int:
    """Check the modifiers' numbers; the factor that controls cost."""
    last = len(words) - words[::-1].index("@")
    operands = 1 + sum(word == "," for word in _outside(words[last:]))
    modifiers = words[:last]
    if "pow" in modifiers and operands > MAX_POWER_QUBITS:
        raise TooLargeError(
            f"must raise gates of at most {MAX_POWER_QUBITS} qubits to a power, but has {operands}"
        )
    controlled = sum(word in ("ctrl", "negctrl") for word in modifiers)
    if controlled > MAX_CONTROL_MODIFIERS:
        raise TooLargeError(
            f"must have at most {MAX_CONTROL_MODIFIERS} modifiers `ctrl @` on a gate (`ctrl(n) @` "
            f"is one), but has {controlled}"
        )
    for i, word in enumerate(modifiers[:-2]):
        if word in ("ctrl", "negctrl") and modifiers[i + 1] == "(":
            controls = _number(modifiers[i + 2])
            if controls > operands or (controls == operands and words[last] != "gphase"):
                raise TooLargeError(
                    f"must name a qubit for every control, but has {controls} controls and "
                    f"{operands} qubits"
                )
    return operands * operands if controlled else 1


def _outside(words: list[str]) -> Iterator[str]:
    """Words that no bracket encloses."""
    inside = 0
    for word in words:
        inside += (word in _OPEN) - (word in _CLOSE)
        if inside == 0:
            yield word


def _broadcast(words: list[str], sizes: _Sizes) -> int:
    """Times that a statement is written out: the largest register that it names whole."""
    most = 1
    for i, word in enumerate(words):
        size = sizes.registers.get(word, 1)
        one = words[i + 1 : i + 2] == ["["] and words[i + 3 : i + 4] == ["]"]
        most = most if one else max(most, size)
    return most
