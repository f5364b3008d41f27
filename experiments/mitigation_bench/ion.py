"""Write the calibration of an ion device as it may become: 0.1 % two-qubit error, no waiting."""

from __future__ import annotations

import sys
from pathlib import Path

from calibration.catalog import load_snapshot
from calibration.snapshot import DeviceSnapshot
from calibration.store import export_snapshot

QUBITS, TWO_QUBIT, ONE_QUBIT, READOUT = 8, 1e-3, 3e-5, 2e-3


def ion_device() -> DeviceSnapshot:
    """IonQ Forte Enterprise's gates on eight ions with the errors above."""
    device = load_snapshot("ionq_forte_enterprise").restricted(range(QUBITS))
    changed = {name: getattr(device, name) for name in DeviceSnapshot.model_fields}
    changed["name"] = "ion_0p1"
    changed["source"] = "invented: IonQ Forte Enterprise's gates, errors lowered, no waiting"
    changed["qubits"] = tuple(
        q.model_copy(update={"t1_s": None, "t2_s": None, "p10": READOUT, "p01": READOUT})
        for q in device.qubits
    )
    changed["gates"] = tuple(
        g.model_copy(update={"error": g.error and (TWO_QUBIT if len(g.qubits) == 2 else ONE_QUBIT)})
        for g in device.gates
    )
    return DeviceSnapshot(**changed)


if __name__ == "__main__":
    export_snapshot(ion_device(), Path(sys.argv[1]))
