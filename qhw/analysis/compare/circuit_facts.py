"""What a result says of one circuit that was run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backends.figures import expected_errors
from qhw.analysis.compare.facts import CircuitFacts
from qhw.analysis.compare.stage import Stage

FloatArray = NDArray[np.float64]


def circuit_facts(stage: Stage) -> CircuitFacts:
    """What a run stage says about its circuit."""
    compiled, run = stage.compiled, stage.pipeline
    source = stage.best_source
    projected = None if source == "device_raw" else run.mitigated
    return CircuitFacts(
        role=stage.role,
        preparation=stage.loading,
        loading_fidelity_min=float(stage.loading_fidelity.min()),
        loading_fidelity_mean=float(stage.loading_fidelity.mean()),
        logical_two_qubit_gates=stage.circuit.num_nonlocal_gates(),
        two_qubit_gates=compiled.two_qubit_gates,
        two_qubit_depth=compiled.two_qubit_depth,
        depth=compiled.depth,
        duration_s=compiled.duration_s or None,  # gate times unknown
        qubits=compiled.physical_qubits,
        expected_two_qubit_errors=expected_errors(compiled),
        predicted_success=compiled.predicted_success,
        transpiler_seed=compiled.seed,
        circuits=len(stage.counts) + len(stage.missing),
        failed=len(stage.missing),
        shots=stage.shots,
        usd=stage.cost.usd,
        qpu_seconds=stage.cost.qpu_seconds,
        cost_basis=stage.cost.basis,
        readout_source=run.readout_source if source == "device_readout" else None,
        negative_mass=_mean(None if projected is None else projected.negative_mass),
        projection_distance=_mean(None if projected is None else projected.distance),
        mitigation=run.facts() if source == "device_mitigated" else None,
        approximation=run.approximation or None,
    )


def _mean(values: FloatArray | None) -> float | None:
    return None if values is None else float(values.mean())
