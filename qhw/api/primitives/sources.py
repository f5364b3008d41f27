"""What both primitives share: options, seeds, and circuits compiled once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives.containers.bindings_array import BindingsArray

from backends.base import BackendError, CompiledTemplate
from qhw.api.devices import Device, DeviceLike
from qhw.api.devices import device as as_device
from qhw.mitigation.base import Quantity
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.words import DEFAULT

Seed = int | np.random.Generator | None
_KEPT = 64
"""Compiled circuits that a primitive remembers."""


class Source:
    """Where a primitive's circuits run, and how.

    Args:
        device: where, see :func:`qhw.device`.
        mitigation: a pipeline, ``"none"``, or for counts ``"default"``.
        seed: of compilation, random choices and simulated shots; a generator gives a new one to
            every call, ``None`` a random one.
        again: on a device that takes jobs: send everything anew, even if it was paid already.
        quantity: what is wanted of the pipeline.

    Raises:
        MitigationError: a pipeline that cannot be, or does not give what is wanted.
        ValueError: a seed that is none.
    """

    def __init__(
        self,
        device: DeviceLike,
        mitigation: str,
        seed: Seed,
        *,
        again: bool,
        quantity: Quantity,
    ) -> None:
        self.device: Device = as_device(device)
        if quantity == "expectation" or mitigation.strip() != DEFAULT:
            found = Pipeline.parse(mitigation)
            found.check(quantity)
            mitigation = str(found)
        whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool) and seed >= 0
        if not (whole or seed is None or isinstance(seed, np.random.Generator)):
            raise ValueError(
                "Argument `seed` must be a whole number from 0, a generator or None, but is "
                f"{seed!r}"
            )
        self.mitigation, self.seed, self.again = mitigation, seed, again
        self._compiled: dict[str, CompiledTemplate] = {}

    @property
    def fixed_seed(self) -> int:
        """Of compilation, and of runs in the ledger, which are the same as long as it is."""
        return int(self.seed) if isinstance(self.seed, int | np.integer) else 0

    def next_seed(self) -> int:
        """Of the shots and random choices of one call."""
        if isinstance(self.seed, np.random.Generator):
            return int(self.seed.integers(2**32))
        if self.seed is None:
            return int(np.random.SeedSequence().generate_state(1)[0])
        return int(self.seed)

    def compiled(self, key: str, make: Callable[[], CompiledTemplate]) -> CompiledTemplate:
        """A circuit as compiled before; compiled now where it is new."""
        found = self._compiled.get(key)
        if found is None:
            found = self._compiled[key] = make()
            for old in list(self._compiled)[:-_KEPT]:
                self._compiled.pop(old, None)
        return found

    def check_complete(self, missing: Mapping[int, str], run: str | None = None) -> None:
        """Refuse a result in which rows are missing: an array of results has no place for that.

        Raises:
            BackendError: the first of them, in the vendor's words.
        """
        if missing:
            row, words = min(missing.items())
            where = "" if run is None else f"; `qhw jobs counts {run}` writes what is there"
            raise BackendError(
                f"Device {self.device.name} must give counts of every circuit, but {len(missing)} "
                f"failed, row {row} first: {words}{where}"
            )


def rows_of(values: BindingsArray, circuit: QuantumCircuit) -> NDArray[np.float64]:
    """Angles ``(B, P)`` of a PUB, radians, its array flattened, columns ``circuit.parameters``."""
    table = values.as_array(circuit.parameters)
    shape = math.prod(values.shape), circuit.num_parameters
    return np.asarray(table, dtype=np.float64).reshape(shape)


def stream(seed: int, *place: int) -> np.random.Generator:
    """Random numbers of one purpose."""
    return np.random.default_rng([seed, *place])
