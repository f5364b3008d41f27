"""What the read-out of a model is refitted to: counts of rows whose exact outcome is known.

The counts are stored, not the refitted map: the map follows from them in closed form, of raw counts
and of corrected ones alike, and nothing that was measured is lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from backends.base import CompiledTemplate
from calibration.documents import read_bounded, read_document
from calibration.parts import Frozen, Utc
from calibration.readout import AGE_LIMIT
from calibration.snapshot import DeviceSnapshot
from qhw.analysis.compare.facts import PredictionFacts
from qhw.analysis.compare.parsed import Parsed
from qhw.analysis.compare.settings import Preparation
from qhw.circuits.fingerprint import fingerprint
from qhw.models.base import Model
from qhw.models.checkpoint import weights_sha256

FloatArray = NDArray[np.float64]
HeadRole: TypeAlias = Literal["encoder", "decoder"]

SCHEMA_VERSION = 1
FEWEST_ROWS = 3
"""To be fitted, with one of them left out."""
MOST_ROWS = 10_000
_MOST_NUMBERS = 4_000_000
"""Counts of one circuit: a file's are all held at once."""


def _different(roles: tuple[HeadRole, ...]) -> tuple[HeadRole, ...]:
    if not roles or len(set(roles)) != len(roles):
        raise ValueError(f"must name encoder, decoder or both once, but is {list(roles)}")
    return roles


class HeadSettings(Parsed):
    """What a calibration of read-outs is asked for; equal settings are the same paid run.

    Attributes:
        device: backend name.
        model: shipped name or path of a checkpoint.
        weights_sha256: of the model, see :func:`qhw.models.checkpoint.weights_sha256`.
        rows: inputs with known outcome.
        shots: of each.
        circuits: whose counts are taken, in the order they run.
        preparation: how amplitudes are loaded.
        seed: of inputs, compilation and simulated shots.
    """

    task: Literal["head"] = "head"
    device: str
    model: str
    weights_sha256: str
    rows: Annotated[int, Field(ge=FEWEST_ROWS, le=MOST_ROWS)] = 200
    shots: Annotated[int, Field(ge=1)] = 10_000
    circuits: Annotated[tuple[HeadRole, ...], AfterValidator(_different)] = ("encoder", "decoder")
    preparation: Preparation = "brickwork"
    seed: Annotated[int, Field(ge=0)] = 0


class CircuitCounts(Frozen):
    """Counts of one circuit's rows.

    Attributes:
        role: which circuit.
        fingerprint: of the compiled circuit and the device qubits it is on.
        qubits: of the device, in circuit order.
        two_qubit_gates: of the compiled circuit.
        inputs: a row each: latents of the decoder, data of the encoder's preparation.
        counts: raw, a row each, amplitude index of the measured wires.
        prediction: what the device's model said of them before they were sent; ``None`` on
            simulators and in earlier files.
    """

    role: HeadRole
    fingerprint: str
    qubits: tuple[int, ...]
    two_qubit_gates: int
    inputs: tuple[tuple[float, ...], ...] = Field(min_length=FEWEST_ROWS, max_length=MOST_ROWS)
    counts: tuple[tuple[Annotated[int, Field(ge=0, le=2**53)], ...], ...]
    prediction: Annotated[PredictionFacts | None, Field(exclude_if=lambda v: v is None)] = None

    @model_validator(mode="after")
    def _rectangular(self) -> Self:
        for name, table in (("inputs", self.inputs), ("counts", self.counts)):
            if len(table) != len(self.inputs) or len({len(row) for row in table}) != 1:
                raise ValueError(f"{name} must be {len(self.inputs)} rows of equal length")
        if len(self.counts) * len(self.counts[0]) > _MOST_NUMBERS:
            raise ValueError(f"counts must be at most {_MOST_NUMBERS} numbers")
        if not all(sum(row) for row in self.counts):
            raise ValueError("counts must have a shot in every row")
        return self

    def table(self) -> NDArray[np.int64]:
        """Counts ``(n, 2**m)``."""
        return np.array(self.counts, dtype=np.int64)

    def data(self) -> FloatArray:
        """Inputs ``(n, ...)``."""
        return np.array(self.inputs, dtype=np.float64)


class HeadCalibration(Frozen):
    """Counts that a model's read-outs are refitted to, and what they are of.

    Attributes:
        device: name of the backend.
        snapshot: name of the calibration that circuits were compiled against; ``None`` if ideal.
        snapshot_taken: when that was taken.
        model: name of it.
        weights_sha256: see :class:`HeadSettings`.
        taken: when the counts were complete.
        shots: of each row.
        preparation: how amplitudes are loaded.
        seed: of inputs and compilation.
        parts: one a circuit.
        usd: what it cost, or would have cost in a rehearsal.
        rehearsal: the vendor was a server on this machine.
        run: in the ledger; ``None`` of a simulator.
        schema_version: of this format.
    """

    device: str
    snapshot: str | None
    snapshot_taken: Utc | None
    model: str
    weights_sha256: str
    taken: Utc
    shots: Annotated[int, Field(ge=1)]
    preparation: Preparation
    seed: int
    parts: tuple[CircuitCounts, ...] = Field(min_length=1, max_length=2)
    usd: Annotated[float, Field(ge=0)] = 0.0
    rehearsal: bool = False
    run: str | None = None
    schema_version: int = SCHEMA_VERSION

    @model_validator(mode="after")
    def _one_a_circuit(self) -> Self:
        if len({part.role for part in self.parts}) != len(self.parts):
            raise ValueError("parts must be of different circuits")
        return self

    @property
    def total_shots(self) -> int:
        """Of all rows of all circuits."""
        return sum(len(part.counts) for part in self.parts) * self.shots

    def part(self, role: str) -> CircuitCounts | None:
        """Counts of a circuit, ``None`` where it was not calibrated."""
        return next((part for part in self.parts if part.role == role), None)

    def age(self, now: datetime | None = None) -> timedelta:
        """Time since the counts were complete; ``now`` timezone-aware, the present by default."""
        return (now or datetime.now(UTC)) - self.taken

    def sha256(self) -> str:
        """Of what :meth:`to_json` writes."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """JSON text."""
        return self.model_dump_json() + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "head calibration") -> HeadCalibration:
        """Read what :meth:`to_json` wrote, in this or an earlier version.

        Raises:
            ValueError: not such a document, or of a newer version; the line names ``where``.
        """
        return read_document(cls, text, SCHEMA_VERSION, where)


def read_head(path: str, device: str, model: Model, moment: datetime | None) -> HeadCalibration:
    """A file of ``qhw calibrate --head`` that may be used.

    Args:
        path: of the file.
        device: backend it must be of.
        model: that it must be of.
        moment: to which its age is counted, by default now.

    Raises:
        ValueError: a file that cannot be read, is of another device or model, or is stale.
    """
    try:
        text = read_bounded(Path(path)).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"Argument `head` must be a file, but {path}: {error}") from error
    found = HeadCalibration.from_json(text, path)
    if found.device != device:
        raise ValueError(f"Argument `head` must be of {device}, but {path} is of {found.device}")
    if found.weights_sha256 != weights_sha256(model):
        raise ValueError(
            f"Argument `head` must be of the model's very weights, but {path} is of others "
            f"({found.model})"
        )
    age = found.age(moment)
    if age > AGE_LIMIT:
        hours = age.total_seconds() / 3600
        raise ValueError(
            f"Argument `head` must be at most {AGE_LIMIT.total_seconds() / 3600:g} h old, but "
            f"{path} is {hours:.1f} h old; `qhw calibrate --head` measures it again"
        )
    return found


def check_parts(head: HeadCalibration, roles: Sequence[str], path: str) -> None:
    """Refuse counts of none of the circuits that run, which would be ignored.

    Raises:
        ValueError: names both.
    """
    measured = [part.role for part in head.parts]
    if not set(measured) & set(roles):
        raise ValueError(
            f"Argument `head` must be of a circuit that runs ({' and '.join(roles)}), but {path} "
            f"is of the {' and '.join(measured)}"
        )


def check_circuit(head: HeadCalibration, role: str, compiled: CompiledTemplate) -> None:
    """Refuse counts of another circuit, qubits or calibration of the device.

    Raises:
        ValueError: says which.
    """
    part = head.part(role)
    if part is None:
        return
    snapshot = compiled.snapshot
    if _identity(snapshot) != (head.snapshot, head.snapshot_taken):
        raise ValueError(
            f"Argument `head` must be measured with the device calibrated as it is now "
            f"({_said(*_identity(snapshot))}), but was with "
            f"{_said(head.snapshot, head.snapshot_taken)}; `qhw calibrate --head` measures it again"
        )
    if part.fingerprint != circuit_fingerprint(compiled):
        raise ValueError(
            f"Argument `head` must be of the {role} as it is compiled here, on qubits "
            f"{list(compiled.physical_qubits)}, but is of another, on {list(part.qubits)} "
            f"(measured with --seed {head.seed} --preparation {head.preparation})"
        )


def circuit_fingerprint(compiled: CompiledTemplate) -> str:
    """Equal for the same compiled circuit on the same device qubits."""
    text = f"{fingerprint(compiled.circuit)} {list(compiled.physical_qubits)}"
    return hashlib.sha256(text.encode()).hexdigest()


def _identity(snapshot: DeviceSnapshot | None) -> tuple[str | None, datetime | None]:
    return (None, None) if snapshot is None else (snapshot.name, snapshot.taken)


def _said(name: str | None, taken: datetime | None) -> str:
    return "no calibration" if name is None or taken is None else f"{name}, {taken:%Y-%m-%d %H:%M}"
