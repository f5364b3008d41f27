"""What is asked of an exact distribution that is too wide to be written down.

A comparison needs three things of "exact": the probability of outcomes that were seen, noiseless
shots, and how wires go together. All three can be had where the vector of ``2**m`` probabilities
cannot: of a Clifford circuit by its stabilizers, of a shallow one as a matrix product state. What
scores they make stands in :mod:`qhw.analysis.scores.wide`, which method is taken in
:mod:`backends.reference.choose`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backends.outcomes import Outcomes

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ReferenceFacts:
    """How an exact distribution is known.

    Attributes:
        method: ``statevector``, ``stabilizer``, ``matrix product state`` or ``none``.
        detail: one line: sizes, truncation, or why there is none.
        discarded_weight: squared amplitude that truncation left out, 0 where nothing was; bounds
            the squared distance of the states.
    """

    method: str
    detail: str
    discarded_weight: float = 0.0


class ExactReference(Protocol):
    """The exact outcome distribution of one bound circuit."""

    @property
    def facts(self) -> ReferenceFacts:
        """How it is known."""

    def probabilities(self, outcomes: Outcomes) -> FloatArray:
        """Of each outcome ``(K,)``."""

    def sample(self, shots: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Noiseless shots ``(shots, m)``, first measured wire first."""

    def correlations(self) -> FloatArray:
        """``(m, m)``: ``<Z_i Z_j>`` of the measured wires, ``<Z_i>`` on the diagonal."""
