"""A row's compiled circuit, compiled once more from its best seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backends.compilers.registry import OWN, compile_by
from backends.native.compile import NativeCircuit, compile_native
from calibration.catalog import load_snapshot
from calibration.snapshot import DeviceSnapshot
from qhw.analysis.depth.subjects import Subject

if TYPE_CHECKING:
    from qhw.analysis.depth.report import Row


def native_of(
    row: Row, subject: Subject, *, fractional: bool, snapshot: DeviceSnapshot | None = None
) -> NativeCircuit:
    """A row's compiled circuit, compiled once more from its best seed.

    Args:
        row: with figures.
        subject: its circuit.
        fractional: of the report.
        snapshot: the row's device; read by its name by default.
    """
    circuit = subject.compiled_from
    assert circuit is not None and row.best is not None  # it has figures
    device = snapshot or load_snapshot(row.device)
    how: Any = {"level": row.level, "seed": row.best.seed, "fractional": fractional}
    if row.compiler != OWN:
        bound = circuit.assign_parameters(dict(subject.values)) if subject.values else circuit
        return compile_by(row.compiler, bound, device, **how)
    native = compile_native(circuit, device, **how)
    return native.bound(subject.values) if subject.values else native
