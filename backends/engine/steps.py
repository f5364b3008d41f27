"""A compiled circuit as a list of noisy steps in the Pauli basis, fused where no angle is free.

A step is ``constant + cosine cos(angle) + sine sin(angle)``: that is what every rotation
``exp(-i angle/2 P)`` looks like there, and what it stays when fixed gates and noise are multiplied
in from either side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Instruction, Parameter, ParameterExpression
from qiskit.circuit.library import get_standard_gate_name_mapping

from backends.base import CompiledTemplate
from backends.binding import angle_values
from backends.engine import pauli
from calibration.interaction import delay_seconds
from calibration.noise import DeviceNoise

FloatArray = NDArray[np.float64]

_GATES = get_standard_gate_name_mapping()
_ROTATIONS = ("rx", "ry", "rz", "rxx", "ryy", "rzz", "rzx", "p")
"""Gates of one angle whose matrix elements hold its half-angle sine and cosine only."""


@dataclass(frozen=True, eq=False)
class Step:
    """A channel on one or two qubits.

    Attributes:
        qubits: circuit qubits, first one most significant in ``parts``.
        parts: ``(1, d, d)`` when fixed; ``(3, d, d)`` constant, cosine and sine of ``angle``;
            ``(0, d, d)`` for ``gate``, whose matrix is made for every row.
        angle: free angle of the step, radians.
        gate: gate with free angles that is no rotation.
    """

    qubits: tuple[int, ...]
    parts: FloatArray
    angle: ParameterExpression | None = None
    gate: Instruction | None = None

    @property
    def fixed(self) -> bool:
        """Whether it is the same for every row."""
        return len(self.parts) == 1

    def after(self, first: FloatArray) -> Step:
        """This step after a fixed channel on the same qubits."""
        return replace(self, parts=self.parts @ first)

    def before(self, last: FloatArray) -> Step:
        """This step and then a fixed channel on the same qubits."""
        return replace(self, parts=last @ self.parts)

    def matrices(self, columns: dict[Parameter, int], rows: FloatArray) -> FloatArray:
        """``(B, d, d)`` for rows of angles ``(B, P)``; ``B`` is 1 for a fixed step."""
        if self.gate is not None:
            return _every_row(self.gate, columns, rows)
        if self.angle is None:
            return self.parts
        angle = np.asarray(angle_values(self.angle, columns, rows))
        weights = np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], axis=-1)
        return np.asarray(np.tensordot(weights, self.parts, axes=1), dtype=np.float64)


def lower(compiled: CompiledTemplate, noise: DeviceNoise | None) -> list[Step]:
    """Steps of a compiled circuit, in its order, barriers and measurements left out.

    Args:
        compiled: gates on one or two qubits, delays, final measurements.
        noise: of the snapshot restricted to the circuit's qubits; ``None`` for an ideal device.

    Raises:
        ValueError: a gate acts on more than two qubits.
    """
    index = {qubit: i for i, qubit in enumerate(compiled.circuit.qubits)}
    steps: list[Step] = []
    known: dict[tuple[str, tuple[int, ...]], FloatArray | None] = {}
    for item in compiled.circuit.data:
        operation, qubits = item.operation, tuple(index[q] for q in item.qubits)
        name = operation.name
        if name in ("barrier", "measure"):
            continue
        if len(qubits) > 2:
            raise ValueError(
                f"Argument `compiled` must have gates on one or two qubits, but {name} acts on "
                f"{len(qubits)}."
            )
        if name == "delay":
            if noise is not None:
                steps.append(Step(qubits, _waiting(noise, qubits[0], operation)[None]))
            continue
        steps += _ideal(operation, qubits)
        if noise is not None and (name, qubits) not in known:
            known[name, qubits] = _noise_after(noise, name, qubits)
        after = known.get((name, qubits))
        if after is not None:
            steps.append(Step(qubits, after[None]))
    return steps


def _noise_after(noise: DeviceNoise, name: str, qubits: tuple[int, ...]) -> FloatArray | None:
    channel = noise.gate(name, qubits)
    if channel is None or channel.is_ideal:
        return None
    return pauli.of_superoperator(channel.superoperator())


def _waiting(noise: DeviceNoise, qubit: int, delay: Instruction) -> FloatArray:
    channel = noise.waiting(qubit, delay_seconds(delay, noise.snapshot.dt_s))
    return pauli.of_superoperator(channel.superoperator())


def _ideal(operation: Instruction, qubits: tuple[int, ...]) -> list[Step]:
    name = operation.name
    free = [p for p in operation.params if isinstance(p, ParameterExpression) and p.parameters]
    if not free:
        return [Step(qubits, pauli.of_unitary(np.asarray(operation.to_matrix()))[None])]
    if name in _ROTATIONS:
        return [Step(qubits, _rotation(name), operation.params[0])]
    if name == "r":  # a turn about an axis in the xy plane: virtual z, rx, virtual z back
        theta, phi = operation.params
        turns = (("rz", -phi), ("rx", theta), ("rz", phi))
        return [step for gate, angle in turns for step in _turn(gate, angle, qubits)]
    return [Step(qubits, np.empty((0, 4 ** len(qubits), 4 ** len(qubits))), gate=operation)]


def _turn(name: str, angle: ParameterExpression | float, qubits: tuple[int, ...]) -> list[Step]:
    return _ideal(type(_GATES[name])(angle), qubits)


def _rotation(name: str) -> FloatArray:
    """Constant, cosine and sine parts of a rotation, read off at three angles."""
    zero, quarter, half = (
        pauli.of_unitary(np.asarray(type(_GATES[name])(turn * np.pi).to_matrix()))
        for turn in (0.0, 0.5, 1.0)
    )
    constant = (zero + half) / 2
    return np.stack([constant, zero - constant, quarter - constant])


def _every_row(gate: Instruction, columns: dict[Parameter, int], rows: FloatArray) -> FloatArray:
    values = [np.broadcast_to(angle_values(p, columns, rows), len(rows)) for p in gate.params]
    made = (type(gate)(*map(float, row)).to_matrix() for row in zip(*values, strict=True))
    return np.stack([pauli.of_unitary(np.asarray(matrix)) for matrix in made])


def split(steps: Sequence[Step]) -> tuple[list[Step], list[Step]]:
    """The steps rows differ in with all that comes before those, and everything else.

    The second list holds every fixed step that no free angle follows, whatever its place in the
    circuit: gates on other wires commute to the back.
    """
    front: list[Step] = []
    back: list[Step] = []
    blocked: set[int] = set()
    for step in reversed(steps):
        if step.fixed and blocked.isdisjoint(step.qubits):
            back.append(step)
        else:
            front.append(step)
            blocked.update(step.qubits)
    return front[::-1], back[::-1]


def fuse(steps: Sequence[Step]) -> list[Step]:
    """Fewer steps of the same effect: fixed ones are multiplied into their neighbours."""
    fused: list[Step | None] = []
    last: dict[int, int] = {}
    for step in steps:
        at = {last.get(q, -1) for q in step.qubits}
        spot = next(iter(at)) if len(at) == 1 else -1
        previous = fused[spot] if spot >= 0 else None
        if previous is not None and _mergeable(previous, step):
            fused[spot] = _merged(previous, step)
            continue
        if len(step.qubits) == 2 and step.gate is None:
            step = _absorb(step, fused, last)
        last.update(dict.fromkeys(step.qubits, len(fused)))
        fused.append(step)
    return [step for step in fused if step is not None]


def _mergeable(first: Step, second: Step) -> bool:
    """Whether ``second``, which directly follows, joins ``first``; two free ones never do.

    A free one-qubit step stays out of a fixed two-qubit one: small matrices are cheap to make.
    """
    inside, same = (
        set(second.qubits) <= set(first.qubits),
        len(second.qubits) == len(first.qubits),
    )
    known = first.gate is None and second.gate is None
    return known and inside and (second.fixed or (first.fixed and same))


def _merged(first: Step, second: Step) -> Step:
    wide = _widened(second, first.qubits)
    if second.fixed:
        return first.before(wide[0])
    return replace(second, qubits=first.qubits, parts=wide @ first.parts[0])


def _absorb(step: Step, fused: list[Step | None], last: dict[int, int]) -> Step:
    """A two-qubit step with the fixed one-qubit steps right before it multiplied in."""
    for q in step.qubits:
        spot = last.get(q, -1)
        previous = fused[spot] if spot >= 0 else None
        if previous is not None and previous.qubits == (q,) and previous.fixed:
            step = step.after(_widened(previous, step.qubits)[0])
            fused[spot] = None
    return step


def _widened(step: Step, qubits: tuple[int, ...]) -> FloatArray:
    """Parts of a step as they act on these qubits, which hold its own."""
    if step.qubits == qubits:
        return step.parts
    d = len(step.parts)
    if len(step.qubits) == 2:
        shaped = step.parts.reshape(d, 4, 4, 4, 4).transpose(0, 2, 1, 4, 3)
        return shaped.reshape(d, 16, 16)
    first = step.qubits[0] == qubits[0]
    eye = np.eye(4)
    return np.stack([np.kron(p, eye) if first else np.kron(eye, p) for p in step.parts])
