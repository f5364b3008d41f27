"""One circuit of a model, compiled once and run for a batch, beside what is exact."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend, BackendError, CompiledTemplate, CostEstimate, ShotResult
from backends.readout import readout_matrices
from calibration.readout import ReadoutCalibration
from calibration.snapshot import DeviceSnapshot
from qhw.mitigation.calibrate import correct_counts, measured_device_qubits
from qhw.analysis.result import CircuitFacts, Mitigation, Preparation, SourceKey
from qhw.circuits.plan import CircuitPlan
from qhw.circuits.templates import CircuitTemplate, build_template, data_angles
from qhw.mitigation.readout import ReadoutCorrection, correct_readout

FloatArray = NDArray[np.float64]
Notify = Callable[[str], None]
Role = Literal["encoder", "decoder"]

_STREAMS: dict[Role, int] = {"encoder": 1, "decoder": 2}
_FEWEST_ROWS = 2  # a baseline is the mean of the others
_TEXTS_NAMED = 3
_LOG = logging.getLogger(__name__)


class TooFewRowsError(BackendError):
    """So many rows of a circuit failed that nothing is left to compare."""


@dataclass(frozen=True, eq=False)
class Stage:
    """A circuit run for a batch, and the B rows of it that have counts.

    Attributes:
        role: encoder or decoder.
        template: before compilation.
        compiled: after it.
        angles: ``(B, P)`` bound to it, radians, columns its ``parameter_names``.
        loading_fidelity: ``(B,)`` squared overlap of the loaded with the wanted state.
        exact: ``(B, 2**m)`` of the same inputs; amplitude index of the measured wires.
        counts: ``(B, 2**m)`` int64, same order.
        shots: per row.
        correction: readout correction of the frequencies, ``None`` if not asked for.
        readout_source: where its confusion matrices come from.
        cost: of running it.
        kept: ``(B,)`` place of each row among the inputs.
        missing: why each of the other inputs has no counts, the vendor's words.
    """

    role: Role
    template: CircuitTemplate
    compiled: CompiledTemplate
    angles: FloatArray
    loading_fidelity: FloatArray
    exact: FloatArray
    counts: NDArray[np.int64]
    shots: int
    correction: ReadoutCorrection | None
    readout_source: str | None
    cost: CostEstimate
    kept: NDArray[np.int64]
    missing: Mapping[int, str] = field(default_factory=dict)

    @property
    def raw(self) -> FloatArray:
        """Relative frequencies ``(B, 2**m)``."""
        return np.asarray(self.counts / self.shots, dtype=np.float64)

    @property
    def best_source(self) -> Literal["device_raw", "device_readout"]:
        """Source of :attr:`best`."""
        return "device_raw" if self.correction is None else "device_readout"

    @property
    def best(self) -> FloatArray:
        """Corrected distributions where there are any, else the raw ones."""
        return self.raw if self.correction is None else self.correction.probabilities

    def distributions(self) -> dict[SourceKey, FloatArray]:
        """What the device gave, by source: ``device_raw``, and ``device_readout`` if corrected."""
        out: dict[SourceKey, FloatArray] = {"device_raw": self.raw}
        if self.correction is not None:
            out["device_readout"] = self.correction.probabilities
        return out


@dataclass(frozen=True)
class StageRunner:
    """Runs a model's circuits on a backend.

    Attributes:
        backend: where.
        shots: per row.
        preparation: how amplitudes are loaded.
        mitigation: ``"readout"`` adds corrected distributions.
        seed: transpiler, preparation fit and shots.
        notify: told what is being done.
        calibrations: measured readout; the first that covers a circuit's qubits is used. Empty: the
            snapshot's error rates.
    """

    backend: Backend
    shots: int
    preparation: Preparation
    mitigation: Mitigation
    seed: int
    notify: Notify
    calibrations: tuple[ReadoutCalibration, ...] = ()

    def run(self, role: Role, plan: CircuitPlan, inputs: FloatArray, exact: FloatArray) -> Stage:
        """Compile the plan once, bind every row, run, drop the rows that failed, correct.

        Args:
            role: which circuit of the model.
            plan: its description.
            inputs: ``(B, ...)`` data of the preparation.
            exact: ``(B, 2**m)`` exact distributions of the same inputs.

        Raises:
            ValueError: inputs that cannot be loaded.
            BackendError: the circuit does not fit the device, or too many shots.
            TooFewRowsError: fewer than two rows have counts.
        """
        self.notify(f"{role}: compiling for {self.backend.name}")
        template = build_template(plan, self.preparation, name=role)
        compiled = self.backend.compile(template.circuit, seed=self.seed)
        _LOG.info(
            "%s: %d two-qubit gates on qubits %s",
            role,
            compiled.two_qubit_gates,
            list(compiled.physical_qubits),
        )
        self.notify(f"{role}: preparing {len(inputs)} inputs")
        data = data_angles(template, inputs, seed=self.seed)
        order = [template.parameter_names.index(name) for name in compiled.parameter_names]
        self.notify(f"{role}: running {len(inputs)} circuits, {self.shots} shots each")
        # one stream a role, so that the encoder's shots do not repeat in the decoder
        seed = int(np.random.SeedSequence([self.seed, _STREAMS[role]]).generate_state(1)[0])
        angles = data.angles[:, order]
        result = self.backend.run(compiled, angles, shots=self.shots, seed=seed)
        kept = _rows_with_counts(role, result)
        counts = result.counts[kept]
        correction, source = self._correct(compiled, counts)
        return Stage(
            role=role,
            template=template,
            compiled=compiled,
            angles=angles[kept],
            loading_fidelity=data.fidelity[kept],
            exact=exact[kept],
            counts=counts,
            shots=self.shots,
            correction=correction,
            readout_source=source,
            cost=self.backend.estimate(compiled, circuits=len(inputs), shots=self.shots),
            kept=kept,
            missing=result.row_errors,
        )

    def _correct(
        self, compiled: CompiledTemplate, counts: NDArray[np.int64]
    ) -> tuple[ReadoutCorrection | None, str | None]:
        if self.mitigation == "none" or compiled.snapshot is None:
            return None, None
        if not self.calibrations:
            found = readout_matrices(compiled)
            return correct_readout(counts / self.shots, found.matrices), found.source
        qubits = measured_device_qubits(compiled)
        for calibration in self.calibrations:
            if {q.qubit for q in calibration.qubits}.issuperset(qubits):
                source = f"measured on {calibration.device}, {calibration.taken:%Y-%m-%d %H:%M} UTC"
                return correct_counts(counts, calibration, qubits), source
        raise ValueError(
            f"Argument `calibrations` must cover the measured qubits {list(qubits)}, but none of "
            f"the {len(self.calibrations)} given does; `qhw calibrate --qubits` measures them"
        )


def _rows_with_counts(role: Role, result: ShotResult) -> NDArray[np.int64]:
    """The one place where failed rows leave a comparison."""
    rows = len(result.counts)
    kept = np.setdiff1d(np.arange(rows), list(result.row_errors))
    # a batch that was this small from the start is nobody's failure
    if len(kept) < min(_FEWEST_ROWS, rows):
        texts = list(dict.fromkeys(result.row_errors.values()))
        words = "; ".join(texts[:_TEXTS_NAMED]) + "; ..." * (len(texts) > _TEXTS_NAMED)
        raise TooFewRowsError(
            f"Backend `{result.backend}` must give counts for {_FEWEST_ROWS} {role} rows or more "
            f"to compare, but gave them for {len(kept)} of {rows}: {words}"
        )
    return kept


def circuit_facts(stage: Stage) -> CircuitFacts:
    """What a run stage says about its circuit."""
    compiled, correction = stage.compiled, stage.correction
    return CircuitFacts(
        role=stage.role,
        preparation=stage.template.loading,
        loading_fidelity_min=float(stage.loading_fidelity.min()),
        loading_fidelity_mean=float(stage.loading_fidelity.mean()),
        logical_two_qubit_gates=stage.template.circuit.num_nonlocal_gates(),
        two_qubit_gates=compiled.two_qubit_gates,
        two_qubit_depth=compiled.two_qubit_depth,
        depth=compiled.depth,
        duration_s=compiled.duration_s,
        qubits=compiled.physical_qubits,
        expected_two_qubit_errors=_expected_errors(compiled, compiled.snapshot),
        predicted_success=compiled.predicted_success,
        transpiler_seed=compiled.seed,
        circuits=len(stage.counts) + len(stage.missing),
        failed=len(stage.missing),
        shots=stage.shots,
        usd=stage.cost.usd,
        qpu_seconds=stage.cost.qpu_seconds,
        cost_basis=stage.cost.basis,
        readout_source=stage.readout_source,
        negative_mass=None if correction is None else float(correction.negative_mass.mean()),
        projection_distance=None if correction is None else float(correction.distance.mean()),
    )


def _expected_errors(compiled: CompiledTemplate, snapshot: DeviceSnapshot | None) -> float | None:
    """Sum of reported two-qubit gate errors of the compiled circuit."""
    if snapshot is None:
        return None
    total = 0.0
    for step in compiled.circuit.data:
        if len(step.qubits) == 2 and step.operation.name in snapshot.two_qubit_gates:
            qubits = [compiled.circuit.find_bit(q).index for q in step.qubits]
            gate = snapshot.gate(step.operation.name, [compiled.physical_qubits[q] for q in qubits])
            total += (gate.error or 0.0) if gate else 0.0
    return total
