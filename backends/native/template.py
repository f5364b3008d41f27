"""Circuits with free angles, routed once; every row of angles is then written in native gates.

Native pulses depend on the numbers (phases of virtual rotations add up, half turns merge), so a
template is kept in canonical gates. Writing a row natively moves nothing and takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from qiskit import QuantumCircuit

from backends.base import BackendError, CompiledTemplate
from backends.binding import bind_rows
from backends.delays import with_own_delays
from backends.native.compile import finish
from backends.native.routing import LEVELS, region_of, route
from backends.native.translate import native_couplings, to_native
from backends.plain import plain_measured
from calibration.snapshot import DeviceSnapshot


def compile_template(
    circuit: QuantumCircuit, snapshot: DeviceSnapshot, *, seed: int = 0
) -> CompiledTemplate:
    """Route a circuit whose angles may be free, and place it where success is likeliest.

    Args:
        circuit: gates, then one measurement of every bit.
        snapshot: the device.
        seed: of layout and routing, and of the row of angles that figures are computed with.

    Returns:
        The template; its circuit is in canonical gates (``u``, ``cz``, ``rzz``, ``iswap``), and
        its depth, duration and predicted success are those of a row of random angles.

    Raises:
        BackendError: the circuit does not fit the device.
    """
    circuit = plain_measured(circuit)
    region, level = region_of(snapshot), LEVELS[-1]
    circuit = with_own_delays(circuit, snapshot.dt_s, snapshot.name)
    routed = route(circuit, region, snapshot.name, level=level, seed=seed)
    angles = np.random.default_rng(seed).uniform(-np.pi, np.pi, len(routed.circuit.parameters))
    example = replace(routed, circuit=routed.circuit.assign_parameters(angles.tolist()))
    native = finish(example, snapshot, region, level=level, seed=seed)
    return CompiledTemplate(
        circuit=routed.circuit,
        parameter_names=tuple(p.name for p in circuit.parameters),
        n_measured=circuit.num_clbits,
        physical_qubits=native.qubits,
        two_qubit_gates=native.two_qubit_gates,
        two_qubit_depth=native.two_qubit_depth,
        depth=native.depth,
        duration_s=native.prediction.duration_s,
        seed=seed,
        snapshot=snapshot,
        predicted_success=native.prediction.layout.success,
    )


def native_rows(compiled: CompiledTemplate, angles: ArrayLike) -> Iterator[QuantumCircuit]:
    """One bound circuit in native gates per row of ``angles`` ``(B, P)``, in order.

    Circuit qubits are those of ``compiled.physical_qubits``; measurements as in the template.

    Raises:
        BackendError: no device, angles of the wrong shape or not finite, or an angle that no
            native gate can make.
    """
    if compiled.snapshot is None:
        raise BackendError("Argument `compiled` must be compiled for a device, but has none.")
    couplings = native_couplings(compiled.snapshot)
    for bound in bind_rows(compiled, angles):
        yield to_native(bound, compiled.snapshot, compiled.physical_qubits, couplings=couplings)
