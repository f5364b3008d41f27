"""What a mitigation pipeline ran and found, in words and files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from backends.export import to_openqasm3, to_qpy_bytes
from qhw.analysis.compare.facts import CircuitFacts, MitigationFacts
from qhw.analysis.compare.mitigated import MitigatedRun, plain
from qhw.report.format import number

_FILE_NAME = re.compile(r"[^A-Za-z0-9_.=,-]+")


def fit_lines(facts: MitigationFacts) -> list[str]:
    """One line a technique: ``zne: scales 1, 3; decay 0.81``."""
    return [f"{name}: {_words(fit)}" for name, fit in facts.fits.items()]


def mitigation_line(circuit: CircuitFacts) -> str:
    """A circuit's pipeline on a terminal; empty where it has none."""
    facts = circuit.mitigation
    if facts is None:
        return ""
    extra = f", and {facts.raw_extra_shots:,} for raw counts" if facts.raw_extra_shots else ""
    return (
        f"{circuit.role}: {facts.pipeline}, {facts.templates} circuits in place of one, "
        f"{facts.total_shots:,} shots in all{extra}; raw counts from {facts.raw_shots:,} shots a "
        f"row; mitigated ones as noisy as {facts.effective_shots:,}; negative quasi-probability "
        f"{number(circuit.negative_mass)}, moved by {number(circuit.projection_distance)}"
    )


def write_mitigation(role: str, run: MitigatedRun, folder: Path) -> None:
    """Every intermediate of a pipeline: counts, fits, circuits, calibration.

    Args:
        role: circuit of the model; part of the files' names.
        run: what was run and found.
        folder: existing folder of the run; ``mitigation/`` is made in it.

    Raises:
        OSError: the folder cannot be written.
    """
    target = folder / "mitigation"
    circuits = target / "circuits"
    circuits.mkdir(parents=True, exist_ok=True)
    program, found = run.plan.program, run.mitigated
    np.savez_compressed(
        target / f"{role}-counts.npz",
        allow_pickle=False,
        **found.counts,
        quasi_probabilities=found.values,
        standard_error=found.standard_error,
        probabilities=run.probabilities,
        raw_counts=run.raw_counts,
        **({} if found.outcomes is None else {"outcomes": found.outcomes.packed}),
    )
    listed = []
    for batch in run.plan.batches:
        name = _FILE_NAME.sub("-", batch.label)
        (circuits / f"{name}.qpy").write_bytes(to_qpy_bytes(batch.compiled))
        (circuits / f"{name}.qasm").write_text(to_openqasm3(batch.compiled), encoding="utf-8")
        listed.append(
            {
                "label": batch.label,
                "file": f"circuits/{name}.qpy",
                "shots": batch.shots,
                "rows": len(batch.angles),
                "of_rows": batch is run.plan.raw or program.of_rows(batch),
                "two_qubit_gates": batch.compiled.two_qubit_gates,
                "qubits": list(batch.compiled.physical_qubits),
                "angles": None if program.of_rows(batch) else batch.angles.tolist(),
            }
        )
    document = {
        **run.facts().model_dump(mode="json"),
        "fits": plain(found.record),
        "batches": listed,
    }
    text = json.dumps(document, indent=1) + "\n"
    (target / f"{role}.json").write_text(text, encoding="utf-8")
    if found.calibration is not None:
        path = target / f"{role}-calibration.json"
        path.write_text(found.calibration.to_json(), encoding="utf-8")


def _words(fit: JsonValue) -> str:
    if isinstance(fit, dict):
        return "; ".join(f"{name.replace('_', ' ')} {_words(item)}" for name, item in fit.items())
    if isinstance(fit, list):
        return ", ".join(_words(item) for item in fit)
    return number(fit) if isinstance(fit, float) else str(fit)
