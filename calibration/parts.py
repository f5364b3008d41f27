"""The pieces of a device snapshot: qubits, gates, limits, price and corrections."""

from __future__ import annotations

import math
from datetime import UTC, date
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(ge=0.0)]
Lifetime = Annotated[float, Field(gt=0.0)]
Utc = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]


class Frozen(BaseModel):
    """An immutable value that refuses unknown fields, NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Qubit(Frozen):
    """One qubit.

    Attributes:
        label: the vendor's number for it.
        t1_s: relaxation time; ``None`` when not reported (no relaxation is then simulated).
        t2_s: dephasing time, at most ``2 * t1_s``; ``None`` when not reported.
        p10: probability of reading 1 after preparing 0; ``None`` when not reported.
        p01: probability of reading 0 after preparing 1; ``None`` when not reported.
        readout_s: duration of a measurement.
        xy: place in a drawing of the chip, where the vendor gives one.
    """

    label: int
    t1_s: Lifetime | None = None
    t2_s: Lifetime | None = None
    p10: Probability | None = None
    p01: Probability | None = None
    readout_s: Seconds | None = None
    xy: tuple[float, float] | None = None

    @property
    def readout_error(self) -> float | None:
        """Mean of the two directions, ``None`` when not reported."""
        return None if self.p10 is None or self.p01 is None else (self.p10 + self.p01) / 2

    @model_validator(mode="after")
    def _physical(self) -> Self:
        # one part in a million: decimal text of a clamped T2 must not be refused on re-reading
        if self.t1_s and self.t2_s and self.t2_s > 2 * self.t1_s * (1 + 1e-6):
            raise ValueError(f"t2_s {self.t2_s} is longer than twice t1_s {self.t1_s}")
        if (self.p10 is None) != (self.p01 is None):
            raise ValueError("p10 and p01 must both be given or both be missing")
        return self


class Gate(Frozen):
    """One native gate on given qubits.

    Attributes:
        name: Qiskit's name where it has one (``cz``, ``ecr``, ``sx``, ``rzz``), else the vendor's.
        qubits: qubits in the vendor's order (control first for ``cx``).
        error: average gate infidelity; ``None`` when not reported.
        duration_s: ``None`` when not reported; 0 for a virtual gate.
        usable: False for a dead gate (reported error 1 or above), which nothing may be placed on.
    """

    name: str
    qubits: tuple[int, ...]
    error: Probability | None = None
    duration_s: Seconds | None = None
    usable: bool = True


class GateLimit(Frozen):
    """Angles that the hardware accepts for a gate's (first) angle, radians.

    Attributes:
        gate: gate name.
        minimum: smallest angle of a range.
        maximum: largest angle of a range.
        allowed: the only angles accepted, when the set is discrete; empty otherwise.
    """

    gate: str
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[float, ...] = ()

    def permits(self, angle: float, tolerance: float = 1e-9) -> bool:
        """Whether the hardware accepts ``angle``."""
        if self.allowed:
            return any(abs(angle - a) <= tolerance for a in self.allowed)
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        return low - tolerance <= angle <= high + tolerance


class Price(Frozen):
    """What the vendor charged, US dollars, on a date."""

    as_of: date
    usd_per_shot: Annotated[float, Field(ge=0)] = 0.0
    usd_per_task: Annotated[float, Field(ge=0)] = 0.0
    usd_per_second: Annotated[float, Field(ge=0)] = 0.0


class JobLimits(Frozen):
    """What one submission may hold; ``None`` where the vendor names no limit."""

    min_shots: Annotated[int, Field(ge=1)] = 1
    max_shots: Annotated[int, Field(ge=1)] | None = None
    max_circuits: Annotated[int, Field(ge=1)] | None = None
    max_total_shots: Annotated[int, Field(ge=1)] | None = None


class Correction(Frozen):
    """Something in the vendor's data that was changed or is missing.

    Attributes:
        kind: short fixed name such as ``"T2 > 2 T1"`` or ``"dead gate"``; counted by it.
        qubits: where.
        gate: gate name, when about a gate.
        reported: the vendor's value, ``None`` when missing.
        used: value kept in the snapshot, ``None`` when masked.
    """

    kind: str
    qubits: tuple[int, ...] = ()
    gate: str | None = None
    reported: float | None = None
    used: float | None = None
