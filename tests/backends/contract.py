"""What every backend must do; a backend's tests subclass :class:`BackendContract`."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from qiskit import QuantumCircuit

from backends.base import Backend, BackendError, DistributionBackend
from tests.backends.circuits import (
    product_circuit,
    product_distribution,
    staircase_circuit,
    staircase_distribution,
)

ANGLES = np.array([[0.3, 1.1, 2.0, 2.9], [0.1, 0.7, 1.3, 2.2]])


class BackendContract:
    """Subclass and give a fixture ``backend``; widen ``noise`` to the distance it may stand off."""

    noise = 1e-12
    """Total variation distance to the ideal distribution that the backend may have."""
    shots = 20_000

    @pytest.mark.parametrize("measured", [(0, 1, 2, 3), (2, 0), (3,)])
    @pytest.mark.parametrize("star", [False, True])
    def test_outcome_is_the_amplitude_index_of_the_measured_wires(
        self, backend: Backend, measured: tuple[int, ...], star: bool
    ) -> None:
        make, know = (
            (staircase_circuit, staircase_distribution)
            if star
            else (product_circuit, product_distribution)
        )
        compiled = backend.compile(make(4, measured), seed=3)
        result = backend.run(compiled, ANGLES, shots=self.shots, seed=1)
        assert result.counts.shape == (2, 2 ** len(measured))
        assert compiled.n_measured == len(measured)
        for counts, angles in zip(result.counts, ANGLES, strict=True):
            ideal = know(angles, measured)
            distance = np.abs(counts / self.shots - ideal).sum() / 2
            assert distance < self.noise + 2 * np.sqrt(len(ideal) / self.shots)

    def test_result_says_what_was_done(self, backend: Backend) -> None:
        result = backend.run(backend.compile(product_circuit(4)), ANGLES, shots=100, seed=5)
        assert result.counts.dtype == np.int64
        np.testing.assert_array_equal(result.counts.sum(axis=1), 100)
        assert (result.shots, result.backend) == (100, backend.name)
        assert result.finished.tzinfo is UTC
        assert result.finished <= datetime.now(UTC)

    def test_same_seed_same_counts(self, backend: Backend) -> None:
        compiled = backend.compile(product_circuit(4), seed=2)
        first = backend.run(compiled, ANGLES, shots=500, seed=7)
        again = backend.run(compiled, ANGLES, shots=500, seed=7)
        other = backend.run(compiled, ANGLES, shots=500, seed=8)
        np.testing.assert_array_equal(first.counts, again.counts)
        assert (first.counts != other.counts).any()

    def test_same_compile_seed_same_circuit(self, backend: Backend) -> None:
        circuit = staircase_circuit(4)
        first, again = backend.compile(circuit, seed=2), backend.compile(circuit, seed=2)
        assert first.circuit == again.circuit
        assert first.physical_qubits == again.physical_qubits

    def test_circuit_without_parameters_repeats_with_fresh_shots(self, backend: Backend) -> None:
        circuit = product_circuit(2).assign_parameters([1.0, 2.0])
        result = backend.run(backend.compile(circuit), np.zeros((3, 0)), shots=1000, seed=0)
        np.testing.assert_array_equal(result.counts.sum(axis=1), 1000)
        assert (result.counts[0] != result.counts[1]).any()

    def test_empty_batch(self, backend: Backend) -> None:
        compiled = backend.compile(product_circuit(3))
        counts = backend.run(compiled, np.zeros((0, 3)), shots=10, seed=0).counts
        assert counts.shape == (0, 8)

    @pytest.mark.parametrize(
        "angles", [np.zeros((1, 3)), np.zeros(4), np.zeros((1, 1, 4)), np.full((1, 4), np.nan)]
    )
    def test_wrong_angles_are_refused(self, backend: Backend, angles: np.ndarray) -> None:
        compiled = backend.compile(product_circuit(4))
        with pytest.raises(BackendError, match="Argument `angles` must"):
            backend.run(compiled, angles, shots=10, seed=0)

    @pytest.mark.parametrize("shots", [0, -5, 1.5, True, 10**12])
    def test_wrong_shots_are_refused(self, backend: Backend, shots: int) -> None:
        compiled = backend.compile(product_circuit(4))
        with pytest.raises(BackendError, match="Argument `shots` must be a whole number from 1"):
            backend.run(compiled, ANGLES, shots=shots, seed=0)

    def test_circuits_that_measure_nothing_are_refused(self, backend: Backend) -> None:
        for bad in (QuantumCircuit(2), QuantumCircuit(2, 2)):
            with pytest.raises(BackendError, match="Argument `circuit` must"):
                backend.compile(bad)

    def test_too_many_qubits_are_refused(self, backend: Backend) -> None:
        with pytest.raises(BackendError, match="qubits"):
            backend.compile(product_circuit(2000))

    def test_estimate_has_a_basis(self, backend: Backend) -> None:
        cost = backend.estimate(backend.compile(product_circuit(2)), circuits=3, shots=10)
        assert cost.usd >= 0
        assert cost.basis

    def test_compiled_counts_are_those_of_its_circuit(self, backend: Backend) -> None:
        compiled = backend.compile(staircase_circuit(4))
        assert compiled.two_qubit_gates == sum(
            len(i.qubits) == 2 for i in compiled.circuit.data if i.operation.name != "barrier"
        )
        assert compiled.two_qubit_gates >= 3
        assert compiled.two_qubit_depth <= compiled.two_qubit_gates
        assert len(compiled.physical_qubits) == compiled.circuit.num_qubits
        assert compiled.parameter_names == ("a0", "a1", "a2", "a3")


class DistributionContract(BackendContract):
    """For backends that know their infinite-shot distribution."""

    def test_probabilities_are_distributions(self, backend: DistributionBackend) -> None:
        compiled = backend.compile(staircase_circuit(4, (3, 0, 1)))
        p = backend.probabilities(compiled, ANGLES)
        assert p.shape == (2, 8)
        assert p.min() >= 0
        np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-10)
        for row, angles in zip(p, ANGLES, strict=True):
            ideal = staircase_distribution(angles, (3, 0, 1))
            assert np.abs(row - ideal).sum() / 2 <= self.noise

    def test_shots_follow_the_probabilities(self, backend: DistributionBackend) -> None:
        compiled = backend.compile(staircase_circuit(4))
        p = backend.probabilities(compiled, ANGLES)
        counts = backend.run(compiled, ANGLES, shots=200_000, seed=11).counts
        sigma = np.sqrt(p * (1 - p) / 200_000)
        assert (np.abs(counts / 200_000 - p) < 6 * sigma + 1e-5).all()

    def test_the_result_can_be_changed_without_changing_the_next(
        self, backend: DistributionBackend
    ) -> None:
        compiled = backend.compile(product_circuit(4))
        first = backend.probabilities(compiled, ANGLES)
        kept = first.copy()
        first[:] = 0
        np.testing.assert_array_equal(backend.probabilities(compiled, ANGLES), kept)
