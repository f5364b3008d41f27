from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator

from qhw.circuits.ansatz import Ansatz, Op, brickwork_ansatz, chain_ansatz, qvae_ansatz
from qhw.models.layers import SharedCircuit, born_probabilities, circuit_matrix
from tests.models.reference import unitary

ANSATZE = {
    "encoder": qvae_ansatz(7, 2),
    "decoder": qvae_ansatz(7, 2, mirrored=True),
    "chain": chain_ansatz(7, 3),
    "brickwork": brickwork_ansatz(5, 4, first_wire=2),
    "two wires": qvae_ansatz(2, 1),
    "one wire": Ansatz(1, (Op("ry", (0,), 1), Op("rz", (0,), 0)), 2),
    "no angles": Ansatz(3, (Op("cz", (0, 2)),), 0),
    "untouched wires": Ansatz(4, (Op("ry", (2,), 0),), 1),
    "long runs": Ansatz(
        3,
        (
            *(Op(n, (1,), i) for i, n in enumerate(("ry", "ry", "rz", "rz", "ry"))),
            Op("crx", (2, 0), 5),
            Op("rz", (0,), 6),
        ),
        7,
    ),
}


def random_angles(ansatz: Ansatz, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(ansatz.n_angles, generator=generator, dtype=torch.float64) * 3


@pytest.mark.parametrize("name", ANSATZE)
def test_matrix_equals_gate_by_gate(name: str) -> None:
    ansatz = ANSATZE[name]
    angles = random_angles(ansatz)
    expected = unitary(ansatz, angles.numpy())
    np.testing.assert_allclose(circuit_matrix(ansatz, angles).numpy(), expected, atol=1e-12)
    single = circuit_matrix(ansatz, angles.float())
    assert single.dtype == torch.complex64
    np.testing.assert_allclose(single.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("mirrored", [False, True])
def test_matrix_equals_qiskit_at_full_depth(mirrored: bool) -> None:
    ansatz = qvae_ansatz(7, 10, mirrored=mirrored)
    angles = random_angles(ansatz, 1)
    circuit = QuantumCircuit(7)
    for op in ansatz.ops:
        assert op.angle is not None
        getattr(circuit, op.name)(float(angles[op.angle]), *(6 - w for w in op.wires))
    np.testing.assert_allclose(
        circuit_matrix(ansatz, angles).numpy(), Operator(circuit).data, atol=1e-10
    )


@settings(max_examples=40)
@given(data=st.data(), n=st.integers(2, 4))
def test_any_gate_sequence(data: st.DataObject, n: int) -> None:
    ops = []
    for k in range(data.draw(st.integers(0, 12))):
        name = data.draw(st.sampled_from(["rz", "ry", "crx", "cz"]))
        wires = tuple(data.draw(st.permutations(range(n))))[: 2 if name[0] == "c" else 1]
        ops.append(Op(name, wires, None if name == "cz" else k))
    ansatz = Ansatz(n, tuple(ops), len(ops))
    angles = random_angles(ansatz, len(ops))
    expected = unitary(ansatz, angles.numpy())
    np.testing.assert_allclose(circuit_matrix(ansatz, angles).numpy(), expected, atol=1e-12)
    weights = torch.randn(2, 2**n, 2**n, generator=torch.Generator().manual_seed(n)).double()

    def value(a: torch.Tensor) -> torch.Tensor:
        matrix = circuit_matrix(ansatz, a)
        return (matrix.real * weights[0] + matrix.imag * weights[1]).sum()

    assert torch.autograd.gradcheck(value, (angles.requires_grad_(),), atol=1e-6)


@settings(max_examples=40)
@given(wires=st.permutations(range(4)).flatmap(lambda p: st.integers(1, 4).map(lambda k: p[:k])))
def test_input_wires_are_columns(wires: list[int]) -> None:
    ansatz = chain_ansatz(4, 2)
    angles = random_angles(ansatz)
    full = unitary(ansatz, angles.numpy())
    columns = []
    for value in range(2 ** len(wires)):
        bits = [0] * 4
        for k, w in enumerate(wires):
            bits[w] = (value >> (len(wires) - 1 - k)) & 1
        columns.append(int("".join(map(str, bits)), 2))
    np.testing.assert_allclose(
        circuit_matrix(ansatz, angles, wires).numpy(), full[:, columns], atol=1e-12
    )


def test_probabilities_of_signed_and_complex_inputs() -> None:
    ansatz = qvae_ansatz(4, 2)
    angles = random_angles(ansatz)
    generator = torch.Generator().manual_seed(5)
    real = torch.randn(6, 16, generator=generator, dtype=torch.float64)
    imag = torch.randn(6, 16, generator=generator, dtype=torch.float64)
    full = unitary(ansatz, angles.numpy())
    for inputs in (real, torch.complex(real, imag)):
        tensor = (np.abs(inputs.numpy() @ full.T) ** 2).reshape(6, 2, 2, 2, 2)
        for wires, axes in ([None, None], [(3, 1), (1, 3)], [(0, 1), (3, 4)], [(2,), (1, 2, 4)]):
            expected = tensor if axes is None else tensor.sum(axes)
            if wires == (3, 1):
                expected = tensor.sum((1, 3)).transpose(0, 2, 1)
            found = born_probabilities(circuit_matrix(ansatz, angles), inputs, wires)
            np.testing.assert_allclose(found.numpy(), expected.reshape(6, -1), atol=1e-12)


def test_gradients_equal_finite_differences() -> None:
    ansatz = qvae_ansatz(3, 2)
    angles = random_angles(ansatz).requires_grad_()
    inputs = torch.randn(2, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    weights = torch.arange(8, dtype=torch.float64)

    def value(a: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        matrix = circuit_matrix(ansatz, a)
        return (born_probabilities(matrix, x, (0, 1)) * weights[:4]).sum() + (
            born_probabilities(matrix, x) * weights
        ).sum()

    assert torch.autograd.gradcheck(value, (angles, inputs.requires_grad_()), atol=1e-7)


def test_bad_arguments_are_named() -> None:
    ansatz = chain_ansatz(3, 1)
    good = torch.zeros(ansatz.n_angles)
    with pytest.raises(ValueError, match=r"`angles` must have shape \(18,\), but has \(4,\)"):
        circuit_matrix(ansatz, torch.zeros(4))
    with pytest.raises(ValueError, match="float32 or float64"):
        circuit_matrix(ansatz, good.int())
    with pytest.raises(ValueError, match="`input_wires` must be distinct wires between 0 and 2"):
        circuit_matrix(ansatz, good, (0, 3))
    matrix = circuit_matrix(ansatz, good)
    with pytest.raises(ValueError, match="`measured_wires`"):
        born_probabilities(matrix, torch.ones(1, 8), (1, 1))
    with pytest.raises(ValueError, match=r"`inputs` must have shape \(B, 8\)"):
        born_probabilities(matrix, torch.ones(1, 4))
    with pytest.raises(ValueError, match="must use rz, ry, crx or cz, but has 'rx'"):
        circuit_matrix(Ansatz(1, (Op("rx", (0,), 0),), 1), torch.zeros(1))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="`order` must be distinct wires between 0 and 2"):
        SharedCircuit(ansatz, [0], (0, 1, 1))
