"""Structure mitigation: exact inverses, its order, error bars, and models it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from qiskit.circuit import Parameter

from backends.engine.backend import EngineBackend
from backends.exact import ExactBackend
from backends.statevector import measured_probabilities
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions
from qhw.chem.encoding import LAYOUTS, N_AMPLITUDES, Layout, decode, encode
from qhw.chem.frames import to_frame
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.qm9 import sample_molecules
from qhw.chem.structure import MoleculeStructure
from qhw.circuits.amplitude_prep import tree_angles, tree_circuit
from qhw.mitigation.base import Estimate, MitigationError, frequencies
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.program import build_program, run_program
from qhw.mitigation.structure import checked_structure, structured
from qhw.models.checkpoint import load

PAPER = MoleculeStructure("paper")


def molecules(count: int = 20) -> MoleculeBatch:
    """Real molecules cut to 1 .. 9 atoms, in their frame."""
    found = sample_molecules().molecules[np.arange(count) * 7]
    types, positions = found.types.copy(), found.positions.copy()
    for row in range(count):
        types[row, row % 9 + 1 :] = -1
        positions[row, row % 9 + 1 :] = 0.0
    return to_frame(MoleculeBatch(types, positions), "paper")


def rmsd(values: np.ndarray, truth: MoleculeBatch) -> float:
    """Å, no alignment, atom counts given."""
    found = decode(np.sqrt(np.maximum(values, 0.0)))
    present = truth.types >= 0
    apart = ((found.positions - truth.positions) ** 2).sum(axis=-1)
    return float(np.sqrt((apart * present).sum(axis=1) / present.sum(axis=1)).mean())


def tvd(values: np.ndarray, exact: np.ndarray) -> float:
    return float(0.5 * np.abs(values - exact).sum(axis=1).mean())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.4])
def test_a_depolarised_floor_is_taken_away_exactly(layout: Layout, share: float) -> None:
    given = molecules()
    exact = encode(given, layout=layout) ** 2
    noisy = (1 - share) * exact + share / N_AMPLITUDES
    out = structured(Estimate(noisy, np.zeros_like(noisy)), MoleculeStructure(layout))
    np.testing.assert_allclose(out.values, exact, atol=1e-12)
    assert out.record["structure"]["atoms"] == given.counts.tolist()
    np.testing.assert_allclose(out.record["structure"]["background"], share / N_AMPLITUDES)


def test_blocks_without_the_background_make_coordinates_worse() -> None:
    given = sample_molecules().molecules[np.arange(20) * 50]
    given = to_frame(given, "paper")
    exact = encode(given) ** 2
    noisy = 0.85 * exact + 0.15 / N_AMPLITUDES
    raw = frequencies(np.random.default_rng(0).multinomial(100_000, noisy))
    counts = PAPER.cases(raw.values)
    flat, _, _ = PAPER.subtract_background(raw.values, raw.variance, counts)
    assert (counts == given.counts).all()
    whole = structured(raw, PAPER).values
    blocks, _ = PAPER.normalise_blocks(raw.values, raw.variance, counts)
    assert rmsd(blocks, given) > 1.2 * rmsd(raw.values, given)
    assert rmsd(flat, given) < 0.5 * rmsd(raw.values, given)
    assert rmsd(whole, given) < 0.5 * rmsd(raw.values, given)
    # the floor of 100 000 shots is 0.007: a prior knows more than shots do
    assert tvd(whole, exact) < 0.007 < tvd(blocks, exact) < tvd(raw.values, exact)
    np.testing.assert_allclose(whole.sum(axis=1), 1.0)
    assert (whole >= 0).all()


def test_error_bars_cover() -> None:
    given = molecules(9)
    exact = encode(given) ** 2
    noisy = np.repeat(0.9 * exact + 0.1 / N_AMPLITUDES, 60, axis=0)
    out = structured(frequencies(np.random.default_rng(1).multinomial(50_000, noisy)), PAPER)
    free = out.variance > 0
    inside = np.abs(out.values - np.repeat(exact, 60, axis=0)) <= 1.96 * np.sqrt(out.variance)
    # values near 0 are cut there, so their bars are somewhat off
    assert 0.90 < inside[free].mean() < 0.98
    assert not out.values[:, PAPER.empty].any()


@pytest.mark.slow
def test_on_prepared_molecules_of_a_noisy_ion_trap() -> None:
    given = to_frame(sample_molecules().molecules[np.arange(5) * 50], "paper")
    amplitudes = encode(given)
    parameters = [Parameter(f"a[{i}]") for i in range(127)]
    circuit = tree_circuit(7, parameters)
    circuit.measure_all()
    device = load_snapshot("ionq_forte_enterprise")
    backend = EngineBackend(device, noise=NoiseOptions(gates=0.3))
    compiled = backend.compile(circuit)
    order = [int(name[2:-1]) for name in compiled.parameter_names]
    angles = tree_angles(amplitudes)[:, order]
    exact = measured_probabilities(compiled, angles)
    np.testing.assert_allclose(exact, amplitudes**2, atol=1e-9)

    def found(text: str) -> np.ndarray:
        program = build_program(
            Pipeline.parse(text), backend, compiled, angles, shots=100_000, seed=0, structure=PAPER
        )
        values = run_program(program, seed=1).probabilities
        assert values is not None
        return values

    raw, plain, full = (found(t) for t in ("none", "structure", "readout+zne(1,3)+structure"))
    assert tvd(plain, exact) < 0.2 * tvd(raw, exact)
    assert rmsd(plain, given) < 0.7 * rmsd(raw, given)
    assert tvd(full, exact) < tvd(plain, exact)


def test_shipped_models_are_refused() -> None:
    nisq, _ = load("nisq-chain5")
    assert nisq.structure is None  # a linear read-out: every outcome may carry weight
    with pytest.raises(MitigationError, match="this one does not"):
        checked_structure(nisq.structure, np.full((1, N_AMPLITUDES), 1 / N_AMPLITUDES))
    qvae, _ = load("qvae-l10")
    latents = torch.randn(20, qvae.latent_dim, generator=torch.Generator().manual_seed(0)).abs()
    latents = latents / latents.norm(dim=1, keepdim=True)
    with torch.no_grad():
        exact = qvae.decoder_probabilities(latents.to(torch.float32)).double().numpy()
    with pytest.raises(MitigationError, match="where none may be") as refused:
        checked_structure(qvae.structure, exact)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_exact_molecules_obey_their_own_layout_only(layout: Layout) -> None:
    exact = encode(molecules(), layout=layout) ** 2
    structure = MoleculeStructure(layout)
    assert checked_structure(structure, exact) is structure
    (other,) = set(LAYOUTS) - {layout}
    with pytest.raises(MitigationError, match="encoded molecules within"):
        checked_structure(MoleculeStructure(other), exact)


def test_a_pipeline_refuses_what_it_cannot_be_used_for() -> None:
    backend = ExactBackend()
    circuit = tree_circuit(3, [Parameter(f"a[{i}]") for i in range(7)])
    circuit.measure_all()
    compiled = backend.compile(circuit)
    angles = np.zeros((1, 7))
    pipeline = Pipeline.parse("structure")
    with pytest.raises(MitigationError, match="does not"):
        build_program(pipeline, backend, compiled, angles, shots=9, seed=0)
    with pytest.raises(MitigationError, match="128 outcomes, but this one measures 8"):
        build_program(pipeline, backend, compiled, angles, shots=9, seed=0, structure=PAPER)
    with pytest.raises(MitigationError, match="structure must be used for a distribution"):
        build_program(
            pipeline, backend, compiled, angles, shots=9, seed=0, features=np.ones((1, 8))
        )
    with pytest.raises(MitigationError, match="up to 0 arguments"):
        Pipeline.parse("structure(soft)")
