"""Relax ethanol, then run dynamics: a script for MACE's calculator with one line changed."""

from ase import units
from ase.build import molecule
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS

import qhw

atoms = molecule("CH3CH2OH")
# atoms.calc = MACECalculator(model_paths="ethanol.model", device="cpu", default_dtype="float64")
atoms.calc = qhw.calculator("ethanol")

BFGS(atoms, logfile=None).run(fmax=0.01)
print(f"minimum {atoms.get_potential_energy():.3f} eV")
atoms.rattle(0.02, seed=0)
run = VelocityVerlet(atoms, timestep=0.5 * units.fs)
start = atoms.get_total_energy()
run.run(20)
print(f"after 10 fs {1000 * (atoms.get_total_energy() - start):+.2f} meV of total energy")
