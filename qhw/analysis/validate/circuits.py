"""Circuits of the public benchmarks, rebuilt from their published definitions.

Qubit ``k`` is bit ``k`` of an outcome. Angles and weights come from the generators that the
benchmarks name (numpy's legacy one, Python's), so that seeds mean what they mean there.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from pydantic import Field, ValidationError, validate_call
from qiskit import QuantumCircuit
from qiskit.circuit.library import HGate, SGate
from qiskit.quantum_info import Clifford, Pauli

_LR_WEIGHTS = (0.1, 0.2, 0.3, 0.5, 1.0)
_PATHS_OF_WIT = ((0, 5), (1, 4), (2, 3))
_WIT_FIELDS = (0.0566794, 0.01039906, 0.0632158)
_WIT_STEPS = 3
_GHZ_CHAIN = ((0, 2), (2, 1), (2, 3), (3, 4), (4, 3))
_ONE_QUBIT_CLIFFORDS = 24
MOST_QUBITS = 4096
_MOST_LAYERS = 1000
_MOST_GATES = 10**6
"""About as many rotations as are laid out before anything is compiled."""
_LARGEST = 1e6

Size = Annotated[int, Field(strict=True, ge=1, le=MOST_QUBITS)]
Layers = Annotated[int, Field(strict=True, ge=1, le=_MOST_LAYERS)]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**32)]
Place = Annotated[int, Field(strict=True, ge=0, lt=MOST_QUBITS)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-_LARGEST, le=_LARGEST)]
Edges = Annotated[Sequence[tuple[Place, Place, Number]], Field(min_length=1)]
"""Two qubits and a weight each; these types are what :func:`built` holds arguments against."""


@dataclass(frozen=True)
class BenchmarkCircuit:
    """A circuit and what is scored of it.

    Attributes:
        circuit: measured last.
        expected: outcome with the answer, ``None`` where a distribution is scored otherwise.
        edges: ``(a, b, weight)`` of a cut, by bits of the outcome.
    """

    circuit: QuantumCircuit
    expected: int | None = None
    edges: tuple[tuple[int, int, float], ...] = ()


def kernel(n: Size, seed: Seed = 0) -> BenchmarkCircuit:
    """Overlap of a ZZ feature map on a line with itself: all bits come back 0.

    Args:
        n: qubits.
        seed: of the data.
    """
    data = 2 * math.pi * np.random.RandomState(seed).random_sample(n)
    there = QuantumCircuit(n)
    there.h(range(n))
    for q, angle in enumerate(data):
        there.rz(angle, q)
    for start in (0, 1):
        for a in range(start, n - 1, 2):
            there.cx(a, a + 1)
            there.rz((math.pi - data[a]) * (math.pi - data[a + 1]), a + 1)
            there.cx(a, a + 1)
    whole = QuantumCircuit(n, n)
    whole.compose(there, inplace=True)
    whole.barrier()
    whole.compose(there.inverse(), inplace=True)
    whole.barrier()
    whole.measure(range(n), range(n))
    return BenchmarkCircuit(whole, expected=0)


def wormhole(n: Size = 7) -> BenchmarkCircuit:
    """Teleportation through a size-winding kicked Ising chain; bit 0 is qubit 5.

    Raises:
        ValueError: another size than 7.
    """
    if n != 7:
        raise ValueError(f"Argument `n` must be 7 for the teleportation circuit, but is {n}.")
    quarter = math.pi / 2
    qc = QuantumCircuit(7, 1)
    for a, b in _PATHS_OF_WIT:
        qc.h(a)
        qc.cx(a, b)
    left, right = (0, 1, 2), (5, 4, 3)
    for _ in range(_WIT_STEPS):
        _kick(qc, left, -quarter)
        _fields(qc, left, -1)
    qc.swap(0, 6)
    for _ in range(_WIT_STEPS):
        _fields(qc, left, 1)
        _kick(qc, left, quarter)
    for a, b in _PATHS_OF_WIT[1:]:
        qc.rzz(quarter, a, b)
    for _ in range(_WIT_STEPS):
        _kick(qc, right, quarter)
        _fields(qc, right, 1)
    qc.measure(5, 0)
    return BenchmarkCircuit(qc, expected=1)


def _kick(qc: QuantumCircuit, qubits: Sequence[int], angle: float) -> None:
    for q in qubits:
        qc.rx(angle, q)


def _fields(qc: QuantumCircuit, qubits: Sequence[int], sign: int) -> None:
    for q, field in zip(qubits, _WIT_FIELDS, strict=True):
        qc.rz(sign * field, q)
    for a, b in pairwise(qubits):
        qc.rzz(sign * math.pi / 2, a, b)


def ramp_on_path(
    n: Size,
    p: Layers = 10,
    seed: Seed = 123,
    delta_beta: Number = 0.3,
    delta_gamma: Number = 0.6,
) -> BenchmarkCircuit:
    """Linear-ramp QAOA of weighted MaxCut on a path, weights drawn by the seed."""
    _check_gates(n * p)
    draw = random.Random(seed)
    weights = [draw.choice(_LR_WEIGHTS) for _ in range(n - 1)]
    qc = QuantumCircuit(n, n)
    qc.h(range(n))
    for gamma, beta in _ramp(p, delta_gamma, delta_beta):
        for a in _even_then_odd(n):
            qc.rzz(2 * gamma * weights[a], a, a + 1)
        qc.rx(-2 * beta, range(n))
    qc.measure(range(n), range(n))
    return BenchmarkCircuit(qc, edges=tuple((a, a + 1, w) for a, w in enumerate(weights)))


def _ramp(p: int, gamma: float, beta: float) -> Iterator[tuple[float, float]]:
    """Angles of each layer: gamma rises, beta falls."""
    for layer in range(1, p + 1):
        yield layer * gamma / p, (p + 1 - layer) * beta / p


def _even_then_odd(n: int) -> Iterator[int]:
    yield from range(0, n - 1, 2)
    yield from range(1, n - 1, 2)


def ramp_on_chain(n: Size, p: Layers, delta: Number, edges: Edges) -> BenchmarkCircuit:
    """Linear-ramp QAOA on a line of weighted couplings, each one ``cx rz cx``."""
    _check_gates(n * p)
    listed = _edges(n, edges)
    if any(b - a != 1 for a, b, _ in listed):
        raise ValueError("Argument `edges` must couple neighbours of a line.")
    weights = {a: w for a, _, w in listed}
    largest = max(map(abs, weights.values()))
    qc = QuantumCircuit(n, n)
    qc.h(range(n))
    for gamma, beta in _ramp(p, delta, delta):
        for a in _even_then_odd(n):
            if abs(weights.get(a, 0.0)) > 1e-6:
                qc.cx(a, a + 1)
                qc.rz(2 * gamma * weights[a] / largest, a + 1)
                qc.cx(a, a + 1)
        qc.rx(-2 * beta, range(n))
    qc.measure(range(n), range(n))
    return BenchmarkCircuit(qc, edges=listed)


def ramp_by_swaps(n: Size, p: Layers, delta: Number, edges: Edges) -> BenchmarkCircuit:
    """Linear-ramp QAOA of a complete graph on a line: a swap network reverses it every layer."""
    _check_gates(n**2 * p)
    listed = _edges(n, edges)
    if len(listed) < n * (n - 1) // 2:
        raise ValueError(f"Argument `edges` must hold every pair of {n} qubits.")
    weights = {(a, b): w for a, b, w in listed}
    largest = max(weights.values())
    qc = QuantumCircuit(n, n)
    qc.h(range(n))
    line = list(range(n))  # place of each position; layers start from either end
    for gamma, beta in _ramp(p, delta, delta):
        held = list(range(n))  # variable at each position
        for step in range(n):
            for j in range(step % 2, n - 1, 2):
                pair = tuple(sorted(held[j : j + 2]))
                angle = 2 * gamma * weights[pair[0], pair[1]] / largest
                _swapped_rotation(qc, angle, line[j], line[j + 1])
                held[j], held[j + 1] = held[j + 1], held[j]
        qc.rx(-2 * beta, range(n))
        line.reverse()
    qc.measure(range(n), line)
    return BenchmarkCircuit(qc, edges=listed)


def _swapped_rotation(qc: QuantumCircuit, angle: float, a: int, b: int) -> None:
    """A ZZ rotation and a swap in three CX."""
    qc.cx(a, b)
    qc.rz(angle, b)
    qc.cx(b, a)
    qc.cx(a, b)


def ramp_all_to_all(n: Size, p: Layers, delta: Number, edges: Edges) -> BenchmarkCircuit:
    """Linear-ramp QAOA of a complete graph with direct ZZ rotations."""
    _check_gates(n**2 * p)
    listed = _edges(n, edges)
    largest = max(w for _, _, w in listed)
    qc = QuantumCircuit(n, n)
    qc.h(range(n))
    for gamma, beta in _ramp(p, delta, delta):
        for a, b, w in listed:
            qc.rzz(2 * gamma * w / largest, a, b)
        qc.rx(-2 * beta, range(n))
    qc.measure(range(n), range(n))
    return BenchmarkCircuit(qc, edges=listed)


def _check_gates(gates: int) -> None:
    if gates > _MOST_GATES:
        raise ValueError(f"Arguments must make at most {_MOST_GATES} gates, but make {gates}.")


def _edges(n: int, edges: Edges) -> tuple[tuple[int, int, float], ...]:
    """Smaller qubit first, each pair once, and something to cut."""
    found = tuple((min(a, b), max(a, b), float(w)) for a, b, w in edges)
    pairs = {(a, b) for a, b, _ in found}
    if any(a == b or b >= n for a, b in pairs) or len(pairs) < len(found):
        raise ValueError(f"Argument `edges` must have different pairs of {n} qubits.")
    if not sum(w for _, _, w in found) > 0 or not max(w for _, _, w in found) > 0:
        raise ValueError("Argument `edges` must have weights that add up to more than 0.")
    return found


def ghz_witness(basis: str) -> BenchmarkCircuit:
    """Five qubits entangled and partly disentangled again, read in one basis.

    Raises:
        ValueError: a basis other than X, Y and Z.
    """
    if basis not in ("X", "Y", "Z"):
        raise ValueError(f"Argument `basis` must be X, Y or Z, but is {basis!r}.")
    qc = QuantumCircuit(5, 2 if basis == "Z" else 4)
    qc.h(0)
    qc.barrier()
    for a, b in _GHZ_CHAIN:
        qc.cx(a, b)
        qc.barrier()
    qc.x([0, 1, 2])
    qc.barrier()
    if basis == "Z":
        qc.measure([1, 4], [0, 1])
        return BenchmarkCircuit(qc)
    read = [0, 1, 2, 4]
    if basis == "Y":
        qc.sdg(read)
    qc.h(read)
    qc.barrier()
    qc.measure(read, range(4))
    return BenchmarkCircuit(qc)


def mirror(
    n: Size,
    layers: Layers,
    p2: Annotated[Number, Field(ge=0, le=1)] = 0.5,
    barriers: str = "",
    seed: Seed | None = None,
) -> BenchmarkCircuit:
    """A circuit of the mirror ensemble on a path: published runs name no seed, so not theirs.

    Args:
        n: qubits.
        layers: before the middle.
        p2: share of a matching's pairs that get a CX.
        barriers: ``every layer`` for barriers between all layers, else around the middle only.
        seed: of this instance; 0 by default.
    """
    _check_gates(n * layers)
    rng = np.random.default_rng(seed or 0)
    apart = barriers == "every layer"
    first = QuantumCircuit(n)
    for q in range(n):
        _append_clifford(first, q, rng)
    forth: list[QuantumCircuit] = []
    for _ in range(layers):
        forth += [_paulis(n, rng)[0], _mixing(n, p2, rng)]
    middle, label = _paulis(n, rng)
    whole = QuantumCircuit(n, n)
    parts = [first, None, *_spaced(forth, apart), None, middle, None]
    parts += [*_spaced([c.inverse() for c in reversed(forth)], apart), None, first.inverse(), None]
    for part in parts:
        if part is None:
            whole.barrier()
        else:
            whole.compose(part, inplace=True)
    whole.measure(range(n), range(n))
    frame = first.copy()
    for part in forth:
        frame.compose(part, inplace=True)
    flipped = Pauli(label).evolve(Clifford(frame)).x
    return BenchmarkCircuit(whole, expected=sum(1 << q for q in range(n) if flipped[q]))


def _spaced(parts: Sequence[QuantumCircuit], apart: bool) -> Iterator[QuantumCircuit | None]:
    for part in parts:
        yield part
        if apart:
            yield None


def _mixing(n: int, p2: float, rng: np.random.Generator) -> QuantumCircuit:
    """CX on part of a random matching of the path, one-qubit Cliffords on the others."""
    qc = QuantumCircuit(n)
    left = [(q, q + 1) for q in range(n - 1)]
    busy: set[int] = set()
    while left:
        pair = left[rng.integers(len(left))]
        left = [other for other in left if not set(other) & set(pair)]
        if rng.random() < p2:
            busy.update(pair)
            qc.cx(*(pair if rng.random() < 0.5 else pair[::-1]))
    for q in range(n):
        if q not in busy:
            _append_clifford(qc, q, rng)
    return qc


def _paulis(n: int, rng: np.random.Generator) -> tuple[QuantumCircuit, str]:
    """A random Pauli string as gates and as Qiskit's label."""
    letters = "".join(rng.choice(list("IXYZ"), n))
    qc = QuantumCircuit(n)
    for q, letter in enumerate(letters):
        getattr(qc, {"I": "id"}.get(letter, letter.lower()))(q)
    return qc, letters[::-1]


def _append_clifford(qc: QuantumCircuit, q: int, rng: np.random.Generator) -> None:
    for gate in _clifford_words()[rng.integers(_ONE_QUBIT_CLIFFORDS)]:
        qc.append(HGate() if gate == "h" else SGate(), [q])


@cache
def _clifford_words() -> tuple[str, ...]:
    """A shortest word of h and s for each one-qubit Clifford."""
    words: dict[bytes, str] = {}
    tries = [""]
    while len(words) < _ONE_QUBIT_CLIFFORDS:
        longer = []
        for word in tries:
            qc = QuantumCircuit(1)
            for gate in word:
                qc.append(HGate() if gate == "h" else SGate(), [0])
            if words.setdefault(Clifford(qc).tableau.tobytes(), word) is word:
                longer += [word + "h", word + "s"]
        tries = longer
    return tuple(words.values())


KINDS: Mapping[str, Callable[..., BenchmarkCircuit]] = {
    "qml_kernel": kernel,
    "wit": wormhole,
    "lr_qaoa_1d": ramp_on_path,
    "lr_chain": ramp_on_chain,
    "lr_full_swap": ramp_by_swaps,
    "lr_full_rzz": ramp_all_to_all,
    "ghz_witness": ghz_witness,
    "mirror": mirror,
}
"""Maker of each kind of circuit, by the ``name`` of a record's circuit."""


@cache
def _checking(name: str) -> Callable[..., BenchmarkCircuit]:
    return validate_call(KINDS[name])


def built(name: str, arguments: Mapping[str, Any]) -> BenchmarkCircuit:
    """A circuit by what a file says.

    Args:
        name: one of :data:`KINDS`.
        arguments: of its maker, of any kind.

    Raises:
        ValueError: one that it does not take, of the wrong kind or out of range.
    """
    try:
        return _checking(name)(**arguments)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"`{place}`: {first['msg']}") from error
