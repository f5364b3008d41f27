"""``structure``: what a model's exact outcomes must look like, used as a prior on noisy ones.

Only for models that declare it and whose exact outcomes obey it (:func:`checked_structure`). What
the nearest allowed outcomes are, the declaration says; for molecules :mod:`qhw.chem.structure`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from backends.base import CircuitBatch
from qhw.mitigation.base import (
    DISTRIBUTION,
    Context,
    Estimate,
    MitigationError,
    OutcomeStructure,
    Quantity,
)

FloatArray = NDArray[np.float64]

OBEYED = 0.02
"""Largest total variation by which the step may move a model's exact distributions on average."""
_STEP = 1e-4
"""Standard deviations of a calibration's errors in a derivative: no type changes within them."""


@dataclass(frozen=True)
class Structure:
    """``structure``: the nearest allowed outcomes, last in a pipeline."""

    name: ClassVar[str] = "structure"
    rank: ClassVar[int] = 3
    valid_for: ClassVar[frozenset[Quantity]] = DISTRIBUTION

    def __str__(self) -> str:
        return "structure"

    @property
    def circuits(self) -> int:
        """The circuit itself."""
        return 1

    @property
    def needs(self) -> tuple[str, ...]:
        """A model whose exact outcomes are known in part: a prior, not a measurement."""
        return ("model prior: exact outcomes are encoded molecules",)

    def build(self, batch: CircuitBatch, context: Context) -> StructureStep:
        """The circuit itself.

        Raises:
            MitigationError: the model declares no structure, or measures something else.
        """
        structure = _declared(context.structure)
        if 2**batch.compiled.n_measured != structure.n_outcomes:
            raise MitigationError(
                f"structure must have circuits that measure {structure.n_outcomes} outcomes, but "
                f"this one measures {2**batch.compiled.n_measured}"
            )
        return StructureStep((batch,), structure)


@dataclass(frozen=True, eq=False)
class StructureStep:
    """One batch, to be corrected.

    Attributes:
        batches: the circuit.
        structure: of its exact outcomes.
    """

    batches: tuple[CircuitBatch, ...]
    structure: OutcomeStructure

    def combine(self, results: Sequence[Estimate], context: Context) -> Estimate:
        """The nearest allowed outcomes; error bars are those given the case of each row."""
        del context
        return structured(results[0], self.structure)


def checked_structure(structure: OutcomeStructure | None, exact: FloatArray) -> OutcomeStructure:
    """A model's structure, refused where its own exact distributions violate it.

    Args:
        structure: as the model declares it.
        exact: ``(B, D)`` exact distributions of the model.

    Raises:
        MitigationError: none is declared, or the step would move exact distributions by more than
            a total variation of :data:`OBEYED` on average.
    """
    declared = _declared(structure)
    cleaned = structured(Estimate(exact, np.zeros_like(exact)), declared).values
    moved = float(0.5 * np.abs(cleaned - exact).sum(axis=1).mean())
    if moved > OBEYED:
        leak = float(exact[:, declared.empty].sum(axis=1).mean())
        raise MitigationError(
            f"structure must have a model whose exact outcomes are {declared.what} within a "
            f"total variation of {OBEYED:g}, but these are {moved:.2g} away ({leak:.1%} of their "
            "weight lies where none may be)"
        )
    return declared


def structured(measured: Estimate, structure: OutcomeStructure) -> Estimate:
    """The nearest outcomes that a structure allows.

    Args:
        measured: ``(B, D)`` frequencies or quasi-probabilities.
        structure: of the exact outcomes.
    """
    values, variance = measured.values, measured.variance
    cases = structure.cases(values)
    found, spread, floor = structure.nearest(values, variance, cases)
    common = [
        (structure.nearest(values + _STEP * change, variance, cases)[0] - found) / _STEP
        for change in measured.common
    ]
    record = {"background": floor.tolist(), structure.case: cases.tolist()}
    return Estimate(found, spread, 0, measured.record, common=np.array(common)).noted(
        structure=record
    )


def _declared(structure: OutcomeStructure | None) -> OutcomeStructure:
    if structure is None:
        raise MitigationError(
            "structure must have a model that declares its outcomes to be encoded molecules, but "
            "this one does not"
        )
    return structure
