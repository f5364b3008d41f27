"""IBM: properties of live backends and of the snapshots inside the qiskit-ibm-runtime wheel."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import math
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from calibration.closest import closest, quoted
from calibration.readers.cleaning import SECONDS, Cleaner
from calibration.readers.payload import Node
from calibration.snapshot import (
    MADE_UP,
    DeviceSnapshot,
    Gate,
    GateLimit,
    JobLimits,
    Qubit,
    SnapshotError,
)

_VIRTUAL = ("rz", "u1")
_FRACTIONAL = ("rx", "rzz")
# Heron's native rzz takes angles in this range only (Qiskit folds the rest into it).
_RZZ_LIMIT = GateLimit(gate="rzz", minimum=0.0, maximum=math.pi / 2)
_TIMES = ("T1", "T2", "gate_length", "readout_length")
_SCALES: Mapping[tuple[bool, object], float] = {
    **{(True, unit): scale for unit, scale in SECONDS.items()},
    (False, ""): 1.0,
}
"""Factor to SI units by whether it is a time, and its unit."""
_OF_QUBITS = ("T1", "T2", "prob_meas1_prep0", "prob_meas0_prep1", "readout_error", "readout_length")
_OF_GATES = ("gate_error", "gate_length")
_FAKE = "fake_"
"""What payloads of made-up devices call themselves; a machine's has its name (``ibm_``, ``ibmq_``,
``ibmqx2``, ``alt_``). IBM's docstrings agree: ``fake_fractional`` is modelled on another device (it
has the figures of ibm_lima), the errors of ``fake_nighthawk`` are those of no Nighthawk."""

Json = Mapping[str, Any]


def available_ibm() -> tuple[str, ...]:
    """House names, sorted, of the snapshots shipped inside qiskit-ibm-runtime."""
    return tuple(f"ibm_{name}" for name in sorted(_folders()))


@cache
def made_up_ibm() -> frozenset[str]:
    """House names of those that are no machine's; see :attr:`DeviceSnapshot.made_up`."""
    return frozenset(
        f"ibm_{key}"
        for key, folder in _folders().items()
        if _made_up(json.loads((folder / f"conf_{key}.json").read_bytes()))
    )


def read_ibm_fake(name: str) -> DeviceSnapshot:
    """Read one of IBM's own calibration snapshots from the installed qiskit-ibm-runtime.

    Args:
        name: ``ibm_boston``, ``fake_boston`` or ``boston``.

    Raises:
        SnapshotError: there is no such snapshot; the line has the closest.
    """
    key = _short(name)
    folder = _folders().get(key)
    if folder is None:
        raise SnapshotError(
            f"Argument `name` must be an IBM snapshot, but is {quoted(name)} "
            f"({closest(f'ibm_{key}', available_ibm(), 'qhw devices')})."
        )
    raw = [(folder / f"{part}_{key}.json").read_bytes() for part in ("conf", "props")]
    conf, props = (json.loads(part) for part in raw)
    return ibm_snapshot(
        conf,
        props,
        name=f"ibm_{key}",
        source=f"qiskit-ibm-runtime {_runtime()}, fake_{key}{_made_up(conf)}",
        sha256=hashlib.sha256(b"".join(raw)).hexdigest(),
    )


def read_ibm_backend(backend: Any) -> DeviceSnapshot:
    """Read the present calibration of a Qiskit ``BackendV2`` with ``properties()``.

    Args:
        backend: an ``IBMBackend`` or one of IBM's fake backends.

    Raises:
        SnapshotError: the backend has no calibration properties.
    """
    properties = backend.properties() if hasattr(backend, "properties") else None
    if properties is None:
        raise SnapshotError(f"backend {backend.name} must have properties(), but has none")
    conf, props = backend.configuration().to_dict(), properties.to_dict()
    raw = json.dumps([conf, props], sort_keys=True, default=str).encode()
    return ibm_snapshot(
        conf,
        props,
        name=f"ibm_{_short(backend.name)}",
        source=f"properties() of {backend.name} {backend.backend_version or ''}".strip(),
        sha256=hashlib.sha256(raw).hexdigest(),
    )


def ibm_snapshot(conf: Json, props: Json, *, name: str, source: str, sha256: str) -> DeviceSnapshot:
    """Convert IBM's configuration and properties dictionaries.

    Args:
        conf: backend configuration (``n_qubits``, ``basis_gates``, ``coupling_map``, ...).
        props: backend properties (``qubits``, ``gates``, ``last_update_date``).
        name: house name.
        source: where they come from.
        sha256: hash of the raw payload.

    Raises:
        SnapshotError: a part is missing or malformed; the line names it.
    """
    clean = Cleaner()
    try:
        basis = tuple(str(g) for g in conf["basis_gates"])
        qubits = _qubits(conf, props, source, clean)
        gates = _gates(props, basis, source, clean)
        pairs = {(min(p), max(p)) for p in conf.get("coupling_map") or ()}
        taken = props["last_update_date"]
        joined = {(min(g.qubits), max(g.qubits)) for g in gates if len(g.qubits) == 2}
        for pair in sorted(pairs - joined):
            clean.note("coupling without a gate", pair)
        native = {g.name: len(g.qubits) for g in gates if g.name in basis}
        optional = {g.name for g in gates if g.name not in basis and g.usable}
        revision = conf.get("processor_type") or {}
        return DeviceSnapshot(
            name=name,
            vendor="ibm",
            processor=_processor(revision),
            taken=taken if isinstance(taken, datetime) else datetime.fromisoformat(taken),
            source=source,
            payload_sha256=sha256,
            qubits=qubits,
            gates=gates,
            couplings=tuple(sorted(pairs)),
            one_qubit_gates=tuple(g for g in basis if native.get(g) == 1),
            two_qubit_gates=tuple(g for g in basis if native.get(g) == 2),
            optional_gates=tuple(sorted(optional)),
            virtual_gates=tuple(g for g in basis if g in _VIRTUAL),
            gate_limits=(_RZZ_LIMIT,) if "rzz" in optional | set(basis) else (),
            job_limits=JobLimits(
                max_shots=conf.get("max_shots"), max_circuits=conf.get("max_experiments")
            ),
            dt_s=_clock(Node(dict(conf), f"{source}, configuration")),
            corrections=tuple(clean.corrections),
        )
    except SnapshotError:
        raise
    except KeyError as error:
        raise SnapshotError(f"{source}: {error} is missing") from error
    except (TypeError, AttributeError, ValueError, IndexError, OverflowError) as error:
        raise SnapshotError(f"{source}: {' '.join(str(error).split())}") from error


def _made_up(conf: Json) -> str:
    """End of the source of a device that is no machine."""
    name = str(conf.get("backend_name", ""))
    if not name.startswith(_FAKE):
        return ""
    return f"{MADE_UP}IBM's own payload calls it {name}, where machines have their name"


def _qubits(conf: Json, props: Json, source: str, clean: Cleaner) -> tuple[Qubit, ...]:
    places = conf.get("coords") or ()
    if len(places) != len(props["qubits"]):  # only a drawing hangs on them
        places = [None] * len(props["qubits"])
    qubits = []
    for index, (entries, place) in enumerate(zip(props["qubits"], places, strict=True)):
        value = _figures(Node(entries, source, f"qubits.{index}"), _OF_QUBITS)
        t1, t2 = clean.lifetimes(index, value.get("T1"), value.get("T2"))
        p10, p01 = value.get("prob_meas1_prep0"), value.get("prob_meas0_prep1")
        p10, p01 = clean.readout(index, p10, p01, value.get("readout_error"))
        duration = clean.readout_duration(index, value.get("readout_length"))
        xy = (float(place[0]), float(place[1])) if place else None
        qubits.append(
            Qubit(label=index, t1_s=t1, t2_s=t2, p10=p10, p01=p01, readout_s=duration, xy=xy)
        )
    return clean.filled_readout(qubits)


def _gates(props: Json, basis: tuple[str, ...], source: str, clean: Cleaner) -> tuple[Gate, ...]:
    gates = []
    for index, entry in enumerate(props["gates"]):
        name = entry["gate"]
        if name == "reset" or (name not in basis and name not in _FRACTIONAL):
            continue
        on = ", ".join(map(str, entry["qubits"]))
        place = f"gates.{index} ({name} on {on})"
        value = _figures(Node(entry["parameters"], source, place), _OF_GATES)
        error, duration = value.get("gate_error"), value.get("gate_length")
        gates.append(clean.gate(name, entry["qubits"], error, duration))
    return clean.filled_gates(gates)


def _figures(listed: Node, wanted: tuple[str, ...]) -> dict[str, float | None]:
    """Values by name in SI units, ``None`` for what was not measured."""
    found: dict[str, float | None] = {}
    for index, entry in enumerate(listed.entries()):
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            name = listed[index]["name"].text()  # says what is wrong
        if name in wanted:
            value, unit = entry.get("value"), entry.get("unit")
            scale = _SCALES.get((name in _TIMES, unit)) if isinstance(unit, str) else None
            if type(value) is float and scale is not None and math.isfinite(value):
                found[name] = value * scale  # as nearly all are: tens of thousands of a catalogue
            else:
                found[name] = _si(name, Node(entry, listed.file, f"{listed.path}.{name}"))
    return found


def _si(name: str, entry: Node) -> float | None:
    value = entry.figure("value")
    unit = entry.value.get("unit", "")
    if value is None or name not in _TIMES:
        return value
    if not isinstance(unit, str) or unit not in SECONDS:
        raise Node(unit, entry.file, f"{entry.path}.unit").wrong(
            f"a unit of time ({', '.join(SECONDS)})"
        )
    return value * SECONDS[unit]


def _clock(conf: Node) -> float | None:
    # IBM writes nanoseconds; one old snapshot and live configurations hold seconds. No control
    # system ticks slower than a millisecond or faster than a picosecond.
    dt = conf.figure("dt") if "dt" in conf.value else None
    if not dt:
        return None
    return dt if dt < 1e-6 else dt * 1e-9


def _processor(kind: Json) -> str:
    if not kind:
        return "unknown"
    return f"{kind.get('family', 'unknown')} r{kind.get('revision', '?')}"


def _short(name: str) -> str:
    for prefix in ("fake_", "ibmq_16_", "ibmq_", "ibm_"):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


@cache
def _runtime() -> str:
    return importlib.metadata.version("qiskit-ibm-runtime")


@cache
def _folders() -> dict[str, Path]:
    # found without importing qiskit_ibm_runtime, which takes seconds
    spec = importlib.util.find_spec("qiskit_ibm_runtime")
    if spec is None or not spec.submodule_search_locations:
        return {}
    root = Path(spec.submodule_search_locations[0]) / "fake_provider" / "backends"
    return {p.name: p for p in root.glob("*") if (p / f"props_{p.name}.json").exists()}
