"""Devices of the loopback IBM: payloads out of qiskit-ibm-runtime, as IBM's service sends them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from calibration.catalog import load_snapshot
from calibration.readers.ibm import read_ibm_fake
from calibration.snapshot import DeviceSnapshot

_PARAMETERS = {"rx": ["theta"], "rzz": ["theta"]}


@dataclass(frozen=True)
class Device:
    """One device.

    Attributes:
        name: for example ``ibm_boston``.
        configuration: JSON of ``/configuration``; fractional gates are listed as native where they
            are calibrated, as IBM's service does.
        properties: JSON of ``/properties``.
        snapshot: the same in our form.
    """

    name: str
    configuration: dict[str, Any]
    properties: dict[str, Any]
    snapshot: DeviceSnapshot

    @property
    def rep_delay_s(self) -> float:
        """Pause between shots when a job asks for none, seconds."""
        return float(self.configuration.get("default_rep_delay") or 250.0) * 1e-6


@lru_cache(maxsize=8)
def load_device(name: str) -> Device:
    """A device whose calibration is in the installed qiskit-ibm-runtime.

    Raises:
        SnapshotError: there is none of that name, or it is made up: IBM could not offer it.
    """
    snapshot = load_snapshot(read_ibm_fake(name).name, machine=True)
    key = snapshot.name.removeprefix("ibm_")
    folder = files("qiskit_ibm_runtime").joinpath("fake_provider", "backends", key)
    conf, props = (
        json.loads(folder.joinpath(f"{part}_{key}.json").read_text(encoding="utf-8"))
        for part in ("conf", "props")
    )
    conf["backend_name"] = props["backend_name"] = snapshot.name
    for gate in snapshot.optional_gates:
        places = [list(g.qubits) for g in snapshot.gates if g.name == gate and g.usable]
        conf["basis_gates"] = [*conf["basis_gates"], gate]
        conf["gates"].append(
            {
                "name": gate,
                "parameters": _PARAMETERS[gate],
                "qasm_def": "",
                "coupling_map": places,
            }
        )
    return Device(snapshot.name, conf, props, snapshot)
