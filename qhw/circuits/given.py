"""Circuits as people hand them over: one with free parameters, or several that differ in angles.

OpenQASM 2 knows no parameters, so rows come as one circuit each. They are one circuit to be
compiled once, with a parameter wherever their angles differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from backends.base import BackendError
from qhw.circuits.angles import AnglesError
from qhw.circuits.files import bound, read_circuits
from qhw.circuits.fingerprint import bits_of, instruction_lines, is_standard

CircuitSource: TypeAlias = QuantumCircuit | str | Path
"""A Qiskit circuit, or the path of an OpenQASM 2/3 or QPY file."""
CircuitSources: TypeAlias = CircuitSource | Sequence[CircuitSource]

_UNNAMED = re.compile(r"circuit-\d+(-\d+)?")
"""What Qiskit calls a circuit without a name, another one in every process."""
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
_MAX_DEPTH = 64
_VECTOR = "angle"


@dataclass(frozen=True, eq=False)
class Given:
    """A circuit and its angles, as handed over.

    Attributes:
        name: for people.
        source: where it comes from: the name of its file, else its own.
        circuit: its parameters free.
        angles: see :func:`qhw.circuits.angles.read_rows`.
        names: column of the angles with the rows' names; ``None`` for the usual ones.
    """

    name: str
    source: str
    circuit: QuantumCircuit
    angles: object
    names: str | None = None


def read_given(
    circuits: CircuitSources,
    angles: object,
    names: str | None = None,
    bind: Mapping[str, object] | None = None,
) -> Given:
    """One circuit of what is given, with its angles.

    Args:
        circuits: one circuit; or several, also of one QPY file, that differ in their angles alone:
            a row each, named after its circuit or file.
        angles: of one circuit; ``None`` for several.
        names: column of the angles with the rows' names.
        bind: values of parameters and of OpenQASM 3's inputs by name, the same in every row; angles
            are of the others.

    Raises:
        TypeError: neither a circuit nor a path.
        CircuitFileError: a file cannot be used.
        AnglesError: angles for several circuits.
        ValueError: none at all, or several that differ in more than angles.

    Example:
        >>> one, two = QuantumCircuit(1, name="one"), QuantumCircuit(1, name="two")
        >>> _ = one.ry(0.1, 0), two.ry(0.2, 0)
        >>> found = read_given([one, two], None)
        >>> found.circuit.num_parameters, found.angles["row"]
        (1, ['one', 'two'])
    """
    one = isinstance(circuits, QuantumCircuit | str | Path) or not isinstance(circuits, Sequence)
    sources: Iterable[Any] = [circuits] if one else list(circuits)  # type: ignore[arg-type]
    found = [circuit for source in sources for circuit in _opened(source, bind or {})]
    if not found:
        raise ValueError("Argument `circuit` must be a circuit or several, but is none")
    if len(found) == 1:
        name = _printable(found[0].name)
        source = Path(circuits).name if isinstance(circuits, str | Path) else name
        return Given(name, source, found[0], angles, names)
    if angles is not None or names is not None:
        raise AnglesError(
            f"Argument `{'angles' if names is None else 'names'}` must be left out of several "
            f"circuits, each of which is a row, but {len(found)} are given"
        )
    rows = [_printable(circuit.name, str(row)) for row, circuit in enumerate(found)]
    circuit, values = _as_rows(found, rows)
    columns: dict[str, object] = {_VECTOR: values} if values.shape[1] else {}
    name = f"{_printable(found[0].name)} and {len(found) - 1} more"
    return Given(name, name, circuit, columns | {"row": rows})


@contextmanager
def naming(circuits: CircuitSources) -> Iterator[None]:
    """Let what is wrong with the circuit of a file begin with the file."""
    try:
        yield
    except BackendError as error:
        if not isinstance(circuits, str | Path):
            raise
        raise type(error)(f"{circuits}: {error}") from error


def _opened(source: Any, values: Mapping[str, object]) -> tuple[QuantumCircuit, ...]:
    if isinstance(source, QuantumCircuit):
        return (bound(source, values, _printable(source.name)),)
    if not isinstance(source, str | Path):
        raise TypeError(
            "Argument `circuit` must be a QuantumCircuit or the path of a circuit file, or several "
            f"of them, but is {type(source).__name__}"
        )
    return read_circuits(Path(source), values)


def _printable(name: str, unnamed: str = "circuit") -> str:
    return unnamed if _UNNAMED.fullmatch(name) else _UNPRINTABLE.sub("?", name)[:80]


def _as_rows(
    circuits: list[QuantumCircuit], names: list[str]
) -> tuple[QuantumCircuit, np.ndarray[Any, np.dtype[np.float64]]]:
    """The circuits as one, with a parameter for every angle that differs, and these ``(B, P)``.

    Raises:
        ValueError: they differ in more; the line names the first instruction that does.
    """
    for _ in range(_MAX_DEPTH):
        for circuit, name in zip(circuits, names, strict=True):
            _check_alike(circuits[0], circuit, names[0], name)
        places, unusual = _differing(circuits)
        if not unusual:
            break
        opened = [circuit.decompose(sorted(unusual)) for circuit in circuits]
        for new, old in zip(opened, circuits, strict=True):
            new._layout = old._layout
        circuits = opened
    vector = ParameterVector(_VECTOR, len(places))
    out = circuits[0].copy()
    for parameter, (place, number) in zip(vector, places, strict=True):
        operation = out.data[place].operation.to_mutable()
        operation.params[number] = parameter
        out.data[place] = out.data[place].replace(operation=operation)
    values = [[float(c.data[i].operation.params[j]) for i, j in places] for c in circuits]
    return out, np.array(values, dtype=np.float64).reshape(len(circuits), len(places))


def _check_alike(first: QuantumCircuit, other: QuantumCircuit, name: str, second: str) -> None:
    if other.parameters:
        raise AnglesError(
            "Argument `circuit` must have no free parameters where several circuits are given, but "
            f"{second} has {', '.join(p.name for p in other.parameters[:4])}"
        )
    sizes = [
        (c.num_qubits, [[c.find_bit(b).index for b in r] for r in c.cregs], c.num_clbits)
        for c in (first, other)
    ]
    if sizes[0] != sizes[1]:
        raise _unlike(name, second, "their qubits or classical registers differ")
    for place in range(max(len(first.data), len(other.data))):
        said = [_named(c, place) for c in (first, other)]
        if said[0] != said[1]:
            raise _unlike(
                name, second, f"instruction {place} is {said[0]} there and {said[1]} here"
            )


def _differing(circuits: list[QuantumCircuit]) -> tuple[list[tuple[int, int]], set[str]]:
    """Places of angles that differ, and names of gates that must be opened to tell."""
    places: list[tuple[int, int]] = []
    unusual: set[str] = set()
    for place, item in enumerate(circuits[0].data):
        operations = [circuit.data[place].operation for circuit in circuits]
        if all(map(is_standard, operations)):
            rows = [list(operation.params) for operation in operations]
            places += [
                (place, number)
                for number, values in enumerate(zip(*rows, strict=True))
                if len(set(map(float, values))) > 1
            ]
        elif len({tuple(instruction_lines(circuit, place)) for circuit in circuits}) > 1:
            if any(getattr(o, "definition", None) is None for o in operations):
                raise _unlike(
                    circuits[0].name,
                    "the others",
                    f"instruction {place}, {item.operation.name}, has no definition and differs",
                )
            unusual.add(item.operation.name)
    return places, unusual


def _unlike(first: str, second: str, how: str) -> ValueError:
    return ValueError(f"Circuits {first} and {second} must differ in their angles alone, but {how}")


def _named(circuit: QuantumCircuit, place: int) -> str:
    if place >= len(circuit.data):
        return "none"
    operation = circuit.data[place].operation
    state = getattr(operation, "ctrl_state", "")
    return f"{operation.name}{'' if state == '' else f' {state}'} on {bits_of(circuit, place)}"
