"""What a device was like at one time: the one calibration format for every vendor.

Qubits are counted ``0 .. n_qubits-1`` everywhere in the house; :attr:`Qubit.label` keeps the
vendor's own number (IQM on Braket counts from 1). Times are seconds, angles radians, errors
average gate infidelities (1 - average gate fidelity), moments timezone-aware UTC.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from statistics import median
from typing import Annotated, Any, Self, TypeVar

import rustworkx as rx
from pydantic import Field, model_validator

from calibration.documents import read_document
from calibration.parts import (
    Correction,
    Frozen,
    Gate,
    GateLimit,
    JobLimits,
    Lifetime,
    Price,
    Qubit,
    Utc,
)

__all__ = [
    "SCHEMA_VERSION",
    "Correction",
    "DeviceSnapshot",
    "Gate",
    "GateLimit",
    "JobLimits",
    "Price",
    "Qubit",
    "SnapshotError",
]

SCHEMA_VERSION = 1
"""Version written by this code; every version up to it is read."""
MADE_UP = "; made up: "
"""In the source of a snapshot whose device is no machine, before the reason."""

_Placed = TypeVar("_Placed", Gate, Correction)


class SnapshotError(ValueError):
    """A calibration file or snapshot cannot be used; one line says where and why."""


class DeviceSnapshot(Frozen):
    """Calibration of a device at a time.

    Attributes:
        name: house name, for example ``ibm_boston`` or ``iqm_garnet``.
        vendor: ``ibm``, ``iqm``, ``rigetti``, ``ionq`` or ``aqt``.
        processor: vendor's processor name and revision, for example ``Heron r3``.
        taken: time of calibration (UTC).
        source: where the numbers come from, one line.
        payload_sha256: SHA-256 of the raw payload they were read from.
        qubits: the qubits, index is the house's qubit number.
        gates: every reported gate on its qubits, dead ones included.
        couplings: unordered pairs ``(a, b)``, ``a < b``, that the vendor lists as connected.
        one_qubit_gates: names of the native one-qubit gates.
        two_qubit_gates: names of the native two-qubit gates.
        optional_gates: calibrated gates that must be asked for (IBM's fractional ``rx``, ``rzz``).
        virtual_gates: gates done in software, without error or duration.
        gate_limits: angles accepted.
        job_limits: shots and circuits accepted.
        price: what it costs, when known.
        dt_s: clock period of the schedule, when known.
        corrections: what was clamped, masked or missing.
        schema_version: version of this format.
    """

    name: str
    vendor: str
    processor: str
    taken: Utc
    source: str
    payload_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    qubits: tuple[Qubit, ...] = Field(min_length=1, repr=False)
    gates: tuple[Gate, ...] = Field(repr=False)
    couplings: tuple[tuple[int, int], ...] = Field(repr=False)
    one_qubit_gates: tuple[str, ...]
    two_qubit_gates: tuple[str, ...]
    optional_gates: tuple[str, ...] = ()
    virtual_gates: tuple[str, ...] = ()
    gate_limits: tuple[GateLimit, ...] = ()
    job_limits: JobLimits = JobLimits()
    price: Price | None = None
    dt_s: Lifetime | None = None
    corrections: tuple[Correction, ...] = Field(default=(), repr=False)
    schema_version: int = SCHEMA_VERSION

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        n = len(self.qubits)
        if len({q.label for q in self.qubits}) != n:
            raise ValueError("qubit labels must differ")
        for gate in self.gates:
            if not all(0 <= q < n for q in gate.qubits) or len(set(gate.qubits)) != len(
                gate.qubits
            ):
                raise ValueError(
                    f"gate {gate.name} acts on {gate.qubits}, but there are {n} qubits"
                )
        for a, b in self.couplings:
            if not 0 <= a < b < n:
                raise ValueError(f"coupling ({a}, {b}) must be ordered and below {n}")
        return self

    # -- size and age ----------------------------------------------------------------------------
    @property
    def n_qubits(self) -> int:
        """Number of qubits."""
        return len(self.qubits)

    @property
    def labels(self) -> tuple[int, ...]:
        """The vendor's number of each qubit."""
        return tuple(q.label for q in self.qubits)

    def age(self, now: datetime | None = None) -> timedelta:
        """Time since calibration.

        Args:
            now: timezone-aware moment to measure from; the present by default.
        """
        return (now or datetime.now(UTC)) - self.taken

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's; what was looked up in the old values is not taken over."""
        copied = super().model_copy(update=update, deep=deep)
        for name, value in vars(type(self)).items():
            if isinstance(value, cached_property):
                copied.__dict__.pop(name, None)
        return copied

    # -- gates -----------------------------------------------------------------------------------
    @cached_property
    def _by_place(self) -> dict[tuple[str, tuple[int, ...]], Gate]:
        return {(g.name, g.qubits): g for g in self.gates}

    def gate(self, name: str, qubits: Sequence[int]) -> Gate | None:
        """The gate as reported on exactly these qubits (either order for two), or ``None``."""
        place = tuple(qubits)
        found = self._by_place.get((name, place))
        return found or self._by_place.get((name, place[::-1]))

    def two_qubit_gate(self, a: int, b: int) -> Gate | None:
        """The usable native two-qubit gate of lowest error between two qubits, or ``None``."""
        return self._best_two_qubit.get((min(a, b), max(a, b)))

    @cached_property
    def _best_two_qubit(self) -> dict[tuple[int, int], Gate]:
        best: dict[tuple[int, int], Gate] = {}
        for gate in self.gates:
            alive = gate.usable and not self.dead_qubits.intersection(gate.qubits)
            if gate.name in self.two_qubit_gates and alive:
                pair = (min(gate.qubits), max(gate.qubits))
                if pair not in best or _known(gate.error) < _known(best[pair].error):
                    best[pair] = gate
        return best

    @cached_property
    def dead_qubits(self) -> frozenset[int]:
        """Qubits on which a native one-qubit gate is dead."""
        dead = (g for g in self.gates if g.name in self.one_qubit_gates and not g.usable)
        return frozenset(q for g in dead for q in g.qubits)

    @cached_property
    def usable_couplings(self) -> tuple[tuple[int, int], ...]:
        """Pairs with a usable native two-qubit gate, sorted."""
        return tuple(sorted(self._best_two_qubit))

    @cached_property
    def dead_couplings(self) -> tuple[tuple[int, int], ...]:
        """Pairs that are listed as connected but have no usable native two-qubit gate."""
        return tuple(sorted(set(self.couplings) - set(self.usable_couplings)))

    def coupling_graph(self) -> rx.PyGraph:
        """Undirected rustworkx graph of the usable couplings; an edge carries its :class:`Gate`."""
        graph = rx.PyGraph(multigraph=False)
        graph.add_nodes_from(range(self.n_qubits))
        graph.add_edges_from([(a, b, g) for (a, b), g in sorted(self._best_two_qubit.items())])
        return graph

    def limit(self, gate: str) -> GateLimit | None:
        """The angle limit of a gate, or ``None`` when any angle is accepted."""
        return next((limit for limit in self.gate_limits if limit.gate == gate), None)

    # -- medians ---------------------------------------------------------------------------------
    def median_two_qubit_error(self) -> float | None:
        """Median error of the best gate of each usable coupling."""
        return _median(g.error for g in self._best_two_qubit.values())

    def median_one_qubit_error(self) -> float | None:
        """Median error of the native one-qubit gates, virtual and idle ones left out."""
        names = set(self.one_qubit_gates) - set(self.virtual_gates) - {"id"}
        return _median(g.error for g in self.gates if g.name in names and g.usable)

    def median_two_qubit_duration(self) -> float | None:
        """Median duration of the best gate of each usable coupling, seconds."""
        return _median(g.duration_s for g in self._best_two_qubit.values())

    @property
    def made_up(self) -> str | None:
        """Why no machine stands behind it; ``None`` for a calibration of one."""
        return self.source.partition(MADE_UP)[2] or None

    def median_qubit(self, read: Callable[[Qubit], float | None]) -> float | None:
        """Median over qubits of a quantity, for example ``lambda q: q.t1_s``."""
        return _median(map(read, self.qubits))

    def median_readout_error(self) -> float | None:
        """Median of the qubits' mean readout errors."""
        return self.median_qubit(lambda q: q.readout_error)

    def correction_counts(self) -> dict[str, int]:
        """How often each kind of correction was made, most frequent first."""
        return dict(Counter(c.kind for c in self.corrections).most_common())

    # -- parts -----------------------------------------------------------------------------------
    def restricted(self, qubits: Sequence[int]) -> DeviceSnapshot:
        """The same device with only these qubits, counted ``0 .. k-1`` in the given order.

        Args:
            qubits: distinct qubits of this snapshot.

        Raises:
            ValueError: a qubit is repeated or does not exist.
        """
        new = {q: i for i, q in enumerate(qubits)}
        if len(new) != len(qubits) or not all(0 <= q < self.n_qubits for q in qubits):
            raise ValueError(
                f"Argument `qubits` must be distinct numbers below {self.n_qubits}, "
                f"but is {list(qubits)}."
            )
        pairs = ((new[a], new[b]) for a, b in self.couplings if a in new and b in new)
        kept = {name: getattr(self, name) for name in type(self).model_fields}
        kept |= {
            "qubits": tuple(self.qubits[q] for q in qubits),
            "gates": tuple(_moved(g, new) for g in self.gates if new.keys() >= set(g.qubits)),
            "couplings": tuple(sorted((min(p), max(p)) for p in pairs)),
            "corrections": tuple(
                _moved(c, new) for c in self.corrections if new.keys() >= set(c.qubits)
            ),
        }
        # a new object, not model_copy: that would carry the cached look-ups along
        return DeviceSnapshot(**kept)

    # -- files -----------------------------------------------------------------------------------
    def to_json(self) -> str:
        """JSON text, one qubit, gate or coupling a line; missing values are left out."""
        return _lines(self.model_dump(mode="json", exclude_none=True))

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "snapshot") -> DeviceSnapshot:
        """Read what :meth:`to_json` wrote, in this or an earlier version.

        Args:
            text: JSON text.
            where: name of the file, used in errors.

        Raises:
            SnapshotError: not JSON, a newer version, or a value out of range; the line names the
                file and the place.
        """
        return read_document(cls, text, SCHEMA_VERSION, where, SnapshotError)


def _moved(item: _Placed, new: dict[int, int]) -> _Placed:
    return item.model_copy(update={"qubits": tuple(new[q] for q in item.qubits)})


def _known(error: float | None) -> float:
    """An error not reported is no reason to prefer a gate."""
    return math.inf if error is None else error


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _lines(data: dict[str, Any]) -> str:
    """JSON with one line for each element of a top-level list, so that two dates can be diffed."""
    parts = []
    for key, value in data.items():
        if isinstance(value, list) and value and isinstance(value[0], dict | list):
            rows = ",\n    ".join(json.dumps(row) for row in value)
            parts.append(f"  {json.dumps(key)}: [\n    {rows}\n  ]")
        else:
            parts.append(f"  {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
