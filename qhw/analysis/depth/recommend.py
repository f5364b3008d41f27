"""One recommendation a circuit: where to run it, by a figure of merit that is chosen, and why."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from backends.registry import sold_as
from calibration.snapshot import MADE_UP
from qhw.analysis.depth.merits import MERITS, checked_merit

if TYPE_CHECKING:
    from qhw.analysis.depth.report import CircuitFacts, Row

FOR_ERROR = "dollars-for-error"
LEVEL_SENT = 3
"""Optimisation level that what is sent is compiled at."""


class Standing(BaseModel):
    """A row, by what is compared.

    Attributes:
        device: reference of the snapshot.
        compiler: that made it.
        level: optimisation level.
        seed: of layout and routing.
        value: of the figure of merit.
        success: predicted.
        shots: that the cost is for: the report's, or those of the wanted distance to exact.
        usd: of these, ``None`` where no price is known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    level: int
    seed: int
    value: float
    success: float
    shots: int
    usd: float | None = None
    compiler: str = "qhw"


class Recommendation(BaseModel):
    """Where to run a circuit.

    Attributes:
        circuit: name.
        by: figure of merit.
        best: the row recommended; ``None`` where none can be.
        runner_up: the best row of another device.
        why: in words; of ``None`` why not.
        submit: the command line that sends it; empty where it cannot be sent as it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    circuit: str
    by: str
    best: Standing | None = None
    runner_up: Standing | None = None
    why: str = ""
    submit: str = ""


def _success(row: Row, _: CircuitFacts) -> float | None:
    return row.best.success if row.best else None


def _skill(row: Row, _: CircuitFacts) -> float | None:
    return row.skill


def _dollars(row: Row, _: CircuitFacts) -> float | None:
    return None if row.cost is None else -row.cost.usd


def _dollars_for_error(row: Row, _: CircuitFacts) -> float | None:
    return None if row.cost_for_error is None else -row.cost_for_error.usd


def _waiting(row: Row, _: CircuitFacts) -> float | None:
    return None if row.waiting is None or row.waiting.jobs is None else -float(row.waiting.jobs)


def _least(key: str) -> Callable[[Row, CircuitFacts], float | None]:
    def read(row: Row, _: CircuitFacts) -> float | None:
        value = getattr(row.best, key) if row.best else None
        return -float(value) if value else None

    return read


_READ: dict[str, Callable[[Row, CircuitFacts], float | None]] = {
    "success": _success,
    "skill": _skill,
    "dollars": _dollars,
    "dollars-for-error": _dollars_for_error,
    "waiting": _waiting,
    "gates": _least("two_qubit_gates"),
    "depth": _least("two_qubit_depth"),
    "duration": _least("duration_s"),
}
"""How a row is read by each figure of merit, larger being better."""
_LESS = ("dollars", "dollars-for-error", "waiting", "gates", "depth", "duration")
"""Those of which less is better: read with their sign turned."""


def recommend(facts: CircuitFacts, rows: Iterable[Row], by: str, shots: int) -> Recommendation:
    """The best row of a circuit and the best of another device, on machines that exist.

    Devices that are out of service, where vendors were asked, are not recommended. Ties of the
    figure of merit are broken by predicted success, then by the higher level, which is what
    `qhw submit` compiles at.

    Args:
        facts: of the circuit.
        rows: of the report.
        by: key of :data:`MERITS`.
        shots: that costs are for.
    """
    meaning, read = MERITS[checked_merit(by)], _READ[by]
    found = []
    losers = 0
    for row in rows:
        value = None if row.circuit != facts.name or row.best is None else read(row, facts)
        losing = by in ("dollars", "waiting") and row.beats_baseline is False
        closed = row.waiting is not None and row.waiting.in_service is False
        if value is None or closed or MADE_UP in row.source:
            continue
        if losing:
            losers += 1
        else:
            found.append((value, row))
    if not found:
        why = f"no device of the report has a figure for it ({meaning})"
        if losers:
            why = "every device that has a figure for it is predicted to lose to a constant"
        return Recommendation(circuit=facts.name, by=by, why=why)
    found.sort(key=lambda pair: _order(*pair), reverse=True)
    best = found[0][1]
    other = next(((v, r) for v, r in found if r.device != best.device), None)
    return Recommendation(
        circuit=facts.name,
        by=by,
        best=_standing(by, *found[0], shots),
        runner_up=None if other is None else _standing(by, *other, shots),
        why=_why(meaning, best),
        submit=_submit(facts, best, _shots(by, best, shots)),
    )


def _order(value: float, row: Row) -> tuple[float, float, int]:
    return value, row.best.success if row.best else 0.0, row.level or 0


def _shots(by: str, row: Row, shots: int) -> int:
    return (by == FOR_ERROR and row.shots_for_error) or shots


def _standing(by: str, value: float, row: Row, shots: int) -> Standing:
    assert row.best is not None and row.level is not None  # compiled
    price = row.cost_for_error if by == FOR_ERROR else row.cost
    return Standing(
        device=row.device,
        compiler=row.compiler,
        level=row.level,
        seed=row.best.seed,
        value=-value if by in _LESS else value,
        success=row.best.success,
        shots=_shots(by, row, shots),
        usd=None if price is None else price.usd,
    )


def _why(meaning: str, row: Row) -> str:
    assert row.best is not None  # compiled
    shares = {
        "two-qubit gates": row.best.two_qubit_share,
        "one-qubit gates": row.best.one_qubit_share,
        "readout": row.best.readout_share,
        "waiting": row.best.idle_share,
    }
    most = min(shares, key=lambda name: shares[name])
    taken = f", calibration of {row.taken:%Y-%m-%d}" if row.taken else ""
    lost = "" if math.isclose(shares[most], 1.0) else f"; most is lost to {most}"
    waits = "" if row.waiting is None else f"; {row.waiting.words}"
    return f"{meaning}: {row.best.two_qubit_gates} two-qubit gates{lost}{taken}{waits}"


def _submit(facts: CircuitFacts, row: Row, shots: int) -> str:
    """The command line; empty of live circuits, and of what would be compiled otherwise."""
    if not facts.sent_as or row.level != LEVEL_SENT or row.compiler != "qhw":
        return ""
    assert row.best is not None  # compiled
    return submit_line(facts.sent_as, row, shots, "--seed", str(row.best.seed))


def submit_line(circuit: Sequence[str], row: Row, shots: int, *more: str) -> str:
    """The command line that sends a circuit to a row's device; empty where none of ours does.

    Args:
        circuit: words that name it.
        row: of the report.
        shots: to take.
        more: words that follow.
    """
    backend = sold_as(row.device.partition("@")[0], row.vendor)
    if backend is None or row.device.endswith(".json") or any("\n" in word for word in circuit):
        return ""
    words = ["qhw", "submit", *circuit, "--device", backend, "--shots", str(shots), *more]
    return shlex.join(words)
