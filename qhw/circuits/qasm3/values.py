"""What an expression of OpenQASM 3 is worth while a program is read.

Whole numbers, floating-point numbers, booleans and arrays are Python's; angles of inputs are
Qiskit's parameters. Bits may be known or measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from openqasm3 import ast
from qiskit.circuit import ClassicalRegister, Clbit, ParameterExpression, Qubit
from qiskit.circuit.classical import expr

from qhw.circuits.qasm3.faults import Qasm3Error

MAX_WHOLE_BITS = 4096
"""Whole numbers that grow beyond are refused."""
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12}


@dataclass(frozen=True)
class Qubits:
    """One qubit, or a register, or a part of one."""

    bits: tuple[Qubit, ...]
    scalar: bool = False


@dataclass(frozen=True)
class Bits:
    """Classical bits, lowest first: 0 or 1 where that is known, else where they are written.

    Attributes:
        entries: values or places.
        scalar: declared without a size.
        register: that these are all of, in order.
    """

    entries: tuple[int | Clbit, ...]
    scalar: bool = False
    register: ClassicalRegister | None = None

    @property
    def known(self) -> bool:
        """Whether all are."""
        return all(isinstance(entry, int) for entry in self.entries)

    @property
    def whole(self) -> int:
        """As a number without sign.

        Raises:
            Qasm3Error: some are measured.
        """
        if not self.known:
            raise Qasm3Error("a value known before any shot is needed, but the bits are measured")
        return sum(int(entry) << i for i, entry in enumerate(self.entries))

    @classmethod
    def of(cls, value: int, width: int) -> Bits:
        """A bit string."""
        return cls(tuple(value >> i & 1 for i in range(width)))


@dataclass(frozen=True)
class Time:
    """A duration in one of OpenQASM's units."""

    value: float
    unit: str

    def plus(self, other: Time) -> Time:
        """Sum, in the unit of both or in seconds.

        Raises:
            Qasm3Error: of clock periods and a time that needs a clock.
        """
        if self.unit == other.unit:
            return Time(self.value + other.value, self.unit)
        return Time(self.seconds + other.seconds, "s")

    def times(self, factor: float) -> Time:
        """Longer by a factor."""
        return Time(self.value * factor, self.unit)

    @property
    def seconds(self) -> float:
        """In seconds.

        Raises:
            Qasm3Error: in clock periods of a device.
        """
        if self.unit not in _SECONDS:
            raise Qasm3Error("durations in dt must not be mixed with those in units of time")
        return self.value * _SECONDS[self.unit]


@dataclass(frozen=True)
class Condition:
    """A truth that measurements decide.

    Attributes:
        expression: Qiskit's.
        equality: a bit or register and its value, where it is no more than that.
    """

    expression: expr.Expr
    equality: tuple[Clbit | ClassicalRegister, int] | None = None


@dataclass(frozen=True)
class Kind:
    """A classical type.

    Attributes:
        name: ``int``, ``uint``, ``float``, ``angle``, ``bool``, ``bit``, ``complex``,
            ``duration`` or ``array``.
        size: bits of it, ``None`` where it does not say.
        element: of an array.
        shape: of an array.
    """

    name: str
    size: int | None = None
    element: Kind | None = None
    shape: tuple[int, ...] = ()


NAMES: dict[type, str] = {
    ast.IntType: "int",
    ast.UintType: "uint",
    ast.FloatType: "float",
    ast.AngleType: "angle",
    ast.BoolType: "bool",
    ast.BitType: "bit",
    ast.ComplexType: "complex",
    ast.DurationType: "duration",
}


def cast(kind: Kind, value: Any) -> Any:
    """A value as one of a type.

    Raises:
        Qasm3Error: there is no such cast.
    """
    if kind.name == "array":
        return _array(kind, value)
    if kind.name in ("int", "uint"):
        return _whole(kind, value)
    if kind.name in ("float", "angle"):
        return _real(kind, value)
    if kind.name == "bool":
        return _truth(value)
    if kind.name == "bit":
        return _bits(kind, value)
    if kind.name == "complex" and isinstance(value, int | float | complex):
        return complex(value)
    if kind.name == "duration" and isinstance(value, Time):
        return value
    raise no_cast(value, kind.name)


def default(kind: Kind) -> Any:
    """What a variable holds that nothing was assigned to; ``None`` where only arrays have it."""
    if kind.name == "array":
        assert kind.element is not None
        return _filled(kind.shape, default(kind.element))
    if kind.name == "bit":
        return _bits(kind, 0)
    return {
        "float": 0.0,
        "angle": 0.0,
        "bool": False,
        "complex": 0j,
        "duration": Time(0.0, "s"),
    }.get(kind.name, 0)


def no_cast(value: Any, wanted: str) -> Qasm3Error:
    """The fault of a value of the wrong kind."""
    return Qasm3Error(f"must be of type {wanted}, but is {said(value)}")


def said(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, Bits):
        return "bits" if value.known else "bits that are measured"
    if isinstance(value, Qubits):
        return "qubits"
    if isinstance(value, Condition):
        return "a condition on what is measured"
    if isinstance(value, ParameterExpression):
        return f"the free parameter {str(value)[:40]}"
    if isinstance(value, Time):
        return "a duration"
    if isinstance(value, list):
        return "an array"
    return f"{type(value).__name__} {str(value)[:40]}"


def _whole(kind: Kind, value: Any) -> Any:
    if isinstance(value, Bits):
        if not value.known:
            return value  # compared with numbers, which is all that circuits can do
        value = value.whole
    if isinstance(value, float) and math.isfinite(value):
        value = int(value)
    if not isinstance(value, int):
        raise no_cast(value, kind.name)
    value = int(value)
    if kind.size is None:
        return value
    value &= (1 << kind.size) - 1
    if kind.name == "int" and value >> (kind.size - 1):
        value -= 1 << kind.size
    return value


def _real(kind: Kind, value: Any) -> Any:
    if isinstance(value, Bits) and kind.name == "angle" and value.known:
        return 2 * math.pi * value.whole / 2 ** len(value.entries)
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError as error:
            raise Qasm3Error("the number is too large") from error
    if isinstance(value, ParameterExpression):
        return value
    raise no_cast(value, kind.name)


def _truth(value: Any) -> Any:
    if isinstance(value, Condition):
        return value
    if isinstance(value, Bits):
        if value.known:
            return value.whole != 0
        return value  # the condition is made where it is asked for
    if isinstance(value, int | float):
        return bool(value)
    raise no_cast(value, "bool")


def _bits(kind: Kind, value: Any) -> Bits:
    width = 1 if kind.size is None else kind.size
    if isinstance(value, Bits):
        if len(value.entries) != width:
            raise Qasm3Error(f"must have {width} bits, but has {len(value.entries)}")
        return Bits(value.entries, kind.size is None, value.register)
    if isinstance(value, int):  # booleans too
        return Bits(Bits.of(int(value), width).entries, kind.size is None)
    raise no_cast(value, "bit")


def _array(kind: Kind, value: Any, depth: int = 0) -> list[Any]:
    assert kind.element is not None
    if not isinstance(value, list) or len(value) != kind.shape[depth]:
        raise Qasm3Error(f"must be an array of shape {kind.shape}, but is {said(value)}")
    if depth + 1 < len(kind.shape):
        return [_array(kind, part, depth + 1) for part in value]
    return [cast(kind.element, part) for part in value]


def _filled(shape: tuple[int, ...], value: Any) -> Any:
    return value if not shape else [_filled(shape[1:], value) for _ in range(shape[0])]
