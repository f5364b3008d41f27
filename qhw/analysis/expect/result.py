"""What `qhw expect` was asked and found, as frozen, versioned JSON; the same on every device."""

from __future__ import annotations

import operator
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from calibration.documents import read_document
from calibration.parts import Frozen, Utc
from qhw.analysis.compare.parsed import Parsed, WantedPrecision
from qhw.analysis.compare.result import Count, MissingRow, ResultError
from qhw.analysis.probe.facts import NoiseOfTheDay
from qhw.analysis.validate.interval import Interval

SCHEMA_VERSION = 3
"""Version written by this code; every version up to it is read."""


def _is_none(value: object) -> bool:
    return value is None


class ExpectSettings(Parsed):
    """What was asked for; equal settings are the same run on a paid device.

    Attributes:
        task: that this is an expectation value, beside the tasks of a comparison.
        circuit: name of the file, or of a live circuit.
        circuit_sha256: of the file's bytes; of a live circuit, of its gates.
        observables: Pauli sums as given.
        device: backend name.
        mitigation: pipeline, as this version writes it.
        shots: everything counted.
        precision: standard error that the shots were planned for; ``None`` where they were given.
        seed: of everything random.
        wires: measured wires of a circuit that measures nothing itself, by their place in the
            observables; ``None`` for all. Idle wires that no observable looks at are left out.
        n_wires: that observables have which name bits by number; ``None`` where none does.
        rows: of angles; ``None`` for a circuit without parameters, run once.
        angles_sha256: of their values and names; ``None`` likewise.
        workload_sha256: of the circuit and its rows in the ledger; ``None`` outside it, and of runs
            of version 2. No part of what is asked.
        probe: run two or three smaller circuits of known answer beside, and fit the device model's
            noise to them.
    """

    task: Literal["expect"] = "expect"
    circuit: str
    circuit_sha256: str
    observables: Annotated[tuple[str, ...], Field(min_length=1)]
    device: str
    mitigation: str
    shots: Annotated[int, Field(ge=1)]
    precision: WantedPrecision = None
    seed: Count = 0
    wires: Annotated[tuple[Count, ...] | None, Field(exclude_if=_is_none)] = None
    n_wires: Annotated[Count | None, Field(exclude_if=_is_none)] = None
    rows: Annotated[Count | None, Field(exclude_if=_is_none)] = None
    angles_sha256: Annotated[str | None, Field(exclude_if=_is_none)] = None
    workload_sha256: Annotated[str | None, Field(exclude_if=_is_none)] = None
    probe: Annotated[bool, Field(exclude_if=operator.not_)] = False


class ObservableValue(Frozen):
    """One observable in one row of angles.

    Attributes:
        row: number of the row; 0 of a circuit without parameters. Of version 3, as its name.
        row_name: of the row.
        observable: as given.
        value: from the device.
        standard_error: of shot noise and fits.
        exact: of the circuit without noise, evolutions (``PauliEvolutionGate``) being what they
            stand for; ``None`` where it is too wide for a statevector.
        synthesis: what the product formulas that run in place of evolutions change in ``exact``,
            noise apart; ``None`` for a circuit without evolutions, or too wide. Of version 2.
        shot_floor: deviation that as many shots have without noise; ``None`` likewise.
        uniform: of the maximally mixed state, where noise leads to and no QPU is needed.
        raw: on a device model, of the counts at its own noise, before mitigation; ``None`` on
            others and where there are none. Of version 3, like the next.
        on_hardware: where real devices of the vendor would have that, by public results.
    """

    row: Count = 0
    row_name: str = "0"
    observable: str
    value: float
    standard_error: float
    exact: float | None
    synthesis: float | None = None
    shot_floor: float | None
    uniform: float
    raw: Annotated[float | None, Field(exclude_if=_is_none)] = None
    on_hardware: Annotated[Interval | None, Field(exclude_if=_is_none)] = None


class JudgedValue(Frozen):
    """An observable's raw value in one row: exact, predicted, measured.

    Attributes:
        row: number of the row.
        observable: as given.
        exact: without noise.
        predicted: by the device's model.
        low: lower end of where real devices' noise and the shots put it; ``None`` without public
            results of the vendor's devices.
        high: upper end.
        measured: of the counts at the device's own noise; ``None`` where there are none.
        inside: whether that lies between; ``None`` where one of them is missing.
    """

    row: Count
    observable: str
    exact: float
    predicted: float
    low: float | None
    high: float | None
    measured: float | None
    inside: bool | None


class ValuePrediction(Frozen):
    """What a device model says of raw values, beside what came.

    Attributes:
        made: when it was predicted.
        device: calibration that it rests on; ``None`` where there was none.
        taken: time of that calibration.
        snapshot_sha256: of its JSON.
        sha256: of the whole prediction, in the ledger where it was made before a job was sent.
        level: of the intervals.
        results: public results that they rest on.
        values: in the order of rows, observables of a row together.
        note: what was not predicted, and why.
    """

    made: Utc
    device: str | None
    taken: Utc | None
    snapshot_sha256: str | None
    sha256: str
    level: float | None
    results: Count | None
    values: tuple[JudgedValue, ...]
    note: str


class ProbedValues(Frozen):
    """The noise of the day, and what it predicts of the values that it was measured beside.

    Attributes:
        noise: that the probes showed.
        again: the prediction made again with it; ``None`` where there is no factor.
    """

    noise: NoiseOfTheDay
    again: ValuePrediction | None = None


class ExpectCost(Frozen):
    """Of everything that ran; in a rehearsal what it would have been.

    Attributes:
        usd: US dollars.
        qpu_seconds: device time, where billed by time.
        basis: how the cost was computed.
    """

    usd: float
    qpu_seconds: float | None
    basis: str


class ExpectResult(Frozen):
    """Everything `qhw expect` found.

    Attributes:
        run: in the ledger; ``None`` on a simulator.
        settings: what was asked for.
        device: backend name.
        snapshot: calibration compiled against, name and day; ``None`` on an ideal device.
        snapshot_taken: when it was measured.
        snapshot_age_days: how old it was when the counts were complete.
        measured: when the counts were complete; ``None`` where nothing had to be measured.
        mitigation: pipeline.
        vendor_mitigation: the vendor's own, in words.
        circuits: different ones, calibration and training included.
        bases: measured, X, Y or Z for every wire, wire 0 leftmost.
        two_qubit_gates: of the circuit, compiled.
        total_shots: of everything.
        cost: of everything.
        rehearsal: the vendor was a server on this machine: counts are simulated.
        observables: values beside the exact ones, all of one row after another.
        missing: rows without counts, and the vendor's words. Of version 3.
        prediction: what the device's model said before a paid job was sent, and whether that was
            so. Of version 3; earlier files of that version do not say.
        probe: of a run with ``--probe``, the noise of the day. Likewise.
        command: that gives this result.
        versions: of what decides the numbers.
    """

    schema_version: int = SCHEMA_VERSION
    run: str | None
    settings: ExpectSettings
    device: str
    snapshot: str | None
    snapshot_taken: Utc | None
    snapshot_age_days: float | None
    measured: Utc | None
    mitigation: str
    vendor_mitigation: str | None
    circuits: Count
    bases: tuple[str, ...]
    two_qubit_gates: Count
    total_shots: Count
    cost: ExpectCost
    rehearsal: bool
    observables: tuple[ObservableValue, ...]
    missing: tuple[MissingRow, ...] = ()
    prediction: Annotated[ValuePrediction | None, Field(exclude_if=_is_none)] = None
    probe: Annotated[ProbedValues | None, Field(exclude_if=_is_none)] = None
    command: str
    versions: dict[str, str]

    def to_json(self) -> str:
        """JSON text."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "result") -> ExpectResult:
        """Read what :meth:`to_json` wrote, in this or an earlier version.

        Raises:
            ResultError: not JSON, another version, or a value out of place.
        """
        return read_document(cls, text, SCHEMA_VERSION, where, ResultError)


def mean_distances(result: ExpectResult) -> dict[str, float] | None:
    """Mean distance to exact of the device, of shots alone and of the mixed state, all values.

    ``None`` where the circuit is too wide for exact values.
    """
    off, floor, constant = [], [], []
    for value in result.observables:
        if value.exact is None or value.shot_floor is None:
            return None
        off.append(abs(value.value - value.exact))
        floor.append(value.shot_floor * np.sqrt(2 / np.pi))  # mean size of a normal deviation
        constant.append(abs(value.uniform - value.exact))
    means = map(np.mean, (off, floor, constant))
    return dict(zip(("device", "shot_floor", "uniform"), map(float, means), strict=True))
