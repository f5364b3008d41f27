"""Pipelines judged by the molecules that a model makes of them, its head refitted or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qhw.analysis.compare.settings import Preparation
from qhw.analysis.head.measure import known_inputs
from qhw.analysis.head.refitted import refit_decoder, with_map
from qhw.chem.validity import judge
from qhw.circuits.workload import Workload
from qhw.mitigation.base import MitigationError
from qhw.mitigation.placed import Placed
from qhw.models.base import ReadsOut
from qhw.models.checkpoint import load
from qhw.models.exact import ExactModel

FloatArray = NDArray[np.float64]

HEAD = "+head"
"""End of a pipeline's text: what it gives is decoded by a head refitted to what it gives of rows
whose outcome is known."""
WITH_HEAD = ("none+head", "readout+head")
"""Measured where all pipelines are asked for."""
KNOWN_ROWS, KNOWN_SHOTS = 200, 10_000
_MOST_SHARE = 0.5
"""Of all shots for rows of known outcome."""


@dataclass(frozen=True, eq=False)
class Decoding:
    """A model that decodes the rows of a bench by a linear head.

    Attributes:
        exact: the model.
        preparation: how amplitudes are loaded.
        seed: of the rows of known outcome.
    """

    exact: ExactModel
    preparation: Preparation
    seed: int

    @cached_property
    def latents(self) -> FloatArray:
        """``(n, d)`` whose outcome is known."""
        return known_inputs(self.exact, "decoder", KNOWN_ROWS, self.seed)

    @cached_property
    def workload(self) -> Workload:
        """The decoder's rows that load them."""
        return self.exact.workload("decoder", self.latents, self.preparation, seed=self.seed)

    def split(self, subject: Placed, shots: int) -> tuple[Placed, int, int]:
        """The rows of known outcome, the shots of each, and those left for each row of a bench.

        Args:
            subject: the bench's rows.
            shots: of each of these on average, everything counted.

        Raises:
            MitigationError: too few shots.
        """
        total = len(subject.angles) * shots
        each = min(KNOWN_SHOTS, int(_MOST_SHARE * total) // KNOWN_ROWS)
        left = (total - each * KNOWN_ROWS) // len(subject.angles)
        if each < 1 or left < 1:
            raise MitigationError(
                f"Argument `shots` must pay for {KNOWN_ROWS} rows of known outcome with half of "
                f"all shots, but is {shots} for {len(subject.angles)} rows"
            )
        # what the same compiler makes of the same circuit
        return replace(subject, workload=self.workload), each, left

    def valid(self, distributions: FloatArray, known: FloatArray | None = None) -> FloatArray:
        """1 for every row whose molecule is strictly valid, else 0: ``(K,)``.

        Args:
            distributions: ``(K, 2**m)``.
            known: ``(n, 2**m)`` what the same pipeline gave of :attr:`latents`; ``None`` for the
                model's own head.
        """
        exact = self.exact
        if known is not None:
            exact = with_map(exact, refit_decoder(exact, self.latents, known).map)
        statuses = judge(exact.molecules(distributions), "strict").statuses
        return np.array([status == "valid" for status in statuses], dtype=np.float64)


def decoding_of(model: str, task: str, preparation: Preparation, seed: int) -> Decoding | None:
    """How a model's rows are decoded; ``None`` where they are no molecules or no head is linear.

    Raises:
        CheckpointError: no such model, or a damaged one.
    """
    if task != "generate":
        return None
    loaded, card = load(model)
    if not isinstance(loaded, ReadsOut):
        return None
    return Decoding(ExactModel(loaded.double(), card.name, "a bench"), preparation, seed)


def check_heads(pipelines: Sequence[str], decoding: Decoding | None) -> None:
    """Refuse refitted heads where there is nothing to refit.

    Raises:
        MitigationError: names the first.
    """
    asked = [text for text in pipelines if text.endswith(HEAD)]
    if asked and decoding is None:
        raise MitigationError(
            f"{asked[0]} must have the decoder of a model with a linear head, but here is none"
        )
