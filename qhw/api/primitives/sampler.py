"""Qiskit's sampler over any device."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives import BaseSamplerV2, BitArray, DataBin, PrimitiveResult, SamplerPubResult
from qiskit.primitives.containers.sampler_pub import SamplerPub, SamplerPubLike

from backends.base import Backend
from backends.checks import check_shots
from backends.plain import plain
from qhw.analysis.compare.mitigated import (
    MitigationPlan,
    combine_plan,
    equivalent_shots,
    row_errors,
    run_plan,
)
from qhw.analysis.compare.stage import Stage
from qhw.api.devices import DeviceLike
from qhw.api.measuring import Options, asked, begun_together
from qhw.api.primitives.jobs import DeviceJob, LedgerJob, SimulatedJob
from qhw.api.primitives.registers import (
    measured_once,
    register_arrays,
    resampled,
    shots_of,
)
from qhw.api.primitives.sources import Seed, Source, rows_of, stream
from qhw.api.running import Run
from qhw.circuits.given import Given
from qhw.circuits.workload import Workload
from qhw.defaults import DEFAULT_DEVICE
from qhw.mitigation.placed import Placed
from qhw.mitigation.program import Mitigated
from qhw.paid.compare import MeasureRun

_LOG = logging.getLogger(__name__)
_ORDER, _OFFSET = 1, 2
"""Random streams: order of shots, resampling."""


@dataclass(frozen=True, eq=False)
class _Group:
    """PUBs of one circuit and as many shots: they run together.

    Attributes:
        work: the circuit and all their rows.
        source: of each written classical bit of the circuit, the workload's bit with its value.
        shots: of each row.
        pubs: their numbers, and the rows of each.
    """

    work: Workload
    source: dict[int, int]
    shots: int
    pubs: tuple[tuple[int, slice], ...]

    @classmethod
    def of(
        cls,
        known: tuple[QuantumCircuit, Workload, dict[int, int]],
        shots: int,
        rows: dict[int, NDArray[np.float64]],
    ) -> _Group:
        """From a circuit measured once, its workload and bits, and rows by the PUBs' numbers."""
        once, work, source = known
        ends = np.cumsum([len(table) for table in rows.values()]).tolist()
        pieces = [slice(end - len(t), end) for end, t in zip(ends, rows.values(), strict=True)]
        table = np.concatenate(list(rows.values()))
        whole = Workload.measuring(work.circuit, Given(once.name, once.name, once, table))
        return cls(whole, source, check_shots(shots), tuple(zip(rows, pieces, strict=True)))


class Sampler(BaseSamplerV2):
    """Counts of Qiskit circuits from any device: a ``BaseSamplerV2``.

    Every PUB ``(circuit, parameter values, shots)`` gives an array of shots for each classical
    register, in the shape of its parameter values; a bit that nothing measures is 0. PUBs of one
    circuit and as many shots run together. On a device that takes jobs everything goes through the
    ledger, the device's budget holds for all PUBs of a call together, and the same call again takes
    up what was sent; simulators compute in a thread of this process.

    Mitigated distributions are no counts: they are quasi-probabilities. With a pipeline, the
    mitigated distribution, projected to a valid one, is turned into as many shots as were asked for
    by systematic resampling. These counts have the mitigated frequencies, but not the noise of that
    many shots: a PUB's metadata say ``counts`` ``"resampled"`` and give ``effective_shots``, the
    raw shots that would be as noisy, and ``negative_mass``, what the projection removed.

    Args:
        device: where, see :func:`qhw.device`.
        mitigation: a pipeline such as ``"readout"``, ``"none"`` or ``"default"``; what it runs
            comes out of the shots.
        default_shots: of each row of a PUB that names none.
        seed: of compilation, random choices and simulated shots: the same call gives the same
            shots. A generator gives new ones to every call; so does ``None``, at random, but on a
            device that takes jobs ``None`` is 0.
        again: on a device that takes jobs: send everything anew, even if it was paid already.
        tell: told what is being done.

    Raises:
        UnknownBackendError: no such device.
        MitigationError: a pipeline that cannot be, or gives no distributions.
        BackendError: shots out of range.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> bell = QuantumCircuit(2)
        >>> _ = bell.h(0), bell.cx(0, 1), bell.measure_all()
        >>> found = Sampler("exact", seed=1).run([bell], shots=1000).result()
        >>> sorted(found[0].data.meas.get_counts())
        ['00', '11']
    """

    def __init__(
        self,
        device: DeviceLike = DEFAULT_DEVICE,
        *,
        mitigation: str = "none",
        default_shots: int = 1024,
        seed: Seed = None,
        again: bool = False,
        tell: Callable[[str], None] = _LOG.info,
    ) -> None:
        self._source = Source(device, mitigation, seed, again=again, quantity="distribution")
        self._default_shots = check_shots(default_shots)
        self._tell = tell

    @property
    def default_shots(self) -> int:
        """Shots of each row of a PUB that names none."""
        return self._default_shots

    @property
    def seed(self) -> Seed:
        """As given."""
        return self._source.seed

    def run(self, pubs: Iterable[SamplerPubLike], *, shots: int | None = None) -> DeviceJob:
        """Start sampling.

        Args:
            pubs: circuits with their parameter values.
            shots: of each row of a PUB that names none.

        Returns:
            A job; its result has one entry a PUB, whose ``data`` has a ``BitArray`` a register.

        Raises:
            ValueError: a PUB that is none, or angles that are not finite.
            BackendError: shots out of range, or a circuit that is no sequence of gates and then
                measurements; on a device that takes jobs also what it refuses.
            BudgetError: the device's budget or a cap would be passed.
        """
        every = self._default_shots if shots is None else shots
        known = [SamplerPub.coerce(pub, every) for pub in pubs]
        if any(not pub.circuit.cregs for pub in known):
            warnings.warn(
                "A circuit has no classical register, so its result is empty", stacklevel=2
            )
        groups = self._groups(known)
        backend = self._source.device.backend
        if backend is None and groups:
            return self._sent(known, groups)
        seed = self._source.next_seed()

        def compute() -> PrimitiveResult[SamplerPubResult]:
            assert backend is not None or not groups
            found = [
                (self._simulated(backend, group, int(stream(seed, i).integers(2**32))), None)
                for i, group in enumerate(groups)
                if backend is not None
            ]
            return self._result(known, groups, found, seed)

        return SimulatedJob(compute)

    def _groups(self, pubs: list[SamplerPub]) -> list[_Group]:
        """PUBs that have something to run, those of equal circuits together."""
        seen: dict[int, tuple[tuple[QuantumCircuit, Workload, dict[int, int]], str]] = {}
        alike: dict[tuple[object, ...], tuple[SamplerPub, dict[int, NDArray[np.float64]]]] = {}
        for number, pub in enumerate(pubs):
            circuit, rows = pub.circuit, rows_of(pub.parameter_values, pub.circuit)
            if not len(rows):
                continue
            if id(circuit) not in seen:
                once, source = measured_once(plain(circuit))
                if not source:
                    continue
                work = Workload.of(once, rows)
                seen[id(circuit)] = (once, work, source), work.fingerprint()
            (_, work, source), text = seen[id(circuit)]
            key = (text, work.parameter_names, *source.items(), pub.shots)
            alike.setdefault(key, (pub, {}))[1][number] = rows
        return [
            _Group.of(seen[id(pub.circuit)][0], pub.shots, rows) for pub, rows in alike.values()
        ]

    def _simulated(self, backend: Backend, group: _Group, seed: int) -> Mitigated:
        source, work = self._source, group.work
        compiled = source.compiled(
            work.fingerprint(), lambda: backend.compile(work.circuit, seed=source.fixed_seed)
        )
        placed = Placed(work, backend, compiled)
        pipeline = placed.pipeline(source.mitigation, group.shots)
        plan = MitigationPlan(placed.program(pipeline, shots=group.shots, seed=seed), None)
        results = run_plan(plan, seed=seed)
        source.check_complete(row_errors(plan, results))
        return combine_plan(plan, results, np.arange(len(work))).mitigated

    def _sent(self, pubs: list[SamplerPub], groups: list[_Group]) -> LedgerJob:
        source, wanted = self._source, []
        for group in groups:
            options = Options(group.shots, source.mitigation, source.fixed_seed)
            _, work, settings = asked(group.work, None, source.device, options)
            wanted.append((work, settings))
        runs = begun_together(
            MeasureRun, source.device, wanted, again=source.again, tell=self._tell
        )

        def read(results: list[Any]) -> PrimitiveResult[SamplerPubResult]:
            found = []
            for run, result in zip(runs, results, strict=True):
                stage: Stage = result.comparison.outcome.stages[-1]
                source.check_complete(stage.missing, run.id)
                found.append((stage.pipeline.mitigated, run.id))
            return self._result(pubs, groups, found, source.fixed_seed)

        return LedgerJob([Run(run) for run in runs], read)

    def _result(
        self,
        pubs: list[SamplerPub],
        groups: list[_Group],
        found: Sequence[tuple[Mitigated, str | None]],
        seed: int,
    ) -> PrimitiveResult[SamplerPubResult]:
        results = [self._nothing_measured(pub) for pub in pubs]
        for i, (group, (mitigated, run)) in enumerate(zip(groups, found, strict=True)):
            counts, facts = _counts(mitigated, group.shots, stream(seed, i, _OFFSET))
            n_bits = group.work.n_bits
            shots = shots_of(counts, mitigated.outcomes, n_bits, stream(seed, i, _ORDER))
            for number, rows in group.pubs:
                pub, own = pubs[number], {k: v[rows] for k, v in facts.rows.items()}
                data = register_arrays(pub.circuit, group.source, shots[rows], pub.shape)
                results[number] = self._pub_result(pub, data, {**facts.whole, **own, "run": run})
        return PrimitiveResult(results, metadata={"version": 2, "device": self._source.device.name})

    def _nothing_measured(self, pub: SamplerPub) -> SamplerPubResult:
        empty = np.zeros((int(np.prod(pub.shape)), pub.shots, 0), dtype=np.uint8)
        return self._pub_result(pub, register_arrays(pub.circuit, {}, empty, pub.shape), {})

    def _pub_result(
        self, pub: SamplerPub, data: dict[str, BitArray], facts: dict[str, Any]
    ) -> SamplerPubResult:
        metadata = {
            "shots": pub.shots,
            "circuit_metadata": pub.circuit.metadata,
            "mitigation": self._source.mitigation,
            "counts": "measured",
        }
        return SamplerPubResult(DataBin(**data, shape=pub.shape), {**metadata, **facts})


@dataclass(frozen=True, eq=False)
class _Facts:
    """What a PUB's metadata say of resampled counts: of all rows, and of each."""

    whole: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, NDArray[np.float64]] = field(default_factory=dict)


def _counts(
    found: Mitigated, shots: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], _Facts]:
    """Counts of every row: as measured, or resampled from the mitigated distribution."""
    if found.pipeline == "none":
        (counts,) = found.counts.values()
        return counts, _Facts()
    assert found.probabilities is not None and found.negative_mass is not None  # no features asked
    whole = {
        "mitigation": found.pipeline,
        "counts": "resampled",
        "effective_shots": equivalent_shots(found.probabilities, found.own_error),
    }
    return resampled(found.probabilities, shots, rng), _Facts(
        whole, {"negative_mass": found.negative_mass}
    )
