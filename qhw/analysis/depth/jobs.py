"""Compilations of a sweep, each kept on disk by the hash of all it depends on."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from qiskit import QuantumCircuit
from qiskit.exceptions import QiskitError

from backends.base import BackendError
from backends.compilers.registry import COMPILERS, OWN, compile_by
from backends.native.compile import COMPILER_VERSION, NativeCircuit, compile_native
from backends.stored import circuits_from_bytes, circuits_to_bytes
from calibration.interaction import LayoutError
from calibration.snapshot import DeviceSnapshot
from qhw.models.checkpoint import write_atomically
from qhw.scheduler import LocalScheduler, Lost, Scheduler, by_place

_FORMAT = 1
_FIXED_BYTES = 3000
"""Size of a circuit that takes as long as what any circuit takes."""
_EFFORT = (1.1, 1.0, 1.2, 18.0)
"""Time of each level beside level 1, geometric means of ``benchmarks.compile_time``'s circuits (9
on ions to 29 on heavy-hex at level 3); only the minutes told before a sweep rest on it."""
_FAULTS = (
    ArithmeticError,
    AttributeError,
    BackendError,
    LayoutError,
    LookupError,
    MemoryError,
    QiskitError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a circuit or a device that nobody foresaw may raise: one row fails, the report stands."""
_DIED = "the process that compiled it died, perhaps for want of memory"


class Compiled(BaseModel):
    """One compilation, or why there is none.

    Attributes:
        seed: of layout and routing.
        reason: why it failed; everything below is then 0 or empty.
        two_qubit_gates: number of two-qubit gates.
        two_qubit_depth: depth in them.
        depth: depth without virtual gates.
        pulses: physical one-qubit gates.
        swaps: swaps inserted by routing.
        duration_s: first gate to readout, seconds; ``None`` where the device reports no gate times.
        success: predicted probability that nothing goes wrong, idle decay and readout included.
        two_qubit_share: two-qubit gates' factor of it.
        one_qubit_share: one-qubit gates' factor.
        readout_share: readout's factor.
        idle_share: idle decay's factor.
        two_qubit_errors: sum of the reported two-qubit errors (n2 e2).
        qubits: device qubits used.
        compile_s: CPU seconds that compiling took; no part of what two compilations share.
        compiler: that made it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int
    reason: str | None = None
    two_qubit_gates: int = 0
    two_qubit_depth: int = 0
    depth: int = 0
    pulses: int = 0
    swaps: int = 0
    duration_s: float | None = 0.0
    success: float = 0.0
    two_qubit_share: float = 0.0
    one_qubit_share: float = 0.0
    readout_share: float = 0.0
    idle_share: float = 0.0
    two_qubit_errors: float = 0.0
    qubits: tuple[int, ...] = ()
    compiler: str = OWN
    compile_s: float = 0.0

    @model_validator(mode="before")
    @classmethod
    def _untimed(cls, data: Any) -> Any:
        """No pulse takes no time: as earlier versions kept it, 0 meant that none is known."""
        if not isinstance(data, dict) or data.get("duration_s"):
            return data
        gates = data.get("pulses") or data.get("two_qubit_gates")
        return {**data, "duration_s": None} if gates else data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Compiled) and self._same() == other._same()

    def __hash__(self) -> int:
        return hash(tuple(self._same().items()))

    def _same(self) -> dict[str, object]:
        return {name: value for name, value in self if name != "compile_s"}


@dataclass(frozen=True)
class Job:
    """One circuit on one device at one level, for several seeds.

    Attributes:
        circuit: QPY bytes of it, or of a template.
        snapshot: the device.
        level: optimisation level.
        seeds: of layout and routing.
        fractional: allow the gates that must be asked for.
        values: the row of a template whose figures are wanted, radians by parameter.
        compiler: ``qhw``, or another one of :data:`backends.compilers.registry.COMPILERS`.
    """

    circuit: bytes
    snapshot: DeviceSnapshot
    level: int
    seeds: tuple[int, ...]
    fractional: bool = False
    values: Mapping[str, float] = field(default_factory=dict)
    compiler: str = OWN

    @property
    def effort(self) -> float:
        """About how long it takes beside others: its size, seeds, and what its level tries."""
        return (len(self.circuit) + _FIXED_BYTES) * len(self.seeds) * _EFFORT[self.level]


@dataclass
class Limit:
    """How long a sweep may take, and who is told how long it will.

    Attributes:
        seconds: infinite for no limit.
        tell: called once with the expected CPU seconds, before most is done.
    """

    seconds: float
    tell: Callable[[float], None] = lambda _seconds: None
    _begun: float = field(default_factory=time.monotonic)

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() - self._begun > self.seconds

    @property
    def reason(self) -> str:
        """Why a compilation is missing."""
        return (
            f"not compiled within the time limit of {self.seconds / 60:g} min; the same command "
            "goes on where this one stopped"
        )


def circuit_bytes(circuit: QuantumCircuit) -> bytes:
    """The circuit alone, its name and metadata left out: equal circuits give equal bytes."""
    plain = circuit.copy(name="circuit")
    plain.metadata = {}
    return circuits_to_bytes([plain])


def circuit_from(raw: bytes) -> QuantumCircuit:
    """Inverse of :func:`circuit_bytes`."""
    return circuits_from_bytes(raw)[0]


def run_jobs(
    jobs: Sequence[Job],
    *,
    cache: Path | None,
    scheduler: Scheduler | None = None,
    done: Callable[[int, int], None] = lambda _finished, _total: None,
    limit: Limit | None = None,
) -> list[tuple[Compiled, ...]]:
    """Compile every job, a failure being a result like any other.

    Args:
        jobs: what to compile.
        cache: folder of earlier results, made if missing; ``None`` for none.
        scheduler: where they are compiled; in this process by default, and where a single one is
            missing that no other machine could take.
        done: told how many jobs of how many are finished.
        limit: of time; what is not begun by then fails with that for its reason.

    Returns:
        For each job its compilations, in the order of its seeds.

    Raises:
        OSError: the cache folder cannot be written.
    """
    results: dict[int, dict[int, Compiled]] = {}
    missing: list[int] = []
    for i, job in enumerate(jobs):
        results[i] = _read(cache, job)
        if not set(job.seeds) <= results[i].keys():
            missing.append(i)
    finished = len(jobs) - len(missing)
    done(finished, len(jobs))
    pool = scheduler or LocalScheduler(0)
    if len(missing) == 1 and not pool.remote:
        pool = LocalScheduler(0)  # a process takes longer to start

    def work(batch: list[int]) -> None:
        nonlocal finished
        for place, found in by_place(pool, compile_job, [jobs[i] for i in batch]):
            i = batch[place]
            if isinstance(found, Lost):
                found = tuple(Compiled(seed=seed, reason=_DIED) for seed in jobs[i].seeds)
            results[i] |= {c.seed: c for c in found}
            _write(cache, jobs[i], results[i])
            finished += 1
            done(finished, len(jobs))
            if limit is not None and limit.over:
                return

    if limit is not None and not pool.remote and len(missing) > 1:
        first, *missing = missing  # it must be done anyway, and tells how long the others take
        work([first])
        taken = sum(c.compile_s for c in results[first].values())
        limit.tell(taken * sum(jobs[i].effort for i in missing) / jobs[first].effort)
    if limit is None or not limit.over:
        work(missing)
    for i, job in enumerate(jobs):  # what the limit left
        for seed in set(job.seeds) - results[i].keys():
            assert limit is not None  # nothing else leaves any
            results[i][seed] = Compiled(seed=seed, reason=limit.reason)
    return [tuple(results[i][seed] for seed in job.seeds) for i, job in enumerate(jobs)]


def compile_job(job: Job) -> tuple[Compiled, ...]:
    """Compile a job here and now."""
    circuit = circuit_from(job.circuit)
    return tuple(_one(circuit, job, seed) for seed in job.seeds)


def describe(native: NativeCircuit) -> Compiled:
    """What a sweep keeps of a compilation."""
    layout, prediction = native.prediction.layout, native.prediction
    return Compiled(
        seed=native.seed,
        two_qubit_gates=native.two_qubit_gates,
        two_qubit_depth=native.two_qubit_depth,
        depth=native.depth,
        pulses=native.pulses,
        swaps=native.swaps,
        duration_s=prediction.duration_s,
        success=layout.success,
        two_qubit_share=math.exp(layout.two_qubit),
        one_qubit_share=math.exp(layout.one_qubit),
        readout_share=math.exp(layout.readout),
        idle_share=math.exp(layout.idle),
        two_qubit_errors=prediction.two_qubit_errors,
        qubits=native.qubits,
    )


def with_noise(compiled: Compiled, factor: float) -> Compiled:
    """The same compilation where noise is ``factor`` times what is reported."""
    shares = ("success", "two_qubit_share", "one_qubit_share", "readout_share", "idle_share")
    scaled = {name: getattr(compiled, name) ** factor for name in shares}
    return compiled.model_copy(
        update={**scaled, "two_qubit_errors": compiled.two_qubit_errors * factor}
    )


def _one(circuit: QuantumCircuit, job: Job, seed: int) -> Compiled:
    begun = time.process_time()
    try:
        how: Any = {"level": job.level, "seed": seed, "fractional": job.fractional}
        if job.compiler != OWN:  # others know no free parameters
            bound = circuit.assign_parameters(dict(job.values)) if job.values else circuit
            found = compile_by(job.compiler, bound, job.snapshot, **how)
            made = describe(found).model_copy(update={"compiler": job.compiler})
        else:
            native = compile_native(circuit, job.snapshot, **how)
            made = describe(native.bound(job.values) if job.values else native)
        return made.model_copy(update={"compile_s": time.process_time() - begun})
    except _FAULTS as error:
        said = " ".join(str(error).split())
        ours = said.startswith("Argument") or isinstance(error, BackendError | LayoutError)
        kind = "" if ours else f"{type(error).__name__}: "
        return Compiled(seed=seed, reason=f"{kind}{said}".removesuffix(": "))


def _key(job: Job) -> str:
    parts = [
        f"{_FORMAT} {COMPILER_VERSION} {version('qhw')} {version('qiskit')}",
        hashlib.sha256(job.circuit).hexdigest(),
        hashlib.sha256(job.snapshot.to_json().encode()).hexdigest(),
        f"{job.level} {job.fractional} {json.dumps(dict(job.values), sort_keys=True)}",
    ]
    if job.compiler != OWN:
        parts.append(f"{job.compiler} {version(COMPILERS[job.compiler][0])}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _file(cache: Path, job: Job) -> Path:
    key = _key(job)
    return cache / "compiled" / key[:2] / f"{key[2:]}.json"


def _read(cache: Path | None, job: Job) -> dict[int, Compiled]:
    if cache is None:
        return {}
    try:
        rows = json.loads(_file(cache, job).read_text(encoding="utf-8"))
        return {row["seed"]: Compiled.model_validate(row) for row in rows}
    except (OSError, ValueError, TypeError, LookupError, ValidationError):
        return {}  # missing or damaged: compiled again


def _write(cache: Path | None, job: Job, found: dict[int, Compiled]) -> None:
    if cache is None:
        return
    if any(compiled.reason == _DIED for compiled in found.values()):
        return  # another time there may be memory
    path = _file(cache, job)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [found[seed].model_dump(mode="json") for seed in sorted(found)]
    write_atomically(path, json.dumps(rows).encode())
