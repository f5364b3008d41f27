"""Circuits of a depth report: a model's own, and those that a user brings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.exceptions import QiskitError

from backends.base import BackendError
from backends.checks import check_measures_last
from backends.dynamic.circuit import is_dynamic
from backends.exact import ExactBackend
from backends.plain import measured_form, on_qubits, plain, qubits_to_measure
from qhw.analysis.compare.measure import exact_distributions
from qhw.analysis.compare.model import make_prior
from qhw.analysis.compare.synthesis import MAX_QUBITS, evolved_distribution, evolves
from qhw.analysis.depth.wide import wide_exact
from qhw.analysis.scores.baselines import constant_distances, uniform
from qhw.analysis.scores.metrics import total_variation
from qhw.circuits.files import (
    LAYOUT_NOT_KEPT,
    CircuitFileError,
    UnknownParametersError,
    bound,
    read_circuits,
)
from qhw.circuits.templates import PREPARATIONS
from qhw.circuits.workload import Role, Workload
from qhw.models.checkpoint import load
from qhw.models.conditions import sample_for
from qhw.models.exact import ExactModel

FloatArray = NDArray[np.float64]

BASELINE_ROWS = 32
"""Latents (or molecules) that a model's baseline is measured on."""
LIVE = "live circuit"
"""Source of a circuit that is in no file."""
_CONSTANT = "the constant that needs no QPU is the uniform distribution"


@dataclass(frozen=True)
class Subject:
    """A bound, measured circuit and what is known of its exact output.

    Attributes:
        name: shown in the report.
        source: where it comes from.
        circuit: ``None`` when it cannot be used.
        template: what is compiled, its data angles free as they are when circuits are sent; where
            there is none, ``circuit`` itself.
        values: angles of ``circuit``, radians by parameter of ``template``.
        reason: why not.
        spread: total variation distance of the uniform distribution to the exact one; ``None``
            when that is not known (too many qubits).
        baseline: distance of the best constant that needs no QPU, ``None`` where there is no
            ensemble to take a mean of.
        note: one line on how these were found.
        exact: distributions ``(K, D)`` that these are means over; ``None`` where not known.
        sent_as: words of a command line that name it, as it is.
        seen: exact probabilities of some noiseless shots, of a circuit too wide for ``exact``.
    """

    name: str
    source: str
    circuit: QuantumCircuit | None
    reason: str | None = None
    spread: float | None = None
    baseline: float | None = None
    note: str = ""
    exact: FloatArray | None = field(default=None, repr=False, compare=False)
    seen: FloatArray | None = field(default=None, repr=False, compare=False)
    template: QuantumCircuit | None = field(default=None, repr=False, compare=False)
    values: Mapping[str, float] = field(default_factory=dict, repr=False, compare=False)
    sent_as: tuple[str, ...] = ()

    @property
    def compiled_from(self) -> QuantumCircuit | None:
        """The template, or the circuit itself."""
        return self.circuit if self.template is None else self.template


def model_subjects(source: str, *, seed: int = 0) -> tuple[Subject, ...]:
    """Decoder and encoder of a model, each with both preparations.

    The data angles are those of one drawn latent (decoder) or shipped molecule (encoder); gate
    counts do not depend on which. Baselines are means over :data:`BASELINE_ROWS` of them.

    Args:
        source: shipped name or path of a checkpoint.
        seed: of the latents.

    Raises:
        CheckpointError: no such checkpoint, or a damaged one.
    """
    loaded, card = load(source)
    model = ExactModel(loaded.double(), card.name, "a depth report")
    sample = sample_for(loaded)
    latents = make_prior(None, model, sample, seed).sample(
        BASELINE_ROWS, np.random.default_rng(seed)
    )
    inputs = model.inputs(sample.molecules[:BASELINE_ROWS])
    parts: tuple[tuple[Role, FloatArray, FloatArray, str], ...] = (
        ("decoder", latents, model.decoder(latents), "latents"),
        ("encoder", inputs, model.encoder(inputs), "molecules"),
    )
    found = []
    for role, data, exact, of in parts:
        spread, mean = constant_distances(exact).mean(axis=1).tolist()
        for preparation in PREPARATIONS:
            one = model.workload(role, data[:1], preparation, seed=seed)
            values = dict(zip(one.parameter_names, map(float, one.angles[0]), strict=True))
            (circuit,), fidelity = one.bound(), one.fidelity
            assert fidelity is not None  # a model's
            angles = one.loading == "angles"
            loading = "" if angles else f", {preparation} preparation"
            found.append(
                Subject(
                    name=f"{card.name} {role}{loading}",
                    source=f"model {card.name}",
                    circuit=circuit,
                    template=one.circuit,
                    values=values,
                    spread=spread,
                    baseline=min(mean, spread),
                    exact=exact,
                    note=(
                        f"baselines measured over {len(exact)} {of}: mean of the others "
                        f"{mean:.3f}, uniform {spread:.3f}; the loaded state has squared overlap "
                        f"{fidelity[0]:.6f} with the wanted one"
                    ),
                )
            )
            if angles:  # however amplitudes would be loaded
                break
    return tuple(found)


def file_subjects(
    paths: Sequence[Path],
    bind: Mapping[str, object] | None = None,
    done: Callable[[int, int], None] = lambda _finished, _total: None,
) -> tuple[Subject, ...]:
    """The circuits of files; one that cannot be read becomes a subject with its reason.

    Files of one name are told apart by their paths.

    Args:
        paths: of the files.
        bind: values of parameters and inputs, by name, for the circuits that have them.
        done: told how many files of how many are read.

    Raises:
        CircuitFileError: a name that no circuit has.
    """
    return tuple(s for own in given_subjects(paths, bind, done) for s in own)


def given_subjects(
    sources: Sequence[Path | QuantumCircuit],
    bind: Mapping[str, object] | None = None,
    done: Callable[[int, int], None] = lambda _finished, _total: None,
) -> list[list[Subject]]:
    """:func:`file_subjects` of each source apart, live circuits among them."""
    found: list[list[Subject]] = []
    missing: list[UnknownParametersError] = []
    for number, source in enumerate(sources):
        done(number, len(sources))
        where = str(source) if isinstance(source, Path) else LIVE
        try:
            circuits = _with_what_it_has(source, bind or {}, missing)
        except CircuitFileError as error:
            name = source.stem if isinstance(source, Path) else source.name
            found.append([Subject(name, where, None, str(error))])
            continue
        own = [circuit_subject(circuit, where) for circuit in circuits]
        if where != LIVE and len(circuits) == 1 and not bind and not circuits[0].parameters:
            own = [replace(s, sent_as=(where,)) for s in own]
        found.append(own)
    for name in bind or {}:
        if len(missing) == len(sources) and all(name in error.unknown for error in missing):
            raise CircuitFileError(
                "Argument `bind` must name free parameters, but no circuit has "
                f"{name!r}: {missing[0]}"
            )
    names = Counter(subject.name for own in found for subject in own)
    return [
        [s if names[s.name] == 1 else replace(s, name=f"{s.name}, {s.source}") for s in own]
        for own in found
    ]


def _with_what_it_has(
    source: Path | QuantumCircuit,
    bind: Mapping[str, object],
    missing: list[UnknownParametersError],
) -> tuple[QuantumCircuit, ...]:
    """A source's circuits with those values bound that they have names for."""
    try:
        return _read(source, bind)
    except UnknownParametersError as error:
        missing.append(error)
        return _read(source, {k: v for k, v in bind.items() if k not in error.unknown})


def _read(source: Path | QuantumCircuit, bind: Mapping[str, object]) -> tuple[QuantumCircuit, ...]:
    if isinstance(source, Path):
        return read_circuits(source, bind)
    return (bound(source, bind, source.name),)


def workload_subject(workload: Workload, source: str, sent_as: Sequence[str] = ()) -> Subject:
    """The circuit of a workload's first row, its baselines over all of them.

    Args:
        workload: rows of angles decide no gate counts.
        source: file it comes from.
        sent_as: words of a command line that name all of it.
    """
    bound = next(workload.bound())
    bound.name = workload.name
    found = replace(circuit_subject(bound, source), sent_as=tuple(sent_as))
    if len(workload) < 2 or found.exact is None:
        return found
    exact = exact_distributions(workload).distributions
    spread, mean = constant_distances(exact).mean(axis=1).tolist()
    note = (
        f"baselines measured over {len(exact)} rows of angles: mean of the others {mean:.3f}, "
        f"uniform {spread:.3f}"
    )
    return replace(found, spread=spread, baseline=min(mean, spread), exact=exact, note=note)


def circuit_subject(circuit: QuantumCircuit, source: str) -> Subject:
    """A circuit that a user brings, on the qubits it uses; without measurements, all are measured.

    Args:
        circuit: as read.
        source: file it comes from.

    Returns:
        The subject; without a circuit and with the reason where nothing can be made of it.
    """
    try:
        return _subject(circuit, source)
    except (BackendError, QiskitError, MemoryError, RecursionError, ValueError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        return Subject(circuit.name, source, None, f"{source}: {said}")


def _courses(circuit: QuantumCircuit) -> FloatArray:
    """Exact distribution ``(1, 2**m)`` of a dynamic circuit."""
    ideal = ExactBackend()
    return ideal.probabilities(ideal.compile(circuit), np.empty((1, 0)))


def _subject(given: QuantumCircuit, source: str) -> Subject:
    dynamic = is_dynamic(given)
    opened = measured_form(given) if dynamic else plain(given)
    if not dynamic:
        check_measures_last(opened)
    used = qubits_to_measure(opened, placed=given.layout is not None)
    circuit = on_qubits(opened, used)
    note = "" if given.layout is None else f"{LAYOUT_NOT_KEPT}; "
    if len(used) < opened.num_qubits:
        note += f"{opened.num_qubits - len(used)} idle qubits of {opened.num_qubits} left out; "
    if "measure" not in circuit.count_ops():
        circuit = circuit.copy()
        circuit.measure_all()
        note += (
            "nothing was measured, so every qubit is; "
            if not note
            else ("nothing was measured, so every qubit in use is; ")
        )
    if free := [p.name for p in circuit.parameters]:
        shown = ", ".join(free[:3]) + (", ..." if len(free) > 3 else "")
        note += (
            f"{len(free)} parameters are free ({shown}): counts need no values, the exact output "
            "does (--bind)"
        )
        return Subject(circuit.name, source, circuit, note=note)
    if dynamic:
        note += "dynamic: its longest course is counted, scheduled and predicted; "
    if evolves(circuit):
        note += "PauliEvolution is compiled as a product formula, exact output is the evolution's; "
    if circuit.num_qubits > MAX_QUBITS:
        known = wide_exact(circuit)
        if isinstance(known, str):
            return Subject(circuit.name, source, circuit, note=f"{note}{known}")
        return Subject(
            circuit.name,
            source,
            circuit,
            spread=known.spread,
            note=f"{note}{known.note}; one circuit: {_CONSTANT}",
            seen=known.seen,
        )
    exact = _courses(circuit) if dynamic else evolved_distribution(circuit)
    spread = float(total_variation(exact, uniform(exact))[0])
    return Subject(
        circuit.name,
        source,
        circuit,
        spread=spread,
        note=f"{note}one circuit: {_CONSTANT}",
        exact=exact,
    )
