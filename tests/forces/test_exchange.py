from __future__ import annotations

import numpy as np
import pytest
import torch
from qiskit.quantum_info import SparsePauliOp, Statevector
from scipy.linalg import expm

from qhw.forces.exchange import ExchangeCircuit, after, rotations

PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
RING4 = ExchangeCircuit(
    4, 3, ((0, 1), (2, 3)), (((0, 1), (2, 3)), ((1, 2), (3, 0))), ((0, 1), (1, 3))
)
OPEN4 = ExchangeCircuit(4, 2, ((0, 1), (2, 3)), (((0, 1), (2, 3)), ((1, 2),)), ((0, 1),))
CROSSED6 = ExchangeCircuit(
    6,
    2,
    ((0, 3), (1, 4), (2, 5)),
    (((0, 3), (1, 4), (2, 5)), ((0, 4), (1, 5), (2, 3))),
    ((0, 3), (2, 4), (1, 2)),
)
TWO = ExchangeCircuit(2, 2, ((0, 1),), (((0, 1),),), ((0, 1),))
SHAPES = (RING4, OPEN4, CROSSED6, TWO)


def drawn(shape: ExchangeCircuit, rows: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    vectors = 2 * rng.normal(size=(rows, shape.layers + 1, shape.wires, 3))
    vectors[0, 0, 0] = 0.0
    couplings = rng.normal(size=(rows, shape.layers, shape.couplings))
    return torch.from_numpy(vectors), torch.from_numpy(couplings)


def dense(shape: ExchangeCircuit, vectors: np.ndarray, couplings: np.ndarray) -> np.ndarray:
    """The final state by matrix exponentials alone."""
    n = shape.wires

    def on(wires: tuple[int, ...], ops: tuple[np.ndarray, ...]) -> np.ndarray:
        found = np.eye(1)
        for wire in range(n):
            found = np.kron(found, ops[wires.index(wire)] if wire in wires else np.eye(2))
        return found

    state = np.zeros(2**n, complex)
    state[0] = 1
    for a, b in shape.singlets:  # |01> - |10>
        raised = (on((b,), (PAULI[0],)) - on((a,), (PAULI[0],))) / np.sqrt(2)
        state = raised @ state
    for layer in range(shape.layers + 1):
        if layer:
            pairs = [pair for group in shape.bonds for pair in group]
            for pair, w in zip(pairs, couplings[layer - 1], strict=True):
                state = expm(-1j * w * sum(on(pair, (p, p)) for p in PAULI)) @ state
        for wire in range(n):
            generator = np.einsum("a,aij->ij", vectors[layer, wire], PAULI)
            state = on((wire,), (expm(-0.5j * generator),)) @ state
    return state


@pytest.mark.parametrize("shape", SHAPES)
def test_closed_forms_are_the_matrix_exponentials(shape: ExchangeCircuit) -> None:
    vectors, couplings = drawn(shape, 2, seed=1)
    states = shape.states(rotations(vectors), couplings).numpy()
    reads = shape.expectations(rotations(vectors), couplings).numpy()
    for row in range(2):
        wanted = dense(shape, vectors[row].numpy(), couplings[row].numpy())
        assert abs(abs(np.vdot(wanted, states[row])) - 1) < 1e-12
        for read, strings in enumerate(zip(*[iter(shape.observables)] * 3, strict=True)):
            value = Statevector(wanted).expectation_value(SparsePauliOp(list(strings))).real
            assert abs(value - reads[row, read]) < 1e-12


@pytest.mark.parametrize("gates", ["cx", "rzz"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_circuit_for_devices_is_the_same(shape: ExchangeCircuit, gates: str) -> None:
    vectors, couplings = drawn(shape, 3, seed=2)
    spins = rotations(vectors)
    states = shape.states(spins, couplings).numpy()
    template = shape.circuit(gates)
    for row, angles in enumerate(shape.angles(spins, couplings)):
        bound = template.assign_parameters(dict(zip(template.parameters, angles, strict=True)))
        assert abs(abs(np.vdot(Statevector(bound).data, states[row])) - 1) < 1e-10
    exchanges = 3 * shape.layers * shape.couplings
    assert template.num_nonlocal_gates() == len(shape.singlets) + exchanges


@pytest.mark.parametrize("shape", SHAPES)
def test_values_turn_with_nothing_and_are_even_in_couplings(shape: ExchangeCircuit) -> None:
    vectors, couplings = drawn(shape, 4, seed=3)
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64))[0]
    turn = turn * torch.linalg.det(turn)
    values = shape.expectations(rotations(vectors), couplings)
    turned = shape.expectations(rotations(vectors @ turn.T), couplings)
    reversed_ = shape.expectations(rotations(vectors), -couplings)
    assert (values - turned).abs().max() < 1e-12
    assert (values - reversed_).abs().max() < 1e-12
    assert values.std() > 0.05


def test_variance_of_one_shot_of_each_axis() -> None:
    vectors, couplings = drawn(CROSSED6, 2, seed=4)
    states = CROSSED6.states(rotations(vectors), couplings)
    weights = torch.tensor([[1.0, -0.5, 2.0], [0.0, 1.0, 1.0]], dtype=torch.float64)
    found = CROSSED6.variance(states, weights).numpy()
    for row in range(2):
        wanted = 0.0
        for axis in range(3):
            terms = list(CROSSED6.observables[axis::3])
            operator = SparsePauliOp(terms, weights[row].numpy())
            state = Statevector(states[row].numpy())
            mean = state.expectation_value(operator).real
            wanted += state.expectation_value(operator @ operator).real - mean**2
        assert found[row] == pytest.approx(wanted, rel=1e-10)


def test_rotations_are_smooth_at_zero_and_compose() -> None:
    vector = torch.tensor([[0.0, 0, 0], [0.02, 0.01, -0.022], [0.02, 0.02, 0.015], [1.0, -3, 2]])
    vector = vector.double()
    exact = [expm(-0.5j * np.einsum("a,aij->ij", v.numpy(), PAULI)) for v in vector]
    for row, wanted in zip(rotations(vector), exact, strict=True):
        found = row[0].item() * np.eye(2) - 1j * np.einsum("a,aij->ij", row[1:].numpy(), PAULI)
        assert np.abs(found - wanted).max() < 1e-14
    both = after(rotations(vector[3]), rotations(vector[1]))
    product = exact[3] @ exact[1]
    assert abs(both[0].item() - np.trace(product).real / 2) < 1e-14
    assert both[3].item() == pytest.approx(-product[0, 0].imag, abs=1e-14)
    assert torch.autograd.gradcheck(rotations, vector.requires_grad_())
    assert torch.autograd.gradgradcheck(rotations, vector)
