"""Amazon Braket: ``deviceCapabilities`` JSON of IQM, Rigetti, IonQ and AQT, without Braket's SDK.

Fidelities are read as average gate fidelities, as Braket's own emulator does; where an isolated
and a simultaneous one-qubit benchmark are both given, the isolated one is taken, as it does.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from calibration.documents import read_bounded
from calibration.readers.cleaning import SECONDS, Cleaner
from calibration.readers.payload import Node
from calibration.snapshot import (
    DeviceSnapshot,
    Gate,
    GateLimit,
    JobLimits,
    Price,
    Qubit,
    SnapshotError,
)

VENDORS = ("iqm", "rigetti", "ionq", "aqt")

_ONE_QUBIT = {"prx": "r", "rx": "rx", "rz": "rz", "gpi": "gpi", "gpi2": "gpi2"}
_TWO_QUBIT = {
    "cz": "cz",
    "iswap": "iswap",
    "cphaseshift": "cp",
    "zz": "rzz",
    "xx": "rxx",
    "ms": "ms",
}
_NOT_GATES = ("barrier", "measure_ff", "cc_prx")
# Rigetti accepts only these rx angles in verbatim circuits.
_RIGETTI_RX = GateLimit(gate="rx", allowed=(-math.pi, -math.pi / 2, math.pi / 2, math.pi))
_PRICE_UNITS = {
    "shot": ("usd_per_shot", 1.0),
    "task": ("usd_per_task", 1.0),
    "minute": ("usd_per_second", 1 / 60),
    "hour": ("usd_per_second", 1 / 3600),
}
_ONE_QUBIT_FIDELITIES = ("RANDOMIZED_BENCHMARKING", "SIMULTANEOUS_RANDOMIZED_BENCHMARKING")


def read_braket(path: Path, name: str | None = None, source: str | None = None) -> DeviceSnapshot:
    """Read a file holding the ``deviceCapabilities`` of Braket's GetDevice.

    Args:
        path: the file.
        name: house name; made from vendor and size when not given, since most payloads hold none.
        source: where the file comes from; its name when not given.

    Raises:
        SnapshotError: unreadable, truncated, of another vendor, or with a part missing; the line
            names the file and the place.
    """
    try:
        raw = read_bounded(path)
    except OSError as error:
        raise SnapshotError(f"{path} cannot be read: {error.strerror}") from error
    return braket_snapshot(raw, name=name, file=str(path), source=source)


def braket_snapshot(
    text: str | bytes,
    *,
    name: str | None = None,
    file: str = "deviceCapabilities",
    source: str | None = None,
) -> DeviceSnapshot:
    """Convert a ``deviceCapabilities`` document.

    Args:
        text: the JSON, also when encoded twice.
        name: house name.
        file: name of the file, for errors.
        source: where it comes from; the file's name when not given.

    Raises:
        SnapshotError: as for :func:`read_braket`.
    """
    root = Node.parse(text, file)
    raw = text.encode() if isinstance(text, str) else text
    try:
        return _snapshot(
            root,
            name=name,
            source=source or f"Amazon Braket deviceCapabilities, {Path(file).name}",
            sha256=hashlib.sha256(raw).hexdigest(),
        )
    except SnapshotError:
        raise
    except (ValueError, OverflowError) as error:
        raise SnapshotError(f"{file}: {' '.join(str(error).split())}") from error


def _snapshot(root: Node, *, name: str | None, source: str, sha256: str) -> DeviceSnapshot:
    vendor = _vendor(root)
    clean = Cleaner()
    ones, twos = _native_gates(root["paradigm"]["nativeGateSet"])
    labels, pairs = _couplings(root["paradigm"]["connectivity"])
    part = _Part(root, tuple(ones), tuple(twos), labels, pairs, clean)
    if vendor in ("iqm", "rigetti"):
        qubits, gates = _calibrated_each(part)
    else:
        qubits, gates = _calibrated_as_a_whole(part, _MEANS[vendor](root))
    return DeviceSnapshot(
        name=name or f"{vendor}_{len(labels)}q",
        vendor=vendor,
        processor=_processor(root, vendor),
        taken=_updated(root, clean),
        source=source,
        payload_sha256=sha256,
        qubits=qubits,
        gates=gates,
        couplings=pairs,
        one_qubit_gates=tuple(ones),
        two_qubit_gates=tuple(twos),
        virtual_gates=("rz",) if "rz" in ones else (),
        gate_limits=(_RIGETTI_RX,) if vendor == "rigetti" else (),
        job_limits=_limits(root),
        price=_price(root),
        corrections=tuple(clean.corrections),
    )


@dataclass(frozen=True)
class _Part:
    """What both kinds of calibration data need: the document, native gates, qubits, couplings."""

    root: Node
    ones: tuple[str, ...]
    twos: tuple[str, ...]
    labels: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    clean: Cleaner

    def one_qubit_gates(
        self, qubit: int, error: float | None, duration: float | None
    ) -> list[Gate]:
        gates = []
        for name in self.ones:
            if name == "rz":
                gates.append(self.clean.gate(name, [qubit], 0.0, 0.0))
            else:
                gates.append(self.clean.gate(name, [qubit], error, duration))
        return gates


@dataclass(frozen=True)
class _Means:
    """Device-wide figures of an ion trap; times in seconds."""

    t1: float | None
    t2: float | None
    one_error: float | dict[str, float | None]
    two_error: float
    readout_error: float
    one_s: float | None
    two_s: float | None
    readout_s: float | None


# -- calibration data ----------------------------------------------------------------------------
def _calibrated_each(part: _Part) -> tuple[tuple[Qubit, ...], tuple[Gate, ...]]:
    """IQM and Rigetti: figures for each qubit and coupling, no durations."""
    standard = part.root["standardized"]
    one, two = standard["oneQubitProperties"], standard["twoQubitProperties"]
    qubits, gates = [], []
    for index, label in enumerate(part.labels):
        entry = one[str(label)]
        known = _by_name(entry["oneQubitFidelity"], "fidelityType", "name")
        t1, t2 = part.clean.lifetimes(index, _time(entry.get("T1")), _time(entry.get("T2")))
        p10, p01 = part.clean.readout(
            index,
            known.get("READOUT_ERROR_0_TO_1"),
            known.get("READOUT_ERROR_1_TO_0"),
            _error(known.get("READOUT")),
        )
        qubits.append(Qubit(label=label, t1_s=t1, t2_s=t2, p10=p10, p01=p01))
        fidelities = (known.get(name) for name in _ONE_QUBIT_FIDELITIES)
        fidelity = next((f for f in fidelities if f is not None), None)
        gates += part.one_qubit_gates(index, _error(fidelity), None)
    for a, b in part.pairs:
        ends = part.labels[a], part.labels[b]
        pair = two.get(f"{ends[0]}-{ends[1]}") or two.get(f"{ends[1]}-{ends[0]}")
        known = {} if pair is None else _by_name(pair["twoQubitGateFidelity"], "gateName")
        reported = {name.lower(): fidelity for name, fidelity in known.items()}
        for vendor_name, house_name in _TWO_QUBIT.items():
            if house_name in part.twos:
                error = _error(reported.get(vendor_name))
                gates.append(part.clean.gate(house_name, [a, b], error, None))
    return part.clean.filled_readout(qubits), part.clean.filled_gates(gates)


def _by_name(listed: Node, *name: str) -> dict[str, float | None]:
    """Fidelities by the text at a path of keys, ``None`` for what was not measured."""
    found = {}
    for item in listed.elements():
        node = item
        for key in name:
            node = node[key]
        place = f"{listed.path}.{node.text()}"
        found[node.text()] = Node(item.value, item.file, place).figure("fidelity")
    return found


def _error(fidelity: float | None) -> float | None:
    return None if fidelity is None else 1 - fidelity


def _calibrated_as_a_whole(
    part: _Part, means: _Means
) -> tuple[tuple[Qubit, ...], tuple[Gate, ...]]:
    """IonQ and AQT: one figure for the device, the same for all pairs."""
    clean = part.clean
    clean.note("only device-wide figures reported", range(len(part.labels)))
    qubits, gates = [], []
    for index, label in enumerate(part.labels):
        t1, t2 = clean.lifetimes(index, means.t1, means.t2)
        p10, p01 = clean.readout(index, means.readout_error, means.readout_error)
        readout_s = clean.readout_duration(index, means.readout_s)
        qubits.append(Qubit(label=label, t1_s=t1, t2_s=t2, p10=p10, p01=p01, readout_s=readout_s))
        each = means.one_error
        error = each.get(str(label)) if isinstance(each, dict) else each
        gates += part.one_qubit_gates(index, error, means.one_s)
    gates += [
        clean.gate(name, pair, means.two_error, means.two_s)
        for pair in part.pairs
        for name in part.twos
    ]
    return tuple(qubits), clean.filled_gates(gates)


def _ionq_means(root: Node) -> _Means:
    fidelity, timing = root["provider"]["fidelity"], root["provider"]["timing"]
    t1, t2 = (timing.figure(key) if timing.get(key) else None for key in ("T1", "T2"))
    return _Means(
        t1=t1,
        t2=t2,
        one_error=1 - fidelity["1Q"]["mean"].number(),
        two_error=1 - fidelity["2Q"]["mean"].number(),
        readout_error=1 - fidelity["spam"]["mean"].number(),
        one_s=timing.figure("1Q"),
        two_s=timing.figure("2Q"),
        readout_s=timing.figure("readout"),
    )


def _aqt_means(root: Node) -> _Means:
    p = root["provider"]["properties"]
    each = p["single_qubit_gate_fidelity"].items()
    return _Means(
        t1=p["t1_s"].figure("value"),
        t2=p["t2_coherence_time_s"].figure("value"),
        one_error={key: _error(_of_hundred(value.figure("value"))) for key, value in each},
        two_error=1 - p["mean_two_qubit_gate_fidelity"]["value"].number() / 100,
        readout_error=1 - p["spam_fidelity_lower_bound"].number() / 100,
        one_s=_micros(p, "single_qubit_gate_duration_micros"),
        two_s=_micros(p, "two_qubit_gate_duration_micros"),
        readout_s=_micros(p, "readout_time_micros"),
    )


def _of_hundred(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def _micros(node: Node, key: str) -> float | None:
    value = node.figure(key)
    return None if value is None else value * 1e-6


_MEANS = {"ionq": _ionq_means, "aqt": _aqt_means}


def _time(node: Node | None) -> float | None:
    value = None if node is None else node.figure("value")
    if node is None or value is None:
        return None
    unit = node["unit"]
    if unit.text().lower() not in SECONDS:
        raise unit.wrong(f"a unit of time ({', '.join(SECONDS)})")
    return value * SECONDS[unit.text().lower()]


# -- the rest of the document --------------------------------------------------------------------
def _vendor(root: Node) -> str:
    header = root["braketSchemaHeader"]["name"]
    parts = header.text().split(".")
    vendor = parts[2] if len(parts) == 4 and parts[3].endswith("_device_capabilities") else None
    if vendor not in VENDORS:
        raise header.wrong(f"the device capabilities of {', '.join(VENDORS)}")
    return vendor


def _native_gates(listed: Node) -> tuple[list[str], list[str]]:
    ones, twos = [], []
    for node in listed.elements():
        gate = node.text().lower()
        if gate in _ONE_QUBIT:
            ones.append(_ONE_QUBIT[gate])
        elif gate in _TWO_QUBIT:
            twos.append(_TWO_QUBIT[gate])
        elif gate not in _NOT_GATES:
            raise node.wrong(f"one of {', '.join((*_ONE_QUBIT, *_TWO_QUBIT, *_NOT_GATES))}")
    return ones, twos


def _couplings(node: Node) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """Qubit labels in increasing order, and coupled pairs of their indices."""
    linked = [
        (_label(Node(a, node.file, near.path)), _label(b))
        for a, near in node["connectivityGraph"].items()
        for b in near.elements()
    ]
    alone = {_label(Node(a, node.file, n.path)) for a, n in node["connectivityGraph"].items()}
    labels = tuple(sorted(alone | {end for link in linked for end in link}))
    index = {label: i for i, label in enumerate(labels)}
    if bool(node["fullyConnected"].value):
        return labels, tuple(itertools.combinations(range(len(labels)), 2))
    pairs = {(min(p), max(p)) for p in ((index[a], index[b]) for a, b in linked)}
    return labels, tuple(sorted(pairs))


def _label(node: Node) -> int:
    try:
        return int(node.text())
    except ValueError as error:
        raise node.wrong("a qubit number") from error


def _processor(root: Node, vendor: str) -> str:
    family = root.find("provider", "specs", "architecture", "family")
    summary = root.find("service", "deviceDocumentation", "summary")
    kind = summary.text().partition(" based on ")[2] if summary else ""
    named = f"{family.text()}, " if family else ""
    return f"{named}{kind}" or vendor


def _updated(root: Node, clean: Cleaner) -> datetime:
    node = root["service"]["updatedAt"]
    try:
        moment = datetime.fromisoformat(node.text())
    except ValueError as error:
        raise node.wrong("a date and time") from error
    if moment.tzinfo is None:
        clean.note("time zone missing, UTC assumed", [])
        moment = moment.replace(tzinfo=UTC)
    return moment


def _limits(root: Node) -> JobLimits:
    limits: dict[str, Any] = {}
    shots = root.find("service", "shotsRange")
    if shots is not None:
        limits |= {"min_shots": int(shots[0].number()), "max_shots": int(shots[1].number())}
    sets = root.find("action", "braket.ir.openqasm.program_set")
    for key, field in (
        ("maximumExecutables", "max_circuits"),
        ("maximumTotalShots", "max_total_shots"),
    ):
        node = sets.get(key) if sets else None
        if node is not None:
            limits[field] = int(node.number())
    return JobLimits(**limits)


def _price(root: Node) -> Price | None:
    cost = root.find("service", "deviceCost")
    if cost is None:
        return None
    unit = cost["unit"]
    if unit.text() not in _PRICE_UNITS:
        raise unit.wrong(f"one of {', '.join(_PRICE_UNITS)}")
    field, factor = _PRICE_UNITS[unit.text()]
    as_of = date.fromisoformat(root["service"]["updatedAt"].text()[:10])
    amounts: dict[str, Any] = {field: cost["price"].number() * factor}
    return Price(as_of=as_of, **amounts)
