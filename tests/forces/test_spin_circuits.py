"""The circuits of models A and B as devices are sent them."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit

import qhw
from backends.native.compile import compile_native
from calibration.catalog import load_snapshot
from qhw.forces.exchange import ExchangeCircuit, Gates
from tests.forces.molecules import clusters
from tests.forces.spin_fields import MOLECULES, environment, shaken, symmetric

REVISED, BASELINE = "environment-qnn", "environment-qnn-baseline"
EXCHANGE = ExchangeCircuit(2, 1, ((0, 1),), (((0, 1),),), ((0, 1),))


@pytest.mark.parametrize("case", [*MOLECULES, REVISED, BASELINE])
def test_circuits_read_exactly_give_the_models_energy(case: str) -> None:
    if case in MOLECULES:
        field, frames = symmetric(case, 1, layers=1), shaken(case, 2, 1)
    else:
        field, frames = environment(case, 1), clusters(2, 1, atoms=3)
    work = field.circuits(frames)
    found = qhw.expect(
        work, None, field.observables(), "exact", shots=1000, mitigation="none"
    ).exact
    rows = (found * field.readout(frames)).sum(axis=1)
    energy = field.classical(frames) + np.bincount(field.frames_of(frames), rows)
    wanted = field.energy(frames).detach().numpy()
    assert np.abs(energy - wanted).max() < 1e-10
    assert np.abs(field.classical(frames) - wanted).min() > 1e-3
    assert len(set(work.row_names)) == len(work)


def test_one_shot_variance_is_that_of_all_rows() -> None:
    field, frames = symmetric("nh3", 2), shaken("nh3", 1, 2)
    work, weights = field.circuits(frames), field.readout(frames)
    values = qhw.expect(work, None, field.observables(), "exact", shots=10**6, mitigation="none")
    assert field.shot_variance(frames)[0] > 0
    # a single pair read: the variance of XX, YY and ZZ is one less their squares
    one, water = symmetric("h2o", 2), shaken("h2o", 1, 2)
    exact = qhw.expect(
        one.circuits(water), None, one.observables(), "exact", shots=10, mitigation="none"
    ).exact
    wanted = ((1 - exact**2) * one.readout(water) ** 2).sum()
    assert one.shot_variance(water) == pytest.approx(wanted, rel=1e-9)
    assert values.exact.shape == weights.shape


def _two_qubit_gates(circuit: QuantumCircuit) -> int:
    return sum(len(item.qubits) == 2 and item.operation.name != "barrier" for item in circuit.data)


@pytest.mark.parametrize(
    ("device", "gates", "fractional", "wanted"),
    [
        ("ibm_fez", "cx", False, 3),
        ("iqm_garnet", "cx", False, 3),
        ("ionq_forte_enterprise", "cx", False, 3),
        ("ionq_forte_enterprise", "rzz", False, 3),
        # IBM's fractional gates save none
        ("ibm_fez", "cx", True, 3),
        ("ibm_fez", "rzz", True, 3),
        # each rzz of a free angle is two cz
        ("iqm_garnet", "rzz", False, 5),
    ],
)
def test_native_gates_of_exchange_by_any_angle(
    device: str, gates: Gates, fractional: bool, wanted: int
) -> None:
    """The angles of a template are free: what is compiled holds for every geometry."""
    template = EXCHANGE.circuit(gates)
    template.measure_all()
    found = compile_native(template, load_snapshot(device), level=2, fractional=fractional)
    assert _two_qubit_gates(found.circuit) == wanted + 1  # and one for the singlet
