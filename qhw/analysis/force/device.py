"""Energies and forces of a force field from a device, with error bars."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backends.base import Backend, BackendError, CompiledTemplate
from qhw.analysis.expect.costs import simulator_cost
from qhw.analysis.expect.gradient import all_rows, errors_of
from qhw.analysis.expect.result import ExpectCost, ExpectSettings
from qhw.analysis.expect.values import (
    Measured,
    check_device,
    compile_circuit,
    plan,
    prepare,
)
from qhw.analysis.force.rows import ForceRows, ForceRule, Values, force_rows
from qhw.analysis.force.shot_plan import Precision, shots_of_errors, shots_without_noise
from qhw.chem.geometries import FloatArray, Geometries
from qhw.forces.model import ForceField
from qhw.mitigation.expectation import ExpectationProgram, Expectations, run_expectation

_PILOT = (1_000, 20_000)
"""Fewest and most shots of a circuit that a plan on a noisy device is made from."""
_ANY_SHOTS = 1_000
"""Of a program that is planned only to be read exactly."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What one batch of circuits gave.

    Attributes:
        values: of the rows.
        circuits: that ran, those of mitigation and calibration included.
        shots: of all of them together.
        cost: of all of them.
    """

    values: Values
    circuits: int
    shots: int
    cost: ExpectCost


@dataclass(frozen=True, eq=False)
class DeviceForces:
    """Energies and forces of B frames of A places for atoms.

    Attributes:
        energies: ``(B,)`` eV.
        energy_error: standard errors, ``(B,)`` eV.
        forces: ``(B, A, 3)`` eV/Å; ``None`` where only energies were wanted.
        forces_error: likewise, their standard errors.
        circuits: that ran.
        shots: of all of them.
        shots_a_row: of each atom's circuit and each shifted one, mitigation counted; ``None`` read
            exactly.
        cost: of all of them.
    """

    energies: FloatArray
    energy_error: FloatArray
    forces: FloatArray | None
    forces_error: FloatArray | None
    circuits: int
    shots: int
    shots_a_row: int | None
    cost: ExpectCost


Reader = Callable[[ForceRows, int | None, int], Reading]
"""Runs rows with shots of each (``None``: exact values) and a seed."""


class SimulatedReader:
    """Rows on a simulator; the circuit is compiled once.

    Args:
        backend: where.
        mitigation: pipeline.
        seed: of compilation.
    """

    def __init__(self, backend: Backend, mitigation: str, seed: int) -> None:
        self._backend, self._mitigation, self._seed = backend, mitigation, seed
        self._compiled: CompiledTemplate | None = None

    def __call__(self, rows: ForceRows, shots: int | None, seed: int) -> Reading:
        """Run them.

        Raises:
            MitigationError: pipeline, shots, circuit and device do not go together.
            BackendError: the circuit does not fit the device, or it refuses the run.
        """
        asked = asked_of(
            rows, self._backend.name, self._mitigation, shots or _ANY_SHOTS, self._seed
        )
        if self._compiled is None:
            check_device(asked, rows.work, self._backend)
            self._compiled = compile_circuit(asked, self._backend, rows.work)
        asked = asked.model_copy(update={"seed": seed})
        program = plan(asked, self._backend, self._compiled, rows.work)
        cost = simulator_cost(self._backend, program)
        if shots is None:
            exact, _ = program.exact()
            none = np.zeros(len(exact))
            picked = _picked(exact, rows)
            return Reading(Values(picked, none, np.zeros((0, len(none)))), len(none), 0, cost)
        return reading(rows, program, run_expectation(program, seed=seed), cost)


def asked_of(
    rows: ForceRows, device: str, mitigation: str, shots: int, seed: int
) -> ExpectSettings:
    """Rows as a question of :mod:`qhw.analysis.expect`.

    Raises:
        ValueError: a value out of range.
        MitigationError: a pipeline that gives no expectation values.
    """
    settings, _ = prepare(
        rows.work,
        None,
        rows.observables,
        device=device,
        mitigation=mitigation,
        shots=shots,
        seed=seed,
    )
    return settings


def measured_reading(rows: ForceRows, measured: Measured) -> Reading:
    """A reading of what a run in the ledger measured."""
    return reading(rows, measured.program, measured.found, measured.result.cost)


def reading(
    rows: ForceRows, program: ExpectationProgram, found: Expectations, cost: ExpectCost
) -> Reading:
    """Each row's value by the observable of its atom's species.

    Raises:
        BackendError: a row has no counts.
    """
    count = len(rows.work)
    if found.missing:
        row, words = min(found.missing.items())
        raise BackendError(
            f"Energies need counts of every circuit, but {rows.work.row_names[row]} has none: "
            f"{words}"
        )
    own, common = errors_of(found, count)
    values = Values(
        _picked(all_rows(found.values, found, count), rows),
        _picked(own, rows),
        np.array([_picked(part, rows) for part in common]).reshape(-1, count),
    )
    return Reading(
        values, sum(len(batch.angles) for batch in program.sent), found.total_shots, cost
    )


def _picked(table: FloatArray, rows: ForceRows) -> FloatArray:
    return np.asarray(table[np.arange(len(rows.column)), rows.column])


class FieldOnDevice:
    """A force field whose circuits run on a device.

    Args:
        model: with a circuit, in double precision.
        read: runs rows.
        shots: of each row, or the error that is wanted; ``None``: exact values.
        rule: where forces come from.
        seed: of what is random, together with the geometry.
        noisy: shots for a wanted error are planned from a few measured ones, as noise and
            mitigation change what a shot is worth.
    """

    def __init__(
        self,
        model: ForceField,
        read: Reader,
        shots: int | Precision | None,
        rule: ForceRule = "shift",
        *,
        seed: int = 0,
        noisy: bool = True,
    ) -> None:
        self.model, self.rule = model, rule
        self._read, self._shots, self._seed, self._noisy = read, shots, seed, noisy

    @property
    def needs_forces(self) -> bool:
        """Whether shots are planned by the error of forces alone, so that they always run."""
        return isinstance(self._shots, Precision) and self._shots.energy is None

    def evaluate(self, frames: Geometries, *, forces: bool) -> DeviceForces:
        """Energies, and forces if wanted, all circuits in one batch.

        Raises:
            AbilityError: a model without a circuit.
            GeometryError: as :meth:`ForceField.energy`.
            BackendError: the device refuses, or a circuit failed on it.
        """
        rows, shots, seed = self.planned(frames, forces=forces)
        found = self._read(rows, shots, seed)
        energies, pulls = rows.combined(found.values.values)
        error, pull_error = rows.errors(found.values)
        return DeviceForces(
            energies,
            error,
            pulls,
            pull_error,
            found.circuits,
            found.shots,
            shots,
            found.cost,
        )

    def planned(self, frames: Geometries, *, forces: bool) -> tuple[ForceRows, int | None, int]:
        """Rows, shots of each and seed, always the same of the same frames."""
        rows = force_rows(self.model, frames, self.rule if forces else None)
        seed = _seed(self._seed, frames)
        shots = self._shots
        if isinstance(shots, Precision):
            shots = self.planned_shots(rows, shots, seed)
        return rows, shots, seed

    def planned_shots(self, rows: ForceRows, wanted: Precision, seed: int) -> int:
        """Shots of each row with which no frame's error is above the wanted one."""
        least = shots_without_noise(self.model, rows, wanted)
        if not self._noisy:
            return least
        pilot = min(max(least, _PILOT[0]), _PILOT[1])
        found = self._read(rows, pilot, seed + 1)
        return shots_of_errors(rows, found.values, pilot, wanted)


def _seed(seed: int, frames: Geometries) -> int:
    """Other geometries have other noise, the same one the same, whatever was asked before."""
    words = f"{seed}".encode() + frames.numbers.tobytes() + frames.positions.tobytes()
    return int.from_bytes(hashlib.sha256(words).digest()[:7])
