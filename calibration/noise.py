r"""From a snapshot to channels, for any vendor and any simulator.

A gate's noise is thermal relaxation of each of its qubits during the gate, then a depolarising
remainder chosen so that the average gate fidelity of the whole equals the reported one. An idle
qubit relaxes for as long as it waits. Readout flips bits with the two reported probabilities.

Two coherent sources come on top where asked for, since no vendor reports them: a ZZ rotation after
every two-qubit gate, and a frequency offset of each qubit that stays the same during a shot and is
Gaussian from shot to shot, so that a Ramsey fringe decays as ``exp(-(t / T2*)**2)``.

Superoperators act on column-stacked density matrices, ``vec(rho)[i + d*j] = rho[i, j]``, and the
first qubit of a gate is the least significant one (both as in ``qiskit.quantum_info.SuperOp``).

Source: average fidelity from process fidelity, ``F = (d F_pro + 1) / (d + 1)`` (Nielsen, Phys.
Lett. A 303, 249 (2002)), ``F_pro = tr(S) / d^2``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from calibration.snapshot import DeviceSnapshot, Gate

ComplexArray = NDArray[np.complex128]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NoiseOptions:
    """How strong each source of noise is; a factor of 1 is as reported, 0 is off.

    Attributes:
        gates: scales the gates' infidelities and the relaxation during them.
        idle: scales waiting times (of relaxation).
        readout: scales both flip probabilities (the result is cut at 1).
        depolarising: scales the depolarising part of the gates once more (cut at the most a
            channel can have).
        gate_relaxation: scales the time that qubits relax during gates once more; the
            depolarising part stays what it is at 1.
        coherent_zz: scales ``zz_rad``.
        detuning: scales the frequency offsets that ``t2_star_s`` stands for.
        zz_rad: angle of ``exp(-i angle/2 ZZ)`` after every two-qubit gate, radians.
        static_z_rad: root mean square of an angle about z that every two-qubit gate adds to each of
            its qubits, the same in every shot; each qubit's own is drawn once (Gaussian, by its
            label and ``static_seed``), so its sign is random. No vendor reports it.
        static_seed: of that draw.
        t2_star_s: T2* by quasi-static detuning, seconds: one for all qubits, or pairs (qubit
            label, T2*), qubits left out having none; ``None`` for no detuning.
    """

    gates: float = 1.0
    idle: float = 1.0
    readout: float = 1.0
    depolarising: float = 1.0
    gate_relaxation: float = 1.0
    coherent_zz: float = 1.0
    detuning: float = 1.0
    zz_rad: float = 0.0
    static_z_rad: float = 0.0
    static_seed: int = 0
    t2_star_s: float | tuple[tuple[int, float], ...] | None = None

    def __post_init__(self) -> None:
        for name in _FACTORS:
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"Argument `{name}` must be 0 or more, but is {value}.")
        if not math.isfinite(self.zz_rad):
            raise ValueError(f"Argument `zz_rad` must be finite, but is {self.zz_rad}.")
        if not (math.isfinite(self.static_z_rad) and self.static_z_rad >= 0):
            raise ValueError(
                f"Argument `static_z_rad` must be 0 or more, but is {self.static_z_rad}."
            )
        times = self.t2_star_s if isinstance(self.t2_star_s, tuple) else ((0, self.t2_star_s),)
        for _, value in times:
            if value is not None and not value > 0:
                raise ValueError(f"Argument `t2_star_s` must be above 0, but is {value}.")

    def scaled(self, factor: float) -> NoiseOptions:
        """All reported noise (gates, waits, readout) times a factor.

        Raises:
            ValueError: a factor below 0 or not finite.
        """
        return replace(
            self,
            gates=self.gates * factor,
            idle=self.idle * factor,
            readout=self.readout * factor,
        )

    def static_z(self, label: int) -> float:
        """A qubit's own static angle about z a two-qubit gate, radians."""
        if not self.static_z_rad:
            return 0.0
        drawn = np.random.default_rng([self.static_seed, label]).standard_normal()
        return float(self.static_z_rad * drawn)

    def detuning_rad_s(self, label: int) -> float:
        """Standard deviation of a qubit's frequency offset, radians a second.

        ``<exp(i d t)>`` of a Gaussian ``d`` is ``exp(-(sigma t)**2 / 2)``: ``sigma = sqrt(2)/T2*``.
        """
        times = self.t2_star_s
        t2_star = dict(times).get(label) if isinstance(times, tuple) else times
        return 0.0 if t2_star is None else self.detuning * math.sqrt(2) / t2_star


_FACTORS = (
    "gates",
    "idle",
    "readout",
    "depolarising",
    "gate_relaxation",
    "coherent_zz",
    "detuning",
)


@dataclass(frozen=True, slots=True)
class Relaxation:
    """Relaxation of one qubit towards 0.

    Attributes:
        decay: probability that a 1 becomes 0.
        coherence: factor on the off-diagonal elements, ``coherence**2 <= 1 - decay``.
    """

    decay: float = 0.0
    coherence: float = 1.0

    @classmethod
    def during(cls, duration_s: float, t1_s: float | None, t2_s: float | None) -> Relaxation:
        """Relaxation in a time, seconds; a missing T1 never decays, a missing T2 is 2 T1."""
        rate1 = 0.0 if t1_s is None else 1 / t1_s
        rate2 = rate1 / 2 if t2_s is None else max(1 / t2_s, rate1 / 2)
        return cls(-math.expm1(-duration_s * rate1), math.exp(-duration_s * rate2))

    @property
    def process_fidelity(self) -> float:
        """Overlap with doing nothing."""
        return (2 - self.decay + 2 * self.coherence) / 4

    def superoperator(self) -> ComplexArray:
        """``(4, 4)``."""
        c = self.coherence
        matrix = np.diag([1.0, c, c, 1 - self.decay]).astype(complex)
        matrix[0, 3] = self.decay
        return matrix

    def kraus(self) -> ComplexArray:
        """``(3, 2, 2)`` Kraus operators."""
        operators = np.zeros((3, 2, 2), dtype=complex)
        operators[0] = np.diag([1.0, self.coherence])
        operators[1, 1, 1] = math.sqrt(max(0.0, 1 - self.decay - self.coherence**2))
        operators[2, 0, 1] = math.sqrt(self.decay)
        return operators


@dataclass(frozen=True, slots=True)
class GateChannel:
    """Noise after one ideal gate.

    Attributes:
        relaxations: one a qubit, in the gate's order.
        depolarising: probability ``p`` of replacing the state by the maximally mixed one,
            ``rho -> (1-p) rho + p 1/d``, at most ``d^2/(d^2-1)``.
        excess: infidelity of the relaxation beyond the reported error (0 when it fits; the
            depolarising part is then 0 and the simulated gate is worse than reported).
        z_rad: angle of ``exp(-i angle/2 Z)`` on each qubit, before everything else; empty for
            none.
        zz_rad: angle of ``exp(-i angle/2 ZZ)`` of a two-qubit gate, likewise.
    """

    relaxations: tuple[Relaxation, ...]
    depolarising: float
    excess: float = 0.0
    z_rad: tuple[float, ...] = ()
    zz_rad: float = 0.0

    @classmethod
    def reported(cls, error: float, relaxations: Sequence[Relaxation]) -> GateChannel:
        """The channel of average infidelity ``error`` with these relaxations in it."""
        d = 2 ** len(relaxations)
        process = math.prod(r.process_fidelity for r in relaxations)
        relaxed = (d * process + 1) / (d + 1)
        missing = relaxed - (1 - error)
        if missing <= 0:
            return cls(tuple(relaxations), 0.0, -missing)
        # the completely depolarising channel has average fidelity 1/d, as has full relaxation
        most = d * d / (d * d - 1)
        room = relaxed - 1 / d
        return cls(tuple(relaxations), missing / room if missing < most * room else most)

    @property
    def is_ideal(self) -> bool:
        """Whether it does nothing."""
        relaxes = any(r != Relaxation() for r in self.relaxations)
        return not (self.depolarising or relaxes or self.zz_rad or any(self.z_rad))

    def coherent(self) -> ComplexArray:
        """``(2**k,)`` diagonal of the unitary part, first qubit least significant."""
        k = len(self.relaxations)
        signs = 1 - 2 * (np.arange(2**k)[:, None] >> np.arange(k) & 1)
        phase = signs @ np.array(self.z_rad or (0.0,) * k)
        if k == 2:
            phase = phase + self.zz_rad * signs.prod(axis=1)
        return np.asarray(np.exp(-0.5j * phase), dtype=np.complex128)

    def superoperator(self) -> ComplexArray:
        """``(4**k, 4**k)`` for ``k`` qubits."""
        k = len(self.relaxations)
        relax = _tensor([r.superoperator() for r in self.relaxations])
        d = 2**k
        mixed = np.zeros((d * d, d * d), dtype=complex)
        diagonal = np.arange(d) * (d + 1)
        mixed[np.ix_(diagonal, diagonal)] = 1 / d
        turn = self.coherent()
        turned = np.kron(turn.conj(), turn)
        depolarise = (1 - self.depolarising) * np.eye(d * d) + self.depolarising * mixed
        return np.asarray(relax @ depolarise * turned, dtype=np.complex128)


def _tensor(parts: Sequence[ComplexArray]) -> ComplexArray:
    """Superoperator of independent one-qubit channels, first one least significant."""
    k = len(parts)
    joint = np.ones((1, 1), dtype=complex)
    for part in parts:
        joint = np.kron(part, joint)
    # kron interleaves (column bit, row bit) qubit by qubit; stacking wants all columns first
    axes = [2 * q for q in range(k)] + [2 * q + 1 for q in range(k)]
    shaped = joint.reshape((2,) * (4 * k))
    return shaped.transpose(axes + [a + 2 * k for a in axes]).reshape(4**k, 4**k)


def average_fidelity(superoperator: ComplexArray) -> float:
    """Average gate fidelity of a channel ``(d**2, d**2)`` to the identity."""
    d = math.isqrt(len(superoperator))
    return float((np.trace(superoperator).real / d + 1) / (d + 1))


@dataclass(frozen=True)
class DeviceNoise:
    """All noise of a device (or of the part of it a circuit uses).

    Attributes:
        snapshot: the device; qubit numbers below are its own.
        options: strength of each source.
        offsets_rad_s: frequency offset of each qubit in one shot, radians a second; empty for
            none. An average over them is the caller's.
    """

    snapshot: DeviceSnapshot
    options: NoiseOptions = NoiseOptions()
    offsets_rad_s: tuple[float, ...] = ()

    def gate(self, name: str, qubits: Sequence[int]) -> GateChannel | None:
        """Noise after a native gate; ``None`` for a virtual gate or one that does not exist here.

        A pair reported in one order only has the same noise in the other.
        """
        gate = self.snapshot.gate(name, qubits)
        if gate is None or name in self.snapshot.virtual_gates:
            return None
        return self.channel(gate, qubits)

    def channel(self, gate: Gate, qubits: Sequence[int]) -> GateChannel:
        """Noise of a reported gate, its relaxations in the order of ``qubits``."""
        options = self.options
        duration = (gate.duration_s or 0.0) * options.gates
        channel = GateChannel(tuple(self._relax(q, duration) for q in qubits), 0.0)
        if gate.error is not None:
            error = min(gate.error * options.gates, 1.0)
            channel = GateChannel.reported(error, channel.relaxations)
        d2 = 4 ** len(qubits)
        return replace(
            channel,
            relaxations=tuple(self._relax(q, duration * options.gate_relaxation) for q in qubits),
            depolarising=min(channel.depolarising * options.depolarising, d2 / (d2 - 1)),
            z_rad=tuple(
                self.offset_angle(q, gate.duration_s or 0.0) + self._static_z(q, len(qubits))
                for q in qubits
            ),
            zz_rad=options.zz_rad * options.coherent_zz if len(qubits) == 2 else 0.0,
        )

    def _static_z(self, qubit: int, size: int) -> float:
        return self.options.static_z(self.snapshot.qubits[qubit].label) if size == 2 else 0.0

    def offset_angle(self, qubit: int, duration_s: float) -> float:
        """Angle about z that the qubit's frequency offset adds in a time, radians."""
        return self.offsets_rad_s[qubit] * duration_s if self.offsets_rad_s else 0.0

    def idle(self, qubit: int, duration_s: float) -> Relaxation:
        """Relaxation of a qubit that waits ``duration_s`` seconds."""
        return self._relax(qubit, duration_s * self.options.idle)

    def waiting(self, qubit: int, duration_s: float) -> GateChannel:
        """All that happens to a qubit that waits: relaxation, and its frequency offset's angle."""
        turn = (self.offset_angle(qubit, duration_s),)
        return GateChannel((self.idle(qubit, duration_s),), 0.0, z_rad=turn)

    def _relax(self, qubit: int, duration_s: float) -> Relaxation:
        q = self.snapshot.qubits[qubit]
        return Relaxation.during(duration_s, q.t1_s, q.t2_s)

    def confusion(self, qubit: int) -> FloatArray:
        """``(2, 2)``: element ``[read, true]`` is the probability to read ``read``."""
        q = self.snapshot.qubits[qubit]
        p10, p01 = (min((p or 0.0) * self.options.readout, 1.0) for p in (q.p10, q.p01))
        return np.array([[1 - p10, p01], [p10, 1 - p01]])

    @cached_property
    def overexplained(self) -> tuple[tuple[str, tuple[int, ...], float], ...]:
        """Usable gates whose relaxation alone is worse than reported: name, qubits, excess."""
        found = []
        for gate in self.snapshot.gates:
            channel = self.gate(gate.name, gate.qubits) if gate.usable else None
            if channel is not None and channel.excess > 0 and gate.error is not None:
                found.append((gate.name, gate.qubits, channel.excess))
        return tuple(found)


def apply_confusion(probabilities: FloatArray, matrices: Sequence[FloatArray]) -> FloatArray:
    """Distribution that is read when every measured bit passes its own confusion matrix.

    Args:
        probabilities: ``(..., 2**m)``, first measured bit most significant.
        matrices: ``m`` matrices ``(2, 2)``, ``[read, true]``, most significant bit first.

    Raises:
        ValueError: the last axis is not ``2**m``.
    """
    m = len(matrices)
    if probabilities.shape[-1] != 2**m:
        raise ValueError(
            f"Argument `probabilities` must have {2**m} values for {m} bits, "
            f"but has {probabilities.shape[-1]}."
        )
    batch = probabilities.shape[:-1]
    result: FloatArray = probabilities.reshape((-1, *(2,) * m))
    for bit, matrix in enumerate(matrices):
        flipped = np.asarray(np.tensordot(matrix, result, axes=(1, bit + 1)), dtype=np.float64)
        result = np.moveaxis(flipped, 0, bit + 1)
    return result.reshape((*batch, 2**m))
