"""One circuit, compiled once and run for rows of angles, beside what is exact."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from backends.base import Backend, BackendError, CompiledTemplate, CostEstimate
from backends.outcomes import Outcomes
from calibration.readout import ReadoutCalibration
from qhw.analysis.compare.mitigated import (
    MitigatedRun,
    MitigationPlan,
    choose_calibration,
    combine_plan,
    plan_mitigation,
    row_errors,
    run_plan,
)
from qhw.analysis.compare.predicted import Prediction, predict
from qhw.analysis.compare.result import DeviceSource, SourceKey
from qhw.analysis.compare.settings import PLAIN, Preparation
from qhw.analysis.head.calibration import HeadCalibration, check_circuit
from qhw.analysis.probe.circuits import probes_of
from qhw.chem.structure import MoleculeStructure
from qhw.circuits.workload import Role, Workload
from qhw.distributions import relative_frequencies
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.placed import Placed
from qhw.mitigation.structure import Structure, checked_structure
from qhw.scheduler import Scheduler

FloatArray = NDArray[np.float64]
Notify = Callable[[str], None]

_STREAMS = {"encoder": 1, "decoder": 2, "circuit": 3}
"""Random stream of each circuit's shots: the encoder's do not repeat in the decoder."""
_FEWEST_ROWS = 2  # a baseline is the mean of the others
_TEXTS_NAMED = 3
_LOG = logging.getLogger(__name__)


@runtime_checkable
class FreezesPredictions(Protocol):
    """A backend whose jobs are paid: what is predicted of them is kept before they are sent."""

    def freeze(self, role: str, predict: Callable[[], bytes]) -> None:
        """Keep what ``predict`` makes with a circuit's jobs, unless they were sent before."""

    def frozen(self, role: str) -> bytes | None:
        """What was kept, byte for byte; ``None`` for nothing."""


class TooFewRowsError(BackendError):
    """So many rows of a circuit failed that nothing is left to compare."""


@dataclass(frozen=True, eq=False)
class Stage:
    """A circuit run for a batch, and the B rows of it that have counts.

    Attributes:
        role: which circuit.
        circuit: before compilation.
        loading: how data are loaded, in a word.
        compiled: after compilation.
        angles: ``(B, P)`` bound to it, radians, columns its ``parameter_names``.
        loading_fidelity: ``(B,)`` squared overlap of the loaded with the wanted state.
        exact: ``(B, 2**m)`` of the same inputs; amplitude index of the measured wires. Of a wide
            circuit ``(B, K)``, NaN where there is no exact reference.
        shots: per row asked for, with everything a pipeline runs counted.
        cost: of running it.
        kept: ``(B,)`` place of each row among the inputs.
        missing: why each of the other inputs has no counts, the vendor's words.
        pipeline: what ran and what was made of it, raw counts included.
        best_source: source of :attr:`best`.
        predicted: what the device's model said before it was sent
            (:class:`~qhw.analysis.compare.predicted.Prediction`), byte for byte; ``None`` on
            simulators.
    """

    role: Role
    circuit: QuantumCircuit
    loading: str
    compiled: CompiledTemplate
    angles: FloatArray
    loading_fidelity: FloatArray
    exact: FloatArray
    shots: int
    cost: CostEstimate
    kept: NDArray[np.int64]
    missing: Mapping[int, str]
    pipeline: MitigatedRun
    best_source: DeviceSource
    predicted: bytes | None = None

    @property
    def counts(self) -> NDArray[np.int64]:
        """Raw ``(B, 2**m)``, amplitude index of the measured wires."""
        return self.pipeline.raw_counts

    @property
    def outcomes(self) -> Outcomes | None:
        """Of the columns of counts and distributions; ``None`` for all ``2**m`` in order."""
        return self.pipeline.mitigated.outcomes

    @property
    def raw(self) -> FloatArray:
        """Relative frequencies ``(B, 2**m)``."""
        return relative_frequencies(self.counts)

    @property
    def best(self) -> FloatArray:
        """Mitigated or corrected distributions where there are any, else the raw ones."""
        return self.raw if self.best_source == "device_raw" else self.pipeline.probabilities

    @property
    def best_shots(self) -> int:
        """Raw shots that would be as noisy as :attr:`best`."""
        mitigated = self.best_source == "device_mitigated"
        return self.pipeline.effective_shots if mitigated else self.shots

    def distributions(self) -> dict[SourceKey, FloatArray]:
        """What the device gave by source: raw, and what was made of that if anything."""
        return {"device_raw": self.raw, self.best_source: self.best}


@dataclass(frozen=True)
class StageRunner:
    """Runs circuits on a backend.

    Attributes:
        backend: where.
        shots: per row.
        preparation: how a model's amplitudes are loaded.
        mitigation: text of a pipeline, or ``default``; adds its distributions to the raw ones.
        seed: transpiler, preparation fit and shots.
        notify: told what is being done.
        calibrations: measured readout; the first that covers a circuit's qubits is used. Empty: the
            snapshot's error rates.
        own_raw: run the circuit itself beside a pipeline that does not.
        moment: to which ages of calibrations are counted, by default now.
        structure: that the model declares of its decoder's exact outcomes; checked against them
            before it is used.
        scheduler: where devices are simulated; in this process by default.
        head: counts that read-outs are refitted to; must be of the very circuits that run.
        probe: run probes beside every circuit.
    """

    backend: Backend
    shots: int
    preparation: Preparation
    mitigation: str
    seed: int
    notify: Notify
    calibrations: tuple[ReadoutCalibration, ...] = ()
    own_raw: bool = True
    moment: datetime | None = None
    structure: MoleculeStructure | None = None
    scheduler: Scheduler | None = None
    head: HeadCalibration | None = None
    probe: bool = False

    def run(self, workload: Workload, exact: FloatArray | None = None) -> Stage:
        """Compile, bind every row, run, drop the rows that failed, mitigate.

        Args:
            workload: what runs.
            exact: ``(B, 2**m)`` of its rows, by default those that it knows.

        Raises:
            BackendError: the circuit does not fit the device, or too many shots.
            MitigationError: pipeline, shots, circuit, device and calibration do not go together.
            TooFewRowsError: fewer than two rows have counts.
        """
        role, placed = workload.role, self.place(workload)
        exact = workload.known if exact is None else exact
        assert exact is not None  # models know theirs, and those of other circuits are given
        structured = any(isinstance(t, Structure) for t in self._pipeline(placed).techniques)
        if role == "decoder" and structured:
            checked_structure(self.structure, exact)
        seed = int(np.random.SeedSequence([self.seed, _STREAMS[role]]).generate_state(1)[0])
        told, (run, kept, missing) = self._measure(placed, seed, exact)
        rows, fidelity = len(workload), workload.fidelity
        return Stage(
            role=role,
            circuit=workload.circuit,
            loading=workload.loading,
            compiled=placed.compiled,
            angles=placed.angles[kept],
            loading_fidelity=(np.ones(rows) if fidelity is None else fidelity)[kept],
            exact=exact[kept],
            shots=self.shots,
            cost=self.backend.estimate(placed.compiled, circuits=rows, shots=self.shots),
            kept=kept,
            missing=missing,
            pipeline=run,
            best_source=self._best_source(placed.compiled),
            predicted=told,
        )

    def place(self, workload: Workload) -> Placed:
        """Compile a workload for the device.

        Raises:
            BackendError: it does not fit.
        """
        self.notify(f"{workload.role}: compiling for {self.backend.name}")
        placed = Placed.on(self.backend, workload, seed=self.seed)
        _LOG.info(
            "%s: %d two-qubit gates on qubits %s",
            workload.role,
            placed.compiled.two_qubit_gates,
            list(placed.compiled.physical_qubits),
        )
        return placed

    def plan(self, placed: Placed) -> MitigationPlan:
        """Everything the pipeline runs, raw counts included.

        Raises:
            MitigationError: pipeline, shots, circuit, device and calibration do not go together.
            ValueError: no calibration covers the circuit, the head's counts are of another, or it
                cannot be probed.
        """
        if self.head is not None:
            check_circuit(self.head, placed.workload.role, placed.compiled)
        program = placed.program(
            self._pipeline(placed),
            shots=self.shots,
            seed=self.seed,
            calibration=choose_calibration(self.calibrations, placed.compiled),
            moment=self.moment,
            structure=self.structure if placed.workload.role == "decoder" else None,
        )
        plan = plan_mitigation(program, shots=self.shots, own_raw=self.own_raw)
        if not self.probe:
            return plan
        label = placed.workload.role
        probes = probes_of(placed.compiled, placed.angles, label=label, shots=self.shots)
        return replace(plan, probes=probes)

    def stream(self, tag: int) -> np.random.Generator:
        """Random numbers of one purpose, apart from all others of the run."""
        return np.random.default_rng([self.seed, tag])

    def _best_source(self, compiled: CompiledTemplate) -> DeviceSource:
        if self.mitigation not in PLAIN:
            return "device_mitigated"
        # an ideal device misreads nothing
        ideal = compiled.snapshot is None
        return "device_raw" if ideal or self.mitigation == "none" else "device_readout"

    def _pipeline(self, placed: Placed) -> Pipeline:
        found = placed.pipeline(self.mitigation, self.shots)
        if placed.workload.role == "decoder":
            return found
        # an encoder's outcomes are no molecules
        return Pipeline(tuple(t for t in found.techniques if not isinstance(t, Structure)))

    def _measure(
        self, placed: Placed, seed: int, exact: FloatArray
    ) -> tuple[bytes | None, tuple[MitigatedRun, NDArray[np.int64], Mapping[int, str]]]:
        """What was predicted, what ran, the rows that have counts, why the others have none."""
        plan, role, rows = self.plan(placed), placed.workload.role, len(placed.workload)
        circuits = len(plan.batches)
        if isinstance(self.backend, FreezesPredictions):
            self.backend.freeze(role, lambda: self._predict(plan, role, exact).to_bytes())
        self.notify(
            f"{role}: running {rows} circuits"
            + (f" in {circuits} variants" if circuits > 1 else "")
            + f", {self.shots} shots each"
            + (f", and {len(plan.probes)} probes" if plan.probes else "")
        )
        results = run_plan(plan, seed=seed, scheduler=self.scheduler)
        missing = row_errors(plan, results)
        kept = self._rows_with_counts(role, rows, missing)
        told = self.backend.frozen(role) if isinstance(self.backend, FreezesPredictions) else None
        return told, (combine_plan(plan, results, kept), kept, missing)

    def _predict(self, plan: MitigationPlan, role: Role, exact: FloatArray) -> Prediction:
        self.notify(f"{role}: predicting what the device's model gives")
        shots = sum(batch.shots for batch in plan.raw_batches)
        return predict(role, plan.program.compiled, plan.program.angles, exact, shots=shots)

    def _rows_with_counts(
        self, role: Role, rows: int, errors: Mapping[int, str]
    ) -> NDArray[np.int64]:
        """The one place where failed rows leave a comparison."""
        kept = np.setdiff1d(np.arange(rows), list(errors))
        # a batch that was this small from the start is nobody's failure
        if len(kept) < min(_FEWEST_ROWS, rows):
            texts = list(dict.fromkeys(errors.values()))
            words = "; ".join(texts[:_TEXTS_NAMED]) + "; ..." * (len(texts) > _TEXTS_NAMED)
            raise TooFewRowsError(
                f"Backend `{self.backend.name}` must give counts for {_FEWEST_ROWS} {role} rows "
                f"or more to compare, but gave them for {len(kept)} of {rows}: {words}"
            )
        return kept
