"""Small invented devices for the calibration tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from calibration.snapshot import DeviceSnapshot, Gate, Qubit

TAKEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def line_device(n: int = 3, *, error: float = 0.01, **changes: Any) -> DeviceSnapshot:
    """A line of ``n`` unequal qubits with ``sx``, virtual ``rz`` and ``cz`` reported one way."""
    qubits = tuple(
        Qubit(
            label=i + 1,
            t1_s=(100 + 7 * i) * 1e-6,
            t2_s=(80 + 11 * i) * 1e-6,
            p10=0.01 + 0.003 * i,
            p01=0.04 - 0.002 * i,
            readout_s=1e-6,
        )
        for i in range(n)
    )
    gates = [Gate(name="sx", qubits=(i,), error=2e-3, duration_s=40e-9) for i in range(n)]
    gates += [Gate(name="rz", qubits=(i,), error=0.0, duration_s=0.0) for i in range(n)]
    gates += [
        Gate(name="cz", qubits=(i, i + 1), error=error + 1e-3 * i, duration_s=200e-9)
        for i in range(n - 1)
    ]
    fields: dict[str, Any] = {
        "name": "test_line",
        "vendor": "test",
        "processor": "line",
        "taken": TAKEN,
        "source": "invented for tests",
        "payload_sha256": "0" * 64,
        "qubits": qubits,
        "gates": tuple(gates),
        "couplings": tuple((i, i + 1) for i in range(n - 1)),
        "one_qubit_gates": ("rz", "sx"),
        "two_qubit_gates": ("cz",),
        "virtual_gates": ("rz",),
        "dt_s": 1e-9,
    }
    return DeviceSnapshot(**(fields | changes))
