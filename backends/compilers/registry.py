"""Compilers by name, and a circuit through any of them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from qiskit import QuantumCircuit

from backends.base import BackendError
from backends.checks import check_measures_last
from backends.dynamic.circuit import is_dynamic
from backends.native.compile import NativeCircuit, compile_native, in_native_gates
from backends.native.levels import LEVELS
from backends.native.routing import Routed, check_fits
from backends.plain import plain
from calibration.snapshot import DeviceSnapshot

OWN = "qhw"
COMPILERS: dict[str, tuple[str, str]] = {
    "qiskit": ("qiskit", "backends.compilers.with_qiskit"),
    "pytket": ("pytket", "backends.compilers.with_pytket"),
    "bqskit": ("bqskit", "backends.compilers.with_bqskit"),
}
"""Package that a compiler needs, and the module that calls it: its ``routed`` makes of a circuit,
a device, a level and a seed a :class:`~backends.native.routing.Routed`."""

Made = Callable[[QuantumCircuit, DeviceSnapshot, int, int], Routed]


def checked_compiler(name: str) -> str:
    """A compiler's name.

    Raises:
        ValueError: there is none of that name, or its package is not installed.
    """
    if name == OWN:
        return name
    if name not in COMPILERS:
        known = ", ".join((OWN, *COMPILERS))
        raise ValueError(f"Argument `compiler` must be among {known}, but is {name!r}.")
    package, _ = COMPILERS[name]
    if find_spec(package) is None:
        raise ValueError(
            f"Argument `compiler` must be installed, but {package} is not: pip install "
            f"'qhw[{name}]'."
        )
    return name


def compile_by(
    name: str,
    circuit: QuantumCircuit,
    snapshot: DeviceSnapshot,
    *,
    level: int = LEVELS[-1],
    seed: int = 0,
    fractional: bool = False,
) -> NativeCircuit:
    """Compile a circuit with a compiler of a name; what comes can be submitted as it is.

    What another compiler places and routes is written in native gates as our own circuits are, and
    predicted as they are. Those compilers know no errors: at level 3 what they make is also moved,
    as it stands, to the qubits of highest predicted success. Qiskit's own stays as it comes.

    Args:
        name: of :data:`COMPILERS`, or ``qhw``.
        circuit: bound, gates and then measurements.
        snapshot: the device.
        level: of effort, from 0 to 3; compilers without levels leave it.
        seed: of what the compiler draws.
        fractional: of the house's own compiler; others use the gates that need not be asked for.

    Raises:
        ValueError: as :func:`checked_compiler`.
        BackendError: it cannot be compiled.
    """
    if checked_compiler(name) == OWN:
        return compile_native(circuit, snapshot, level=level, seed=seed, fractional=fractional)
    if is_dynamic(circuit):
        raise BackendError(f"Argument `circuit` must not be dynamic for {name}, but is.")
    circuit = plain(circuit)
    check_measures_last(circuit)
    check_fits(circuit, snapshot)
    if circuit.parameters and name != "qiskit":
        raise BackendError(f"Argument `circuit` must have no free parameters for {name}, but has.")
    made: Made = import_module(COMPILERS[name][1]).routed
    routed = made(circuit, snapshot, level, seed)
    if name == "qiskit":
        return NativeCircuit.of(routed, snapshot, level=level, seed=seed)
    return in_native_gates(routed, snapshot, level=level, seed=seed)
