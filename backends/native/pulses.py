"""One-qubit unitaries as native pulses, as few as possible, rotations about z kept virtual.

A rotation about z costs nothing: it is either a native virtual gate or a shift of the phase of
every later pulse. So a unitary is split into pulses and a rotation about z that is handed on, and
may pass through the next two-qubit gate (McKay et al., Phys. Rev. A 96, 022330 (2017)).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias

from qiskit.circuit import Gate, ParameterExpression
from qiskit.circuit.library import RGate, RXGate, RZGate, SXGate, U1Gate, U2Gate, U3Gate, XGate

from backends.base import BackendError
from backends.native.gates import GPi2Gate, GPiGate
from backends.native.rotations import (
    TOLERANCE,
    Matrix,
    euler_zxz,
    pulse,
    quaternion,
    rx,
    wrap,
)

_Steps: TypeAlias = list[tuple[type[Gate], tuple[float, ...]]]
"""Kinds of gates with their angles: made into gates, which takes longest, once they are chosen."""
KitName = Literal["sx", "rx", "quarter_rx", "u", "r", "gpi"]
_FRAMED: tuple[KitName, ...] = ("r", "gpi")
_NEED_NUMBERS: tuple[KitName, ...] = ("r", "gpi", "quarter_rx")
_VIRTUAL = (RZGate, U1Gate)
_FREE_TURN: tuple[KitName, ...] = ("rx", "r", "u")


@dataclass(frozen=True)
class PulseKit:
    """The one-qubit pulses of a qubit.

    Attributes:
        name: ``sx`` (sx, perhaps x, virtual rz), ``rx`` (any rx, virtual rz), ``quarter_rx`` (rx
            by multiples of pi/2, virtual rz), ``u`` (u3, u2, virtual u1), ``r`` (equatorial
            pulses of any length), ``gpi`` (equatorial pulses of pi and pi/2).
        half_turns: whether a half turn is one pulse.
        z_is_gate: write rotations about z as gates also where they exist only as phases.
    """

    name: KitName
    half_turns: bool = True
    z_is_gate: bool = False

    @classmethod
    def of(cls, names: Collection[str], *, any_rx: bool) -> PulseKit:
        """The kit of a set of native gate names.

        Args:
            names: native one-qubit gates usable on the qubit.
            any_rx: whether ``rx`` takes any angle.

        Raises:
            BackendError: the gates do not make a known kit.
        """
        have = set(names)
        kits: tuple[tuple[KitName, set[str], bool], ...] = (
            ("rx", {"rx", "rz"}, any_rx),
            ("sx", {"sx", "rz"}, True),
            ("quarter_rx", {"rx", "rz"}, True),
            ("u", {"u1", "u2", "u3"}, True),
            ("r", {"r"}, True),
            ("gpi", {"gpi", "gpi2"}, True),
        )
        for name, needs, allowed in kits:
            if allowed and needs <= have:
                return cls(name, half_turns=name != "sx" or "x" in have)
        raise BackendError(
            f"Native one-qubit gates must include one of {[sorted(k[1]) for k in kits]}, "
            f"but are {sorted(have)}."
        )

    @property
    def needs_numbers(self) -> bool:
        """Whether the pulses of a unitary depend on its numbers: free angles have none yet."""
        return self.name in _NEED_NUMBERS

    @property
    def framed(self) -> bool:
        """Whether rotations about z exist only as phases of later pulses."""
        return self.name in _FRAMED and not self.z_is_gate

    def up_to_z(self, unitary: Matrix) -> tuple[list[Gate], float]:
        """Pulses P and angle a with ``unitary = rz(a) P`` up to phase, fewest pulses."""
        steps, rest = self._up_to_z(unitary)
        return _made(steps), rest

    def exactly(self, unitary: Matrix) -> list[Gate]:
        """Gates whose product is ``unitary`` up to phase, fewest pulses."""
        return _made(self._exactly(unitary))

    def about_z(self, angle: float) -> list[Gate]:
        """A rotation about z as gates, none for nothing; only where it is a gate."""
        return _made(self._about_z(angle))

    def z(self, angle: float | ParameterExpression) -> Gate:
        """A rotation about z as a gate, its angle free or not; only where it is a gate."""
        return U1Gate(angle) if self.name == "u" else RZGate(angle)

    def up_to_x(self, unitary: Matrix) -> tuple[list[Gate], float]:
        """Gates P and angle a with ``unitary = rx(a) P`` up to phase, fewest pulses."""
        w, x, y, z = quaternion(unitary)
        # where the pole goes: rx(-a) can bring it to the equator (one quarter turn is left)
        # or, if it lies in the y-z plane, back to the pole (nothing is left)
        pole = (2 * (x * z + w * y), 2 * (y * z - w * x), w * w - x * x - y * y + z * z)
        angles = [0.0, 2 * math.atan2(z, y), math.atan2(pole[2], pole[1])]
        if abs(pole[0]) < TOLERANCE:
            angles.append(math.atan2(-pole[1], pole[2]))
        if abs(y) < TOLERANCE and abs(z) < TOLERANCE:
            angles.append(2 * math.atan2(x, w))
        least = 0 if len(angles) > 3 else 1  # nothing is left only in those two cases
        best: _Steps = []
        fewest, rest = math.inf, 0.0
        for angle in angles:
            steps = self._exactly(rx(-angle) @ unitary)
            pulses = sum(kind not in _VIRTUAL for kind, _ in steps)
            if pulses < fewest:
                best, fewest, rest = steps, pulses, angle
            if pulses <= least:
                break
        return _made(best), wrap(rest)

    def _about_z(self, angle: float) -> _Steps:
        turned = wrap(angle)
        kind: type[Gate] = U1Gate if self.name == "u" else RZGate
        return [(kind, (turned,))] if turned else []

    def _up_to_z(self, unitary: Matrix) -> tuple[_Steps, float]:
        a, turn, c = euler_zxz(unitary)
        if turn < TOLERANCE:
            return [], wrap(a + c)
        if turn > math.pi - TOLERANCE and self.half_turns:
            return self._emit([(0.0, math.pi)], a - c)
        if self.name in _FREE_TURN or abs(turn - math.pi / 2) < TOLERANCE:
            return self._emit([(c, turn)], a)
        # rx(b) = rz(pi/2) rx(pi/2) rz(b + pi) rx(pi/2) rz(pi/2), up to phase
        quarter = math.pi / 2
        return self._emit([(c + quarter, quarter), (turn + math.pi, quarter)], a + quarter)

    def _exactly(self, unitary: Matrix) -> _Steps:
        steps, rest = self._up_to_z(unitary)
        if not self.framed:
            return [*steps, *self._about_z(rest)]
        if rest == 0.0:
            return steps
        if self.name == "r" or not steps:
            # unitary = pulse(pi, p) pulse(.): the second pulse undoes the first one's rest
            a, _, c = euler_zxz(unitary)
            last = (a - c) / 2 if steps else rest / 2
            first, _ = self._up_to_z(pulse(-math.pi, last) @ unitary)
            return [*first, *self._emit([(-last, math.pi)], last)[0]]
        # rz(a) rx(b) rz(c) = gpi2(p) gpi(q) gpi2(s), from rx(pi/2) rz(m) rx(-pi/2) = ry(-m)
        a, turn, c = euler_zxz(unitary)
        p, s = a - math.pi / 2, -(c + math.pi / 2)
        middle = wrap((s + p - turn) / 2)
        return [(GPi2Gate, (wrap(s),)), (GPiGate, (middle,)), (GPi2Gate, (wrap(p),))]

    def _emit(self, turns: list[tuple[float, float]], rest: float) -> tuple[_Steps, float]:
        """``rz(rest) ... rx(turn) rz(before)``, first turn applied first."""
        steps: _Steps = []
        frame = 0.0
        for before, turn in turns:
            frame += before
            if self.framed:
                steps.append(self._phased(turn, wrap(-frame)))
                continue
            if self.name == "u":
                steps.append(_u_pulse(turn, wrap(frame)))
            else:
                steps += self._about_z(frame)
                steps.append(self._turn(turn))
            frame = 0.0
        return steps, wrap(rest + frame)

    def _phased(self, turn: float, phase: float) -> tuple[type[Gate], tuple[float, ...]]:
        if self.name == "r":
            return RGate, (turn, phase)
        return (GPiGate if abs(turn - math.pi) < TOLERANCE else GPi2Gate), (phase,)

    def _turn(self, turn: float) -> tuple[type[Gate], tuple[float, ...]]:
        half = abs(turn - math.pi) < TOLERANCE
        if self.name == "sx":
            return (XGate if half else SXGate), ()
        if self.name == "quarter_rx":
            return RXGate, (math.pi if half else math.pi / 2,)
        if self.name in _FRAMED:
            return self._phased(turn, 0.0)
        return RXGate, (turn,)


def _made(steps: _Steps) -> list[Gate]:
    return [kind(*angles) for kind, angles in steps]


def _u_pulse(turn: float, before: float) -> tuple[type[Gate], tuple[float, ...]]:
    """``rx(turn) rz(before)`` as one gate: u3(b, a, c) is rz(a) ry(b) rz(c)."""
    after, first = -math.pi / 2, wrap(before + math.pi / 2)
    if abs(turn - math.pi / 2) < TOLERANCE:
        return U2Gate, (after, first)
    return U3Gate, (turn, after, first)
