"""Expectation values of one circuit file on any device: plan, price, result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from qiskit import QuantumCircuit

from backends.base import Backend, CompiledTemplate, CostEstimate
from backends.exact import MAX_QUBITS
from backends.native.routing import check_fits
from backends.plain import on_qubits, plain, qubits_to_measure, with_written_bits
from backends.vendor import ChecksEarly, VendorBackend
from qhw.analysis.expect_result import ExpectCost, ExpectResult, ExpectSettings, ObservableValue
from qhw.analysis.provenance import versions
from qhw.analysis.synthesis import remember, remembered
from qhw.jobs.intent import Quote, plan_batches
from qhw.mitigation.bases import as_measured, with_free_basis
from qhw.mitigation.expectation import (
    ExpectationProgram,
    Expectations,
    check_width,
    plan_expectation,
    read_observables,
)
from qhw.mitigation.observables import Observable
from qhw.mitigation.pipeline import Pipeline

LABEL = "expectation"
"""First part of every circuit's label, and the circuit's name in the ledger."""
_DAY_S = 86_400.0


@dataclass(frozen=True, eq=False)
class Measured:
    """A result and all it was made of.

    Attributes:
        result: for people and files.
        program: what ran.
        found: its counts, fits and values.
    """

    result: ExpectResult
    program: ExpectationProgram
    found: Expectations


@dataclass(frozen=True, eq=False)
class ExpectQuote(Quote):
    """Vendor jobs of a program, checked and priced.

    Attributes:
        program: what they run.
    """

    program: ExpectationProgram


def prepare(
    settings: ExpectSettings, circuit: QuantumCircuit
) -> tuple[ExpectSettings, QuantumCircuit]:
    """The circuit that is compiled, on the qubits that matter; refuse what can be known before.

    An observable has a letter for every measured bit, highest first; where nothing is measured, for
    every qubit of the circuit. Qubits that nothing acts on are dropped where the circuit measures.
    Where it does not, but was written for a device (see :func:`~backends.plain.qubits_to_measure`),
    those of them are dropped that every observable has the identity on.

    Args:
        settings: what is wanted.
        circuit: as read.

    Returns:
        The settings with :attr:`ExpectSettings.wires`, and the circuit.

    Raises:
        ValueError: observables that do not fit the circuit, or look at too many wires.
        MitigationError: a pipeline that gives no expectation values.
        BackendError: see :func:`~qhw.mitigation.bases.as_measured`.
    """
    Pipeline.parse(settings.mitigation).check("expectation")
    opened = with_written_bits(plain(circuit))
    used = set(qubits_to_measure(opened, placed=circuit.layout is not None))
    n = opened.num_qubits
    wanted = read_observables(
        [Observable.parse(text) for text in settings.observables], opened.num_clbits or n
    )
    wires = None
    if not opened.num_clbits:
        seen = {w for o in wanted for string, _ in o.terms for w in range(n) if string[w] != "I"}
        used |= {n - 1 - wire for wire in seen}
        if len(used) < n:
            wires = tuple(n - 1 - q for q in sorted(used, reverse=True))
    check_width(opened.num_clbits or len(used))
    small = as_measured(on_qubits(opened, sorted(used)))
    return settings.model_copy(update={"wires": wires}), small


def check_device(
    settings: ExpectSettings, circuit: QuantumCircuit, backend: Backend | VendorBackend
) -> None:
    """Refuse what the device cannot do, as far as that shows without compiling.

    Raises:
        MitigationError: a technique that the device has no use for.
        BackendError: the vendor has no such device, or not for so few shots or so many qubits.
    """
    Pipeline.parse(settings.mitigation).check_device(backend)
    if isinstance(backend, ChecksEarly):
        backend.check_early(settings.shots, whole=False)
    if backend.snapshot is not None:
        check_fits(circuit, backend.snapshot)


def compile_circuit(
    settings: ExpectSettings, backend: Backend | VendorBackend, circuit: QuantumCircuit
) -> CompiledTemplate:
    """Compile with the measurement bases free.

    Raises:
        BackendError: the circuit does not fit the device.
    """
    turned = with_free_basis(circuit)
    turned.name = LABEL
    compiled = backend.compile(turned, seed=settings.seed)
    remember(compiled.circuit, as_measured(circuit), _observables(settings))
    return compiled


def plan(
    settings: ExpectSettings,
    backend: Backend,
    compiled: CompiledTemplate,
    *,
    in_jobs: bool = False,
) -> ExpectationProgram:
    """Everything that runs.

    Args:
        settings: what is wanted.
        backend: where it will run.
        compiled: from :func:`compile_circuit`.
        in_jobs: the backend takes jobs: send as few as possible.

    Raises:
        MitigationError: pipeline, shots, circuit and device do not go together.
    """
    return plan_expectation(
        backend,
        compiled,
        np.empty((1, 0)),
        _observables(settings),
        pipeline=Pipeline.parse(settings.mitigation),
        shots=settings.shots,
        seed=settings.seed,
        label=LABEL,
        in_jobs=in_jobs,
    )


def quote_expectation(
    settings: ExpectSettings, vendor: VendorBackend, compiled: CompiledTemplate
) -> ExpectQuote:
    """Check and price what would be sent; nothing is sent.

    Raises:
        ValueError: nothing to measure.
        MitigationError: as :func:`plan`.
        BackendError: the device would refuse it, or its price is unknown.
    """
    # circuits are built for a device's name; nothing runs on it here
    program = plan(settings, cast(Backend, vendor), compiled, in_jobs=True)
    if not program.batches:
        raise ValueError(
            "Argument `observables` must have something to measure on a device that takes jobs, "
            "but all are multiples of the identity"
        )
    jobs = plan_batches(vendor, program.sent).values()
    return ExpectQuote(tuple(job for planned in jobs for job in planned), program)


def simulator_cost(backend: Backend, program: ExpectationProgram) -> ExpectCost:
    """What a simulator takes for a program."""
    costs = [
        backend.estimate(b.compiled, circuits=len(b.angles), shots=b.shots) for b in program.batches
    ]
    basis = costs[0].basis if costs else "nothing was measured"
    return ExpectCost(usd=sum(cost.usd for cost in costs), qpu_seconds=None, basis=basis)


def paid_cost(cost: CostEstimate) -> ExpectCost:
    """What the ledger knows of a run's cost."""
    return ExpectCost(usd=cost.usd, qpu_seconds=cost.qpu_seconds, basis=cost.basis)


def result_of(
    settings: ExpectSettings,
    program: ExpectationProgram,
    found: Expectations,
    *,
    cost: ExpectCost,
    command: str,
    run: str | None = None,
    rehearsal: bool = False,
) -> Measured:
    """Values beside the exact ones, with where and how they were measured.

    Args:
        settings: what was asked for.
        program: what ran.
        found: what came of it; one row.
        cost: of everything.
        command: that gives this result.
        run: in the ledger.
        rehearsal: the vendor was a server on this machine.
    """
    snapshot = program.compiled.snapshot
    taken = None if snapshot is None else snapshot.taken
    age = None
    if taken is not None and found.finished is not None:
        age = round((found.finished - taken).total_seconds() / _DAY_S, 2)
    circuits = [p.compiled.two_qubit_gates for p in program.programs]
    result = ExpectResult(
        run=run,
        settings=settings,
        device=settings.device,
        snapshot=None if snapshot is None else f"{snapshot.name}@{snapshot.taken:%Y-%m-%d}",
        snapshot_taken=taken,
        snapshot_age_days=age,
        measured=found.finished,
        mitigation=found.pipeline,
        vendor_mitigation=found.vendor,
        circuits=len(program.batches),
        bases=tuple(group.basis for group in program.groups),
        two_qubit_gates=max(circuits, default=0),
        total_shots=found.total_shots,
        cost=cost,
        rehearsal=rehearsal,
        observables=_values(settings.observables, program, found),
        command=command,
        versions=versions(),
    )
    return Measured(result, program, found)


def _values(
    texts: Sequence[str], program: ExpectationProgram, found: Expectations
) -> tuple[ObservableValue, ...]:
    small = program.compiled.circuit.num_qubits <= MAX_QUBITS
    run, floor = program.exact() if small else (None, None)
    evolves, ideal = remembered(program.compiled.circuit)
    exact = None if run is None else [float(value) for value in run[0]]
    synthesis = None
    if evolves:
        if exact is not None and ideal is not None:
            synthesis = [a - b for a, b in zip(exact, ideal, strict=True)]
        exact = ideal
    return tuple(
        ObservableValue(
            observable=text,
            value=float(found.values[0, k]),
            standard_error=float(found.standard_error[0, k]),
            exact=None if exact is None else exact[k],
            synthesis=None if synthesis is None else synthesis[k],
            shot_floor=None if floor is None else float(floor[0, k]),
            uniform=program.observables[k].constant,
        )
        for k, text in enumerate(texts)
    )


def _observables(settings: ExpectSettings) -> list[Observable]:
    """The observables on the wires that are measured."""
    found = [Observable.parse(text) for text in settings.observables]
    wires = settings.wires
    return found if wires is None else [observable.on(wires) for observable in found]
