"""Adapter: a snapshot's noise as a ``qiskit_aer`` noise model on the qubits a circuit uses."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from qiskit.circuit import Delay, Instruction, QuantumCircuit
from qiskit.circuit.library import PauliGate, UnitaryGate
from qiskit.quantum_info import Kraus
from qiskit_aer.noise import LocalNoisePass, NoiseModel, QuantumError, ReadoutError

from calibration.interaction import delay_seconds
from calibration.noise import DeviceNoise, GateChannel, NoiseOptions, Relaxation
from calibration.snapshot import DeviceSnapshot


def to_aer_noise_model(
    snapshot: DeviceSnapshot,
    qubits: Sequence[int],
    options: NoiseOptions | None = None,
    *,
    offsets_rad_s: Sequence[float] = (),
) -> NoiseModel:
    """Noise model for a circuit on qubits ``0 .. k-1`` standing for ``qubits`` of the device.

    The model relaxes a qubit during every ``delay`` instruction of the circuit it is given, so
    schedule the circuit first, and add no ``RelaxationNoisePass``: that would relax it twice.
    Both orders of a two-qubit gate carry noise. Readout keeps its two directions apart.

    Args:
        snapshot: the device.
        qubits: device qubit of each circuit qubit.
        options: strength of each source.
        offsets_rad_s: frequency offset of each circuit qubit, radians a second, for one shot of
            quasi-static detuning; none by default.

    Raises:
        ValueError: a qubit is repeated or does not exist, or ``options`` ask for detuning and no
            offsets are given: one noise model is one shot's offsets, not their average.
    """
    part = snapshot.restricted(qubits)
    noise = DeviceNoise(part, options or NoiseOptions(), tuple(offsets_rad_s))
    if not offsets_rad_s and any(noise.options.detuning_rad_s(q) for q in part.labels):
        raise ValueError(
            "Argument `options` must have no detuning for Aer, which keeps no offset from gate to "
            "gate; backends.engine averages over detunings."
        )
    names = (*part.one_qubit_gates, *part.two_qubit_gates, *part.optional_gates)
    model = NoiseModel(basis_gates=sorted({*names, "delay"}))
    for name, places in _places(part, names).items():
        for place in places:
            channel = noise.gate(name, place)
            if channel is not None and not channel.is_ideal:
                model.add_quantum_error(gate_error(channel), [name], place, warnings=False)
    for qubit in range(part.n_qubits):
        confusion = noise.confusion(qubit)
        if confusion[1, 0] or confusion[0, 1]:
            model.add_readout_error(ReadoutError(confusion.T.tolist()), [qubit], warnings=False)
    if noise.options.idle or offsets_rad_s:
        # the hook NoiseModel.from_backend itself uses for delays; Aer offers no public one
        model._custom_noise_passes.append(_idle_pass(noise))
    return model


def _places(snapshot: DeviceSnapshot, names: Sequence[str]) -> dict[str, list[tuple[int, ...]]]:
    """Where each gate may act: the reported places and their reverses."""
    places: dict[str, dict[tuple[int, ...], None]] = {name: {} for name in names}
    for gate in snapshot.gates:
        if gate.name in places:
            places[gate.name][gate.qubits] = None
            places[gate.name].setdefault(gate.qubits[::-1])
    return {name: list(found) for name, found in places.items()}


def gate_error(channel: GateChannel) -> QuantumError:
    """The channel as random Paulis followed by one-qubit relaxations.

    Aer samples this form much faster than one Kraus map on all qubits, and fuses it as fast.
    """
    k = len(channel.relaxations)
    relax = [_kraus(r) for r in channel.relaxations]
    weight = channel.depolarising / 4**k
    turn = channel.coherent()
    terms = []
    for letters in itertools.product("IXYZ", repeat=k):
        label = "".join(letters)
        identity = set(label) == {"I"}
        if weight == 0 and not identity:
            continue
        circuit = QuantumCircuit(k)
        if not np.allclose(turn, turn[0], rtol=0, atol=1e-15):
            # not DiagonalGate: Aer 0.18's density matrix applies that wrongly inside an error
            circuit.append(UnitaryGate(np.diag(turn)), range(k))
        if not identity:
            circuit.append(PauliGate(label), range(k))
        for qubit, instruction in enumerate(relax):
            if instruction is not None:
                circuit.append(instruction, [qubit])
        if not circuit.data:
            circuit.id(0)
        terms.append((circuit, 1 - (4**k - 1) * weight if identity else weight))
    return QuantumError(terms)


def _kraus(relaxation: Relaxation, z_rad: float = 0.0) -> Instruction | None:
    """Relaxation after a rotation about z."""
    if relaxation == Relaxation() and z_rad == 0.0:
        return None
    turn = np.exp([-0.5j * z_rad, 0.5j * z_rad])
    return Kraus(list(relaxation.kraus() * turn)).to_instruction()


def _idle_pass(noise: DeviceNoise) -> LocalNoisePass:
    @lru_cache(maxsize=4096)
    def relax(qubit: int, duration_s: float) -> Instruction | None:
        return _kraus(noise.idle(qubit, duration_s), noise.offset_angle(qubit, duration_s))

    def after(delay: Delay, qubits: Sequence[int]) -> Instruction | None:
        return relax(qubits[0], delay_seconds(delay, noise.snapshot.dt_s))

    return LocalNoisePass(after, op_types=Delay, method="append")
