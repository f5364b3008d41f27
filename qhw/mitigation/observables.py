"""Sums of Pauli strings, and the measurement bases that give all of them.

Of ``n`` measured bits, wire ``w`` is classical bit ``n - 1 - w``; where a circuit measures nothing
itself, bit ``q`` is Qiskit's qubit ``q``. A string's character ``w`` acts on wire ``w``: the
leftmost on wire 0, the highest bit, which is the most significant of an outcome. So a string reads
as Qiskit's own labels do, and ``Z0`` names the lowest bit, the last letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import SparsePauliOp

FloatArray = NDArray[np.float64]

_REAL = 1e-12
"""Imaginary part of a coefficient, relative to it, that rounding may leave."""
_FACTOR = r"[IXYZ]\d+"
_TERM = re.compile(
    r"\s*(?:(?P<sign>[+-])\s*)?"
    r"(?:(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(?:\*\s*)?)?"
    rf"(?P<string>{_FACTOR}(?:\s*(?:\*\s*)?{_FACTOR})*|[IXYZ]+(?!\d))\s*"
)
_LONGEST_SHOWN = 80
_LONGEST_NUMBER = 10
_LETTERS = np.array([["I", "X"], ["Z", "Y"]])
"""Pauli of a wire by its z and x bits."""


@dataclass(frozen=True)
class Observable:
    """A Hermitian operator on measured wires, ``sum_j c_j P_j``.

    Attributes:
        terms: Pauli string over ``I, X, Y, Z`` (wire 0 leftmost) and real coefficient, each string
            once, coefficients not zero.
    """

    terms: tuple[tuple[str, float], ...]

    def __post_init__(self) -> None:
        if not self.terms:
            raise ValueError(
                "Argument `observables` must have terms with coefficients other than zero, but "
                "one has none"
            )
        width = len(self.terms[0][0])
        for string, _ in self.terms:
            if not re.fullmatch(f"[IXYZ]{{{width}}}", string) or not width:
                raise ValueError(
                    f"Argument `observables` must have strings of I, X, Y and Z, all of one "
                    f"length, but has {string!r} beside {self.terms[0][0]!r}"
                )

    @property
    def n_wires(self) -> int:
        """Wires it acts on."""
        return len(self.terms[0][0])

    @property
    def constant(self) -> float:
        """Coefficient of the identity: known without measuring."""
        return sum(c for string, c in self.terms if set(string) == {"I"})

    def on(self, wires: Sequence[int]) -> Observable:
        """The same on some of the wires, the identity being on all others.

        Args:
            wires: ascending.
        """
        return Observable._summed(("".join(s[w] for w in wires), c) for s, c in self.terms)

    def __str__(self) -> str:
        """As :meth:`parse` reads it, every digit kept."""
        words = [
            f"{'-' if c < 0 else '+'} {'' if abs(c) == 1 else f'{abs(c)!r}*'}{string}"
            for string, c in self.terms
        ]
        first = words[0].removeprefix("+ ").replace("- ", "-", 1)
        return " ".join([first, *words[1:]])

    @classmethod
    def of(cls, value: ObservableLike, n_wires: int | None = None) -> Observable:
        """Read an operator; equal strings are added up.

        Args:
            value: an observable; a Qiskit operator, whose qubit ``n - 1 - w`` is wire ``w``;
                coefficients by string, wire 0 leftmost; or text, see :meth:`parse`.
            n_wires: of the circuit, for text that names bits by number.

        Raises:
            ValueError: not Hermitian, not finite, free parameters, no term left, not Paulis.

        Example:
            >>> Observable.of("0.5*XX + YY").terms
            (('XX', 0.5), ('YY', 1.0))
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, SparsePauliOp):
            # arrays of Qiskit list qubit 0 first
            z, x = value.paulis.z[:, ::-1], value.paulis.x[:, ::-1]
            strings = ["".join(row) for row in _LETTERS[z.astype(int), x.astype(int)]]
            return cls._summed(zip(strings, value.coeffs, strict=True))
        if isinstance(value, str):
            return cls.parse(value, n_wires)
        if isinstance(value, Mapping):
            return cls._summed(value.items())
        raise ValueError(
            f"Argument `observables` must be SparsePauliOp, coefficients by Pauli string or "
            f"strings, but has {type(value).__name__}"
        )

    @classmethod
    def parse(cls, text: str, n_wires: int | None = None) -> Observable:
        """Read a sum of Pauli strings, spaces as one likes.

        Args:
            text: signs, numbers and strings: ``ZZI``, ``0.5*XXI - 1.2*IYY`` with a letter for every
                wire, wire 0 leftmost; or ``Z0 Z1 - 0.5 X2``, each letter with the number of its
                bit, where a lone ``I`` is the identity. Bit 0 is the last letter of a string.
            n_wires: of the circuit, for text with numbers of bits.

        Raises:
            ValueError: anything else.

        Example:
            >>> Observable.parse("Z0 Z1 - 0.5 X2", n_wires=3).terms
            (('IZZ', 1.0), ('XII', -0.5))
        """
        terms, end = [], 0
        while found := _TERM.match(text, end):
            terms.append(found)
            end = found.end()
        shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
        if end != len(text) or not terms:
            raise ValueError(
                "Argument `observables` must be like ZZI, 0.5*XXI - 1.2*IYY or Z0 Z1, but is "
                f"{shown!r}"
            )
        if any(not t["sign"] for t in terms[1:]):
            raise ValueError(
                f"Argument `observables` must have a sign between terms, but is {shown!r}"
            )
        strings = [t["string"] for t in terms]
        if names_bits(text):
            strings = [_written_out(string, n_wires, shown) for string in strings]
        numbers = (float(f"{t['sign'] or ''}{t['number'] or 1}") for t in terms)
        return cls._summed(zip(strings, numbers, strict=True))

    @classmethod
    def _summed(cls, terms: Iterable[tuple[str, object]]) -> Observable:
        total: dict[str, float] = {}
        for string, coefficient in terms:
            total[string] = total.get(string, 0.0) + _real(string, coefficient)
        return cls(tuple((s, c) for s, c in total.items() if c))


ObservableLike: TypeAlias = Observable | SparsePauliOp | Mapping[str, float] | str
"""What :meth:`Observable.of` reads."""


def names_bits(text: str) -> bool:
    """Whether an observable's text names bits by number, so that its width is the circuit's."""
    return re.search(_FACTOR, text) is not None


def _written_out(term: str, n_wires: int | None, text: str) -> str:
    """A letter for every wire, of ``Z0 X2``."""
    if n_wires is None:
        raise ValueError(
            f"Argument `n_wires` must be given to read {text!r}, which names bits by number"
        )
    letters = ["I"] * n_wires
    if term == "I":
        return "".join(letters)
    factors = re.findall(_FACTOR, term)
    if not factors:
        raise ValueError(
            "Argument `observables` must have a letter for every wire in all its terms, or "
            f"numbers of bits in all, but is {text!r}"
        )
    seen = set()
    for factor in factors:
        # longer numbers than any width has are not converted
        bit = int(factor[1:]) if len(factor) <= _LONGEST_NUMBER else n_wires
        if bit >= n_wires or bit in seen:
            raise ValueError(
                f"Argument `observables` must name bits below {n_wires}, each once in a term, "
                f"but is {text!r}"
            )
        seen.add(bit)
        letters[n_wires - 1 - bit] = factor[0]
    return "".join(letters)


def _real(string: str, coefficient: object) -> float:
    try:
        number = complex(coefficient)  # type: ignore[call-overload]
    except TypeError:
        raise ValueError(
            f"Argument `observables` must have numbers as coefficients, but {string} has "
            f"{coefficient}"
        ) from None
    if not np.isfinite(number):
        raise ValueError(
            f"Argument `observables` must have finite coefficients, but {string} has {number}"
        )
    if abs(number.imag) > _REAL * abs(number):
        raise ValueError(
            f"Argument `observables` must be Hermitian, with real coefficients, but {string} has "
            f"{number:.6g}"
        )
    return float(number.real)


@dataclass(frozen=True, eq=False)
class BasisGroup:
    """Terms that one set of measurement bases gives.

    Attributes:
        basis: X, Y or Z for every wire, wire 0 leftmost; Z where no term cares.
        strings: of its terms.
        features: ``(K, 2**m)``: the part of every observable that this group gives, as the value
            of each outcome, index first wire most significant.
        spread: standard deviation of one shot, all observables together (root of the sum of their
            variances), in the maximally mixed state: what its share of shots goes by.
    """

    basis: str
    strings: tuple[str, ...]
    features: FloatArray
    spread: float


def group_terms(observables: Sequence[Observable]) -> tuple[BasisGroup, ...]:
    """Divide all terms of all observables into qubit-wise commuting groups, heaviest terms first.

    Each string is measured in one group. Identities need none.

    Source: sorted insertion, Crawford et al., Quantum 5, 385 (2021).

    Raises:
        ValueError: no observable, or different widths.
    """
    widths = sorted({o.n_wires for o in observables})
    if len(widths) != 1:
        raise ValueError(
            f"Argument `observables` must hold one or more of the same width, but has widths "
            f"{widths}"
        )
    weight: dict[str, float] = {}
    for observable in observables:
        for string, c in observable.terms:
            if set(string) != {"I"}:
                weight[string] = weight.get(string, 0.0) + c * c
    groups: list[tuple[str, list[str]]] = []
    for string in sorted(weight, key=lambda s: -weight[s]):
        for i, (basis, strings) in enumerate(groups):
            if _agree(string, basis):
                groups[i] = (_joined(string, basis), [*strings, string])
                break
        else:
            groups.append((string, [string]))
    return tuple(
        BasisGroup(
            basis.replace("I", "Z"),
            tuple(strings),
            np.stack([_part(observable, strings) for observable in observables]),
            float(np.sqrt(sum(weight[s] for s in strings))),
        )
        for basis, strings in groups
    )


def _agree(string: str, basis: str) -> bool:
    return all("I" in (a, b) or a == b for a, b in zip(string, basis, strict=True))


def _joined(string: str, basis: str) -> str:
    return "".join(b if a == "I" else a for a, b in zip(string, basis, strict=True))


def _part(observable: Observable, strings: Sequence[str]) -> FloatArray:
    values = np.zeros(2**observable.n_wires)
    for string, c in observable.terms:
        if string in strings:
            values += c * parity(string)
    return values


def parity(string: str) -> FloatArray:
    """Eigenvalue ``+-1`` of a Pauli string for every outcome ``(2**m,)`` in its own basis."""
    values: FloatArray = np.ones(1)
    for letter in string:
        values = np.kron(values, np.array([1.0, 1.0 if letter == "I" else -1.0]))
    return values
