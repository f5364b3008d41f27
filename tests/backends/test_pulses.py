"""One-qubit pulses multiply to the unitary they were asked for, with the fewest pulses."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.base import BackendError
from backends.native.gates import GPi2Gate, GPiGate
from backends.native.pulses import KitName, PulseKit
from backends.native.rotations import euler_zxz, quaternion, rx, rz

KITS: tuple[KitName, ...] = ("rx", "sx", "quarter_rx", "u", "r", "gpi")
SPECIAL = [k * math.pi / 4 for k in range(-8, 9)]
angles = st.one_of(st.sampled_from(SPECIAL), st.floats(-7, 7))


def product(gates):
    matrix = np.eye(2, dtype=complex)
    for gate in gates:
        matrix = np.asarray(gate.to_matrix()) @ matrix
    return matrix


def same(a, b):
    return abs(abs(np.trace(a.conj().T @ b)) / 2 - 1) < 1e-9


def pulses(gates):
    return sum(gate.name not in ("rz", "u1") for gate in gates)


@given(kit=st.sampled_from(KITS), a=angles, b=angles, c=angles)
def test_pulses_make_the_unitary(kit, a, b, c):
    unitary = rz(a) @ rx(b) @ rz(c)
    tool = PulseKit(kit)
    gates, rest = tool.up_to_z(unitary)
    assert same(rz(rest) @ product(gates), unitary)
    assert same(product(tool.exactly(unitary)), unitary)
    gates, rest = tool.up_to_x(unitary)
    assert same(rx(rest) @ product(gates), unitary)


@pytest.mark.parametrize(
    ("kit", "generic", "around_x"),
    [("sx", 2, 1), ("quarter_rx", 2, 1), ("rx", 1, 1), ("u", 1, 1), ("r", 1, 1), ("gpi", 2, 3)],
)
def test_pulse_counts_of_a_generic_unitary(kit, generic, around_x):
    unitary, tool = rz(0.3) @ rx(0.8) @ rz(-1.1), PulseKit(kit)
    assert pulses(tool.up_to_z(unitary)[0]) == generic
    assert pulses(tool.up_to_x(unitary)[0]) <= around_x


@pytest.mark.parametrize("kit", KITS)
def test_quarter_and_half_turns_are_one_pulse_and_z_none(kit):
    tool = PulseKit(kit)
    for turn, count in ((0.0, 0), (math.pi / 2, 1), (math.pi, 1), (-math.pi / 2, 1)):
        assert len(tool.up_to_z(rz(0.4) @ rx(turn))[0]) - (kit in ("rx", "sx", "quarter_rx")) <= (
            count
        )
        assert pulses(tool.up_to_z(rz(0.4) @ rx(turn) @ rz(1.3))[0]) == count


@pytest.mark.parametrize("gate", [GPiGate, GPi2Gate])
def test_ionq_gates_agree_with_their_definition(gate):
    own = gate(0.7)
    definition = product(item.operation for item in own.definition.data)
    np.testing.assert_allclose(own.to_matrix(), definition, atol=1e-12)
    assert own.name == gate._name


@given(a=angles, b=angles, c=angles)
def test_decompositions_rebuild_the_unitary(a, b, c):
    unitary = rz(a) @ rx(b) @ rz(c)
    first, turn, last = euler_zxz(unitary)
    assert 0 <= turn <= math.pi + 1e-12
    assert same(rz(first) @ rx(turn) @ rz(last), unitary)
    w, x, y, z = quaternion(unitary)
    rebuilt = np.array([[w - 1j * z, -1j * x - y], [-1j * x + y, w + 1j * z]])
    assert same(rebuilt, unitary)


def test_unknown_pulses_are_refused_by_name():
    with pytest.raises(BackendError, match=r"are \['h'\]"):
        PulseKit.of({"h"}, any_rx=True)
