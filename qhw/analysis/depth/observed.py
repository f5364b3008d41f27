"""Shots for a wanted error of an observable, by a device's predicted success.

Errors are taken to act like global depolarising: with success ``f`` every measured distribution is
``f p + (1 - f) / 2**m``. What that does to the value is its bias; shots are split among measurement
bases as `qhw expect` splits them. Both together, in quadrature, are the wanted error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from qiskit import QuantumCircuit

from backends.dynamic.circuit import is_dynamic
from backends.exact import ExactBackend
from backends.statevector import measured_probabilities
from qhw.analysis.compare.synthesis import MAX_QUBITS
from qhw.analysis.precision.shots import shots_of_error
from qhw.mitigation.expectation import build_expectation
from qhw.mitigation.observables import Observable


@dataclass(frozen=True)
class Part:
    """Terms read in one basis: means of their sum and of its square.

    Attributes:
        share: of the shots.
        mean: exact.
        square: exact.
        even_square: of the uniform distribution, whose mean is 0.
    """

    share: float
    mean: float
    square: float
    even_square: float


@dataclass(frozen=True)
class Observed:
    """An observable of a circuit.

    Attributes:
        value: exact.
        constant: known without measuring.
        parts: one a basis.
        observable: as asked for.
    """

    value: float
    constant: float
    parts: tuple[Part, ...]
    observable: Observable

    def shots(self, success: float, error: float) -> int | None:
        """Fewest shots with the wanted error, ``None`` where the device's own bias is as large.

        Args:
            success: predicted probability that nothing goes wrong.
            error: wanted, root mean square.
        """
        left = error**2 - ((1 - success) * (self.value - self.constant)) ** 2
        if left <= 0:
            return None
        variance = 0.0
        for part in self.parts:
            square = success * part.square + (1 - success) * part.even_square
            variance += (square - (success * part.mean) ** 2) / part.share
        try:
            return shots_of_error(1, math.sqrt(max(variance, 0.0)), math.sqrt(left))
        except ValueError:  # more than anyone takes
            return None


def observed(circuit: QuantumCircuit, texts: Sequence[str]) -> tuple[Observed, ...]:
    """Observables of a circuit; none where its exact values are not at hand.

    Args:
        circuit: measured.
        texts: see :meth:`~qhw.mitigation.observables.Observable.parse`.

    Raises:
        ValueError: no observable, or none of as many bits as the circuit measures.
    """
    if circuit.num_qubits > MAX_QUBITS or circuit.parameters or is_dynamic(circuit):
        return ()
    return tuple(_observed(circuit, text) for text in texts)


def _observed(circuit: QuantumCircuit, text: str) -> Observed:
    wanted = Observable.parse(text, circuit.num_clbits)
    program = build_expectation(
        ExactBackend(), circuit, np.empty((1, 0)), [wanted], pipeline="none", shots=10**6, seed=0
    )
    whole = sum(group.spread for group in program.groups)
    parts, value = [], wanted.constant
    for group, one in zip(program.groups, program.programs, strict=True):
        p = measured_probabilities(one.compiled, one.angles)[0]
        (feature,) = group.features
        mean, square = float(p @ feature), float(p @ feature**2)
        even = float((feature**2).mean())
        parts.append(Part(group.spread / whole, mean, square, even))
        value += mean
    return Observed(value, wanted.constant, tuple(parts), wanted)
