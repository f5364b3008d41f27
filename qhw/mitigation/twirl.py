"""Pauli twirling of two-qubit gates: coherent errors become stochastic ones, at no cost in shots.

A gate is sandwiched between random Paulis that leave it as it is. Averaged over the choice, its
error acts as a random Pauli. The Paulis merge into the one-qubit gates that are there anyway.

Source: Wallman and Emerson, Phys. Rev. A 94, 052325 (2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Instruction
from qiskit.circuit.library import IGate, XGate, YGate, ZGate

from backends.base import CircuitBatch
from backends.rewrite import Pair, Placed, rewritten, two_qubit_gates
from qhw.mitigation.base import (
    BOTH,
    Context,
    Estimate,
    MitigationError,
    Quantity,
    split_shots,
)

MAX_VARIANTS = 1000
_PAULIS = (IGate(), XGate(), YGate(), ZGate())
_MATRICES = [np.asarray(g.to_matrix()) for g in _PAULIS]
_KNOWN = 1e-9

Twirl = tuple[tuple[int, int], tuple[int, int]]
"""Paulis (numbers of I, X, Y, Z) on the gate's two qubits before it, and after it."""


@dataclass(frozen=True)
class PauliTwirl:
    """``twirl(n)``: the mean of ``n`` randomly twirled circuits, shots divided among them.

    Attributes:
        variants: number of circuits.
    """

    variants: int = 8

    name: ClassVar[str] = "twirl"
    rank: ClassVar[int] = 0
    valid_for: ClassVar[frozenset[Quantity]] = BOTH

    def __post_init__(self) -> None:
        if not 1 <= self.variants <= MAX_VARIANTS:
            raise MitigationError(
                f"twirl(n) must have n from 1 to {MAX_VARIANTS}, but has {self.variants}"
            )

    def __str__(self) -> str:
        return f"twirl({self.variants})"

    @property
    def any_width(self) -> bool:
        """Counts are only added up."""
        return True

    @property
    def circuits(self) -> int:
        """One batch a variant."""
        return self.variants

    @property
    def needs(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def build(self, batch: CircuitBatch, context: Context) -> PooledStep:
        """Variants with equal shares of the shots; fewer where there are not enough shots.

        Raises:
            MitigationError: a two-qubit gate that no Paulis commute through.
        """
        choices = [allowed_twirls(gate) for gate, _ in two_qubit_gates(batch.compiled)]
        count = min(self.variants, batch.shots) if choices else 1
        shots = split_shots(batch.shots, [1.0] * count, self.name)
        batches = []
        for i in range(count):
            label = f"{batch.label}/twirl={i}"
            rng = context.rng(label)
            picks = [options[rng.integers(len(options))] for options in choices]

            def edit(
                number: int, gate: Instruction, pair: Pair, picks: list[Twirl] = picks
            ) -> list[Placed]:
                before, after = picks[number]
                return [*placed_paulis(before, pair), (gate, pair), *placed_paulis(after, pair)]

            variant = rewritten(batch.compiled, edit)
            batches.append(CircuitBatch(label, variant, batch.angles, shots[i]))
        return PooledStep(tuple(batches))


@dataclass(frozen=True, eq=False)
class PooledStep:
    """Circuits of the same meaning, whose counts are added up.

    Attributes:
        batches: the circuits.
    """

    batches: tuple[CircuitBatch, ...]

    def combine(self, results: Sequence[Estimate], context: Context) -> Estimate:
        """Mean weighted by shots."""
        del context
        shots = sum(r.shots for r in results)
        weights = [r.shots / shots for r in results]
        values = sum(w * r.values for w, r in zip(weights, results, strict=True))
        variance = sum(w * w * r.variance for w, r in zip(weights, results, strict=True))
        return Estimate(np.asarray(values), np.asarray(variance), shots)


def allowed_twirls(gate: Instruction) -> tuple[Twirl, ...]:
    """Every pair of Paulis before a two-qubit gate that a pair of Paulis after it undoes.

    All sixteen for a Clifford gate; the eight that commute for a rotation about ZZ or XX.

    Raises:
        MitigationError: the gate has free angles, or only the identity is allowed.
    """
    if gate.is_parameterized():
        raise MitigationError(f"twirl must have fixed two-qubit gates, but {gate.name} is free")
    found = _twirls_of(np.asarray(gate.to_matrix(), dtype=complex).tobytes())
    if len(found) == 1:
        raise MitigationError(f"twirl cannot randomise the native gate {gate.name}")
    return found


@lru_cache(maxsize=256)
def _twirls_of(matrix: bytes) -> tuple[Twirl, ...]:
    unitary = np.frombuffer(matrix, dtype=complex).reshape(4, 4)
    found = []
    for a in range(4):
        for b in range(4):
            # Qiskit's first qubit is the least significant
            moved = unitary @ np.kron(_MATRICES[b], _MATRICES[a]) @ unitary.conj().T
            after = _as_pauli(moved)
            if after is not None:
                found.append(((a, b), after))
    return tuple(found)


def _as_pauli(matrix: NDArray[np.complex128]) -> tuple[int, int] | None:
    for a in range(4):
        for b in range(4):
            overlap = np.trace(np.kron(_MATRICES[b], _MATRICES[a]).conj().T @ matrix) / 4
            if abs(abs(overlap) - 1) < _KNOWN:
                return a, b
    return None


def placed_paulis(which: tuple[int, int], pair: Pair) -> list[Placed]:
    """Paulis (numbers of I, X, Y, Z) on two qubits, identities left out."""
    return [(_PAULIS[p], (q,)) for p, q in zip(which, pair, strict=True) if p]
