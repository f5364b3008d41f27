"""Energies and forces of a force field on a device, raw and mitigated, beside exact and labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from qhw.analysis.compare.result import Estimate
from qhw.analysis.force.device import DeviceForces
from qhw.analysis.scores.bootstrap import mean_interval
from qhw.analysis.scores.molecules import wilson
from qhw.chem.geometries import FloatArray, Geometries, GeometryError

SCHEMA_VERSION = 1
COVERS = 1.959964
"""Standard errors either way that cover the exact value in 95 of 100."""
_MILLI = 1000.0
_FEW = 2
_MEASURED = 1e-9
"""eV, eV/Å; smaller standard errors are rounding, of what no shot decides."""


@dataclass(frozen=True)
class Errors:
    """One way of reading a force field against something; meV and meV/Å.

    Attributes:
        energy_mae: mean absolute error of energies.
        force_mae: of force components.
    """

    energy_mae: Estimate
    force_mae: Estimate


@dataclass(frozen=True)
class FieldReading:
    """One way of reading a force field.

    Attributes:
        name: ``exact``, ``raw`` or the pipeline.
        to_labels: against the labels.
        to_exact: against the noise-free field; ``None`` of ``exact`` itself.
        energy_bar: root mean square of the energies' standard errors, meV.
        force_bar: of the forces', meV/Å; ``None`` where no force was measured.
        energies_covered: share of exact energies within 1.96 standard errors, nominally 95 %;
            ``None`` where none was measured with shots.
        forces_covered: of exact force components, likewise, of those that are not zero or known
            whatever is measured, such as those out of a molecule's plane.
        circuits: that ran, all frames.
        shots: of all of them.
        shots_a_row: of each atom's circuit and each shifted one.
        usd: what they cost, or would.
        basis: of that price, with its date.
    """

    name: str
    to_labels: Errors
    to_exact: Errors | None = None
    energy_bar: float | None = None
    force_bar: float | None = None
    energies_covered: Estimate | None = None
    forces_covered: Estimate | None = None
    circuits: int = 0
    shots: int = 0
    shots_a_row: int | None = None
    usd: float = 0.0
    basis: str = ""


@dataclass(frozen=True, eq=False)
class FieldValues:
    """Energies and forces of B frames, eV and eV/Å.

    Attributes:
        energies: ``(B,)``.
        forces: ``(B, A, 3)``.
        energy_error: standard errors; zero of what is known exactly.
        forces_error: likewise.
    """

    energies: FloatArray
    forces: FloatArray
    energy_error: FloatArray
    forces_error: FloatArray

    @classmethod
    def known(cls, energies: FloatArray, forces: FloatArray) -> FieldValues:
        """Without error."""
        return cls(energies, forces, np.zeros_like(energies), np.zeros_like(forces))


@dataclass(frozen=True, eq=False)
class FieldComparison:
    """A force field on a device.

    Attributes:
        model: name.
        device: name.
        data: file.
        sha256: of the file.
        frames: how many.
        seed: of everything random.
        forces: where the device's forces come from.
        readings: exact first.
        controls: errors on the whole test set in the model's card, by the control's name.
        measured: energies and forces by reading, with bars; the labels under ``labels``.
    """

    model: str
    device: str
    data: str
    sha256: str
    frames: int
    seed: int
    forces: str
    readings: tuple[FieldReading, ...]
    controls: Mapping[str, Mapping[str, float]]
    measured: Mapping[str, FieldValues]

    def to_dict(self) -> dict[str, Any]:
        """All but the arrays, as in ``result.json``."""
        return {
            "schema_version": SCHEMA_VERSION,
            **{
                name: getattr(self, name)
                for name in ("model", "device", "data", "sha256", "frames", "seed", "forces")
            },
            "readings": [_plain(asdict(one)) for one in self.readings],
            "controls": {name: dict(values) for name, values in self.controls.items()},
        }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value.model_dump() if isinstance(value, Estimate) else value


def labels_of(frames: Geometries) -> tuple[FloatArray, FloatArray]:
    """Energies and forces of a file's frames.

    Raises:
        GeometryError: it has none.
    """
    if frames.energies is None or frames.forces is None:
        raise GeometryError("frames must have energies and forces, but have none")
    return frames.energies, frames.forces


def exact_reading(
    frames: Geometries, exact: tuple[FloatArray, FloatArray], seed: int
) -> FieldReading:
    """The noise-free field against the labels."""
    return FieldReading("exact", _errors(frames, exact, labels_of(frames), seed))


def device_reading(
    name: str,
    frames: Geometries,
    exact: tuple[FloatArray, FloatArray],
    found: DeviceForces,
    seed: int,
) -> FieldReading:
    """A device's energies and forces against labels and the noise-free field."""
    assert found.forces is not None
    assert found.forces_error is not None
    got = found.energies, found.forces
    there = frames.numbers > 0
    off, bars = (found.forces - exact[1])[there], found.forces_error[there]
    return FieldReading(
        name,
        _errors(frames, got, labels_of(frames), seed),
        _errors(frames, got, exact, seed),
        _MILLI * _rms(found.energy_error),
        _MILLI * _rms(bars) if (bars > _MEASURED).any() else None,
        _covered(found.energies - exact[0], found.energy_error),
        _covered(off, bars),
        found.circuits,
        found.shots,
        found.shots_a_row,
        found.cost.usd,
        found.cost.basis,
    )


def _covered(off: FloatArray, bars: FloatArray) -> Estimate | None:
    """Share of what was measured that lies within its bar; ``None`` where nothing was."""
    measured = bars > _MEASURED
    if not measured.any():
        return None
    near = np.abs(off[measured]) <= COVERS * bars[measured]
    return wilson(int(near.sum()), near.size)


def _errors(
    frames: Geometries,
    got: tuple[FloatArray, FloatArray],
    wanted: tuple[FloatArray, FloatArray],
    seed: int,
) -> Errors:
    """Intervals over frames, the unit that is independent."""
    there = frames.numbers > 0
    by_frame = np.abs(got[1] - wanted[1]).sum(axis=(1, 2), where=there[:, :, None])
    atoms = 3 * there.sum(axis=1)
    energy = _MILLI * np.abs(got[0] - wanted[0])
    return Errors(_interval(energy, seed), _interval(_MILLI * by_frame / atoms, seed))


def _interval(values: FloatArray, seed: int) -> Estimate:
    mean = float(values.mean())
    if len(values) < _FEW:
        return Estimate(value=mean, low=mean, high=mean, level=0.95)
    found = mean_interval(values, np.random.default_rng(seed), within=(0.0, np.inf))
    return Estimate(value=mean, low=found.low, high=found.high, level=0.95)


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def controls_of(metrics: Mapping[str, float | None]) -> dict[str, dict[str, float]]:
    """Test errors of a card by name: ``field`` of the model, and every control beside it."""
    found: dict[str, dict[str, float]] = {}
    for key, value in metrics.items():
        part, *rest = key.split("/")
        if value is not None and part == "test" and rest[-1] in ("energy_mae", "force_mae"):
            found.setdefault(rest[0] if len(rest) > 1 else "field", {})[rest[-1]] = value
    return found
