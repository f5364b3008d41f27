from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qiskit.quantum_info import Statevector

from qhw.circuits.ansatz import Ansatz, Op, brickwork_ansatz, chain_ansatz, qvae_ansatz
from qhw.circuits.plan import CircuitPlan
from qhw.circuits.templates import Preparation, build_template, data_angles
from tests.circuits.reference import embed, marginal, run_ansatz


def qvae_plan(rng: np.random.Generator, *, decoder: bool) -> CircuitPlan:
    ansatz = qvae_ansatz(7, 2, mirrored=decoder)
    wires, measured = (
        ((2, 3, 4, 5, 6), tuple(range(7))) if decoder else (tuple(range(7)), (0, 1, 2, 3, 4))
    )
    weights = rng.uniform(-np.pi, np.pi, ansatz.n_angles)
    return CircuitPlan("amplitudes", wires, None, ansatz, weights, measured)


def statevector(template, angles: np.ndarray) -> np.ndarray:
    circuit = template.circuit.remove_final_measurements(inplace=False)
    return Statevector(
        circuit.assign_parameters(dict(zip(template.parameter_names, angles, strict=True)))
    ).data


def counts_distribution(template, angles: np.ndarray) -> np.ndarray:
    """What Qiskit itself says of the measured register."""
    bound = template.circuit.assign_parameters(
        dict(zip(template.parameter_names, angles, strict=True))
    )
    qubits = [-1] * bound.num_clbits
    for instruction in bound.get_instructions("measure"):
        bit = bound.find_bit(instruction.clbits[0]).index
        qubits[bit] = bound.find_bit(instruction.qubits[0]).index
    state = Statevector(bound.remove_final_measurements(inplace=False))
    found = state.probabilities_dict(qubits)
    return np.array([found.get(f"{i:0{len(qubits)}b}", 0.0) for i in range(2 ** len(qubits))])


@pytest.mark.parametrize("decoder", [False, True])
@pytest.mark.parametrize("preparation", ["exact", "brickwork"])
def test_circuit_equals_numpy_in_every_amplitude(
    decoder: bool, preparation: Preparation, rng: np.random.Generator
) -> None:
    plan = qvae_plan(rng, decoder=decoder)
    if preparation == "brickwork" and not decoder:
        plan = replace(plan, data_wires=(5, 1, 3))  # small, out of order
    latents = rng.normal(size=(3, 2 ** len(plan.data_wires)))
    template = build_template(plan, preparation)
    data = data_angles(template, latents, seed=1)
    for row, latent in zip(data.angles, latents, strict=True):
        if preparation == "exact":
            prepared = embed(latent, plan.data_wires, 7)
        else:
            width = len(plan.data_wires)
            brick = brickwork_ansatz(width, template.prep_layers)
            small = run_ansatz(brick, row, np.eye(2**width, dtype=complex)[0])
            prepared = embed(small.real, plan.data_wires, 7)
        expected = run_ansatz(plan.ansatz, plan.weights, prepared)
        np.testing.assert_allclose(statevector(template, row), expected, atol=1e-10)
    assert data.fidelity.min() > 0.99999


def test_angle_loader_passes_through(rng: np.random.Generator) -> None:
    loader, ansatz = brickwork_ansatz(4, 2), chain_ansatz(4, 3)
    plan = CircuitPlan(
        "angles", (0, 1, 2, 3), loader, ansatz, rng.uniform(-3, 3, ansatz.n_angles), (3, 1)
    )
    template = build_template(plan)
    inputs = rng.uniform(-3, 3, size=(2, loader.n_angles))
    data = data_angles(template, inputs)
    np.testing.assert_array_equal(data.angles, inputs)
    for row in inputs:
        state = run_ansatz(loader, row, np.eye(16, dtype=complex)[0])
        state = run_ansatz(ansatz, plan.weights, state)
        np.testing.assert_allclose(statevector(template, row), state, atol=1e-10)
        np.testing.assert_allclose(
            counts_distribution(template, row), marginal(state, (3, 1), 4), atol=1e-10
        )


@pytest.mark.parametrize("measured", [(0, 1, 2, 3, 4), (6, 0, 3), (2,)])
def test_bitstring_integer_is_the_amplitude_index(
    measured: tuple[int, ...], rng: np.random.Generator
) -> None:
    plan = replace(qvae_plan(rng, decoder=False), measured_wires=measured)
    template = build_template(plan)
    x = rng.normal(size=(1, 128))
    state = run_ansatz(plan.ansatz, plan.weights, embed(x[0], plan.data_wires, 7))
    np.testing.assert_allclose(
        counts_distribution(template, data_angles(template, x).angles[0]),
        marginal(state, measured, 7),
        atol=1e-10,
    )


def test_free_weights_follow_the_data_and_bind_to_the_same_state(rng: np.random.Generator) -> None:
    plan = qvae_plan(rng, decoder=True)
    bound, free = build_template(plan), build_template(plan, weights=True)
    x = data_angles(bound, rng.normal(size=(1, 32))).angles[0]
    assert free.parameter_names[: free.n_data] == bound.parameter_names
    assert tuple(p.name for p in free.circuit.parameters) == free.parameter_names
    np.testing.assert_allclose(
        statevector(free, np.concatenate([x, plan.weights])), statevector(bound, x), atol=1e-12
    )


def test_columns_follow_qiskit_parameter_order(rng: np.random.Generator) -> None:
    template = build_template(qvae_plan(rng, decoder=False))
    assert template.parameter_names[:3] == ("d[0]", "d[1]", "d[2]")
    assert tuple(p.name for p in template.circuit.parameters) == template.parameter_names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": np.zeros(3)}, "finite weights"),
        ({"data_wires": (0, 0)}, "distinct data_wires"),
        ({"measured_wires": (7,)}, "distinct measured_wires below 7"),
        ({"measured_wires": ()}, "distinct measured_wires"),
        ({"preparation": "angles"}, "must have a loader"),
        ({"preparation": "angles", "loader": brickwork_ansatz(3, 1)}, "loader on 7 wires"),
    ],
)
def test_contradicting_plans_are_named(
    change: dict[str, object], message: str, rng: np.random.Generator
) -> None:
    with pytest.raises(ValueError, match=message):
        build_template(replace(qvae_plan(rng, decoder=False), **change))


def test_nan_weights_and_unknown_preparation_are_named() -> None:
    ansatz = Ansatz(1, (Op("ry", (0,), 0),), 1)
    plan = CircuitPlan("amplitudes", (0,), None, ansatz, np.array([np.nan]), (0,))
    with pytest.raises(ValueError, match="1 finite weights"):
        build_template(plan)
    with pytest.raises(ValueError, match="one of exact, brickwork, but is 'magic'"):
        build_template(replace(plan, weights=np.zeros(1)), "magic")  # type: ignore[arg-type]


def test_bad_inputs_are_named(rng: np.random.Generator) -> None:
    template = build_template(qvae_plan(rng, decoder=True))
    with pytest.raises(ValueError, match=r"must have shape \(B, 32\), but has \(1, 31\)"):
        data_angles(template, np.ones((1, 31)))
    with pytest.raises(ValueError, match="must be finite"):
        data_angles(template, np.full((1, 32), np.nan))
    with pytest.raises(ValueError, match="row 0 cannot be normalised"):
        data_angles(template, np.zeros((1, 32)))
