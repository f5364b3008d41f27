"""Relaxation and molecular dynamics with any calculator, by ASE, and what they conserve."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary, ZeroRotation
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS

from qhw.chem.geometries import FloatArray, Geometries, GeometryError, check_geometry

_FEWEST = 2


@dataclass(frozen=True)
class Relaxed:
    """A relaxation.

    Attributes:
        steps: taken.
        converged: whether the largest force fell below the limit.
        energy: at the end, eV.
        energy_error: its standard error, eV; 0 without a device.
        largest_force: at the end, eV/Å.
    """

    steps: int
    converged: bool
    energy: float
    energy_error: float
    largest_force: float

    def to_dict(self) -> dict[str, Any]:
        """All of it, by name."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Dynamics:
    """A trajectory's energies, one value a step and the start's.

    Attributes:
        time: fs.
        potential: eV.
        potential_error: standard errors, eV; 0 without a device.
        kinetic: eV.
        temperature: K, of the momenta.
        distances: of every pair of atoms, Å, ``(steps + 1, pairs)``.
    """

    time: FloatArray
    potential: FloatArray
    potential_error: FloatArray
    kinetic: FloatArray
    temperature: FloatArray
    distances: FloatArray

    def radial_distribution(self, bins: int = 200) -> tuple[FloatArray, FloatArray]:
        """Middles of bins, Å, and pairs an Å in each, mean over the steps.

        Its integral is the number of pairs. A molecule in free space has no density to divide by.
        """
        edges = np.linspace(0.0, float(self.distances.max()) * 1.05, bins + 1)
        count = np.histogram(self.distances, edges)[0]
        width = edges[1] - edges[0]
        return edges[:-1] + width / 2, count / (len(self.distances) * width)

    @property
    def total(self) -> FloatArray:
        """Potential and kinetic energy, eV."""
        return np.asarray(self.potential + self.kinetic)

    @property
    def drift(self) -> float:
        """Slope of a line through the total energy, eV/ps."""
        return float(np.polyfit(self.time / 1000, self.total, 1)[0])

    def to_dict(self) -> dict[str, float]:
        """Figures of the whole run."""
        return {
            "steps": len(self.time) - 1,
            "drift_meV_per_ps": 1e3 * self.drift,
            "total_energy_sd_meV": 1e3 * float(self.total.std()),
            "potential_bar_meV": 1e3 * float(np.sqrt(np.mean(self.potential_error**2))),
            "mean_temperature_K": float(self.temperature.mean()),
        }


def read_molecule(path: Path) -> Atoms:
    """The first frame of what ASE reads.

    Raises:
        GeometryError: unreadable, periodic, or atoms that no molecule has.
    """
    try:
        atoms = cast(Atoms, read(path, index=0))
    except Exception as error:  # ASE's readers raise what their formats happen to
        words = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise GeometryError(f"{path} cannot be read by ASE: {words}") from error
    atoms.calc = None
    check_geometry(Geometries.of_atoms([atoms], str(path)), None, str(path))
    return atoms


def relax(
    atoms: Atoms, calculator: Calculator, out: Path, *, fmax: float = 0.01, steps: int = 300
) -> Relaxed:
    """BFGS to a minimum; every step is appended to ``out`` as extended XYZ.

    Args:
        atoms: start; moved.
        calculator: of energy and forces.
        out: file to write.
        fmax: largest force at which it is done, eV/Å.
        steps: most.
    """
    out.unlink(missing_ok=True)
    atoms.calc = calculator
    run = BFGS(atoms, logfile=None)
    run.attach(lambda: _append(atoms, out))
    converged = bool(run.run(fmax=fmax, steps=steps))
    force = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
    energy = atoms.get_potential_energy()
    return Relaxed(run.nsteps, converged, energy, _energy_error(calculator), force)


def dynamics(
    atoms: Atoms,
    calculator: Calculator,
    out: Path,
    *,
    steps: int,
    step_fs: float = 0.5,
    temperature: float = 300.0,
    friction: float | None = None,
    seed: int = 0,
) -> Dynamics:
    """NVE by velocity Verlet, or NVT by Langevin; every step is appended to ``out``.

    Args:
        atoms: start; moved. Velocities are drawn, the molecule neither drifts nor turns.
        calculator: of energy and forces.
        out: extended XYZ to write.
        steps: how many.
        step_fs: time step.
        temperature: of the first velocities, and of Langevin's bath, K.
        friction: 1/fs, of Langevin; ``None`` for NVE.
        seed: of velocities and of the bath.

    Raises:
        ValueError: a single atom, which neither vibrates nor turns.
    """
    if len(atoms) < _FEWEST:
        raise ValueError(f"Argument `atoms` must be {_FEWEST} or more, but there is {len(atoms)}")
    out.unlink(missing_ok=True)
    rng = np.random.default_rng(seed)
    atoms.calc = calculator
    MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=rng)
    Stationary(atoms)
    ZeroRotation(atoms)
    run: VelocityVerlet | Langevin
    if friction is None:
        run = VelocityVerlet(atoms, timestep=step_fs * units.fs)
    else:
        run = Langevin(
            atoms,
            timestep=step_fs * units.fs,
            temperature_K=temperature,
            friction=friction / units.fs,
            rng=rng,
        )
    rows: list[tuple[float, ...]] = []
    distances: list[FloatArray] = []
    pairs = np.triu_indices(len(atoms), 1)

    def note() -> None:
        atoms.get_forces()  # with the energy, one batch on a device
        energy = atoms.get_potential_energy()
        kinetic = (atoms.get_kinetic_energy(), atoms.get_temperature())
        rows.append((len(rows) * step_fs, energy, _energy_error(calculator), *kinetic))
        distances.append(atoms.get_all_distances()[pairs])
        _append(atoms, out)

    run.attach(note)
    run.run(steps)
    time, potential, error, kinetic, kelvin = np.array(rows).T
    return Dynamics(time, potential, error, kinetic, kelvin, np.array(distances))


def _energy_error(calculator: Calculator) -> float:
    return float(calculator.results.get("energy_error", 0.0))


def _append(atoms: Atoms, out: Path) -> None:
    """One frame with energy, forces and the energy's standard error."""
    frame = atoms.copy()
    results = atoms.calc.results
    frame.calc = SinglePointCalculator(frame, energy=results["energy"], forces=results["forces"])
    frame.info["energy_error"] = _energy_error(atoms.calc)
    write(out, frame, format="extxyz", append=True)
