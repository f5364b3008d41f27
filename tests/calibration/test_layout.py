"""Best placements against brute force, and the schedule's waiting times by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import rustworkx as rx
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit

from calibration.layout import Interaction, LayoutError, best_layouts, best_path, score
from calibration.readers.ibm import read_ibm_fake
from calibration.snapshot import DeviceSnapshot, Gate, Qubit
from tests.calibration.factory import line_device


def random_device(seed: int, n: int) -> DeviceSnapshot:
    rng = np.random.default_rng(seed)
    pairs = [(a, b) for a in range(n) for b in range(a + 1, n) if rng.random() < 0.5]
    gates = [Gate(name="cz", qubits=p, error=float(rng.uniform(0, 0.3))) for p in pairs]
    gates += [Gate(name="sx", qubits=(q,), error=float(rng.uniform(0, 0.05))) for q in range(n)]
    qubits = tuple(
        Qubit(label=q, t1_s=float(rng.uniform(1e-5, 1e-3)), p10=0.1 * rng.random(), p01=0.02)
        for q in range(n)
    )
    return line_device(qubits=qubits, gates=tuple(gates), couplings=tuple(pairs))


def random_interaction(seed: int, n: int) -> Interaction:
    rng = np.random.default_rng(seed)
    pairs = tuple(
        (a, b, int(rng.integers(1, 5)))
        for a in range(n)
        for b in range(a + 1, n)
        if rng.random() < 0.5
    )
    idle = tuple(float(x) for x in rng.uniform(0, 1e-5, n))
    return Interaction(n, pairs, tuple(int(x) for x in rng.integers(0, 9, n)), (0,), idle)


def brute_force(interaction: Interaction, device: DeviceSnapshot) -> list[float]:
    scores = []
    for qubits in itertools.permutations(range(device.n_qubits), interaction.n_qubits):
        try:
            scores.append(score(interaction, device, qubits).log_success)
        except LayoutError:
            continue
    return sorted(scores, reverse=True)


@given(seed=st.integers(0, 10**6), n=st.integers(1, 4))
@settings(max_examples=40)
def test_best_layouts_are_those_of_brute_force(seed, n):
    device, interaction = random_device(seed, 6), random_interaction(seed + 1, n)
    expected = brute_force(interaction, device)
    if not expected or (interaction.pairs and not device.usable_couplings):
        with pytest.raises(LayoutError):
            best_layouts(interaction, device)
        return
    found = best_layouts(interaction, device, top=5)
    np.testing.assert_allclose([f.log_success for f in found], expected[:5], atol=1e-12)


def test_score_is_the_product_of_what_can_go_wrong():
    device = line_device(3)
    wait = 3e-6
    interaction = Interaction(2, ((0, 1, 4),), (2, 0), (1,), (0.0, wait))
    layout = score(interaction, device, [2, 1])
    q = device.qubits[1]
    process = (2 - (1 - math.exp(-wait / q.t1_s)) + 2 * math.exp(-wait / q.t2_s)) / 4
    survival = (2 * process + 1) / 3
    expected = (1 - 0.011) ** 4 * (1 - 2e-3) ** 2 * (1 - (q.p10 + q.p01) / 2) * survival
    assert layout.success == pytest.approx(expected, rel=1e-12)
    with pytest.raises(LayoutError, match="no usable coupling between"):
        score(interaction, device, [0, 2])


@pytest.mark.parametrize("name", ["fez", "miami"])
def test_best_line_of_seven_is_the_best_of_all_simple_paths(name):
    device = read_ibm_fake(name)
    graph = device.coupling_graph()
    edge = {}
    for a, b in device.usable_couplings:
        edge[a, b] = edge[b, a] = math.log(1 - device.two_qubit_gate(a, b).error)
    node = [math.log(1 - q.readout_error) for q in device.qubits]
    neighbours = {q: list(graph.neighbors(q)) for q in graph.node_indexes()}
    best = -math.inf
    stack = [([q], node[q]) for q in neighbours]
    while stack:
        path, total = stack.pop()
        if len(path) == 7:
            best = max(best, total)
            continue
        stack.extend(
            ([*path, q], total + node[q] + 3 * edge[path[-1], q])
            for q in neighbours[path[-1]]
            if q not in path
        )
    layout = best_path(device, 7, gates=3)
    assert layout.log_success == pytest.approx(best, abs=1e-12)
    assert all(b in neighbours[a] for a, b in itertools.pairwise(layout.qubits))
    assert len(set(layout.qubits)) == 7
    assert rx.is_connected(graph.subgraph(list(layout.qubits)))


def test_a_symmetric_all_to_all_device_is_quick():
    n = 24
    pairs = tuple(itertools.combinations(range(n), 2))
    gates = tuple(Gate(name="zz", qubits=p, error=0.01) for p in pairs)
    qubits = tuple(Qubit(label=q) for q in range(n))
    device = line_device(qubits=qubits, gates=gates, couplings=pairs, two_qubit_gates=("zz",))
    ring = Interaction(9, tuple((min(p), max(p), 2) for p in ((i, (i + 1) % 9) for i in range(9))))
    assert best_layouts(ring, device)[0].success == pytest.approx(0.99**18)


def test_what_does_not_fit_is_refused_with_the_reason():
    with pytest.raises(LayoutError, match=r"ibm_kyoto has no usable two-qubit gate .* are dead"):
        best_path(read_ibm_fake("kyoto"), 3)
    with pytest.raises(LayoutError, match="has 3 usable qubits, but the circuit needs 4"):
        best_path(line_device(3), 4)
    odd_ring = Interaction(5, ((0, 1, 1), (1, 2, 1), (2, 3, 1), (3, 4, 1), (0, 4, 1)))
    with pytest.raises(LayoutError, match="without swaps"):
        best_layouts(odd_ring, read_ibm_fake("miami"))


def test_arguments_are_checked():
    for make, message in [
        (lambda: Interaction(0, ()), "`n_qubits` must be 1 or more"),
        (lambda: Interaction(2, ((1, 0, 1),)), "`pairs` must hold"),
        (lambda: Interaction(2, (), (1,)), "must be empty or of length 2"),
        (lambda: best_layouts(Interaction.chain(2), line_device(2), top=0), "`top` must be 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()


def test_interaction_counts_gates_and_waits():
    device = line_device(3)  # sx 40 ns, cz 200 ns, dt 1 ns
    circuit = QuantumCircuit(3, 2)
    circuit.sx(0)
    circuit.cz(0, 1)
    circuit.rz(0.3, 1)
    circuit.cz(1, 2)
    circuit.sx(2)
    circuit.delay(60, 2, unit="dt")
    circuit.measure([0, 2], [0, 1])
    found = Interaction.of(circuit, device)
    assert found.pairs == ((0, 1, 1), (1, 2, 1))
    assert found.one_qubit == (1, 0, 1)
    assert found.measured == (0, 2)
    # as late as possible: the end is fixed by qubit 2, and qubit 0 waits while 1-2 interact
    np.testing.assert_allclose(found.idle_s, [300e-9, 100e-9, 60e-9], atol=1e-15)
    circuit.ccx(0, 1, 2)
    with pytest.raises(LayoutError, match="one or two qubits, but ccx acts on 3"):
        Interaction.of(circuit, device)
