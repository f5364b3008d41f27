"""Counts as a device's model gives them, drawn as often as wanted: shots that cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.aer import AerBackend
from backends.base import (
    Backend,
    BackendError,
    CircuitBatch,
    CompiledTemplate,
    DistributionBackend,
)
from backends.checks import sample
from backends.exact import ExactBackend
from backends.vendor import VendorBackend

FloatArray = NDArray[np.float64]
Counts = dict[str, NDArray[np.int64]]

MANY_SHOTS = 10**13
"""As good as infinitely many, and a number of counts that arithmetic is exact with."""
MOST_OUTCOMES = 2**22
"""Probabilities of one circuit's rows."""
_MOST_WORK = 2**30
"""Entries of density matrices times gates of one circuit's rows: seconds."""
_FEWEST_ROWS = 4


def fewest_of(backend: Backend | VendorBackend) -> int:
    """Fewest shots of a circuit that a device takes."""
    return 1 if backend.snapshot is None else backend.snapshot.job_limits.min_shots


class Modelled:
    """Distributions of circuits on the model of a device; each is found once.

    Args:
        backend: a simulator, or a vendor's device, whose calibration is simulated.
        mixed: take what the model cannot simulate for the maximally mixed state, where one shot of
            a Pauli string deviates most; else that is refused.
    """

    def __init__(self, backend: Backend | VendorBackend, *, mixed: bool) -> None:
        self._backend, self._mixed = backend, mixed
        self._known: dict[str, tuple[CircuitBatch, FloatArray]] = {}
        self.note = ""

    def rows(self, compiled: CompiledTemplate, rows: int) -> NDArray[np.int64]:
        """Rows that stand for all, evenly among them: all, unless that takes minutes."""
        work = 4**compiled.circuit.num_qubits * max(compiled.circuit.size(), 1)
        most = min(_MOST_WORK // work, MOST_OUTCOMES >> compiled.n_measured)
        count = min(rows, max(most, _FEWEST_ROWS))
        if count < rows:
            self.note = f"planned on {count} of {rows} rows"
        return np.unique(np.linspace(0, rows - 1, count).round().astype(np.int64))

    def of(self, batch: CircuitBatch, rows: Sequence[int] | NDArray[np.int64]) -> FloatArray:
        """``(K, 2**m)`` of some rows of a batch, infinitely many shots.

        Raises:
            BackendError: the model cannot simulate it, and no mixed state may stand for it.
        """
        found = self._known.get(batch.label)
        if found is None or not _same(found[0], batch):
            values = self._probabilities(batch.compiled, batch.angles[rows])
            found = (batch, values / values.sum(axis=1, keepdims=True))
            self._known[batch.label] = found
        return found[1]

    def _probabilities(self, compiled: CompiledTemplate, angles: FloatArray) -> FloatArray:
        try:
            return self._model(compiled).probabilities(compiled, angles).clip(0.0, None)
        except BackendError as error:
            if not self._mixed:
                raise BackendError(
                    "Argument `precision` must come with a circuit whose distribution the "
                    f"device's model gives, `shots` go in its place; but: {error}"
                ) from error
            self.note = (
                "planned for the maximally mixed state: the device's model gives no exact "
                "distribution of so wide or dynamic a circuit"
            )
            return np.full((len(angles), 2**compiled.n_measured), 0.5**compiled.n_measured)

    def _model(self, compiled: CompiledTemplate) -> DistributionBackend:
        backend: Any = self._backend
        if isinstance(backend, DistributionBackend):
            return backend
        if compiled.snapshot is None:
            return ExactBackend()
        return AerBackend(compiled.snapshot)


def draw(
    modelled: Modelled,
    batches: Iterable[CircuitBatch],
    shots: Mapping[str, int],
    rows: NDArray[np.int64],
    of_rows: Mapping[str, bool],
    rng: np.random.Generator,
) -> Counts:
    """One experiment: multinomial counts of every batch, none of rows that are not chosen.

    Args:
        modelled: gives the distributions.
        batches: of a program.
        shots: of a row, by label.
        rows: chosen.
        of_rows: whether a batch runs the program's rows; of others all rows are drawn.
        rng: of the shots.
    """
    return _counts(modelled, batches, rows, of_rows, lambda label, p: sample(p, shots[label], rng))


def without_shot_noise(
    modelled: Modelled,
    batches: Iterable[CircuitBatch],
    rows: NDArray[np.int64],
    of_rows: Mapping[str, bool],
) -> Counts:
    """What infinitely many shots would give; arguments as for :func:`draw`."""
    return _counts(modelled, batches, rows, of_rows, lambda _, p: _apportioned(p))


def _apportioned(p: FloatArray) -> NDArray[np.int64]:
    counts = np.rint(p * MANY_SHOTS).astype(np.int64)
    rows = np.arange(len(p))
    counts[rows, p.argmax(axis=1)] += MANY_SHOTS - counts.sum(axis=1)  # rounding
    return counts


def _counts(
    modelled: Modelled,
    batches: Iterable[CircuitBatch],
    rows: NDArray[np.int64],
    of_rows: Mapping[str, bool],
    made: Callable[[str, FloatArray], NDArray[np.int64]],
) -> Counts:
    out: Counts = {}
    for batch in batches:
        chosen = rows if of_rows[batch.label] else np.arange(len(batch.angles))
        p = modelled.of(batch, chosen)
        counts = np.zeros((len(batch.angles), p.shape[1]), dtype=np.int64)
        counts[chosen] = made(batch.label, p)
        out[batch.label] = counts
    return out


def _same(known: CircuitBatch, batch: CircuitBatch) -> bool:
    """Whether two batches of a label are of the same circuits; a shot more changes few of them."""
    one, other = known.compiled, batch.compiled
    alike = one is other or one.circuit == other.circuit
    return alike and np.array_equal(known.angles, batch.angles)
