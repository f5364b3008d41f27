"""Probes beside expectation values, and what they say of them."""

from __future__ import annotations

from qhw.analysis.expect.predicted import EXPECTATION, judge_values, predict_values
from qhw.analysis.expect.result import ExpectSettings, ProbedValues
from qhw.analysis.probe.circuits import Probe, probes_of
from qhw.analysis.probe.found import fitted_snapshot, noise_of_the_day
from qhw.mitigation.expectation import ExpectationProgram, Expectations


def probes_beside(program: ExpectationProgram, shots: int, label: str) -> tuple[Probe, ...]:
    """Smaller circuits of known answer of a program's circuit, its first row.

    Args:
        program: whose.
        shots: of a row of it.
        label: first part of the labels.

    Raises:
        ValueError: the circuit cannot be probed, or nothing is measured.
    """
    if not program.programs:
        raise ValueError("Argument `probe` must be left out where nothing is measured")
    first = program.programs[0]
    return probes_of(first.compiled, first.angles, label=label, shots=shots)


def probed_values(
    settings: ExpectSettings, program: ExpectationProgram, found: Expectations
) -> ProbedValues | None:
    """The noise of the day, and the prediction made again with it; ``None`` without probes.

    Args:
        settings: what was asked for.
        program: what ran.
        found: what came of it.
    """
    base = program.compiled.snapshot
    if not found.beside or base is None:
        return None
    probes = zip(probes_beside(program, settings.shots, EXPECTATION), found.beside, strict=True)
    noise = noise_of_the_day([pair for pair in probes if not pair[1].row_errors], base)
    fitted = None if noise is None else fitted_snapshot(base, noise)
    if noise is None or fitted is None:
        return None if noise is None else ProbedValues(noise=noise)
    again = predict_values(program, settings.observables, fitted, noise.factor or 0.0)
    return ProbedValues(noise=noise, again=judge_values(again.to_bytes(), program, found))
