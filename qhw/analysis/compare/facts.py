"""What a result says of the model, the device, each circuit that ran and what came back."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field, JsonValue

from calibration.parts import Frozen, Utc
from qhw.analysis.compare.parsed import Count as Count
from qhw.analysis.probe.facts import NoiseOfTheDay
from qhw.circuits.workload import Role

Level = Literal["better", "same", "worse", "unknown"]
"""Of a verdict, against the best baseline."""
CircuitRole: TypeAlias = Role
"""Circuit of a model, or a person's own."""


class Estimate(Frozen):
    """A mean over rows, or a skill score, with its bootstrap interval."""

    value: float
    low: float
    high: float
    level: float = 0.95


class KappaPoint(Frozen):
    """What an end-to-end comparison is at another concentration of the latent draw.

    Attributes:
        kappa: of the draw.
        constant: mean distance of the best constant to exact, what a device has to beat.
        encoder_skill: skill of the encoder as measured followed by an exact decoder; ``None`` where
            a constant is exact.
        device_skill: with the device's own decoder; ``None`` where it did not run at this kappa.
        level: of the verdict on ``device_skill``; ``None`` where there is none.
    """

    kappa: float
    constant: float
    encoder_skill: Estimate | None
    device_skill: Estimate | None
    level: Level | None


class ModelFacts(Frozen):
    """The model used.

    Attributes:
        kappa_assumed: its checkpoint does not hold kappa, which was given at the import (since
            version 4).
        prior: that latents were drawn from, of ``generate`` (since version 4).
    """

    name: str
    kind: str
    latent_dim: int
    wires: int
    quantum_parameters: int
    classical_parameters: int
    kappa: float | None
    sha256: str | None
    kappa_assumed: bool = False
    prior: str | None = None


class DeviceFacts(Frozen):
    """The device or device model used; snapshot fields are ``None`` on an ideal simulator."""

    backend: str
    snapshot: str | None = None
    vendor: str | None = None
    processor: str | None = None
    n_qubits: int | None = None
    taken: Utc | None = None
    source: str | None = None
    median_one_qubit_error: float | None = None
    median_two_qubit_error: float | None = None
    median_readout_error: float | None = None
    corrections: dict[str, int] = Field(default_factory=dict)


class HeadFit(Frozen):
    """A linear read-out refitted to counts.

    Attributes:
        role: whose counts it reads.
        source: ``device_raw``, or ``device_readout`` for readout-corrected counts.
        rows: of known outcome that it was fitted to.
        strength: of the ridge, in units of a feature's mean sum of squares; ``None`` where the
            model's own read-out predicts left-out rows no worse and stays.
        error: squared error of left-out rows over that of the model's own read-out.
    """

    role: Role
    source: str
    rows: Count
    strength: float | None
    error: float


class HeadFacts(Frozen):
    """Where refitted read-outs come from.

    Attributes:
        sha256: of the file of ``qhw calibrate --head``.
        taken: when its counts were complete.
        age_hours: since then, when they were used.
        shots: of each row of known outcome.
        total_shots: of all of them: beside those of the rows compared.
        usd: what they cost, once for every run that uses them.
        rehearsal: they are of a vendor simulated on this machine.
        run: in the ledger; ``None`` of a simulator.
        fits: read-outs that were refitted.
    """

    sha256: str
    taken: Utc
    age_hours: float
    shots: Count
    total_shots: Count
    usd: float
    rehearsal: bool
    run: str | None
    fits: tuple[HeadFit, ...]


class MitigationFacts(Frozen):
    """What a pipeline ran in place of one circuit, and what it found.

    Attributes:
        pipeline: as text.
        templates: different circuits run, calibration and training included.
        executions: bound circuits.
        total_shots: of all of them; at most rows times the shots asked for.
        shot_multiplier: all shots over those at the device's own noise.
        needs: what it takes beside shots, in words.
        raw_shots: per row behind the raw counts.
        raw_from: where the raw counts come from, in words.
        raw_extra_shots: run for the raw counts alone, not part of ``total_shots``.
        standard_error: mean over rows and outcomes, before the projection.
        effective_shots: raw shots that would be as noisy.
        calibration: measured readout used: device and time; ``None`` for the snapshot's rates.
        fits: numbers of every technique: scales, slopes, decays, gammas.
    """

    pipeline: str
    templates: Count
    executions: Count
    total_shots: Count
    shot_multiplier: float
    needs: tuple[str, ...]
    raw_shots: Count
    raw_from: str
    raw_extra_shots: Count
    standard_error: float
    effective_shots: Count
    calibration: str | None
    fits: dict[str, JsonValue]


class CircuitFacts(Frozen):
    """One compiled template and what running it cost.

    Attributes:
        role: which circuit.
        preparation: how its data are loaded.
        loading_fidelity_min: worst squared overlap of a loaded with the wanted state.
        loading_fidelity_mean: mean of it.
        logical_two_qubit_gates: before compilation.
        two_qubit_gates: after compilation.
        two_qubit_depth: depth counting them only.
        depth: full depth.
        duration_s: of one execution, seconds; ``None`` where gate times are unknown.
        qubits: device qubits, in circuit order.
        expected_two_qubit_errors: sum of the reported errors of the two-qubit gates.
        predicted_success: the layout's estimate of a run without any error.
        transpiler_seed: seed of the compilation.
        circuits: rows submitted, one binding each.
        failed: how many of them have no counts.
        shots: per row.
        usd: cost of everything, mitigation included.
        qpu_seconds: device time, where billed by time.
        cost_basis: how the cost was computed.
        readout_source: where the confusion matrices come from, ``None`` without correction.
        negative_mass: mean negative mass before projection, ``None`` without correction.
        projection_distance: mean Euclidean distance of the projection.
        mitigation: of a pipeline that runs circuits of its own.
        approximation: what the simulator left out of its own device model, in words; ``None`` for
            nothing (since version 3).
    """

    role: CircuitRole
    preparation: str
    loading_fidelity_min: float
    loading_fidelity_mean: float
    logical_two_qubit_gates: int
    two_qubit_gates: int
    two_qubit_depth: int
    depth: int
    duration_s: float | None
    qubits: tuple[int, ...]
    expected_two_qubit_errors: float | None
    predicted_success: float | None
    transpiler_seed: int
    circuits: int
    failed: Count = 0
    shots: int
    usd: float
    qpu_seconds: float | None
    cost_basis: str
    readout_source: str | None = None
    negative_mass: float | None = None
    projection_distance: float | None = None
    mitigation: MitigationFacts | None = None
    approximation: str | None = None


class PredictionFacts(Frozen):
    """What a device model said before a circuit was sent, beside what came: mean distances (TVD)
    of raw counts to exact, at the shots that were made.

    Attributes:
        role: which circuit.
        made: when it was predicted, before anything was sent.
        device: calibration that it rests on; ``None`` where there was none.
        taken: time of that calibration.
        snapshot_sha256: of its JSON.
        sha256: of the whole prediction, distributions with it, in the ledger.
        rows: predicted and measured.
        floor: without noise; ``None`` where nothing was predicted.
        predicted: with the model's noise.
        interval: of real devices about such predictions; ``None`` without public results to judge
            by.
        results: how many it rests on.
        measured: of the device.
        inside: whether that lies in the interval; ``None`` where one of them is missing.
        note: what was not predicted, and why.
        uniform: distance of a uniform answer; ``None`` where nothing was predicted, and in earlier
            files.
    """

    role: CircuitRole | Literal["expectation"]
    made: Utc
    device: str | None
    taken: Utc | None
    snapshot_sha256: str | None
    sha256: str
    rows: Count
    floor: float | None
    predicted: float | None
    interval: Estimate | None
    results: Count | None
    measured: float | None
    inside: bool | None
    note: str
    uniform: float | None = None


class ProbeFacts(Frozen):
    """The noise of the day, and what it predicts of the circuit that it was measured beside.

    Attributes:
        role: which circuit.
        noise: that the probes showed.
        predicted: distances with the model as reported, beside what was measured; ``None`` where
            nothing can be predicted.
        again: with the fitted model.
    """

    role: CircuitRole
    noise: NoiseOfTheDay
    predicted: PredictionFacts | None = None
    again: PredictionFacts | None = None


class ForeignFacts(Frozen):
    """Counts that were made elsewhere.

    Attributes:
        file: its name.
        sha256: of it.
        kind: who wrote it.
        device: that the file names; ``None`` for none.
        order: of outcomes' letters: ``qiskit``, classical bit 0 last, or ``reversed``.
        order_check: what comparing with exact says of that, in words.
        shots: fewest and most of a row.
        unknown: what a run here would know and such counts do not say.
    """

    file: str
    sha256: str
    kind: str
    device: str | None
    order: str
    order_check: str
    shots: tuple[Count, Count]
    unknown: tuple[str, ...]


class Agreement(Frozen):
    """Rows whose molecules are the same one: valid by the strict protocol and of equal canonical
    SMILES, so elements, connectivity and bond orders agree (stereo is not compared).

    Attributes:
        rows: compared.
        same_connectivity: elements and bonds of device and exact agree atom by atom, whatever the
            bond orders and whether or not that is a valid molecule.
        device_is_exact: the device gave the exact reference's molecule.
        exact_is_input: the exact reference gave what went in; ``None`` if nothing went in.
        device_is_input: the device did.
        all_the_same: input, exact and device are one molecule.
    """

    rows: Count
    same_connectivity: Count
    device_is_exact: Count
    exact_is_input: Count | None
    device_is_input: Count | None
    all_the_same: Count | None
