"""Any device as an executor of mitiq, whose techniques then run on it unchanged."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from backends.base import Backend, CompiledTemplate
from backends.checks import check_shots
from backends.plain import plain
from backends.rewrite import apart, replaced
from qhw.analysis.expect.values import prepare
from qhw.api.devices import Device, DeviceLike
from qhw.api.devices import device as as_device
from qhw.api.measuring import begun_together
from qhw.api.primitives.registers import measured_once, shots_of
from qhw.api.primitives.sampler import Sampler
from qhw.api.primitives.sources import stream
from qhw.defaults import DEFAULT_DEVICE
from qhw.mitigation.base import MitigationError
from qhw.mitigation.bases import with_free_basis
from qhw.mitigation.expectation import plan_expectation, read_observables, run_expectation
from qhw.mitigation.observables import ObservableLike
from qhw.mitigation.pipeline import Pipeline
from qhw.paid.expect import ExpectRun

Executor: TypeAlias = Callable[[Sequence[QuantumCircuit]], list[Any]]

_SEED = 2**32


def mitiq_executor(
    device: DeviceLike = DEFAULT_DEVICE,
    observable: ObservableLike | None = None,
    *,
    shots: int,
    mitigation: str = "none",
    seed: int = 0,
) -> Executor:
    """An executor that mitiq's techniques take: lists of circuits in, lists of results out.

    mitiq's circuits run as they are written: every gate is translated by itself, and nothing that
    was folded or inserted is merged or cancelled. All circuits with gates between the same qubits
    run in one place of the device, which the first one decides; on a device that takes jobs, where
    everything goes through the ledger, each is placed by itself. The same circuit again gets other
    shots; an executor made anew gives the same results in the same order.

    Args:
        device: where, see :func:`qhw.device`.
        observable: whose expectation value is returned, see :func:`qhw.expect`; it acts on the
            circuits' qubits. ``None`` for shots, of which mitiq makes its own ``Observable``; then
            results are ``mitiq.MeasurementResult``.
        shots: of each circuit, with everything that the mitigation runs counted.
        mitigation: a pipeline of ours inside of mitiq's technique, such as ``"readout"``; with an
            observable only.
        seed: of compilation, random choices and simulated shots.

    Returns:
        A function of a list of Qiskit circuits. It carries the annotation by which mitiq tells what
        it returns.

    Raises:
        UnknownBackendError: no such device.
        MitigationError: a pipeline that cannot be, or mitiq is not installed.
        BackendError: shots out of range.

    Example:
        >>> bell = QuantumCircuit(2)
        >>> _ = bell.h(0), bell.cx(0, 1)
        >>> run = mitiq_executor("exact", "ZZ", shots=100)
        >>> run([bell, bell])
        [1.0, 1.0]
    """
    place = as_device(device)
    pipeline = Pipeline.parse(mitigation)
    pipeline.check("expectation")
    runner = _Runner(place, check_shots(shots), pipeline, seed)
    if observable is not None:

        def values(circuits: Sequence[QuantumCircuit]) -> list[float]:
            return runner.values(_checked(circuits), observable)

        return values
    if pipeline.techniques:
        raise MitigationError(
            "Argument `mitigation` must be none without an observable, since mitigated counts are "
            f"no counts, but is {pipeline}"
        )
    result_type = _mitiq().MeasurementResult

    def results(circuits: Sequence[QuantumCircuit]) -> list[Any]:
        found = [runner.shots_of_qubits(circuit) for circuit in _checked(circuits)]
        return [result_type(bits.tolist(), qubits) for bits, qubits in found]

    results.__annotations__["return"] = list[result_type]  # type: ignore[valid-type]
    return results


@dataclass
class _Runner:
    """Runs circuits one after another, those of one width in one place."""

    device: Device
    shots: int
    pipeline: Pipeline
    seed: int
    _places: dict[object, CompiledTemplate] = field(default_factory=dict)
    _calls: int = 0

    def values(self, circuits: list[QuantumCircuit], observable: ObservableLike) -> list[float]:
        """The observable's expectation value in each circuit."""
        bare = [_unmeasured(circuit) for circuit in circuits]
        if self.device.backend is None:
            return self._paid_values(bare, observable)
        return [self._value(self.device.backend, circuit, observable) for circuit in bare]

    def shots_of_qubits(self, circuit: QuantumCircuit) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
        """Shots ``(shots, m)`` of a measured circuit, and the qubit of each column."""
        once, _ = measured_once(plain(circuit))
        measures = once.get_instructions("measure")
        qubits = tuple(once.find_bit(item.qubits[0]).index for item in measures)
        if not qubits:
            raise MitigationError(
                "Argument `circuits` must measure a qubit each, but one measures none; without "
                "an `observable` here, give one to mitiq's technique"
            )
        if self.device.backend is None:
            found = Sampler(self.device, seed=self.seed).run([apart(once)], shots=self.shots)
            (register,) = found.result()[0].data.values()
            return register.to_bool_array(order="little").astype(np.uint8), qubits
        backend, seed = self.device.backend, self._next_seed()
        compiled = self._placed(backend, once)
        got = backend.run(compiled, np.empty((1, 0)), shots=self.shots, seed=seed)
        bits = shots_of(got.counts, got.outcomes, len(qubits), stream(seed, 0))
        return bits[0], qubits

    def _value(
        self, backend: Backend, circuit: QuantumCircuit, observable: ObservableLike
    ) -> float:
        seed, turned = self._next_seed(), with_free_basis(circuit)
        program = plan_expectation(
            backend,
            self._placed(backend, turned),
            np.empty((1, 0)),
            read_observables(observable, circuit.num_qubits),
            pipeline=self.pipeline,
            shots=self.shots,
            seed=seed,
        )
        return float(run_expectation(program, seed=seed).values[0, 0])

    def _paid_values(
        self, circuits: list[QuantumCircuit], observable: ObservableLike
    ) -> list[float]:
        wanted = []
        for circuit in circuits:
            settings, work = prepare(
                apart(circuit),
                None,
                observable,
                device=self.device.name,
                mitigation=str(self.pipeline),
                shots=self.shots,
                seed=self._next_seed(),
            )
            wanted.append((work, settings))
        runs = begun_together(ExpectRun, self.device, wanted, again=False, tell=_quiet)
        found = [run.wait(_quiet) for run in runs]
        return [float(one.found.values[0, 0]) for one in found if one is not None]

    def _placed(self, backend: Backend, circuit: QuantumCircuit) -> CompiledTemplate:
        pairs = {frozenset(item.qubits) for item in circuit.data if len(item.qubits) == 2}
        index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
        coupled = frozenset(frozenset(index[qubit] for qubit in pair) for pair in pairs)
        key = circuit.num_qubits, coupled, circuit.num_parameters, circuit.num_clbits
        if key not in self._places:  # barriers: a circuit that cancels must find a place too
            self._places[key] = backend.compile(apart(circuit), seed=self.seed)
        return replaced(self._places[key], circuit)

    def _next_seed(self) -> int:
        """Of the next circuit; on a device that takes jobs also what tells equal circuits apart."""
        self._calls += 1
        return int(stream(self.seed, self._calls).integers(_SEED))


def _checked(circuits: object) -> list[QuantumCircuit]:
    if isinstance(circuits, Sequence) and all(isinstance(c, QuantumCircuit) for c in circuits):
        return list(circuits)
    raise TypeError(
        "Argument `circuits` must be a list of Qiskit circuits without free parameters, but is "
        f"{type(circuits).__name__}"
    )


def _unmeasured(circuit: QuantumCircuit) -> QuantumCircuit:
    opened = plain(circuit)
    return opened.remove_final_measurements(inplace=False) if opened.num_clbits else opened


def _mitiq() -> Any:
    try:
        return importlib.import_module("mitiq")
    except ImportError as error:
        raise MitigationError(
            f"mitiq must be installed (pip install 'qhw[mitiq]'), but: {error}"
        ) from error


def _quiet(_: str) -> None:
    return
