"""A person's own circuit on a device, its counts beside the exact distribution."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import cast

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend
from backends.exact import MAX_QUBITS, ExactBackend
from backends.vendor import VendorBackend
from qhw.analysis.compare.comparison import Comparison, assemble, runner_of
from qhw.analysis.compare.quote import StageQuote, quote_stage
from qhw.analysis.compare.settings import MeasureSettings
from qhw.analysis.compare.stage import Notify, Stage, StageRunner
from qhw.analysis.compare.synthesis import evolved_distribution, evolves
from qhw.analysis.compare.tasks import INTERVAL_STREAM, Outcome
from qhw.analysis.compare.wide import outcome_of, wide_outcome, wide_reference
from qhw.analysis.scores.distributions import distribution_section
from qhw.analysis.scores.metrics import total_variation
from qhw.circuits.workload import ROLE, Workload
from qhw.scheduler import Scheduler

FloatArray = NDArray[np.float64]

_LOG = logging.getLogger(__name__)
_TEXT = "The device's outcome distribution against the exact one of the very same circuit."
_SYNTHESIS = (
    " Evolutions run as product formulas; that alone, without any noise, moves it by a distance of "
    "{:.3g}, which is counted among the device's."
)


def settings_of(workload: Workload, **options: object) -> MeasureSettings:
    """Settings of a workload.

    Args:
        workload: what runs.
        options: device, shots, seed, mitigation, with_raw and calibrations.

    Raises:
        ValueError: a value out of range.
    """
    return MeasureSettings.parse(
        circuit=workload.name,
        fingerprint=workload.fingerprint(),
        angles_sha256=workload.rows_sha256(),
        rows=len(workload),
        **options,
    )


def measure(
    settings: MeasureSettings,
    workload: Workload,
    backend: Backend,
    *,
    command: str = "",
    notify: Notify = _LOG.info,
    moment: datetime | None = None,
    scheduler: Scheduler | None = None,
) -> Comparison:
    """Compile once, bind every row, run, mitigate, and compare with exact.

    Args:
        settings: from :func:`settings_of`.
        workload: what runs.
        backend: where.
        command: written into the result.
        notify: told what is being done.
        moment: to which ages of calibrations are counted, by default now.
        scheduler: where the device is simulated; in this process by default.

    Raises:
        BackendError: the circuit does not fit the device.
        MitigationError: pipeline, shots, circuit, device and calibration do not go together.
        TooFewRowsError: so many circuits failed that nothing is left to compare.
    """
    start = datetime.now(UTC)
    runner = replace(runner_of(settings, backend, notify, moment), scheduler=scheduler)
    notify("computing the exact distributions")
    wide = wide_reference(workload) if workload.circuit.num_qubits > MAX_QUBITS else None
    exact = (
        Exact(np.empty((len(workload), 0))) if wide is not None else exact_distributions(workload)
    )
    stage = runner.run(workload, exact.distributions)
    if wide is not None:
        notify(f"comparing with the exact reference: {wide.facts.method}")
        outcome = wide_outcome(workload, stage, runner, wide)
    else:
        notify("comparing with the exact statevector")
        outcome = _outcome(workload, stage, runner, exact.synthesis)
    return assemble(settings, outcome, backend, model=None, command=command, start=start)


def quote_workload(
    settings: MeasureSettings,
    workload: Workload,
    vendor: VendorBackend,
    notify: Notify,
    moment: datetime | None = None,
) -> StageQuote:
    """Compile, check and price what would be sent; nothing is sent.

    Raises:
        BackendError: the device would refuse it, or its price is unknown.
    """
    # circuits are built for a device's name; nothing runs on it here
    runner = runner_of(settings, cast(Backend, vendor), notify, moment)
    placed = runner.place(workload)
    notify("checking and pricing")
    return quote_stage(runner, vendor, placed)


@dataclass(frozen=True, eq=False)
class Exact:
    """What a workload gives without noise.

    Attributes:
        distributions: ``(B, 2**m)``, bit ``c`` of an outcome classical bit ``c``.
        synthesis: mean total variation distance by which the product formulas that run in place of
            evolutions (``PauliEvolutionGate``) alone move them; ``None`` without evolutions.
    """

    distributions: FloatArray
    synthesis: float | None = None


def exact_distributions(workload: Workload) -> Exact:
    """Exact outcome distributions, evolutions being what they stand for.

    Raises:
        BackendError: more than 20 measured bits, or a wide circuit without an exact reference.
    """
    ideal = ExactBackend()
    compiled = ideal.compile(workload.circuit)
    gates = ideal.probabilities(compiled, workload.columns(compiled.parameter_names))
    if not evolves(workload.circuit):
        return Exact(gates)
    evolved = np.concatenate([evolved_distribution(bound) for bound in workload.bound()])
    return Exact(evolved, float(total_variation(evolved, gates).mean()))


def _outcome(
    workload: Workload, stage: Stage, runner: StageRunner, synthesis: float | None
) -> Outcome:
    own_error = stage.pipeline.mitigated.own_error
    section = distribution_section(
        ROLE,
        "Outcome distribution",
        _TEXT if synthesis is None else _TEXT + _SYNTHESIS.format(synthesis),
        stage.exact,
        stage.distributions(),
        stage.shots,
        runner.stream(INTERVAL_STREAM),
        errors={} if stage.best_source == "device_raw" else {stage.best_source: own_error},
    )
    return outcome_of(workload, stage, section)
