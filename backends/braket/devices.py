"""What Braket says of a device: its place, state, opening hours and limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from backends.base import UnknownBackendError
from backends.vendor import VendorError
from calibration.closest import closest, quoted
from calibration.readers.braket import braket_snapshot
from calibration.readers.payload import Node
from calibration.snapshot import DeviceSnapshot, SnapshotError

ARNS = {
    "aqt_ibex_q1": "arn:aws:braket:eu-north-1::device/qpu/aqt/Ibex-Q1",
    "ionq_forte_1": "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1",
    "ionq_forte_enterprise": "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-Enterprise-1",
    "iqm_emerald": "arn:aws:braket:eu-north-1::device/qpu/iqm/Emerald",
    "iqm_garnet": "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet",
    "rigetti_cepheus_1_108q": "arn:aws:braket:us-west-1::device/qpu/rigetti/Cepheus-1-108Q",
    "sv1": "arn:aws:braket:::device/quantum-simulator/amazon/sv1",
    "dm1": "arn:aws:braket:::device/quantum-simulator/amazon/dm1",
}
"""Gate-model devices in service, by house name."""

SIMULATOR_REGION = "us-east-1"
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY_SETS = {
    "everyday": range(7),
    "weekdays": range(5),
    "weekend": range(5, 7),
    **{day: (i,) for i, day in enumerate(_DAYS)},
}
_MAX_EMULATED_SHOTS = 1_000_000
_DEBIAS = "braket.device_schema.error_mitigation.debias.Debias"


def arn_of(device: str) -> str:
    """The ARN of a house name such as ``iqm_garnet``; an ARN is returned as it is.

    Raises:
        UnknownBackendError: no such device; the line has the closest.
    """
    if device.startswith("arn:aws:braket:"):
        return device
    if device not in ARNS:
        raise UnknownBackendError(
            f"Argument `device` must be a Braket device or its ARN, but is {quoted(device)} "
            f"({closest(device, ARNS, 'qhw devices --live')})."
        )
    return ARNS[device]


def name_of(device: str) -> str:
    """House name of a house name or ARN; an unknown ARN gives its last part."""
    known = {arn: name for name, arn in ARNS.items()}
    return known.get(device) or device.rpartition("/")[2]


def region_of_arn(arn: str) -> str:
    """Region in which a device is served.

    Simulators are in several; they are always asked in one, whatever is configured, because a
    task that was accepted in one region is not found by its key in another.
    """
    return arn.split(":")[3] or SIMULATOR_REGION


@dataclass(frozen=True)
class Window:
    """Opening hours, UTC.

    Attributes:
        days: weekdays it opens on, Monday is 0.
        start: first second.
        end: last second; before ``start`` where it passes midnight.
    """

    days: frozenset[int]
    start: time
    end: time

    def contains(self, moment: datetime) -> bool:
        """Whether a moment (UTC) is inside."""
        now, today = moment.time(), moment.weekday()
        if self.start <= self.end:
            return today in self.days and self.start <= now <= self.end
        late = today in self.days and now >= self.start
        return late or ((today - 1) % 7 in self.days and now <= self.end)


@dataclass(frozen=True)
class ProgramSetLimits:
    """What one program set may hold; ``None`` where the device names no limit."""

    executables: int | None
    total_shots: int | None


@dataclass(frozen=True)
class BraketDevice:
    """A device as GetDevice described it.

    Attributes:
        name: house name.
        arn: Amazon's name.
        status: Amazon's word, ``ONLINE`` when it takes tasks.
        snapshot: calibration; ``None`` for a simulator.
        qubits: number of qubits.
        shots: fewest and most shots of one circuit.
        windows: opening hours; empty for always.
        program_sets: limits of program sets; ``None`` where there are none.
        debias_shots: fewest shots of IonQ's debiasing; ``None`` where there is none.
        usd_per_shot: price Amazon publishes with the device, ``None`` where it names none.
        queue: tasks waiting in each queue, Amazon's words.
        read: when it was asked.
    """

    name: str
    arn: str
    status: str
    snapshot: DeviceSnapshot | None
    qubits: int
    shots: tuple[int, int]
    windows: tuple[Window, ...]
    program_sets: ProgramSetLimits | None
    debias_shots: int | None
    usd_per_shot: float | None
    queue: dict[str, str]
    read: datetime

    @property
    def verbatim(self) -> bool:
        """Whether circuits are sent in native gates, on qubits we choose."""
        return self.snapshot is not None

    def is_open(self, moment: datetime) -> bool:
        """Whether it executes at a moment (UTC)."""
        return not self.windows or any(w.contains(moment) for w in self.windows)

    def next_opening(self, moment: datetime) -> datetime | None:
        """The first opening after a moment (UTC) within eight days."""
        starts = (
            datetime.combine(moment.date() + timedelta(days=ahead), window.start, tzinfo=UTC)
            for window in self.windows
            for ahead in range(9)
            if (moment.weekday() + ahead) % 7 in window.days
        )
        return min((start for start in starts if start > moment), default=None)


def read_device(name: str, answer: Mapping[str, Any], now: datetime) -> BraketDevice:
    """A device from the answer of GetDevice.

    Raises:
        VendorError: the answer lacks something that is needed; the line names it.
    """
    arn, where = str(answer["deviceArn"]), f"GetDevice of {name}"
    text = answer["deviceCapabilities"]
    text = text if isinstance(text, str) else json.dumps(text)
    try:
        root = Node.parse(text, where)
        shots = root["service"]["shotsRange"]
        simulator = "/quantum-simulator/" in arn
        snapshot = None
        if not simulator:
            snapshot = braket_snapshot(text, name=name, file=where, source=where)
        return BraketDevice(
            name=name,
            arn=arn,
            status=str(answer["deviceStatus"]),
            snapshot=snapshot,
            qubits=int(root["paradigm"]["qubitCount"].number()),
            # A simulator's range begins at 0, which asks for exact results; we ask for counts.
            shots=(max(1, int(shots[0].number())), int(shots[1].number())),
            windows=_windows(root["service"].get("executionWindows")),
            program_sets=_program_sets(root.find("action", "braket.ir.openqasm.program_set")),
            debias_shots=_debias_shots(root.find("provider", "errorMitigation", _DEBIAS)),
            usd_per_shot=snapshot.price.usd_per_shot or None
            if snapshot and snapshot.price
            else None,
            queue=_queue(answer.get("deviceQueueInfo") or ()),
            read=now,
        )
    except SnapshotError as error:
        raise VendorError(f"Braket's answer cannot be used: {error}") from error


def described_by(snapshot: DeviceSnapshot, now: datetime) -> BraketDevice:
    """A device that is always open, from a snapshot alone: what an emulator stands for."""
    limits = snapshot.job_limits
    sets = None
    if limits.max_circuits is not None or limits.max_total_shots is not None:
        sets = ProgramSetLimits(limits.max_circuits, limits.max_total_shots)
    return BraketDevice(
        name=snapshot.name,
        arn=ARNS.get(snapshot.name, snapshot.name),
        status="ONLINE",
        snapshot=snapshot,
        qubits=snapshot.n_qubits,
        shots=(limits.min_shots, limits.max_shots or _MAX_EMULATED_SHOTS),
        windows=(),
        program_sets=sets,
        debias_shots=None,
        usd_per_shot=None,
        queue={},
        read=now,
    )


def _windows(node: Node | None) -> tuple[Window, ...]:
    found = []
    for entry in node.elements() if node else ():
        day = entry["executionDay"].text().lower()
        if day not in _DAY_SETS:
            raise entry["executionDay"].wrong(f"one of {', '.join(_DAY_SETS)}")
        start, end = _clock(entry["windowStartHour"]), _clock(entry["windowEndHour"])
        found.append(Window(frozenset(_DAY_SETS[day]), start, end))
    return tuple(found)


def _clock(node: Node) -> time:
    try:
        return time.fromisoformat(node.text())
    except ValueError as error:
        raise node.wrong("a time of day") from error


def _program_sets(node: Node | None) -> ProgramSetLimits | None:
    if node is None:
        return None
    most, shots = node.get("maximumExecutables"), node.get("maximumTotalShots")
    return ProgramSetLimits(
        None if most is None else int(most.number()), None if shots is None else int(shots.number())
    )


def _debias_shots(node: Node | None) -> int | None:
    least = node.get("minimumShots") if node else None
    return None if least is None else int(least.number())


def _queue(entries: Any) -> dict[str, str]:
    return {
        " ".join(str(e[k]) for k in ("queue", "queuePriority") if e.get(k)): str(e["queueSize"])
        for e in entries
    }
