"""Expectation values of a circuit and rows of angles on any device: plan, price, result."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from backends.base import Backend, BackendError, CompiledTemplate
from backends.dynamic.circuit import is_dynamic
from backends.exact import MAX_QUBITS
from backends.native.routing import check_fits
from backends.plain import on_qubits, plain, qubits_to_measure, with_written_bits
from backends.registry import asked_noise
from backends.vendor import ChecksEarly, VendorBackend
from calibration.documents import read_bounded
from qhw.analysis.compare.result import MissingRow
from qhw.analysis.compare.stage import Notify
from qhw.analysis.compare.synthesis import evolution_values, evolves, remembered
from qhw.analysis.expect.costs import simulator_cost
from qhw.analysis.expect.predicted import beside_hardware, judge_values
from qhw.analysis.expect.probed import probed_values, probes_beside
from qhw.analysis.expect.result import (
    ExpectCost,
    ExpectResult,
    ExpectSettings,
    ObservableValue,
)
from qhw.analysis.precision.plan import ShotPlan
from qhw.circuits.files import MAX_BYTES
from qhw.circuits.given import CircuitSources, naming, read_given
from qhw.circuits.workload import ROLE, Workload, measured_circuit
from qhw.jobs.intent import Quote, plan_batches
from qhw.mitigation.bases import BITS_ALONE, as_measured, with_free_basis
from qhw.mitigation.expectation import (
    ExpectationProgram,
    Expectations,
    check_width,
    plan_expectation,
    read_observables,
    run_expectation,
)
from qhw.mitigation.observables import Observable, ObservableLike, names_bits
from qhw.mitigation.pipeline import Pipeline
from qhw.provenance import versions

LABEL = "expectation"
"""First part of every circuit's label, and the circuit's name in the ledger."""
_DAY_S = 86_400.0
_ONE_ROW = ("0",)
_LOG = logging.getLogger(__name__)
FloatArray = NDArray[np.float64]


class Source(NamedTuple):
    """A file that a circuit came from: its name, and the SHA-256 of its bytes."""

    name: str
    sha256: str


@dataclass(frozen=True, eq=False)
class Measured:
    """A result and all it was made of.

    Attributes:
        result: for people and files.
        program: what ran.
        found: its counts, fits and values.
        workload: its circuit and rows; ``None`` of a paid run of an earlier version.
    """

    result: ExpectResult
    program: ExpectationProgram
    found: Expectations
    workload: Workload | None = None


@dataclass(frozen=True, eq=False)
class ExpectQuote(Quote):
    """Vendor jobs of a program, checked and priced.

    Attributes:
        program: what they run.
        shot_plan: how the shots were planned; ``None`` where they were given.
    """

    program: ExpectationProgram
    shot_plan: ShotPlan | None = None


def prepare(
    circuit: CircuitSources | Workload,
    angles: object,
    observables: ObservableLike | Sequence[ObservableLike],
    *,
    names: str | None = None,
    bind: Mapping[str, object] | None = None,
    **options: Any,
) -> tuple[ExpectSettings, Workload]:
    """What is asked and what is compiled for it, on the qubits that matter.

    Of a dynamic circuit only what its bits say at the end can be asked for: sums of Z.

    An observable has a letter for every measured bit, highest first; where nothing is measured, for
    every qubit of the circuit. Qubits that nothing acts on are dropped where the circuit measures.
    Where it does not, but was written for a device (see :func:`~backends.plain.qubits_to_measure`),
    those of them are dropped that every observable has the identity on.

    Args:
        circuit: in any form :meth:`Workload.of` takes, or a workload, whose bits the observables
            act on.
        angles: of a circuit's free parameters, see :func:`~qhw.circuits.angles.read_rows`; ``None``
            for a workload, which has its own.
        observables: one or several, in any form :meth:`Observable.of` takes.
        names: column of the angles that names the rows.
        bind: values of parameters by name, the same in every row; not of a workload.
        options: device, mitigation, shots and seed.

    Raises:
        ValueError: observables that do not fit the circuit, or look at too many wires; a value out
            of range.
        AnglesError: the angles do not fit.
        MitigationError: a pipeline that gives no expectation values.
        BackendError: see :func:`~qhw.mitigation.bases.as_measured`.
    """
    mitigation = Pipeline.parse(str(options.pop("mitigation")))
    mitigation.check("expectation")
    source = None
    if isinstance(circuit, Workload):
        for argument, value in (("angles", angles), ("bind", bind or None)):
            if value is not None:
                raise ValueError(
                    f"Argument `{argument}` must be None for a workload, which has its own"
                )
        work, wires, width = circuit, None, circuit.n_bits
        wanted = read_observables(observables, width)
        if is_dynamic(circuit.circuit):
            _check_diagonal(wanted)
    else:
        given, source = read_given(circuit, angles, names, bind), _source(circuit)
        with naming(circuit):
            if is_dynamic(given.circuit):
                small, wires = measured_circuit(given.circuit), None
                width = small.num_clbits
                if not width:
                    raise BackendError(
                        "the circuit is dynamic and measures nothing, so that it leaves no bits "
                        "for observables: add measurements at its end"
                    )
                wanted = read_observables(observables, width)
                _check_diagonal(wanted)
            else:
                opened = with_written_bits(plain(given.circuit))
                width = opened.num_clbits or opened.num_qubits
                wanted = read_observables(observables, width)
                small, wires = _narrowed(opened, wanted, placed=given.circuit.layout is not None)
        name = None if source is None else source.name
        work = Workload.measuring(small, given, name=name)
    check_width(work.n_bits)
    alone = not work.parameter_names and work.row_names == ("0",)
    texts = observable_texts(observables, wanted)
    settings = ExpectSettings.parse(
        circuit=work.name,
        # with values bound, a file's bytes do not say what ran
        circuit_sha256=work.fingerprint() if source is None or bind else source.sha256,
        observables=texts,
        mitigation=str(mitigation),
        wires=wires,
        n_wires=width if any(map(names_bits, texts)) else None,
        rows=None if alone else len(work),
        angles_sha256=None if alone else work.rows_sha256(),
        **options,
    )
    return settings, work


def _source(circuit: CircuitSources) -> Source | None:
    """The file that one circuit came from."""
    if not isinstance(circuit, str | Path):
        return None
    path = Path(circuit)
    return Source(path.name, hashlib.sha256(read_bounded(path, MAX_BYTES)).hexdigest())


def observable_texts(
    given: ObservableLike | Sequence[ObservableLike], wanted: Sequence[Observable]
) -> tuple[str, ...]:
    """Observables as people gave them, where that was text; else as they are written here."""
    one = isinstance(given, str | Mapping | Observable | SparsePauliOp)
    forms = [given] if one else list(given)  # type: ignore[arg-type]
    return tuple(
        form if isinstance(form, str) else str(found)
        for form, found in zip(forms, wanted, strict=True)
    )


def _check_diagonal(wanted: Sequence[Observable]) -> None:
    """Refuse observables of a dynamic circuit that are not functions of the bits it leaves.

    Raises:
        BackendError: names a string of letters.
    """
    strings = [string for observable in wanted for string, _ in observable.terms]
    for string in strings:
        if not set(string) <= {"I", "Z"}:
            raise BackendError(f"{BITS_ALONE}, but one has {string}")


def _narrowed(
    opened: QuantumCircuit, wanted: Sequence[Observable], *, placed: bool
) -> tuple[QuantumCircuit, tuple[int, ...] | None]:
    """The circuit on the qubits that matter, measured, and their wires if these are not all."""
    used = set(qubits_to_measure(opened, placed=placed))
    wires = None
    if not opened.num_clbits:
        n = opened.num_qubits
        seen = {w for o in wanted for string, _ in o.terms for w in range(n) if string[w] != "I"}
        used |= {n - 1 - wire for wire in seen}
        if len(used) < n:
            wires = tuple(n - 1 - q for q in sorted(used, reverse=True))
    check_width(opened.num_clbits or len(used))
    return as_measured(on_qubits(opened, sorted(used))), wires


def check_device(
    settings: ExpectSettings, workload: Workload, backend: Backend | VendorBackend
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
        check_fits(workload.circuit, backend.snapshot)


def compile_circuit(
    settings: ExpectSettings, backend: Backend | VendorBackend, workload: Workload
) -> CompiledTemplate:
    """Compile with the measurement bases free.

    Raises:
        BackendError: the circuit does not fit the device.
    """
    turned = with_free_basis(workload.circuit)
    turned.name = LABEL
    return backend.compile(turned, seed=settings.seed)


def plan(
    settings: ExpectSettings,
    backend: Backend,
    compiled: CompiledTemplate,
    workload: Workload | None = None,
    *,
    in_jobs: bool = False,
) -> ExpectationProgram:
    """Everything that runs.

    Args:
        settings: what is wanted.
        backend: where it will run.
        compiled: from :func:`compile_circuit`.
        workload: rows of angles; ``None`` for one circuit without parameters.
        in_jobs: the backend takes jobs: send as few as possible.

    Raises:
        MitigationError: pipeline, shots, circuit and device do not go together.
    """
    angles: FloatArray = np.empty((1, 0))
    if workload is not None:
        own = [name for name in compiled.parameter_names if name in workload.parameter_names]
        angles = workload.columns(own)  # all but the measurement bases
    program = plan_expectation(
        backend,
        compiled,
        angles,
        wanted_observables(settings),
        pipeline=Pipeline.parse(settings.mitigation),
        shots=settings.shots,
        seed=settings.seed,
        label=LABEL,
        in_jobs=in_jobs,
    )
    if not settings.probe:
        return program
    probes = probes_beside(program, settings.shots, LABEL)
    return replace(program, beside=tuple(probe.batch for probe in probes))


def simulate(
    settings: ExpectSettings,
    workload: Workload,
    backend: Backend,
    *,
    command: str = "",
    notify: Notify = _LOG.info,
) -> Measured:
    """Expectation values from a simulator.

    Args:
        settings: from :func:`prepare`.
        workload: from :func:`prepare`.
        backend: where.
        command: written into the result.
        notify: told what is being done.

    Raises:
        MitigationError: pipeline, shots, circuit and device do not go together.
        BackendError: the circuit does not fit the device, or it refuses the run.
    """
    check_device(settings, workload, backend)
    notify("compiling")
    program = plan(settings, backend, compile_circuit(settings, backend, workload), workload)
    notify(f"running {sum(len(batch.angles) for batch in program.batches)} circuits")
    found = run_expectation(program, seed=settings.seed)
    cost = simulator_cost(backend, program)
    measured = result_of(settings, program, found, workload, cost=cost, command=command)
    if asked_noise(settings.device)[1] != 1.0:  # the interval is of models as reported
        return measured
    values = beside_hardware(measured.result.observables, program, found)
    return replace(measured, result=measured.result.model_copy(update={"observables": values}))


def quote_expectation(
    settings: ExpectSettings, workload: Workload, vendor: VendorBackend, notify: Notify
) -> ExpectQuote:
    """Check, compile and price what would be sent; nothing is sent.

    Raises:
        ValueError: nothing to measure.
        MitigationError: as :func:`check_device` and :func:`plan`.
        BackendError: the device would refuse it, or its price is unknown.
    """
    check_device(settings, workload, vendor)
    notify(f"compiling for {vendor.name}")
    compiled = compile_circuit(settings, vendor, workload)
    notify("checking and pricing")
    # circuits are built for a device's name; nothing runs on it here
    return priced(plan(settings, cast(Backend, vendor), compiled, workload, in_jobs=True), vendor)


def priced(program: ExpectationProgram, vendor: VendorBackend) -> ExpectQuote:
    """Check and price a program that is planned to be sent.

    Raises:
        ValueError: nothing to measure.
        BackendError: the device would refuse it, or its price is unknown.
    """
    if not program.batches:
        raise ValueError(
            "Argument `observables` must have something to measure on a device that takes jobs, "
            "but all are multiples of the identity"
        )
    jobs = plan_batches(vendor, program.sent).values()
    return ExpectQuote(tuple(job for planned in jobs for job in planned), program)


def result_of(
    settings: ExpectSettings,
    program: ExpectationProgram,
    found: Expectations,
    workload: Workload | None = None,
    *,
    cost: ExpectCost,
    command: str,
    run: str | None = None,
    rehearsal: bool = False,
    frozen: bytes | None = None,
) -> Measured:
    """Values beside the exact ones, with where and how they were measured.

    Args:
        settings: what was asked for.
        program: what ran.
        found: what came of it.
        workload: what ran; ``None`` of a run of an earlier version, one circuit without parameters.
        cost: of everything.
        command: that gives this result.
        run: in the ledger.
        rehearsal: the vendor was a server on this machine.
        frozen: what was predicted before it was sent, byte for byte; ``None`` for nothing.
    """
    snapshot = program.compiled.snapshot
    taken = None if snapshot is None else snapshot.taken
    age = None
    if taken is not None and found.finished is not None:
        age = round((found.finished - taken).total_seconds() / _DAY_S, 2)
    circuits = [p.compiled.two_qubit_gates for p in program.programs]
    names = _ONE_ROW if workload is None else workload.row_names
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
        observables=_values(settings.observables, program, found, workload),
        missing=tuple(
            MissingRow(index=row, name=names[row], role=ROLE, text=text)
            for row, text in sorted(found.missing.items())
        ),
        prediction=None if frozen is None else judge_values(frozen, program, found),
        probe=probed_values(settings, program, found),
        command=command,
        versions=versions(),
    )
    return Measured(result, program, found, workload)


def _values(
    texts: Sequence[str],
    program: ExpectationProgram,
    found: Expectations,
    workload: Workload | None,
) -> tuple[ObservableValue, ...]:
    exact = _exact(program, workload)
    names = _ONE_ROW if workload is None else workload.row_names
    kept = range(program.rows) if found.kept is None else found.kept.tolist()
    return tuple(
        ObservableValue(
            row=row,
            row_name=names[row],
            observable=text,
            value=float(found.values[place, k]),
            standard_error=float(found.standard_error[place, k]),
            exact=None if exact.values is None else float(exact.values[row, k]),
            synthesis=None if exact.synthesis is None else float(exact.synthesis[row, k]),
            shot_floor=None if exact.floor is None else float(exact.floor[row, k]),
            uniform=program.observables[k].constant,
        )
        for place, row in enumerate(kept)
        for k, text in enumerate(texts)
    )


@dataclass(frozen=True, eq=False)
class _Exact:
    """Exact values, what product formulas change in them, and the shot floor, ``(B, K)`` each."""

    values: FloatArray | None
    synthesis: FloatArray | None
    floor: FloatArray | None


def _exact(program: ExpectationProgram, workload: Workload | None) -> _Exact:
    small = program.compiled.circuit.num_qubits <= MAX_QUBITS
    gates, floor = program.exact() if small else (None, None)
    if workload is None:
        evolving, told = remembered(program.compiled.circuit)
        evolved = None if told is None else np.array([told])
    else:
        evolving, evolved = evolves(workload.circuit), None
        if evolving:
            rows = [evolution_values(bound, program.observables) for bound in workload.bound()]
            evolved = None if None in rows else np.array(rows, dtype=np.float64)
    if not evolving:
        return _Exact(gates, None, floor)
    return _Exact(evolved, None if gates is None or evolved is None else gates - evolved, floor)


def wanted_observables(settings: ExpectSettings) -> list[Observable]:
    """The observables on the wires that are measured."""
    found = [Observable.parse(text, settings.n_wires) for text in settings.observables]
    wires = settings.wires
    return found if wires is None else [observable.on(wires) for observable in found]
