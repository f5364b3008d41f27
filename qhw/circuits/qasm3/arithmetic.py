"""Operators and functions of OpenQASM 3 on values, and conditions on measured bits."""

from __future__ import annotations

import cmath
import math
import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

from qiskit.circuit import Clbit, ParameterExpression
from qiskit.circuit.classical import expr

from qhw.circuits.qasm3.faults import Qasm3Error
from qhw.circuits.qasm3.values import MAX_WHOLE_BITS, Bits, Condition, Time, said

CONSTANTS: dict[str, float] = {
    "pi": math.pi,
    "π": math.pi,
    "tau": math.tau,
    "τ": math.tau,
    "euler": math.e,
    "ℇ": math.e,
}
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_EXPRESSIONS: dict[str, Callable[[Any, Any], expr.Expr]] = {
    "==": expr.equal,
    "!=": expr.not_equal,
    "<": expr.less,
    "<=": expr.less_equal,
    ">": expr.greater,
    ">=": expr.greater_equal,
}
_BITWISE: dict[str, Callable[[int, int], int]] = {
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}


def binary(sign: str, left: Any, right: Any) -> Any:
    """``left sign right``.

    Raises:
        Qasm3Error: there is no such operation on these, or none before measurements.
    """
    measured = [side for side in (left, right) if isinstance(side, Condition) or _open(side)]
    if measured:
        return _measured(sign, left, right)
    if sign in ("&&", "||"):
        sides = bool(_number(left)), bool(_number(right))
        return all(sides) if sign == "&&" else any(sides)
    if isinstance(left, Time) or isinstance(right, Time):
        return _times(sign, left, right)
    if sign in _ORDERED:
        return bool(_ORDERED[sign](_number(left), _number(right)))
    if sign in (*_BITWISE, "<<", ">>"):
        return _bitwise(sign, left, right)
    return bounded(_calculated(sign, _number(left), _number(right)))


def unary(sign: str, value: Any) -> Any:
    """``sign value``.

    Raises:
        Qasm3Error: there is no such operation.
    """
    if sign == "!":
        return negated(truth(value))
    if isinstance(value, Time):
        return value.times(-1.0)
    if sign == "~":
        if isinstance(value, Bits):
            if not value.known:
                if value.scalar or len(value.entries) == 1:
                    return negated(truth(value))
                raise Qasm3Error("`~` on measured bits is not read")
            return Bits(tuple(1 - int(e) for e in value.entries), value.scalar)
        return ~int(_whole(value))
    return -_number(value)


def call(name: str, values: list[Any]) -> Any:
    """One of the functions that every program has.

    Raises:
        Qasm3Error: no such function, or not of such values.
    """
    if name == "popcount":
        return sum(map(int, bin(_whole(values[0]))[2:].replace("-", "")))
    if name in ("rotl", "rotr"):
        return _rotated(values[0], _whole(values[1]) * (1 if name == "rotl" else -1))
    numbers = [_number(value) for value in values]
    if name == "mod":
        return numbers[0] - numbers[1] * math.trunc(numbers[0] / numbers[1])
    if name == "pow":
        return bounded(_power(*numbers))
    if name == "real":
        return complex(numbers[0]).real
    if name == "imag":
        return complex(numbers[0]).imag
    if name not in _FUNCTIONS:
        raise Qasm3Error(f"the function {name!r} is not defined")
    of_parameter, of_number = _FUNCTIONS[name]
    (number,) = numbers
    if isinstance(number, ParameterExpression):
        if of_parameter is None:
            raise Qasm3Error(f"{name} of a free parameter is not read; bind it")
        return getattr(number, of_parameter)()
    if isinstance(number, complex):
        return getattr(cmath, of_number.__name__)(number)
    return of_number(number)


_FUNCTIONS: dict[str, tuple[str | None, Callable[[Any], Any]]] = {
    "sin": ("sin", math.sin),
    "cos": ("cos", math.cos),
    "tan": ("tan", math.tan),
    "arcsin": ("arcsin", math.asin),
    "arccos": ("arccos", math.acos),
    "arctan": ("arctan", math.atan),
    "exp": ("exp", math.exp),
    "log": ("log", math.log),
    "ln": ("log", math.log),
    "sqrt": (None, math.sqrt),
    "floor": (None, math.floor),
    "ceiling": (None, math.ceil),
    "abs": ("abs", abs),
}
FUNCTIONS = frozenset({*_FUNCTIONS, "popcount", "rotl", "rotr", "mod", "pow", "real", "imag"})


def truth(value: Any) -> bool | Condition:
    """A value where a condition stands.

    Raises:
        Qasm3Error: it is none.
    """
    if isinstance(value, bool | Condition):
        return value
    if _open(value):
        if len(value.entries) == 1:
            (bit,) = value.entries
            return Condition(expr.lift(bit), (bit, 1))
        return negated(_equal(value, 0))
    return bool(_number(value))


def negated(value: bool | Condition) -> bool | Condition:
    """The opposite."""
    if isinstance(value, bool):
        return not value
    found = value.equality
    if found is not None and isinstance(found[0], Clbit):
        return Condition(expr.logic_not(value.expression), (found[0], 1 - found[1]))
    return Condition(expr.logic_not(value.expression))


def bounded(value: Any) -> Any:
    """A value that has not grown beyond bounds.

    Raises:
        Qasm3Error: it has.
    """
    if isinstance(value, int) and value.bit_length() > MAX_WHOLE_BITS:
        raise Qasm3Error(f"whole numbers must have at most {MAX_WHOLE_BITS} bits, but one has more")
    return value


def divided(left: Any, right: Any) -> Any:
    """Quotient; of whole numbers without what is behind the point."""
    if isinstance(right, int | float) and right == 0:
        raise Qasm3Error("division by zero")
    if isinstance(left, int) and isinstance(right, int):
        quotient = abs(left) // abs(right)
        return quotient if (left < 0) == (right < 0) else -quotient
    return left / right


def _open(value: Any) -> bool:
    return isinstance(value, Bits) and not value.known


def _number(value: Any) -> Any:
    if isinstance(value, Bits):
        return value.whole
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, float | complex | ParameterExpression):
        return value
    raise Qasm3Error(f"a number is needed, but {said(value)} stands there")


def _whole(value: Any) -> int:
    number = _number(value)
    if not isinstance(number, int):
        raise Qasm3Error(f"a whole number is needed, but {said(value)} stands there")
    return number


def _calculated(sign: str, left: Any, right: Any) -> Any:
    if sign in _ARITHMETIC:
        return _ARITHMETIC[sign](left, right)
    if sign == "/":
        return divided(left, right)
    if sign == "%":
        return (
            left - right * divided(left, right) if isinstance(left, int) else math.fmod(left, right)
        )
    if sign == "**":
        return _power(left, right)
    raise Qasm3Error(f"the operator {sign!r} is not read")


def _power(base: Any, exponent: Any) -> Any:
    whole = isinstance(base, int) and isinstance(exponent, int)
    if whole and exponent * max(1, base.bit_length()) > MAX_WHOLE_BITS:
        raise Qasm3Error(f"whole numbers must have at most {MAX_WHOLE_BITS} bits, but one has more")
    return base**exponent


def _bitwise(sign: str, left: Any, right: Any) -> Any:
    if sign in _BITWISE:
        found = _BITWISE[sign](_whole(left), _whole(right))
        for side in (left, right):
            if isinstance(side, Bits):
                return Bits(Bits.of(found, len(side.entries)).entries, side.scalar)
        return found
    places = _whole(right)
    if not 0 <= places <= MAX_WHOLE_BITS:
        raise Qasm3Error(f"must shift by 0 to {MAX_WHOLE_BITS} places, but by {said(right)}")
    whole = _whole(left)
    found = whole << places if sign == "<<" else whole >> places
    return Bits.of(found, len(left.entries)) if isinstance(left, Bits) else bounded(found)


def _rotated(value: Any, places: int) -> Bits:
    if not isinstance(value, Bits):
        raise Qasm3Error(f"bits are needed to be rotated, but {said(value)} stands there")
    entries = value.entries
    start = -places % len(entries)
    return Bits(entries[start:] + entries[:start])


def _times(sign: str, left: Any, right: Any) -> Any:
    if isinstance(left, Time) and isinstance(right, Time):
        if sign in ("+", "-"):
            return left.plus(right if sign == "+" else right.times(-1.0))
        alike = left.unit == right.unit
        sides = (left.value, right.value) if alike else (left.seconds, right.seconds)
        if sign in _ORDERED:
            return bool(_ORDERED[sign](*sides))
        if sign == "/":
            return divided(float(sides[0]), float(sides[1]))
    elif sign == "*":
        time, factor = (left, right) if isinstance(left, Time) else (right, left)
        return time.times(float(_number(factor)))
    elif sign == "/" and isinstance(left, Time):
        return left.times(divided(1.0, float(_number(right))))
    raise Qasm3Error(f"the operator {sign!r} is not read for durations")


def _measured(sign: str, left: Any, right: Any) -> bool | Condition:
    """What is decided by measurements."""
    if sign in ("&&", "||") or (sign in _BITWISE and _single(left) and _single(right)):
        return _logic(sign, truth(left), truth(right))
    if sign in ("==", "!="):
        same = _same(left, right)
        return same if sign == "==" else negated(same)
    if sign in _ORDERED:
        sides = [_lifted(side) for side in (left, right)]
        return Condition(_EXPRESSIONS[sign](*sides))
    raise Qasm3Error(f"the operator {sign!r} on measured bits is not read")


def _single(value: Any) -> bool:
    return isinstance(value, bool | Condition) or (
        isinstance(value, Bits) and len(value.entries) == 1
    )


def _logic(sign: str, left: bool | Condition, right: bool | Condition) -> bool | Condition:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, bool):
            if sign in ("&&", "&"):
                return other if one else False
            if sign in ("||", "|"):
                return True if one else other
            return negated(other) if one else other
    assert isinstance(left, Condition)
    assert isinstance(right, Condition)
    sides = left.expression, right.expression
    if sign == "^":
        return Condition(expr.bit_xor(*sides))
    return Condition((expr.logic_and if sign in ("&&", "&") else expr.logic_or)(*sides))


def _same(left: Any, right: Any) -> bool | Condition:
    if isinstance(left, Bits) and isinstance(right, Bits):
        if len(left.entries) != len(right.entries):
            raise Qasm3Error(
                f"{len(left.entries)} bits must not be compared with {len(right.entries)}"
            )
        if right.known:
            return _equal(left, right.whole)
        if left.known:
            return _equal(right, left.whole)
        pairs = [
            Condition(expr.equal(a, b))
            if not isinstance(a, int) and not isinstance(b, int)
            else _bit_is(b if isinstance(a, int) else a, a if isinstance(a, int) else b)
            for a, b in zip(left.entries, right.entries, strict=True)
        ]
        return reduce(lambda one, other: _logic("&&", one, other), pairs)
    if _open(left) and not isinstance(right, Condition):
        return _equal(left, _whole(right))
    if _open(right) and not isinstance(left, Condition):
        return _equal(right, _whole(left))
    return negated(_logic("^", truth(left), truth(right)))


def _equal(bits: Bits, value: int) -> bool | Condition:
    if value < 0 or value >> len(bits.entries):
        return False
    if bits.register is not None and not any(isinstance(e, int) for e in bits.entries):
        return Condition(expr.equal(bits.register, value), (bits.register, value))
    conditions = [_bit_is(entry, value >> i & 1) for i, entry in enumerate(bits.entries)]
    return reduce(lambda one, other: _logic("&&", one, other), conditions)


def _bit_is(entry: Any, value: Any) -> bool | Condition:
    if isinstance(entry, int):
        return entry == int(value)
    lifted = expr.lift(entry)
    return Condition(lifted if value else expr.logic_not(lifted), (entry, int(value)))


def _lifted(value: Any) -> expr.Expr:
    if isinstance(value, Bits) and not value.known:
        if value.register is None or any(isinstance(e, int) for e in value.entries):
            raise Qasm3Error("only whole registers that are measured are compared by size")
        return expr.lift(value.register)
    number = _whole(value)
    if number < 0:
        raise Qasm3Error("measured bits are compared with numbers from 0 on")
    return expr.lift(number)
