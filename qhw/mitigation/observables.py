"""Sums of Pauli strings, and the measurement bases that give all of them.

A string's character ``w`` acts on measured wire ``w``: the leftmost on wire 0, the most significant
bit of an outcome. In the house's circuits wire ``w`` is Qiskit's qubit ``n - 1 - w``, so a Qiskit
label reads the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import SparsePauliOp

FloatArray = NDArray[np.float64]

_REAL = 1e-12
"""Imaginary part of a coefficient, relative to it, that rounding may leave."""
_TERM = re.compile(
    r"\s*(?P<sign>[+-]?)\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?)\s*\*?\s*)?"
    r"(?P<string>[IXYZ]+)\s*"
)
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

    @classmethod
    def of(cls, value: Observable | SparsePauliOp | Mapping[str, float] | str) -> Observable:
        """Read an operator; equal strings are added up.

        Args:
            value: an observable; a Qiskit operator, whose qubit ``n - 1 - w`` is wire ``w``;
                coefficients by string, or one string, wire 0 leftmost.

        Raises:
            ValueError: not Hermitian, not finite, free parameters, no term left, not Paulis.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, SparsePauliOp):
            # arrays of Qiskit list qubit 0 first
            z, x = value.paulis.z[:, ::-1], value.paulis.x[:, ::-1]
            strings = ["".join(row) for row in _LETTERS[z.astype(int), x.astype(int)]]
            return cls._summed(zip(strings, value.coeffs, strict=True))
        if isinstance(value, str):
            return cls._summed([(value, 1.0)])
        if isinstance(value, Mapping):
            return cls._summed(value.items())
        raise ValueError(
            f"Argument `observables` must be SparsePauliOp, coefficients by Pauli string or "
            f"strings, but has {type(value).__name__}"
        )

    @classmethod
    def parse(cls, text: str) -> Observable:
        """Read ``ZZI``, ``0.5*XXI - 1.2*IYY``: signs, numbers, strings with wire 0 leftmost.

        Raises:
            ValueError: anything else.
        """
        terms = list(_TERM.finditer(text))
        if "".join(t.group() for t in terms) != text or not terms:
            raise ValueError(
                f"Argument `observables` must be like ZZI or 0.5*XXI - 1.2*IYY, but is {text!r}"
            )
        if any(not t["sign"] for t in terms[1:]):
            raise ValueError(
                f"Argument `observables` must have a sign between terms, but is {text!r}"
            )
        return cls._summed(
            (t["string"], float(f"{t['sign'] or ''}{t['number'] or 1}")) for t in terms
        )

    @classmethod
    def _summed(cls, terms: Iterable[tuple[str, object]]) -> Observable:
        total: dict[str, float] = {}
        for string, coefficient in terms:
            total[string] = total.get(string, 0.0) + _real(string, coefficient)
        return cls(tuple((s, c) for s, c in total.items() if c))


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
