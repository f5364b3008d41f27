"""Several templates in one vendor job: every row keeps its circuit, its angles and its counts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction, Parameter
from qiskit.circuit.library import XGate
from sqlalchemy import Connection

from backends.base import CircuitBatch, CompiledTemplate
from backends.exact import ExactBackend
from backends.loopback.braket import BraketService
from backends.loopback.ibm import IBMPlatform
from backends.loopback.server import LoopbackServer
from backends.registry import get_vendor
from backends.rewrite import Pair, Placed, rewritten
from backends.statevector import measured_probabilities
from backends.vendor import Submission, VendorBackend
from qhw.jobs import blobs
from qhw.jobs.content import get_submission, pack_template, put_template
from qhw.jobs.intent import group_batches, plan_batches
from qhw.jobs.ledger import Ledger

loopback = pytest.mark.allow_hosts(["127.0.0.1"])
ANGLES = np.array([[0.3, 1.0], [2.8, 0.1], [1.1, -0.6], [-2.0, 0.4], [0.9, 2.2], [0.1, 0.2]])


def chain() -> QuantumCircuit:
    circuit = QuantumCircuit(3, 3)
    for w in range(3):
        circuit.ry(Parameter(f"d[{w}]") if w < 2 else 0.4, w)
    circuit.cz(0, 1)
    circuit.cz(1, 2)
    for w in range(3):
        circuit.ry(0.5 + 0.7 * w, w)
    circuit.measure(range(3), [2, 1, 0])
    return circuit


def flipped(compiled: CompiledTemplate, number: int) -> CompiledTemplate:
    """A variant of other meaning: X after one of the two-qubit gates."""

    def edit(place: int, gate: Instruction, pair: Pair) -> list[Placed]:
        return [(gate, pair), *([(XGate(), pair[:1])] if place == number else [])]

    return rewritten(compiled, edit)


def batches(vendor: VendorBackend, shots: int) -> list[CircuitBatch]:
    compiled = vendor.compile(chain())
    templates = {"a": compiled, "b": flipped(compiled, 0), "c": flipped(compiled, 1)}
    rows = {"a": ANGLES[:1], "b": ANGLES[1:4], "c": ANGLES[4:]}
    return [CircuitBatch(name, t, rows[name], shots) for name, t in templates.items()]


def check(vendor: VendorBackend, wait: Callable[[float], bool]) -> None:
    """One job for all three, and the counts of each are those of its own circuit."""
    shots = 2000
    given = batches(vendor, shots)
    ((role, (job,)),) = plan_batches(vendor, given).items()
    assert role == "a +2"
    handle = vendor.submit(job.submission, "qhw-key-000001")
    assert wait(60.0)
    counts = vendor.fetch(handle, job.submission).counts
    exact = np.concatenate([measured_probabilities(b.compiled, b.angles) for b in given])
    assert counts.shape == (6, 8) and (counts.sum(axis=1) == shots).all()
    assert 0.5 * np.abs(counts / shots - exact).sum(axis=1).max() < 0.06
    # with another variant's circuit the same rows would be far off
    wrong = measured_probabilities(given[0].compiled, ANGLES)
    assert 0.5 * np.abs(wrong - exact).sum(axis=1)[1:].min() > 0.2


@loopback
def test_ibm(ibm: tuple[IBMPlatform, LoopbackServer]) -> None:
    platform, _ = ibm
    check(get_vendor("ibm:ibm_lagos"), platform.queue.wait_idle)
    assert len(platform.queue.jobs) == 1


@loopback
def test_braket(braket: BraketService) -> None:
    check(get_vendor("braket:iqm_garnet"), braket.queue.wait_idle)
    assert len(braket.queue.tasks) == 1


def test_the_ledger_gives_back_what_a_job_runs(own_home: None) -> None:
    backend = ExactBackend()
    compiled = backend.compile(chain())
    parts = [
        Submission(compiled, ANGLES[:2], 10),
        Submission(flipped(compiled, 0), ANGLES[2:], 10),
    ]
    order = Submission.joined(parts)
    with Ledger.open() as ledger:

        def store(connection: Connection) -> tuple[str, str]:
            name = put_template(connection, pack_template(order.compiled, order.more), None)
            return name, blobs.put(connection, blobs.pack_array(order.angles))

        name, angles = ledger.write(store)
        with ledger.read() as connection:
            found = get_submission(connection, name, angles, 10)
    assert [row for row, _ in found.more] == [2]
    for ours, theirs in zip(parts, found.parts(), strict=True):
        np.testing.assert_array_equal(theirs.angles, ours.angles)
        assert theirs.compiled.circuit == ours.compiled.circuit
        assert theirs.compiled.parameter_names == ours.compiled.parameter_names


COMPILED = [ExactBackend().compile(chain()) for _ in range(4)]


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.data(),
)
def test_any_cut_keeps_every_row_with_its_template(sizes: list[int], data: st.DataObject) -> None:
    numbers = np.arange(float(sum(sizes)))[:, None].repeat(2, axis=1)
    ends = np.cumsum(sizes)
    parts = [
        Submission(COMPILED[i], numbers[end - size : end], 7)
        for i, (size, end) in enumerate(zip(sizes, ends, strict=True))
    ]
    whole = Submission.joined(parts)
    start = data.draw(st.integers(0, len(numbers) - 1))
    stop = data.draw(st.integers(start + 1, len(numbers)))
    cut = whole.rows(start, stop)
    owner = {float(row[0]): id(part.compiled) for part in parts for row in part.angles}
    got = {float(row[0]): id(part.compiled) for part in cut.parts() for row in part.angles}
    assert got == {row: owner[row] for row in numbers[start:stop, 0]}
    assert np.array_equal(cut.angles, numbers[start:stop])
    assert cut.shots == 7


def test_only_equal_shots_and_places_share_a_job() -> None:
    backend = ExactBackend()
    compiled = backend.compile(chain())
    given = [
        CircuitBatch("a", compiled, ANGLES, 10),
        CircuitBatch("b", compiled, ANGLES, 20),
        CircuitBatch("c", flipped(compiled, 1), ANGLES[:1], 10),
    ]
    joined = group_batches(given, join=True)
    assert {role: [b.label for b in found] for role, found in joined.items()} == {
        "a +1": ["a", "c"],
        "b": ["b"],
    }
    assert list(group_batches(given, join=False)) == ["a", "b", "c"]
