"""mitiq's techniques as stages of a pipeline, for expectation values.

mitiq binds every angle, converts circuits to Cirq and back, and knows values without errors. So
each row of angles is handed over bound, without its measurements, in the device's own gates; what
comes back is written gate by gate in the place of the compiled circuit
(:func:`backends.rewrite.replaced`), and errors travel through mitiq's formulas by their
derivatives. Where circuits are random samples, their spread is in the error as well.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit, transpile

from backends.base import BackendError, CircuitBatch, CompiledTemplate
from backends.binding import bind_rows
from backends.rewrite import replaced
from backends.statevector import measured_probabilities
from qhw.mitigation.base import (
    Context,
    Estimate,
    MitigationError,
    Quantity,
    split_shots,
)

FloatArray = NDArray[np.float64]
Combine = Callable[[list[float]], float]

_NONE = np.empty((1, 0))
_KNOWN = ("rx", "ry", "rz", "sx", "sxdg", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "cx", "cz")
"""Gates that come back from Cirq as they went."""
_STEP = 1e-4
"""Of derivatives of mitiq's formulas, relative to values of order one."""


@dataclass(frozen=True, eq=False)
class Exact:
    """Values of the K observables without noise.

    Attributes:
        compiled: in whose place circuits are written.
        measured: qubit and bit of every measurement.
        features: ``(K, 2**m)``.
    """

    compiled: CompiledTemplate
    measured: Sequence[tuple[int, int]]
    features: FloatArray

    def __call__(self, circuit: QuantumCircuit) -> FloatArray:
        """``(K,)`` of a circuit without measurements."""
        template = _written(self.compiled, circuit, self.measured)
        return np.asarray(measured_probabilities(template, _NONE)[0] @ self.features.T)

    @property
    def mixed(self) -> FloatArray:
        """``(K,)`` of the maximally mixed state."""
        return np.asarray(self.features.mean(axis=1))

    @property
    def constant(self) -> NDArray[np.bool_]:
        """``(K,)`` whether every outcome gives the same: nothing is measured of it here."""
        return np.asarray(np.ptp(self.features, axis=1) == 0)


@dataclass(frozen=True, eq=False)
class Built:
    """What mitiq runs for one circuit.

    Attributes:
        circuits: without measurements.
        combine: from the number of an observable to mitiq's formula: values of all circuits in,
            the mitigated value out.
        weights: of random samples, where the formula is the mean of values times these.
    """

    circuits: list[QuantumCircuit]
    combine: Callable[[int], Combine]
    weights: FloatArray | None = None


@dataclass(frozen=True)
class MitiqTechnique(ABC):
    """A technique of mitiq's; subclasses say which circuits and how values are combined."""

    rank: ClassVar[int] = 2
    valid_for: ClassVar[frozenset[Quantity]] = frozenset(("expectation",))
    name: ClassVar[str]

    @property
    @abstractmethod
    def circuits(self) -> int:
        """Circuits run in place of one."""

    @property
    def needs(self) -> tuple[str, ...]:
        """The package."""
        return ("mitiq",)

    @abstractmethod
    def plan(self, circuit: QuantumCircuit, exact: Exact, seed: int) -> Built:
        """Circuits of one bound circuit.

        Args:
            circuit: without measurements.
            exact: values ``(K,)`` of all observables in a circuit without noise.
            seed: of random choices.
        """

    def build(self, batch: CircuitBatch, context: Context) -> MitiqStep:
        """mitiq's circuits of every row.

        Raises:
            MitigationError: mitiq is not installed, cannot take the circuit, or shots are too few.
        """
        if context.features is None:
            raise MitigationError(f"{self.name} must be used for an expectation value")
        features = context.features
        batches: list[CircuitBatch] = []
        rows = []
        rng = context.rng(f"{batch.label}/{self.name}")
        for b, bound in enumerate(bind_rows(batch.compiled, batch.angles)):
            gates, measured = _parted(bound)
            with _seeded(int(rng.integers(2**32))) as seed, _said(self):
                built = self.plan(gates, Exact(batch.compiled, measured, features), seed)
            shots = split_shots(batch.shots, [1.0] * len(built.circuits), str(self))
            label = f"{batch.label}/{self.name}/row={b}"
            batches += [
                CircuitBatch(f"{label}/{v}", _written(batch.compiled, one, measured), _NONE, part)
                for v, (one, part) in enumerate(zip(built.circuits, shots, strict=True))
            ]
            rows.append(built)
        return MitiqStep(tuple(batches), tuple(rows), self)


@dataclass(frozen=True, eq=False)
class MitiqStep:
    """mitiq's circuits of all rows.

    Attributes:
        batches: row after row.
        rows: what runs for each, and how its values are combined.
        technique: whose.
    """

    batches: tuple[CircuitBatch, ...]
    rows: tuple[Built, ...]
    technique: MitiqTechnique

    def combine(self, results: Sequence[Estimate], context: Context) -> Estimate:
        """Mitigated values; errors by the derivatives of mitiq's formula."""
        found = [context.wanted(result) for result in results]
        lines, start = [], 0
        for built in self.rows:
            size = len(built.circuits)
            with _said(self.technique):
                lines.append(_combined(found[start : start + size], built))
            start += size
        return Estimate(
            np.concatenate([line.values for line in lines]),
            np.concatenate([line.variance for line in lines]),
            common=np.concatenate([line.common for line in lines], axis=1),
        ).noted(**{self.technique.name: {"circuits": [len(built.circuits) for built in self.rows]}})


def _combined(found: Sequence[Estimate], built: Built) -> Estimate:
    """One row ``(1, K)``."""
    values = np.array([one.values[0] for one in found])
    variance = np.array([one.variance[0] for one in found])
    common = np.array([one.common[:, 0] for one in found])
    out, slopes = np.empty(values.shape[1]), np.empty_like(values)
    for k in range(values.shape[1]):
        combine, column = built.combine(k), values[:, k]
        out[k] = combine(column.tolist())
        step = _STEP * max(1.0, float(np.abs(column).max()))
        for i in range(len(column)):
            unit = step * np.eye(len(column))[i]
            high, low = (combine((column + sign * unit).tolist()) for sign in (1, -1))
            slopes[i, k] = (high - low) / (2 * step)
    own = (slopes**2 * variance).sum(axis=0)
    if built.weights is not None and len(values) > 1:
        samples = built.weights[:, None] * values  # their spread holds the noise of shots too
        own = np.maximum(own, samples.var(axis=0, ddof=1) / len(values))
    own = np.maximum(own, _least(variance))
    common = np.einsum("ik,ick->ck", slopes, common)[:, None]
    return Estimate(out[None], own[None], common=common)


def _least(variance: FloatArray) -> FloatArray:
    """Variance ``(K,)`` of all circuits' shots together: a formula that is cut off somewhere, and
    has no slope there, is no more certain than these."""
    known = (variance > 0).all(axis=0)
    return np.where(known, 1 / (1 / np.where(known, variance, 1.0)).sum(axis=0), 0.0)


def _parted(bound: QuantumCircuit) -> tuple[QuantumCircuit, list[tuple[int, int]]]:
    """Gates that mitiq reads, and the qubit and bit of every measurement."""
    measured = [
        (bound.find_bit(item.qubits[0]).index, bound.find_bit(item.clbits[0]).index)
        for item in bound.get_instructions("measure")
    ]
    gates = QuantumCircuit(bound.num_qubits)
    for item in bound.data:
        if item.operation.name not in ("measure", "barrier", "delay"):
            gates.append(item.operation, [bound.find_bit(q).index for q in item.qubits])
    used = sorted({"cz", "rz", "sx", *(set(gates.count_ops()) & set(_KNOWN))})
    if not set(gates.count_ops()) <= set(_KNOWN):
        gates = transpile(gates, basis_gates=used, optimization_level=0)
    idle = set(range(gates.num_qubits)) - {
        gates.find_bit(q).index for item in gates.data for q in item.qubits
    }
    for qubit in sorted(idle):
        gates.id(qubit)  # Cirq forgets qubits without gates
    return gates, measured


def _written(
    compiled: CompiledTemplate, circuit: QuantumCircuit, measured: Sequence[tuple[int, int]]
) -> CompiledTemplate:
    whole = QuantumCircuit(compiled.circuit.num_qubits, compiled.n_measured)
    whole.compose(circuit.remove_final_measurements(inplace=False), inplace=True)
    whole.barrier()
    for qubit, bit in measured:
        whole.measure(qubit, bit)
    return replaced(compiled, whole)


@contextmanager
def _seeded(seed: int) -> Iterator[int]:
    """Random choices that mitiq makes by the global generators, which are left as they were."""
    ours, theirs = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield seed
    finally:
        random.setstate(ours)
        np.random.set_state(theirs)


@contextmanager
def _said(technique: MitiqTechnique) -> Iterator[None]:
    """mitiq's errors, of any kind, as one line of ours."""
    try:
        yield
    except (MitigationError, BackendError):
        raise
    except Exception as error:
        words = " ".join(str(error).split())[:200]
        raise MitigationError(f"{technique} cannot be used here; mitiq says: {words}") from error
