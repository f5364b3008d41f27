"""Conditions on classical bits: their value, and the one form in which circuits keep them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import product
from typing import Any, TypeAlias

from qiskit.circuit import ClassicalRegister, Clbit
from qiskit.circuit.classical import expr, types

from backends.base import BackendError

Condition: TypeAlias = "tuple[Clbit | ClassicalRegister, int] | expr.Expr"
MAX_BITS = 8
"""Bits that one condition may read, unless it is an equality."""

_Op = expr.Binary.Op
_BINARY: dict[Any, Callable[[int, int], int]] = {
    _Op.BIT_AND: lambda a, b: a & b,
    _Op.BIT_OR: lambda a, b: a | b,
    _Op.BIT_XOR: lambda a, b: a ^ b,
    _Op.LOGIC_AND: lambda a, b: int(bool(a) and bool(b)),
    _Op.LOGIC_OR: lambda a, b: int(bool(a) or bool(b)),
    _Op.EQUAL: lambda a, b: int(a == b),
    _Op.NOT_EQUAL: lambda a, b: int(a != b),
    _Op.LESS: lambda a, b: int(a < b),
    _Op.LESS_EQUAL: lambda a, b: int(a <= b),
    _Op.GREATER: lambda a, b: int(a > b),
    _Op.GREATER_EQUAL: lambda a, b: int(a >= b),
    _Op.SHIFT_LEFT: lambda a, b: a << b,
    _Op.SHIFT_RIGHT: lambda a, b: a >> b,
    _Op.ADD: lambda a, b: a + b,
    _Op.SUB: lambda a, b: a - b,
    _Op.MUL: lambda a, b: a * b,
}


def holds(condition: Condition, bits: Mapping[Clbit, int]) -> bool:
    """Whether a condition holds.

    Args:
        condition: of an ``if`` or a loop.
        bits: value of every bit it reads.

    Raises:
        BackendError: it reads something else than bits.
    """
    if isinstance(condition, tuple):
        place, value = condition
        return _worth(place, bits) == int(value)
    return bool(_value(condition, bits))


def bits_read(condition: Condition) -> tuple[Clbit, ...]:
    """Bits that a condition reads, each once, in order.

    Raises:
        BackendError: it reads something else.
    """
    if isinstance(condition, tuple):
        found: Sequence[Clbit] = _places(condition[0])
    else:
        found = [bit for var in expr.iter_vars(condition) for bit in _places(var.var)]
    return tuple(dict.fromkeys(found))


def value_of(target: Any, bits: Mapping[Clbit, int]) -> int:
    """Value of what a ``switch`` looks at."""
    return _value(target, bits) if isinstance(target, expr.Expr) else _worth(target, bits)


def on_bits(condition: Condition, new: Mapping[Clbit, Clbit]) -> Condition:
    """The condition on other bits, of single bits alone: registers need not exist there.

    Raises:
        BackendError: it reads something else than bits, or too many.
    """
    read = bits_read(condition)
    if (equality := _equality(condition)) is not None:
        place, value = equality
        rows: Iterator[tuple[int, ...]] = iter([tuple(value >> i & 1 for i in range(len(read)))])
        if value >> len(read):
            rows = iter(())
        del place
    elif len(read) > MAX_BITS:
        raise BackendError(
            f"Argument `circuit` must have conditions on at most {MAX_BITS} bits unless they are "
            f"equalities, but has one on {len(read)}."
        )
    else:
        rows = (
            values
            for values in product((0, 1), repeat=len(read))
            if holds(condition, dict(zip(read, values, strict=True)))
        )
    places = [new[bit] for bit in read]
    terms = [_all(places, values) for values in rows]
    if not terms:
        return expr.lift(False)
    if len(terms) == 1 and len(places) == 1:
        lifted = terms[0]
        return (places[0], 1) if isinstance(lifted, expr.Var) else (places[0], 0)
    return reduce(expr.logic_or, terms)


def _all(places: Sequence[Clbit], values: Sequence[int]) -> expr.Expr:
    terms = [
        expr.lift(bit) if value else expr.logic_not(bit)
        for bit, value in zip(places, values, strict=True)
    ]
    return reduce(expr.logic_and, terms) if terms else expr.lift(True)


def _equality(condition: Condition) -> tuple[Any, int] | None:
    """Register or bit, and value, of a condition that is no more than that."""
    if isinstance(condition, tuple):
        return condition[0], int(condition[1])
    if isinstance(condition, expr.Binary) and condition.op is _Op.EQUAL:
        for one, other in ((condition.left, condition.right), (condition.right, condition.left)):
            if isinstance(one, expr.Var) and isinstance(other, expr.Value):
                return one.var, int(other.value)
    return None


def _places(place: Any) -> Sequence[Clbit]:
    if isinstance(place, Clbit):
        return (place,)
    if isinstance(place, ClassicalRegister):
        return tuple(place)
    raise BackendError(
        "Argument `circuit` must decide by classical bits alone, but reads a classical variable."
    )


def _worth(place: Any, bits: Mapping[Clbit, int]) -> int:
    return sum(bits[bit] << i for i, bit in enumerate(_places(place)))


def _value(node: expr.Expr, bits: Mapping[Clbit, int]) -> int:
    if isinstance(node, expr.Var):
        return _worth(node.var, bits)
    if isinstance(node, expr.Value):
        return int(node.value)
    width: int = node.type.width if isinstance(node.type, types.Uint) else 1
    if isinstance(node, expr.Cast):
        inner = _value(node.operand, bits)
        return int(bool(inner)) if isinstance(node.type, types.Bool) else inner % 2**width
    if isinstance(node, expr.Unary):
        inner = _value(node.operand, bits)
        return int(not inner) if width == 1 else ~inner % 2**width
    if isinstance(node, expr.Index):
        return _value(node.target, bits) >> _value(node.index, bits) & 1
    if isinstance(node, expr.Binary) and node.op in _BINARY:
        found = _BINARY[node.op](_value(node.left, bits), _value(node.right, bits))
        return int(found % 2**width)
    raise BackendError(
        f"Argument `circuit` must decide by bits, but a condition has {type(node).__name__}."
    )
