"""Exact outcome distributions of dynamic circuits: every course that measurements may give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, Clbit, IfElseOp, Qubit, WhileLoopOp

from backends.base import BackendError
from backends.dynamic.conditions import holds

FloatArray = NDArray[np.float64]
State = NDArray[np.complex128]
Apply = Callable[[State, CircuitInstruction, list[int]], State]
"""A gate applied to a state ``(2,) * n + (1,)`` on axes, qubit q being axis ``n - 1 - q``."""

MAX_COURSES = 4096
"""Courses followed at once; those that ended in the same state and bits are one."""
MAX_ROUNDS = 10_000
"""Times that a loop is run."""
_NEGLIGIBLE = 1e-14
_SAME = 1e-12


@dataclass
class _Course:
    """A state, not normalised: its squared norm is the probability of its bits."""

    state: State
    bits: dict[Clbit, int]


def course_probabilities(circuit: QuantumCircuit, start: State, apply: Apply) -> FloatArray:
    """Outcome probabilities ``(2**m,)`` of a dynamic circuit, bit c of an outcome clbit c.

    Args:
        circuit: bound, from :func:`~backends.dynamic.circuit.opened`, in known gates.
        start: ``(2,) * n + (1,)``, the ground state with the global phase.
        apply: applies a gate.

    Raises:
        BackendError: too many courses, or a loop that does not end.
    """
    run = _Run(apply, circuit.num_qubits)
    places = {qubit: i for i, qubit in enumerate(circuit.qubits)}
    courses = run.all([_Course(start, dict.fromkeys(circuit.clbits, 0))], circuit, places, {})
    found = np.zeros(2**circuit.num_clbits)
    for course in courses:
        index = sum(course.bits[bit] << c for c, bit in enumerate(circuit.clbits))
        found[index] += float((course.state.real**2 + course.state.imag**2).sum())
    return np.asarray(found / found.sum())


class _Run:
    def __init__(self, apply: Apply, qubits: int) -> None:
        self._apply, self._n = apply, qubits

    def all(
        self,
        courses: list[_Course],
        circuit: QuantumCircuit,
        places: dict[Qubit, int],
        outer: dict[Clbit, Clbit],
    ) -> list[_Course]:
        for item in circuit.data:
            on = [places[q] for q in item.qubits]
            to = [outer.get(c, c) for c in item.clbits]
            courses = self._one(courses, item, on, to)
            if len(courses) > MAX_COURSES:
                raise BackendError(
                    f"Argument `circuit` must have at most {MAX_COURSES} courses that its "
                    "measurements may give, but has more; simulate it shot by shot."
                )
        return courses

    def _one(
        self, courses: list[_Course], item: CircuitInstruction, on: list[int], to: list[Clbit]
    ) -> list[_Course]:
        operation: Any = item.operation
        if operation.name in ("barrier", "delay"):
            return courses
        if operation.name in ("measure", "reset"):
            split = [
                part
                for course in courses
                for part in self._measured(course, on[0], to[0] if to else None)
            ]
            return _merged(split) if len(split) > 1 else split
        if isinstance(operation, IfElseOp | WhileLoopOp):
            bits = dict(zip(operation.blocks[0].clbits, to, strict=True))
            if isinstance(operation, IfElseOp):
                return self._if(courses, operation, on, bits)
            return self._while(courses, operation, on, bits)
        axes = [self._n - 1 - q for q in on]
        for course in courses:
            course.state = self._apply(course.state, item, axes)
        return courses

    def _measured(self, course: _Course, qubit: int, bit: Clbit | None) -> list[_Course]:
        axis, found = self._n - 1 - qubit, []
        for value in (0, 1):
            at = (slice(None),) * axis + (value,)
            part = course.state[at]
            if float((part.real**2 + part.imag**2).sum()) < _NEGLIGIBLE:
                continue
            state = np.zeros_like(course.state)
            state[(slice(None),) * axis + (0 if bit is None else value,)] = part
            bits = course.bits if bit is None else {**course.bits, bit: value}
            found.append(_Course(state, dict(bits)))
        return found

    def _if(
        self, courses: list[_Course], operation: IfElseOp, on: list[int], bits: dict[Clbit, Clbit]
    ) -> list[_Course]:
        found: list[_Course] = []
        blocks = [*operation.blocks, None]
        for wanted, block in ((True, blocks[0]), (False, blocks[1])):
            some = [c for c in courses if _holds(operation, c, bits) is wanted]
            found += some if block is None else self._block(some, block, on, bits)
        return _merged(found)

    def _while(
        self,
        courses: list[_Course],
        operation: WhileLoopOp,
        on: list[int],
        bits: dict[Clbit, Clbit],
    ) -> list[_Course]:
        done: list[_Course] = []
        for _ in range(MAX_ROUNDS):
            done += [c for c in courses if not _holds(operation, c, bits)]
            courses = [c for c in courses if _holds(operation, c, bits)]
            if sum(float(np.vdot(c.state, c.state).real) for c in courses) < _SAME:
                return _merged(done)
            courses = _merged(self._block(courses, operation.blocks[0], on, bits))
            done = _merged(done)
        raise BackendError(
            f"Argument `circuit` must leave its loops, but runs one {MAX_ROUNDS} times."
        )

    def _block(
        self, courses: list[_Course], block: QuantumCircuit, on: list[int], bits: dict[Clbit, Clbit]
    ) -> list[_Course]:
        for course in courses:
            course.state = course.state * np.exp(1j * float(block.global_phase))
        return self.all(courses, block, dict(zip(block.qubits, on, strict=True)), bits)


def _holds(operation: Any, course: _Course, bits: dict[Clbit, Clbit]) -> bool:
    return holds(
        operation.condition, {**course.bits, **{i: course.bits[o] for i, o in bits.items()}}
    )


def _merged(courses: list[_Course]) -> list[_Course]:
    """Courses of the same bits and the same state, up to a phase, as one."""
    kept: dict[tuple[int, ...], list[_Course]] = {}
    for course in courses:
        rivals = kept.setdefault(tuple(course.bits.values()), [])
        weight = float(np.vdot(course.state, course.state).real)
        for rival in rivals:
            other = float(np.vdot(rival.state, rival.state).real)
            overlap = abs(np.vdot(rival.state, course.state)) ** 2
            if overlap > (1 - _SAME) * weight * other:
                rival.state = rival.state * np.sqrt(1 + weight / other)
                break
        else:
            rivals.append(course)
    return [course for rivals in kept.values() for course in rivals]
