"""What a compiled circuit's shots take and cost: by the shot, the task, or the second."""

from __future__ import annotations

import math
from datetime import date

from pydantic import BaseModel, ConfigDict

from backends.ibm.timing import JOB_OVERHEAD_S, REP_DELAY_S
from backends.prices import PriceError, price_of
from calibration.snapshot import DeviceSnapshot
from qhw.analysis.depth.jobs import Compiled


class Cost(BaseModel):
    """Price of a circuit's shots.

    Attributes:
        usd: US dollars.
        as_of: when the price was read.
        qpu_seconds: that the device is busy, where it is paid by the second.
        basis: where the price is from, and whether it was verified; empty of a snapshot's own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    usd: float
    as_of: date
    qpu_seconds: float | None = None
    basis: str = ""


def rate(best: Compiled, snapshot: DeviceSnapshot) -> float | None:
    """Shots per second of gates and readout alone; ``None`` where the device reports no times."""
    seconds = _circuit_time(best, snapshot)
    return 1 / seconds if seconds else None


def cost(best: Compiled, snapshot: DeviceSnapshot, shots: int) -> Cost | None:
    """What these shots cost; ``None`` where no price is known or a circuit's time is not."""
    if snapshot.vendor == "ibm":
        return _by_second(best, snapshot, shots)
    price, limits = snapshot.price, snapshot.job_limits
    if price is None:
        return None
    tasks = math.ceil(shots / limits.max_shots) if limits.max_shots else 1
    paid = max(shots, tasks * limits.min_shots)
    usd = price.usd_per_shot * paid + price.usd_per_task * tasks
    usd += price.usd_per_second * paid * (_circuit_time(best, snapshot) or 0.0)
    return Cost(usd=usd, as_of=price.as_of)


def cost_of_circuits(
    best: Compiled, snapshot: DeviceSnapshot, shots: int, circuits: int
) -> Cost | None:
    """What shots cost that are shared by several circuits of about the same length.

    Args:
        best: one of them.
        snapshot: the device.
        shots: of all together.
        circuits: that each are a task of their own where those are paid.
    """
    if snapshot.vendor == "ibm":  # a job takes them all
        return cost(best, snapshot, shots)
    each = cost(best, snapshot, max(1, math.ceil(shots / max(circuits, 1))))
    return None if each is None else each.model_copy(update={"usd": each.usd * max(circuits, 1)})


def _by_second(best: Compiled, snapshot: DeviceSnapshot, shots: int) -> Cost | None:
    each = _circuit_time(best, snapshot)
    if each is None or snapshot.made_up is not None:
        return None
    try:
        price = price_of(f"ibm:{snapshot.name}")
    except PriceError:
        return None
    jobs = math.ceil(shots / (snapshot.job_limits.max_shots or shots))
    seconds = jobs * JOB_OVERHEAD_S + shots * (each + REP_DELAY_S)
    return Cost(
        usd=seconds * price.usd_per_second,
        as_of=price.as_of,
        qpu_seconds=seconds,
        basis=price.basis(),
    )


def _circuit_time(best: Compiled, snapshot: DeviceSnapshot) -> float | None:
    """Gates and readout, seconds; ``None`` where the device reports no gate times."""
    if not best.duration_s:
        return None
    return best.duration_s + max(snapshot.qubits[q].readout_s or 0.0 for q in best.qubits)
