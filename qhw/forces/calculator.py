"""A force field as one of ASE's calculators."""

from __future__ import annotations

from collections.abc import Sequence

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from qhw.chem.geometries import Geometries
from qhw.forces.model import ForceField


class ForceFieldCalculator(Calculator):
    """Energy, free energy (the same) and forces of one molecule in free space; eV and Å.

    Args:
        model: trained; it is used in double precision.
    """

    implemented_properties = [  # noqa: RUF012
        "energy",
        "free_energy",
        "forces",
    ]
    nolabel = True

    def __init__(self, model: ForceField) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.model = model

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Fill ``results``; ASE asks for it when the atoms changed.

        Raises:
            GeometryError: a periodic cell, a species that the model does not know, atoms nearer
                than 0.3 Å, positions that are not finite.
        """
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        assert self.atoms is not None  # ASE copied them
        energies, forces = self.model.energy_and_forces(Geometries.of_atoms([self.atoms], "atoms"))
        energy = float(energies[0])
        self.results = {"energy": energy, "free_energy": energy, "forces": forces[0]}
