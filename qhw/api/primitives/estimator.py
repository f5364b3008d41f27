"""Qiskit's estimator over any device."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub, EstimatorPubLike
from qiskit.quantum_info import SparseObservable, SparsePauliOp

from backends.base import Backend
from backends.checks import check_shots
from backends.exact import ExactBackend
from qhw.analysis.expect.result import ExpectSettings
from qhw.analysis.expect.values import Measured, compile_circuit, plan, prepare, wanted_observables
from qhw.api.devices import DeviceLike
from qhw.api.measuring import begun_together
from qhw.api.primitives.jobs import DeviceJob, LedgerJob, SimulatedJob
from qhw.api.primitives.sources import Seed, Source, rows_of, stream
from qhw.api.running import Run
from qhw.circuits.fingerprint import fingerprint
from qhw.circuits.workload import Workload
from qhw.defaults import DEFAULT_DEVICE
from qhw.mitigation.expectation import run_expectation, shots_for
from qhw.paid.expect import ExpectRun

DEFAULT_PRECISION = 1 / 64
_ANY = 2**20
"""Shots where they are not known yet, or play no part."""

_LOG = logging.getLogger(__name__)
FloatArray = NDArray[np.float64]
Terms: TypeAlias = tuple[tuple[str, float], ...]
"""An observable of a PUB: strings, in Qiskit's order of letters, and coefficients."""


@dataclass(eq=False)
class _Group:
    """Rows of one circuit, with the same observables and precision: they run together.

    Attributes:
        circuit: whose qubits the observables act on.
        observables: K of them.
        precision: of each value.
        rows: ``(P,)`` angles each.
        places: of each row, the PUB's number and the places of its array that take the K values.
    """

    circuit: QuantumCircuit
    observables: tuple[Terms, ...]
    precision: float
    rows: list[FloatArray] = field(default_factory=list)
    places: list[tuple[int, list[list[int]]]] = field(default_factory=list)


class Estimator(BaseEstimatorV2):
    """Expectation values of Qiskit circuits from any device: a ``BaseEstimatorV2``.

    Every PUB ``(circuit, observables, parameter values, precision)`` gives ``evs`` and ``stds`` in
    the shape to which observables and parameter values broadcast. Rows of one circuit with the same
    observables run together, terms that commute qubit by qubit in one basis. On a device that takes
    jobs everything goes through the ledger, the device's budget holds for all PUBs of a call
    together, and the same call again takes up what was sent; simulators compute in a thread of this
    process.

    Precision decides the shots: as many that no value's standard deviation by shots alone can be
    above it, whatever the state, without mitigation. ``stds`` are the standard errors really had:
    mitigation makes them larger. Precision 0 means infinitely many shots, and only ``exact`` has
    them; its ``stds`` are 0 then.

    Args:
        device: where, see :func:`qhw.device`.
        mitigation: a pipeline such as ``"readout+zne(1,3)"``, or ``"none"``; what it runs comes out
            of the shots.
        default_precision: of a PUB that names none.
        seed: of compilation, random choices and simulated shots: the same call gives the same
            values. A generator gives new ones to every call; so does ``None``, at random, but on a
            device that takes jobs ``None`` is 0.
        again: on a device that takes jobs: send everything anew, even if it was paid already.
        tell: told what is being done.

    Raises:
        UnknownBackendError: no such device.
        MitigationError: a pipeline that cannot be, or gives no expectation values.
        ValueError: a precision that is negative, or 0 on a device that has noise or shots.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> bell = QuantumCircuit(2)
        >>> _ = bell.h(0), bell.cx(0, 1)
        >>> job = Estimator("exact").run([(bell, ["ZZ", "XX", "YY"])], precision=0)
        >>> job.result()[0].data.evs.round(9)
        array([ 1.,  1., -1.])
    """

    def __init__(
        self,
        device: DeviceLike = DEFAULT_DEVICE,
        *,
        mitigation: str = "none",
        default_precision: float = DEFAULT_PRECISION,
        seed: Seed = None,
        again: bool = False,
        tell: Callable[[str], None] = _LOG.info,
    ) -> None:
        self._source = Source(device, mitigation, seed, again=again, quantity="expectation")
        self._default_precision = self._checked(default_precision)
        self._tell = tell

    @property
    def default_precision(self) -> float:
        """Precision of a PUB that names none."""
        return self._default_precision

    @property
    def seed(self) -> Seed:
        """As given."""
        return self._source.seed

    def run(self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None) -> DeviceJob:
        """Start estimating.

        Args:
            pubs: circuits with observables and parameter values. Measurements at a circuit's end
                are left out: observables act on its qubits.
            precision: of each value of a PUB that names none.

        Returns:
            A job; its result has one entry a PUB, with ``data.evs`` and ``data.stds``.

        Raises:
            ValueError: a PUB that is none, angles that are not finite, observables that are not
                Hermitian, or a precision that cannot be.
            BackendError: a circuit that is no sequence of gates, or a precision that needs more
                shots than there can be; on a device that takes jobs also what it refuses.
            BudgetError: the device's budget or a cap would be passed.
        """
        every = self._default_precision if precision is None else precision
        known = [EstimatorPub.coerce(pub, every) for pub in pubs]
        for pub in known:
            self._checked(pub.precision)
        groups = _grouped(known)
        asked = [self._asked(group) for group in groups]
        backend = self._source.device.backend
        if backend is None and groups:
            return self._sent(known, groups, asked)
        seed = self._source.next_seed()

        def compute() -> PrimitiveResult[PubResult]:
            assert backend is not None or not groups
            found = [
                self._simulated(backend, group, one, int(stream(seed, i).integers(2**32)))
                for i, (group, one) in enumerate(zip(groups, asked, strict=True))
                if backend is not None
            ]
            return self._result(known, groups, asked, found)

        return SimulatedJob(compute)

    def _checked(self, precision: float) -> float:
        if not (math.isfinite(precision) and precision >= 0):
            raise ValueError(
                f"Argument `precision` must be finite and not negative, but is {precision}"
            )
        backend = self._source.device.backend
        exact = isinstance(backend, ExactBackend) and self._source.mitigation == "none"
        if precision == 0 and not exact:
            raise ValueError(
                f"Argument `precision` must be above 0 on {self._source.device.name} with "
                f"mitigation {self._source.mitigation}: only `exact` without any has none of the "
                "noise of shots"
            )
        return float(precision)

    def _asked(self, group: _Group) -> tuple[ExpectSettings, Workload]:
        """What a group asks for, its shots by its precision."""
        angles = np.array(group.rows)
        settings, work = prepare(
            group.circuit,
            angles,
            [_operator(terms) for terms in group.observables],
            device=self._source.device.name,
            mitigation=self._source.mitigation,
            shots=_ANY,
            seed=self._source.fixed_seed,
        )
        if not group.precision:
            return settings, work
        shots = check_shots(shots_for(wanted_observables(settings), group.precision))
        return settings.model_copy(update={"shots": shots}), work

    def _simulated(
        self, backend: Backend, group: _Group, asked: tuple[ExpectSettings, Workload], seed: int
    ) -> _Values:
        settings, work = asked
        compiled = self._source.compiled(
            work.fingerprint(), lambda: compile_circuit(settings, backend, work)
        )
        program = plan(settings.model_copy(update={"seed": seed}), backend, compiled, work)
        if group.precision == 0:
            exact, _ = program.exact()
            return _Values(exact, np.zeros_like(exact))
        found = run_expectation(program, seed=seed)
        self._source.check_complete(found.missing)
        return _Values(found.values, found.standard_error)

    def _sent(
        self,
        pubs: Sequence[EstimatorPub],
        groups: Sequence[_Group],
        asked: Sequence[tuple[ExpectSettings, Workload]],
    ) -> LedgerJob:
        source = self._source
        wanted = [(work, settings) for settings, work in asked]
        runs = begun_together(ExpectRun, source.device, wanted, again=source.again, tell=self._tell)

        def read(results: list[Any]) -> PrimitiveResult[PubResult]:
            found = []
            for run, result in zip(runs, results, strict=True):
                measured: Measured = result.measured
                source.check_complete(measured.found.missing, run.id)
                values = measured.found.values, measured.found.standard_error
                found.append(_Values(*values, run.id))
            return self._result(pubs, groups, asked, found)

        return LedgerJob([Run(run) for run in runs], read)

    def _result(
        self,
        pubs: Sequence[EstimatorPub],
        groups: Sequence[_Group],
        asked: Sequence[tuple[ExpectSettings, Workload]],
        found: Sequence[_Values],
    ) -> PrimitiveResult[PubResult]:
        evs = [np.zeros(math.prod(pub.shape)) for pub in pubs]
        stds = [np.zeros_like(values) for values in evs]
        shots: list[list[int]] = [[] for _ in pubs]
        runs: list[dict[str, None]] = [{} for _ in pubs]
        for group, (settings, _), values in zip(groups, asked, found, strict=True):
            for row, (number, places) in enumerate(group.places):
                for k, where in enumerate(places):
                    evs[number][where] = values.values[row, k]
                    stds[number][where] = values.standard_error[row, k]
                shots[number].append(0 if group.precision == 0 else settings.shots)
                if values.run is not None:
                    runs[number][values.run] = None
        return PrimitiveResult(
            [
                PubResult(
                    DataBin(
                        evs=evs[i].reshape(pub.shape),
                        stds=stds[i].reshape(pub.shape),
                        shape=pub.shape,
                    ),
                    {
                        "target_precision": pub.precision,
                        "shots": max(shots[i], default=0),
                        "mitigation": self._source.mitigation,
                        "circuit_metadata": pub.circuit.metadata,
                        "runs": tuple(runs[i]),
                    },
                )
                for i, pub in enumerate(pubs)
            ],
            metadata={"version": 2, "device": self._source.device.name},
        )


@dataclass(frozen=True, eq=False)
class _Values:
    """What a group gave, ``(B, K)`` each, and its run in the ledger."""

    values: FloatArray
    standard_error: FloatArray
    run: str | None = None


def _grouped(pubs: Sequence[EstimatorPub]) -> list[_Group]:
    """Rows of all PUBs; those of equal circuits, observables and precision together."""
    prints: dict[int, str] = {}
    found: dict[tuple[object, ...], _Group] = {}
    for number, pub in enumerate(pubs):
        if id(pub.circuit) not in prints:
            prints[id(pub.circuit)] = fingerprint(pub.circuit)
        key = prints[id(pub.circuit)]
        for row, wanted in zip(
            list(rows_of(pub.parameter_values, pub.circuit)), _wanted(pub), strict=True
        ):
            if not wanted:
                continue
            group = found.setdefault(
                (key, tuple(wanted), pub.precision),
                _Group(_unmeasured(pub.circuit), tuple(wanted), pub.precision),
            )
            group.rows.append(row)
            group.places.append((number, list(wanted.values())))
    return list(found.values())


def _wanted(pub: EstimatorPub) -> list[dict[Terms, list[int]]]:
    """Of each row the observables, and the places of their values."""
    size = math.prod(pub.parameter_values.shape)
    rows = np.arange(size).reshape(pub.parameter_values.shape)
    terms = [tuple(sorted(one.items())) for one in pub.observables.ravel().tolist()]
    numbers = np.arange(len(terms)).reshape(pub.observables.shape)
    found: list[dict[Terms, list[int]]] = [{} for _ in range(size)]
    pairs = (table.ravel().tolist() for table in np.broadcast_arrays(rows, numbers))
    for place, (row, number) in enumerate(zip(*pairs, strict=True)):
        found[row].setdefault(terms[number], []).append(place)
    return found


def _unmeasured(circuit: QuantumCircuit) -> QuantumCircuit:
    if not circuit.num_clbits:
        return circuit
    return circuit.remove_final_measurements(inplace=False)


def _operator(terms: Terms) -> SparsePauliOp:
    """An observable in Pauli strings; Qiskit's may also have projectors."""
    return SparsePauliOp.from_sparse_observable(SparseObservable.from_list(list(terms)))
