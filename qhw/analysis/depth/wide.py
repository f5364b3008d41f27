"""What is known of the exact outcome of a circuit too wide for a vector of all outcomes.

With ``x`` a noiseless shot of the exact distribution ``p``, the uniform distribution's distance is
``E[max(0, 1 - 2**-m / p(x))]``: exact for stabilizer states, whose outcomes are all as likely, a
mean over shots for others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from backends.dynamic.circuit import is_dynamic
from backends.exact import ExactBackend
from backends.outcomes import count_shots, pack_bits
from backends.reference.base import ReferenceFacts
from backends.reference.choose import exact_references

FloatArray = NDArray[np.float64]

MOST_GATES = 20_000
"""A larger circuit takes longer than a planner waits."""
MOST_WORK = 4e10
"""Multiplications: about ten seconds."""
_SHOTS = 2000


@dataclass(frozen=True, eq=False)
class WideExact:
    """An exact outcome that is not written down.

    Attributes:
        seen: exact probabilities ``(S,)`` of noiseless shots.
        spread: distance of the uniform distribution to it.
        note: how it is known, in one line.
    """

    seen: FloatArray
    spread: float
    note: str


def wide_exact(circuit: QuantumCircuit) -> WideExact | str:
    """The exact outcome by stabilizers, statevector or matrix product state, or why there is none.

    Args:
        circuit: bound and measured.
    """
    none = f"{circuit.num_qubits} qubits: exact output not computed"
    if is_dynamic(circuit):
        return f"{none}, the circuit is dynamic"
    if circuit.size() > MOST_GATES:
        return f"{none}, more than {MOST_GATES:,} gates"
    compiled = ExactBackend().compile(circuit)
    found = exact_references(compiled, np.empty((1, 0)), most_work=MOST_WORK)
    if isinstance(found, ReferenceFacts):
        return f"{none}: {found.detail}"
    (reference,) = found
    bits = reference.sample(_SHOTS, np.random.default_rng(0))
    outcomes, counts = count_shots([pack_bits(bits)], bits.shape[1])
    p = np.repeat(reference.probabilities(outcomes), counts[0])
    away = np.maximum(0.0, 1.0 - 0.5 ** bits.shape[1] / p)
    error = float(away.std(ddof=1)) / math.sqrt(len(away))
    facts = reference.facts
    note = f"exact by {facts.method}: {facts.detail}"
    if error > 0:
        note += f"; uniform {away.mean():.4f} ± {error:.1g} away by {_SHOTS:,} noiseless shots"
    return WideExact(p, float(away.mean()), note)
