"""Templates in canonical gates: every row of angles written in native gates, or simulated so.

Writing a row natively moves nothing and takes milliseconds. Simulators get the very pulses that
vendors are sent, each with its virtual rotations about z written out, which noise commutes with:
so rows of the same pulses share one template, and what data do not reach is the same for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from backends.base import BackendError, CompiledTemplate
from backends.binding import bind_rows
from backends.native.schedule import schedule_alap
from backends.native.simulable import as_simulable, simulable
from backends.native.target import CANONICAL
from backends.native.translate import native_couplings, to_native
from backends.native.writing import with_random_angles, writes_rows
from calibration.snapshot import DeviceSnapshot

FloatArray = NDArray[np.float64]

_SAME_RAD = 1e-12
"""Angles of rows closer than this are one number: they differ by rounding."""


def device_part(compiled: CompiledTemplate) -> DeviceSnapshot | None:
    """The device as simulators see it, cut to a template's qubits; ``None`` if ideal."""
    if compiled.snapshot is None:
        return None
    return simulable(compiled.snapshot).restricted(compiled.physical_qubits)


def is_native(compiled: CompiledTemplate, part: DeviceSnapshot) -> bool:
    """Whether a template is in the device's gates, not in those that native rows are made from."""
    foreign = CANONICAL - {*part.one_qubit_gates, *part.two_qubit_gates, *part.optional_gates}
    return all(item.operation.name not in foreign for item in compiled.circuit.data)


def native_rows(compiled: CompiledTemplate, angles: ArrayLike) -> Iterator[QuantumCircuit]:
    """One bound circuit in native gates per row of ``angles`` ``(B, P)``, in order.

    Circuit qubits are those of ``compiled.physical_qubits``; measurements as in the template.

    Raises:
        BackendError: no device, angles of the wrong shape or not finite, or an angle that no
            native gate can make.
    """
    if compiled.snapshot is None:
        raise BackendError("Argument `compiled` must be compiled for a device, but has none.")
    if not writes_rows(compiled.snapshot):
        yield from bind_rows(compiled, angles)
        return
    couplings = native_couplings(compiled.snapshot)
    for bound in bind_rows(compiled, angles):
        yield to_native(bound, compiled.snapshot, compiled.physical_qubits, couplings=couplings)


def example_row(compiled: CompiledTemplate) -> QuantumCircuit:
    """A row of random angles of a template in canonical gates, in gates that simulators know."""
    bound = with_random_angles(compiled.circuit, compiled.seed)
    (row,) = _simulated_rows(compiled, [bound])
    return row


def simulated(
    compiled: CompiledTemplate, angles: FloatArray, *, scheduled: bool
) -> list[tuple[NDArray[np.int64], CompiledTemplate, FloatArray]]:
    """A template in gates that simulators know, with the rows that it holds for.

    Args:
        compiled: any template.
        angles: ``(B, P)`` radians, columns ``compiled.parameter_names``.
        scheduled: write waits out, where native gates are written only here.

    Returns:
        Rows, template and its angles; one entry for a template in native gates, else one for each
        sequence of pulses among the rows.

    Raises:
        BackendError: an angle that no native gate can make.
    """
    part = device_part(compiled)
    if part is None or is_native(compiled, part):
        return [(np.arange(len(angles)), compiled, angles)]
    groups: dict[tuple[object, ...], tuple[QuantumCircuit, list[int], list[list[float]]]] = {}
    for row, native in enumerate(_simulated_rows(compiled, bind_rows(compiled, angles))):
        shape, values = _shape(native)
        _, rows, found = groups.setdefault(shape, (native, [], []))
        rows.append(row)
        found.append(values)
    made = []
    for native, rows, found in groups.values():
        circuit, names, columns = _freed(native, np.array(found, dtype=np.float64))
        if scheduled:
            circuit = schedule_alap(circuit, part).circuit
        template = replace(compiled, circuit=circuit, parameter_names=names, scheduled=scheduled)
        made.append((np.array(rows, dtype=np.int64), template, columns))
    return made


def _simulated_rows(
    compiled: CompiledTemplate, rows: Iterable[QuantumCircuit]
) -> Iterator[QuantumCircuit]:
    """Bound circuits in native gates, rotations about z written out, ions' pulses renamed."""
    snapshot = compiled.snapshot
    assert snapshot is not None
    couplings, renamed = native_couplings(snapshot), simulable(snapshot) is not snapshot
    for bound in rows:
        native = to_native(
            bound, snapshot, compiled.physical_qubits, couplings=couplings, written_z=True
        )
        yield as_simulable(native) if renamed else native


def _shape(native: QuantumCircuit) -> tuple[tuple[object, ...], list[float]]:
    """What two rows of the same pulses share, and the numbers in which they may differ."""
    index = {qubit: i for i, qubit in enumerate(native.qubits)}
    shape: list[object] = []
    values: list[float] = []
    for item in native.data:
        shape.append((item.operation.name, *(index[q] for q in item.qubits)))
        if item.operation.name != "delay":
            values += map(float, item.operation.params)
    return tuple(shape), values


def _freed(
    native: QuantumCircuit, values: FloatArray
) -> tuple[QuantumCircuit, tuple[str, ...], FloatArray]:
    """A row's circuit with the numbers in which rows differ as parameters, and their values.

    Args:
        native: any of the rows.
        values: ``(R, V)`` angles of all gates of each row, in circuit order.
    """
    differ = np.ptp(values, axis=0) > _SAME_RAD if values.size else np.zeros(0, dtype=bool)
    names = tuple(f"v{i}" for i in np.flatnonzero(differ))
    freed = native.copy_empty_like()
    place = 0
    for item in native.data:
        operation = item.operation
        if operation.params and operation.name != "delay":
            here = range(place, place + len(operation.params))
            place = here.stop
            if any(differ[i] for i in here):
                operation = operation.to_mutable()
                operation.params = [Parameter(f"v{i}") if differ[i] else values[0, i] for i in here]
        freed.append(operation, item.qubits, item.clbits)
    return freed, names, values[:, differ]
