"""Devices of the loopback Braket: our snapshots as the ``deviceCapabilities`` Amazon publishes."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from backends.braket.devices import ARNS
from calibration.catalog import load_snapshot
from calibration.snapshot import DeviceSnapshot

_PROVIDERS = {"iqm": "IQM", "rigetti": "Rigetti", "ionq": "IonQ", "amazon": "Amazon Braket"}
_NATIVE = {
    "r": "prx",
    "rx": "rx",
    "rz": "rz",
    "gpi": "GPI",
    "gpi2": "GPI2",
    "cz": "cz",
    "rzz": "ZZ",
    "iswap": "iswap",
    "cp": "cphaseshift",
}
_VERSIONS = {"iqm": "1", "rigetti": "2", "ionq": "1"}
_ALWAYS_OPEN = {
    "executionDay": "Everyday",
    "windowStartHour": "00:00:00",
    "windowEndHour": "23:59:59",
}
_PROGRAM = "braket.ir.openqasm.program"
_PROGRAM_SET = "braket.ir.openqasm.program_set"
_DEBIAS = "braket.device_schema.error_mitigation.debias.Debias"
_DEBIAS_SHOTS = 2500
_SIMULATED_QUBITS = {"sv1": 34, "dm1": 17}


class LoopbackDevice:
    """One device of the loopback service.

    Args:
        name: house name; a QPU's snapshot must be shipped with the house.
        windows: opening hours as Amazon writes them; always open by default.
    """

    def __init__(self, name: str, windows: list[dict[str, str]] | None = None) -> None:
        self.name = name
        self.arn = ARNS[name]
        self.simulator = "/quantum-simulator/" in self.arn
        self.snapshot = None if self.simulator else load_snapshot(name)
        self.status = "ONLINE"
        self.windows = [_ALWAYS_OPEN] if windows is None else windows

    @property
    def usd_per_shot(self) -> float:
        """Price of a shot."""
        price = self.snapshot.price if self.snapshot else None
        return price.usd_per_shot if price else 0.0

    def description(self) -> dict[str, Any]:
        """What GetDevice answers."""
        vendor = self.snapshot.vendor if self.snapshot else "amazon"
        return {
            "deviceArn": self.arn,
            "deviceName": self.arn.rpartition("/")[2],
            "providerName": _PROVIDERS[vendor],
            "deviceType": "SIMULATOR" if self.simulator else "QPU",
            "deviceStatus": self.status,
            "deviceCapabilities": json.dumps(self.capabilities()),
            "deviceQueueInfo": [
                {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": "0", "queuePriority": "Normal"}
            ],
        }

    def capabilities(self) -> dict[str, Any]:
        """The document inside GetDevice's answer."""
        if self.snapshot is None:
            return _simulator(self.windows, _SIMULATED_QUBITS[self.name])
        return qpu_capabilities(self.snapshot, self.windows)


def qpu_capabilities(snapshot: DeviceSnapshot, windows: list[dict[str, str]]) -> dict[str, Any]:
    """A snapshot as ``deviceCapabilities``; what it does not hold is left out.

    Args:
        snapshot: of IQM, Rigetti or IonQ.
        windows: opening hours as Amazon writes them.
    """
    vendor = snapshot.vendor
    limits = snapshot.job_limits
    price = snapshot.price.usd_per_shot if snapshot.price else 0.0
    action = _program_action()
    if limits.max_circuits is not None:
        action[_PROGRAM_SET] = {
            "version": ["1"],
            "actionType": _PROGRAM_SET,
            "maximumExecutables": limits.max_circuits,
            "maximumTotalShots": limits.max_total_shots,
        }
    return {
        "braketSchemaHeader": {
            "name": f"braket.device_schema.{vendor}.{vendor}_device_capabilities",
            "version": _VERSIONS[vendor],
        },
        "service": {
            **_header("device_service_properties"),
            "executionWindows": windows,
            "shotsRange": [limits.min_shots, limits.max_shots or 10_000],
            "deviceCost": {"price": price, "unit": "shot"},
            "deviceDocumentation": {
                "imageUrl": "",
                "summary": "calibration of a snapshot",
                "externalDocumentationUrl": "",
            },
            "deviceLocation": "this machine",
            "updatedAt": snapshot.taken.isoformat(),
        },
        "action": action,
        "deviceParameters": {},
        "paradigm": {
            **_header("gate_model_qpu_paradigm_properties"),
            "connectivity": _connectivity(snapshot),
            "qubitCount": snapshot.n_qubits,
            "nativeGateSet": [
                _NATIVE[g] for g in (*snapshot.one_qubit_gates, *snapshot.two_qubit_gates)
            ],
        },
        **(_whole(snapshot) if vendor == "ionq" else _each(snapshot)),
    }


def _connectivity(snapshot: DeviceSnapshot) -> dict[str, Any]:
    near: dict[str, list[str]] = {str(label): [] for label in snapshot.labels}
    for a, b in snapshot.couplings:
        near[str(snapshot.labels[a])].append(str(snapshot.labels[b]))
        near[str(snapshot.labels[b])].append(str(snapshot.labels[a]))
    n = snapshot.n_qubits
    full = len(snapshot.couplings) == n * (n - 1) // 2
    return {"fullyConnected": full, "connectivityGraph": near}


def _each(snapshot: DeviceSnapshot) -> dict[str, Any]:
    """IQM and Rigetti: figures of every qubit and coupling."""
    labels = snapshot.labels
    error_of = {g.qubits[0]: g.error for g in snapshot.gates if g.name in ("r", "rx")}
    ones = {}
    for q, qubit in enumerate(snapshot.qubits):
        known = []
        error = error_of.get(q)
        if error is not None:
            known.append(_fidelity("RANDOMIZED_BENCHMARKING", 1 - error))
        if qubit.p10 is not None and qubit.p01 is not None:
            known.append(_fidelity("READOUT", 1 - (qubit.p10 + qubit.p01) / 2))
            known.append(_fidelity("READOUT_ERROR_0_TO_1", qubit.p10))
            known.append(_fidelity("READOUT_ERROR_1_TO_0", qubit.p01))
        # a lifetime that is not known is given as very long: the schema has no word for it
        ones[str(qubit.label)] = {
            "T1": {"value": qubit.t1_s or 1e3, "unit": "s"},
            "T2": {"value": qubit.t2_s or 1e3, "unit": "s"},
            "oneQubitFidelity": known,
        }
    twos: dict[str, Any] = defaultdict(lambda: {"twoQubitGateFidelity": []})
    for gate in snapshot.gates:
        if gate.name in snapshot.two_qubit_gates:
            pair = "-".join(str(labels[q]) for q in gate.qubits)
            value = 0.0 if gate.error is None else 1 - gate.error
            entry = _fidelity("INTERLEAVED_RANDOMIZED_BENCHMARKING", value)
            entry["gateName"] = _NATIVE[gate.name].upper()
            twos[pair]["twoQubitGateFidelity"].append(entry)
    return {
        "provider": {
            "braketSchemaHeader": {
                "name": f"braket.device_schema.{snapshot.vendor}."
                f"{snapshot.vendor}_provider_properties",
                "version": _VERSIONS[snapshot.vendor],
            },
            "specs": {},
            "properties": {},
        },
        "standardized": {
            **_header("standardized_gate_model_qpu_device_properties"),
            "oneQubitProperties": ones,
            "twoQubitProperties": dict(twos),
        },
    }


def _whole(snapshot: DeviceSnapshot) -> dict[str, Any]:
    """IonQ: figures of the device as a whole."""
    qubit = snapshot.qubits[0]
    one = next(g for g in snapshot.gates if g.name in snapshot.one_qubit_gates)
    two = next(g for g in snapshot.gates if g.name in snapshot.two_qubit_gates)
    return {
        "provider": {
            "braketSchemaHeader": {
                "name": "braket.device_schema.ionq.ionq_provider_properties",
                "version": "1",
            },
            "fidelity": {
                "1Q": {"mean": 1 - (one.error or 0.0)},
                "2Q": {"mean": 1 - (two.error or 0.0)},
                "spam": {"mean": 1 - (qubit.readout_error or 0.0)},
            },
            "timing": {
                "T1": qubit.t1_s,
                "T2": qubit.t2_s,
                "1Q": one.duration_s,
                "2Q": two.duration_s,
                "readout": qubit.readout_s,
                "reset": 0.0,
            },
            "errorMitigation": {_DEBIAS: {"minimumShots": _DEBIAS_SHOTS}},
        },
        "standardized": {
            "braketSchemaHeader": {
                "name": "braket.device_schema.standardized_gate_model_qpu_device_properties",
                "version": "3",
            },
            "T1": {"value": qubit.t1_s, "unit": "s"},
            "T2": {"value": qubit.t2_s, "unit": "s"},
            "readoutFidelity": [_fraction(1 - (qubit.readout_error or 0.0))],
            "twoQubitGateFidelity": [_fraction(1 - (two.error or 0.0))],
        },
    }


def _simulator(windows: list[dict[str, str]], qubits: int) -> dict[str, Any]:
    return {
        "braketSchemaHeader": {
            "name": "braket.device_schema.simulators.gate_model_simulator_device_capabilities",
            "version": "1",
        },
        "service": {
            **_header("device_service_properties"),
            "executionWindows": windows,
            "shotsRange": [0, 100_000],
            "deviceCost": {"price": 0.075, "unit": "minute"},
        },
        "action": _program_action(),
        "deviceParameters": {},
        "paradigm": {
            "braketSchemaHeader": {
                "name": "braket.device_schema.simulators.gate_model_simulator_paradigm_properties",
                "version": "1",
            },
            "qubitCount": qubits,
        },
    }


def _program_action() -> dict[str, Any]:
    told = {"version": ["1.0"], "actionType": _PROGRAM}
    kinds = [{"name": "Sample", "observables": ["z"], "minShots": 1, "maxShots": 100_000}]
    operations = ["cz", "rx", "ry", "rz"]
    return {_PROGRAM: {**told, "supportedOperations": operations, "supportedResultTypes": kinds}}


def _fidelity(name: str, value: float) -> dict[str, Any]:
    return {"fidelityType": {"name": name}, "fidelity": value}


def _fraction(value: float) -> dict[str, Any]:
    return {**_fidelity("RANDOMIZED_BENCHMARKING", value), "unit": "fraction"}


def _header(name: str) -> dict[str, Any]:
    return {"braketSchemaHeader": {"name": f"braket.device_schema.{name}", "version": "1"}}
