"""Devices without a public calibration, from figures that their vendor published.

Every qubit, gate and pair is the stated mean, so nothing here says which qubits are good. What
the vendor does not state is left out, or assumed and named so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

from calibration.snapshot import DeviceSnapshot, Gate, Qubit

PUBLISHED = "from published figures"


@dataclass(frozen=True)
class Published:
    """Stated figures of an all-to-all device.

    Attributes:
        name: house name.
        vendor: vendor.
        processor: vendor's name.
        taken: day of the publication.
        source: which.
        n_qubits: qubits.
        one_qubit_error: average gate infidelity.
        two_qubit_error: likewise.
        spam_error: of preparing and reading a qubit.
        memory_error: probability of a phase flip of a qubit that waits for one layer of two-qubit
            gates; an assumption of ours. 0 for none.
    """

    name: str
    vendor: str
    processor: str
    taken: datetime
    source: str
    n_qubits: int
    one_qubit_error: float
    two_qubit_error: float
    spam_error: float
    memory_error: float = 0.0

    def snapshot(self) -> DeviceSnapshot:
        """The device as a calibration."""
        # a layer lasts a nominal millisecond: only its ratio to T2 is used
        layer = 1e-3 if self.memory_error else 0.0
        t2 = layer / (2 * self.memory_error) if self.memory_error else None
        said = f"{self.source}, {PUBLISHED}: every qubit and pair is the mean"
        if self.memory_error:
            said += (
                f"; memory error {self.memory_error:g} a waiting qubit and layer of two-qubit "
                "gates is an assumption"
            )
        spots = range(self.n_qubits)
        qubit: dict[str, Any] = {"p10": self.spam_error, "p01": self.spam_error, "t2_s": t2}
        pulses = [
            Gate(name="r", qubits=(q,), error=self.one_qubit_error, duration_s=0.0) for q in spots
        ]
        free = [Gate(name="rz", qubits=(q,), error=0.0, duration_s=0.0) for q in spots]
        pairs = tuple(combinations(spots, 2))
        doubles = [
            Gate(name="rzz", qubits=pair, error=self.two_qubit_error, duration_s=layer)
            for pair in pairs
        ]
        return DeviceSnapshot(
            name=self.name,
            vendor=self.vendor,
            processor=f"{self.processor}, {PUBLISHED}",
            taken=self.taken,
            source=said,
            payload_sha256=hashlib.sha256(repr(self).encode()).hexdigest(),
            qubits=tuple(Qubit(label=q, **qubit) for q in spots),
            gates=(*pulses, *free, *doubles),
            couplings=pairs,
            one_qubit_gates=("r", "rz"),
            two_qubit_gates=("rzz",),
            virtual_gates=("rz",),
        )


def _helios(name: str, memory_error: float) -> Published:
    return Published(
        name=name,
        vendor="quantinuum",
        processor="Helios",
        taken=datetime(2025, 11, 7, tzinfo=UTC),
        source="Quantinuum Helios, arXiv:2511.05465",
        n_qubits=98,
        one_qubit_error=2.5e-5,
        two_qubit_error=7.9e-4,
        spam_error=3.3e-4,
        memory_error=memory_error,
    )


DEVICES: Mapping[str, Published] = {
    device.name: device
    for device in (
        _helios("quantinuum_helios", 0.0),
        _helios("quantinuum_helios_memory", 2e-4),
    )
}
"""By house name; the second one has the memory error that we assume."""
