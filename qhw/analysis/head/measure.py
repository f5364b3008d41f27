"""Counts of rows whose exact outcome is known, for the read-outs of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend, BackendError, CompiledTemplate, ShotResult, stream_seed
from backends.checks import check_shots
from backends.vendor import Submission, VendorBackend
from calibration.snapshot import DeviceSnapshot
from qhw.analysis.compare.facts import PredictionFacts
from qhw.analysis.compare.predicted import judged, predict
from qhw.analysis.compare.stage import FreezesPredictions, Notify
from qhw.analysis.head.calibration import (
    FEWEST_ROWS,
    CircuitCounts,
    HeadCalibration,
    HeadRole,
    HeadSettings,
    circuit_fingerprint,
)
from qhw.chem.qm9 import sample_molecules
from qhw.jobs.intent import Quote, plan_jobs
from qhw.latent import vmf
from qhw.mitigation.placed import Placed
from qhw.models.base import Model, reading_out
from qhw.models.checkpoint import load, weights_sha256
from qhw.models.exact import ExactModel, template_of

FloatArray = NDArray[np.float64]

_NEED = "a calibration of its head"
_STREAMS: dict[HeadRole, int] = {"encoder": 31, "decoder": 32}
"""Random stream of each circuit's inputs."""


@dataclass(frozen=True, eq=False)
class HeadQuote(Quote):
    """One circuit's calibration, priced.

    Attributes:
        role: which circuit.
        compiled: for the device.
        jobs: their angles are zeros, which no price depends on.
    """

    role: HeadRole
    compiled: CompiledTemplate


@dataclass(frozen=True, eq=False)
class Ran:
    """Rows of one circuit that ran.

    Attributes:
        inputs: ``(n, ...)``.
        compiled: its circuit.
        result: counts.
        prediction: what was said before they were sent, beside them; ``None`` on simulators.
    """

    inputs: FloatArray
    compiled: CompiledTemplate
    result: ShotResult
    prediction: PredictionFacts | None = None

    @property
    def kept(self) -> NDArray[np.int64]:
        """Rows that have counts."""
        return np.setdiff1d(np.arange(len(self.inputs)), list(self.result.row_errors))


def head_model(settings: HeadSettings) -> tuple[ExactModel, str]:
    """The model that settings name, and its name.

    Raises:
        CheckpointError: unknown or damaged, or its weights are others than those of the settings.
        AbilityError: its read-out cannot be refitted.
    """
    model, card = load(settings.model)
    exact = checked(model, card.name)
    if weights_sha256(exact.model) != settings.weights_sha256:
        raise ValueError(
            f"Model {settings.model} must have the weights that its calibration was begun with, "
            "but has others"
        )
    return exact, card.name


def checked(model: Model, name: str) -> ExactModel:
    """The model in double precision, if its read-out can be refitted.

    Raises:
        AbilityError: it cannot.
    """
    reading_out(model, name, _NEED)
    return ExactModel(model.double(), name, _NEED)


def known_inputs(exact: ExactModel, role: HeadRole, rows: int, seed: int) -> FloatArray:
    """Inputs of a circuit that lie where those of molecules lie, but are no molecule's.

    Normal draws with the mean and the covariance of what the shipped held-out molecules give, made
    unit vectors where they are amplitudes; of the decoder, a vMF draw of the model's concentration
    around each. The moments of a thousand molecules are all that goes in, so that no row that is
    judged later is known to the calibration, whatever the prior.

    Args:
        exact: whose.
        role: encoder: data of its preparation; decoder: latents.
        rows: how many.
        seed: of the draw.

    Returns:
        ``(rows, d)``, unit vectors where amplitudes are loaded.
    """
    molecules = sample_molecules().molecules
    of_molecules = exact.directions(molecules) if role == "decoder" else exact.inputs(molecules)
    rng = np.random.default_rng([seed, _STREAMS[role]])
    spread = np.cov(of_molecules, rowvar=False)
    drawn = rng.multivariate_normal(of_molecules.mean(axis=0), spread, rows, method="eigh")
    if exact.plan(role).preparation == "angles":
        return drawn
    found = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    if role == "decoder":
        found = np.stack([vmf.sample(mean, exact.kappa, rng) for mean in found])
    return np.asarray(found, dtype=np.float64)


def placed(
    exact: ExactModel, role: HeadRole, settings: HeadSettings, backend: Backend
) -> tuple[FloatArray, Placed]:
    """Inputs of a circuit, and their rows compiled for a device.

    Raises:
        BackendError: the circuit does not fit.
    """
    inputs = known_inputs(exact, role, settings.rows, settings.seed)
    work = exact.workload(role, inputs, settings.preparation, seed=settings.seed)
    return inputs, Placed.on(backend, work, seed=settings.seed)


def run_circuit(
    exact: ExactModel, role: HeadRole, settings: HeadSettings, backend: Backend, tell: Notify
) -> Ran:
    """Compile and run all rows of one circuit.

    Raises:
        BackendError: the circuit does not fit, too many shots, or too few rows have counts.
    """
    tell(f"{role}: compiling for {backend.name}, running {settings.rows} rows of known outcome")
    inputs, rows = placed(exact, role, settings, backend)
    seed = stream_seed(settings.seed, f"head {role}")
    compiled, exact_rows = rows.compiled, rows.workload.known
    assert exact_rows is not None  # of a model
    if isinstance(backend, FreezesPredictions):
        backend.freeze(
            role,
            lambda: predict(
                role, compiled, rows.angles, exact_rows, shots=settings.shots
            ).to_bytes(),
        )
    result = backend.run(compiled, rows.angles, shots=settings.shots, seed=seed)
    if settings.rows - len(result.row_errors) < max(FEWEST_ROWS, settings.rows // 2):
        words = next(iter(result.row_errors.values()))
        raise BackendError(
            f"Backend `{backend.name}` must give counts for half of the {settings.rows} {role} "
            f"rows or more, but {len(result.row_errors)} failed: {words}"
        )
    ran = Ran(inputs, compiled, result)
    told = backend.frozen(role) if isinstance(backend, FreezesPredictions) else None
    if told is None:
        return ran
    kept = ran.kept
    facts = judged(told, kept.tolist(), result.counts[kept], exact_rows[kept])
    return replace(ran, prediction=facts)


def quote_head(
    settings: HeadSettings, vendor: VendorBackend, tell: Notify
) -> tuple[HeadQuote, ...]:
    """Compile, check and price; nothing is sent.

    Raises:
        CheckpointError: the model is unknown or damaged.
        AbilityError: its read-out cannot be refitted.
        BackendError: the device would refuse it, or its price is unknown.
    """
    exact, name = head_model(settings)
    found = []
    for role in settings.circuits:
        tell(f"{role}: compiling for {vendor.name}, checking and pricing")
        template = template_of(exact.model, role, settings.preparation, name, _NEED)
        compiled = vendor.compile(template.circuit, seed=settings.seed)
        zeros = np.zeros((settings.rows, len(compiled.parameter_names)))
        jobs = plan_jobs(vendor, Submission(compiled, zeros, settings.shots))
        found.append(HeadQuote(jobs, role, compiled))
    return tuple(found)


def calibration_of(
    settings: HeadSettings,
    name: str,
    ran: Sequence[tuple[HeadRole, Ran]],
    snapshot: DeviceSnapshot | None,
    *,
    usd: float = 0.0,
    rehearsal: bool = False,
    run: str | None = None,
) -> HeadCalibration:
    """What is stored of rows that ran.

    Args:
        settings: that were asked.
        name: of the model.
        ran: by circuit.
        snapshot: of the device.
        usd: what it cost.
        rehearsal: whether the vendor is simulated on this machine.
        run: in the ledger.
    """
    return HeadCalibration(
        device=ran[0][1].result.backend,
        snapshot=None if snapshot is None else snapshot.name,
        snapshot_taken=None if snapshot is None else snapshot.taken,
        model=name,
        weights_sha256=settings.weights_sha256,
        taken=max(one.result.finished for _, one in ran),
        shots=settings.shots,
        preparation=settings.preparation,
        seed=settings.seed,
        parts=tuple(_part(role, one) for role, one in ran),
        usd=usd,
        rehearsal=rehearsal,
        run=run,
    )


def measure_head(
    settings: HeadSettings,
    backend: Backend,
    tell: Callable[[str], None],
    model: Model | None = None,
) -> HeadCalibration:
    """Measure on a backend that gives counts at once.

    Args:
        settings: what to do.
        backend: where.
        tell: told what is being done.
        model: a live one; by default the checkpoint that the settings name is loaded.

    Raises:
        CheckpointError: the model is unknown or damaged.
        AbilityError: its read-out cannot be refitted.
        BackendError: as :func:`run_circuit`.
    """
    check_shots(settings.shots)
    exact, name = (
        head_model(settings) if model is None else (checked(model, settings.model), settings.model)
    )
    ran = [(role, run_circuit(exact, role, settings, backend, tell)) for role in settings.circuits]
    return calibration_of(settings, name, ran, backend.snapshot)


def _part(role: HeadRole, ran: Ran) -> CircuitCounts:
    kept = ran.kept
    return CircuitCounts(
        role=role,
        fingerprint=circuit_fingerprint(ran.compiled),
        qubits=ran.compiled.physical_qubits,
        two_qubit_gates=ran.compiled.two_qubit_gates,
        inputs=tuple(map(tuple, ran.inputs[kept].tolist())),
        counts=tuple(map(tuple, ran.result.counts[kept].tolist())),
        prediction=ran.prediction,
    )
