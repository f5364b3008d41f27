"""Geometries with energies and forces, and what is refused among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import constants

from calibration.closest import quoted
from qhw.chem.elements import covalent_radius

if TYPE_CHECKING:
    from ase import Atoms

FloatArray = NDArray[np.float64]
EnergyUnit = Literal["eV", "kcal/mol", "Ha"]

EV_OF: dict[EnergyUnit, float] = {
    "eV": 1.0,
    "kcal/mol": 1000 * constants.calorie / constants.N_A / constants.e,
    "Ha": constants.physical_constants["Hartree energy in eV"][0],
}
"""eV in each unit of energy; forces are that unit per Å."""
CLOSEST = 0.3
"""Å; atoms nearer than this are a mistake."""
_USUAL_FORCE = (0.05, 12.0)
"""eV/Å, root mean square over components: of geometries as dynamics visits them."""
_CLOSE = (0.8, 1.25)
"""Total energy by that of free atoms."""
_USUAL_BOND = (0.6, 1.6)
"""Shortest distance of a molecule by the sum of covalent radii, median over frames."""


class GeometryError(ValueError):
    """Geometries, energies or forces that cannot be used; one line says which and why."""


@dataclass(frozen=True, eq=False)
class Geometries:
    """Molecules' geometries, padded to the largest.

    Attributes:
        numbers: ``(B, A)`` atomic numbers, 0 where there is no atom; atoms first, padding last.
        positions: ``(B, A, 3)`` Å, zero where there is no atom.
        energies: ``(B,)`` eV, of the whole molecule; ``None`` if not known.
        forces: ``(B, A, 3)`` eV/Å, zero where there is no atom; ``None`` if not known.
    """

    numbers: NDArray[np.int64]
    positions: FloatArray
    energies: FloatArray | None = None
    forces: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> Geometries:
        return Geometries(
            self.numbers[rows],
            self.positions[rows],
            None if self.energies is None else self.energies[rows],
            None if self.forces is None else self.forces[rows],
        )

    @property
    def species(self) -> tuple[int, ...]:
        """Atomic numbers that occur, ascending."""
        return tuple(int(z) for z in np.unique(self.numbers) if z)

    @classmethod
    def of_atoms(cls, atoms: Sequence[Atoms], where: str = "atoms") -> Geometries:
        """Of ASE's atoms, with the energies and forces that their calculators hold, if all do.

        Raises:
            GeometryError: none, a periodic cell, an atom of no element, energies of some but not of
                others, or of another shape.
        """
        if not atoms:
            raise GeometryError(f"{where} must hold at least one molecule, but holds none")
        most = max(len(one) for one in atoms)
        numbers = np.zeros((len(atoms), most), dtype=np.int64)
        positions = np.zeros((len(atoms), most, 3))
        forces, energies = np.zeros_like(positions), np.zeros(len(atoms))
        known: list[tuple[bool, bool]] = []
        for i, one in enumerate(atoms):
            if np.any(one.pbc):
                raise GeometryError(
                    f"{where}: frame {i + 1} is periodic, but the force field is of molecules "
                    "in free space; set pbc to False"
                )
            if np.any(one.numbers < 1):
                raise GeometryError(
                    f"{where}: atoms must be of elements, but atom "
                    f"{int(np.argmax(one.numbers < 1)) + 1} of frame {i + 1} is of none"
                )
            numbers[i, : len(one)] = one.numbers
            positions[i, : len(one)] = one.positions
            results = {} if one.calc is None else one.calc.results
            known.append(("energy" in results, "forces" in results))
            energies[i] = _label(results, "energy", (), f"{where}: frame {i + 1}")
            forces[i, : len(one)] = _label(
                results, "forces", (len(one), 3), f"{where}: frame {i + 1}"
            )
        for name, has in zip(("energies", "forces"), zip(*known, strict=True), strict=True):
            if any(has) and not all(has):
                raise GeometryError(
                    f"{where}: {name} must be given for all frames or none, but frame "
                    f"{has.index(False) + 1} has none"
                )
        return cls(
            numbers,
            positions,
            energies if known[0][0] else None,
            forces if known[0][1] else None,
        )


def _label(
    results: Mapping[str, object], name: str, shape: tuple[int, ...], where: str
) -> FloatArray:
    """A calculator's result; zeros if it has none."""
    value = results.get(name, np.zeros(shape))
    try:
        found = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.shape != shape:
        raise GeometryError(
            f"{where}: {name} must be {f'numbers of shape {shape}' if shape else 'a number'}, "
            f"but {'is' if name == 'energy' else 'are'} {quoted(' '.join(str(value).split())[:40])}"
        )
    return found


def check_geometry(frames: Geometries, species: Sequence[int] | None, where: str) -> None:
    """Refuse what no force field should be asked.

    Args:
        frames: any.
        species: atomic numbers known to the model; ``None`` for all elements.
        where: file or argument, for the error.

    Raises:
        GeometryError: positions that are not finite, an unknown element, padding before an atom,
            atoms too close.
    """
    exists = frames.numbers != 0
    if not exists.any(axis=1).all():
        empty = int(np.flatnonzero(~exists.any(axis=1))[0])
        raise GeometryError(f"{where}: frame {empty + 1} has no atoms")
    holes = exists[:, 1:] & ~exists[:, :-1]
    if holes.any():
        frame, atom = np.argwhere(holes)[0]
        raise GeometryError(
            f"{where}: atoms must come first and padding last, but atom {atom + 2} of frame "
            f"{frame + 1} comes after padding"
        )
    _finite(frames.positions, "positions", where)
    allowed = range(1, 119) if species is None else species
    strange = exists & ~np.isin(frames.numbers, list(allowed))
    if strange.any():
        frame, atom = np.argwhere(strange)[0]
        known = "1 to 118" if species is None else ", ".join(map(str, species))
        raise GeometryError(
            f"{where}: atomic numbers must be among {known}, but atom {atom + 1} of frame "
            f"{frame + 1} has {frames.numbers[frame, atom]}"
        )
    for i in range(len(frames)):
        distance, pair = _shortest(frames, i)
        if distance < CLOSEST:
            raise GeometryError(
                f"{where}: atoms must be {CLOSEST} Å apart or more, but atoms {pair[0] + 1} and "
                f"{pair[1] + 1} of frame {i + 1} are {distance:.3f} Å apart"
            )


def check_labels(frames: Geometries, where: str) -> None:
    """Refuse what no force field can be trained on or judged by.

    Raises:
        GeometryError: energies or forces missing or not finite.
    """
    for name in ("energies", "forces"):
        values = getattr(frames, name)
        if values is None:
            raise GeometryError(f"{where} must have {name}, but has none")
        _finite(values, name, where)


def check_magnitudes(frames: Geometries, unit: EnergyUnit, where: str) -> None:
    """Refuse forces and positions whose size says that they are in other units.

    Args:
        frames: checked otherwise; energies and forces converted from ``unit``.
        unit: of the file.
        where: file, for the error.

    Raises:
        GeometryError: sizes out of range, with the unit that would fit.
    """
    shortest = [_shortest(frames, i) for i in range(len(frames))]
    ratios = [
        distance / sum(covalent_radius(int(frames.numbers[i, atom])) for atom in pair)
        for i, (distance, pair) in enumerate(shortest)
        if np.isfinite(distance)
    ]
    low, high = _USUAL_BOND
    if ratios and not low <= (ratio := float(np.median(ratios))) <= high:
        fitting = [name for name, a in _LENGTHS.items() if low <= ratio * a <= high]
        raise GeometryError(
            f"{where}: positions must be in Å, but the shortest distances are {ratio:.2g} times "
            f"a bond's length{_as(fitting)}; `trust_units: true` takes them as they are"
        )
    if frames.energies is not None:
        share = float(np.median(frames.energies / _all_electron(frames.numbers)))
        fitting = [
            name for name, ev in EV_OF.items() if _CLOSE[0] <= share * ev / EV_OF[unit] <= _CLOSE[1]
        ]
        if fitting and unit not in fitting:
            raise GeometryError(
                f"{where}: energies read in {unit} are {share:.2g} times those of free atoms"
                f"{_as(fitting)}; name the unit with `unit`, or `trust_units: true` takes them as "
                "they are"
            )
    if frames.forces is None:
        return
    size = float(np.sqrt(np.mean(np.square(frames.forces[frames.numbers > 0]))))
    low, high = _USUAL_FORCE
    if not low <= size <= high:
        raw = size / EV_OF[unit]
        fitting = [name for name, ev in EV_OF.items() if low <= raw * ev <= high]
        raise GeometryError(
            f"{where}: forces read in {unit}/Å have a root mean square of {size:.3g} eV/Å, but "
            f"{low:g} to {high:g} is usual{_as(fitting)}; name the unit with `unit`, or "
            "`trust_units: true` takes them as they are"
        )


def _all_electron(numbers: NDArray[np.int64]) -> FloatArray:
    """Total energies of free atoms, eV, within a twentieth: ``-Z**2.4 / 2`` Hartree each."""
    each: FloatArray = -0.5 * EV_OF["Ha"] * (numbers.astype(np.float64) ** 2.4).sum(axis=1)
    return each


_LENGTHS = {"bohr": 0.529177, "nm": 10.0}


def _as(fitting: Sequence[str]) -> str:
    return f", as {' or '.join(fitting)} would give" if fitting else ""


def _finite(values: FloatArray, name: str, where: str) -> None:
    bad = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if bad.any():
        frame = int(np.flatnonzero(bad)[0])
        raise GeometryError(
            f"{where}: {name} must be finite, but those of frame {frame + 1} are not"
        )


def _shortest(frames: Geometries, i: int) -> tuple[float, tuple[int, int]]:
    """Shortest distance in a frame and its two atoms; infinite for one atom."""
    places = frames.positions[i, frames.numbers[i] > 0]
    if len(places) < 2:
        return float("inf"), (0, 0)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    first, second = np.unravel_index(int(apart.argmin()), apart.shape)
    return float(apart[first, second]), (int(first), int(second))
