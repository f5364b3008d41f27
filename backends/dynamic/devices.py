"""Which devices run dynamic circuits, and what of them."""

from __future__ import annotations

from qiskit import QuantumCircuit

from backends.base import BackendError
from backends.dynamic.circuit import WORDS, dynamic_parts
from calibration.snapshot import DeviceSnapshot

_IBM = ("if_else", "reset", "measure")


def check_runs_dynamic(circuit: QuantumCircuit, snapshot: DeviceSnapshot) -> None:
    """Refuse a dynamic circuit where the device cannot run it.

    Args:
        circuit: from :func:`~backends.dynamic.circuit.opened`.
        snapshot: the device.

    Raises:
        BackendError: names the device and what it cannot do.
    """
    parts = _parts(circuit)
    if snapshot.vendor != "ibm":
        raise BackendError(refusal(circuit, snapshot.name))
    for name in parts:
        if name not in _IBM:
            raise BackendError(
                f"Argument `circuit` must hold what {snapshot.name} runs, but has: "
                f"{WORDS.get(name, name)}: of decisions IBM's devices run if and switch."
            )


def refusal(circuit: QuantumCircuit, device: str) -> str:
    """What is said of a device that runs no dynamic circuits."""
    (name, *_) = dynamic_parts(circuit)
    return (
        f"Argument `circuit` must be gates and then measurements on {device}, which runs no "
        f"dynamic circuits, but has: {WORDS.get(name, name)}."
    )


def _parts(circuit: QuantumCircuit) -> list[str]:
    found = list(dict.fromkeys(dynamic_parts(circuit)))
    for item in circuit.data:
        for block in getattr(item.operation, "blocks", ()):
            found += [name for name in _inside(block) if name not in found]
    return found


def _inside(block: QuantumCircuit) -> list[str]:
    names = [item.operation.name for item in block.data]
    found = [name for name in names if name in ("if_else", "while_loop")]
    for item in block.data:
        for inner in getattr(item.operation, "blocks", ()):
            found += _inside(inner)
    return found
