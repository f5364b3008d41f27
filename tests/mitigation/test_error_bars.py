"""Error bars that are propagated, beside a bootstrap of all counts of the whole pipeline."""

from __future__ import annotations

import numpy as np
import pytest

from backends.engine.backend import EngineBackend
from calibration.catalog import load_snapshot
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.program import build_program
from tests.mitigation.test_pipeline import ANGLES, chain

REPLICAS = 200
SHOTS = 6000


@pytest.mark.parametrize("wanted", ["distribution", "expectation"])
@pytest.mark.parametrize(
    ("text", "within"),
    [
        ("twirl(4)+readout+zne(1,3)", 0.1),
        ("twirl(4)+readout+zne(1,3,exp)", 0.15),
        ("twirl(4)+readout(share=0.2)+zne(1,3)", 0.1),
        ("twirl(4)+readout(ibu)+zne(1,3)", 0.25),
    ],
)
def test_propagated_errors_are_those_of_a_bootstrap(text: str, within: float, wanted: str) -> None:
    backend = EngineBackend(load_snapshot("ibm_torino"))
    compiled = backend.compile(chain())
    signs = np.array([[1 - 2 * (i.bit_count() & 1) for i in range(16)]], dtype=np.float64)
    program = build_program(
        Pipeline.parse(text), backend, compiled, ANGLES, shots=SHOTS, seed=0,
        features=signs if wanted == "expectation" else None,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    noisy = {b.label: backend.probabilities(b.compiled, b.angles) for b in program.batches}
    shots = {b.label: b.shots for b in program.batches}

    def drawn(chances: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {
            label: rng.multinomial(shots[label], p / p.sum(axis=1, keepdims=True))
            for label, p in chances.items()
        }

    counts = drawn(noisy)
    found = program.combine(counts)
    replicas = 50 if "ibu" in text else REPLICAS
    again = [program.combine(drawn(counts)) for _ in range(replicas)]
    bootstrap = np.std([a.values for a in again], axis=0, ddof=1)
    ratio = found.standard_error / bootstrap
    assert abs(np.median(ratio) - 1) < within
    assert ratio.min() > 0.6 and ratio.max() < 1.6
    if wanted == "distribution":
        assert found.probabilities is not None and found.negative_mass is not None
        quasi = found.values
        np.testing.assert_allclose(found.negative_mass, -np.minimum(quasi, 0).sum(axis=1))
        np.testing.assert_allclose(
            found.distance, np.linalg.norm(quasi - found.probabilities, axis=1), atol=1e-12
        )
        assert (found.probabilities >= 0).all()
        np.testing.assert_allclose(found.probabilities.sum(axis=1), 1.0)
    else:
        assert found.probabilities is None and found.distance is None
