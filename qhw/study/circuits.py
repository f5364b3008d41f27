"""A model's circuits, compiled once for a device and kept as one file for every cell to bind."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

from pydantic import (
    Base64Bytes,
    BaseModel,
    ConfigDict,
    JsonValue,
    ValidationError,
    model_validator,
)
from qiskit import QuantumCircuit

from backends.aer import AerBackend
from backends.base import CompiledTemplate
from backends.engine.backend import EngineBackend
from backends.stored import StoredError, pack, unpack
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions
from calibration.snapshot import DeviceSnapshot
from qhw.circuits.templates import Preparation
from qhw.circuits.workload import Role, Workload
from qhw.models.checkpoint import load
from qhw.models.exact import ROLES, template_of
from qhw.study.config import Simulator, StudyTask
from qhw.study.grid import CircuitKey

_SIMULATORS: dict[Simulator, type[AerBackend]] = {"engine": EngineBackend, "aer": AerBackend}


class StoredCircuit(BaseModel):
    """A :class:`CompiledTemplate` without its snapshot, see :mod:`backends.stored`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    qpy: Base64Bytes
    facts: dict[str, JsonValue]

    @model_validator(mode="before")
    @classmethod
    def _of_version_1(cls, found: Any) -> Any:
        """Facts stood beside the circuit, and all were scheduled without a word of it."""
        if isinstance(found, dict) and "facts" not in found:
            facts = {name: value for name, value in found.items() if name != "qpy"}
            return {"qpy": found.get("qpy"), "facts": {**facts, "scheduled": True}}
        return found


class CircuitSet(BaseModel):
    """All circuits of a task on one device, and the calibration they were compiled against.

    Attributes:
        format_version: of this schema.
        snapshot: :meth:`DeviceSnapshot.to_json`.
        circuits: by role.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1, 2] = 2
    snapshot: str
    circuits: dict[Role, StoredCircuit]

    @classmethod
    def from_json(cls, text: str | bytes, where: str) -> CircuitSet:
        """Read what ``model_dump_json`` wrote.

        Raises:
            StoredError: it does not fit; the line names the file and the place.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the whole"
            raise StoredError(f"{where}: `{place}`: {first['msg']}") from error


def compile_circuits(
    key: CircuitKey, preparation: Preparation, task: StudyTask, workload: Workload | None = None
) -> CircuitSet:
    """Compile a model, or a workload in its place, for a device.

    Raises:
        ValueError: unknown model or device.
        BackendError: a circuit does not fit the device.
    """
    free: dict[Role, QuantumCircuit]
    if workload is not None:
        free = {workload.role: workload.circuit}
    else:
        model = load(key.model)[0].double()
        free = {role: template_of(model, role, preparation).circuit for role in ROLES[task]}
    snapshot = load_snapshot(key.device)
    backend = AerBackend(snapshot)
    circuits = {
        role: _stored(backend.compile(circuit, seed=key.layout_seed))
        for role, circuit in free.items()
    }
    return CircuitSet(snapshot=snapshot.to_json(), circuits=circuits)


@lru_cache(maxsize=8)
def _opened(text: str) -> tuple[DeviceSnapshot, dict[Role, CompiledTemplate]]:
    stored = CircuitSet.from_json(text, "kept circuits")
    snapshot = DeviceSnapshot.from_json(stored.snapshot, "kept circuits")
    return snapshot, {role: _template(c, snapshot) for role, c in stored.circuits.items()}


def open_circuits(
    text: str, simulator: Simulator, noise: NoiseOptions
) -> tuple[AerBackend, dict[Role, CompiledTemplate]]:
    """A backend with this noise and the circuits to run on it.

    Args:
        text: JSON of a :class:`CircuitSet`; opened once a process.
        simulator: which one.
        noise: strength of each source.

    Raises:
        StoredError: the circuits cannot be read.
    """
    snapshot, compiled = _opened(text)
    return _SIMULATORS[simulator](snapshot, noise=noise), compiled


def _stored(compiled: CompiledTemplate) -> StoredCircuit:
    data, (facts,) = pack(compiled)
    # built, not parsed: parsing would take the bytes for base64 text
    return StoredCircuit.model_construct(qpy=data, facts=facts)


def _template(stored: StoredCircuit, snapshot: DeviceSnapshot) -> CompiledTemplate:
    try:
        (found,) = unpack(stored.qpy, [stored.facts], snapshot)
    except StoredError as error:
        raise StoredError(f"kept circuits: {error}") from error
    return found
