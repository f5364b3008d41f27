"""A force field on a device as one of ASE's calculators."""

from __future__ import annotations

from collections.abc import Sequence

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from qhw.analysis.force.device import DeviceForces, FieldOnDevice
from qhw.chem.geometries import Geometries
from qhw.forces.calculator import ForceFieldCalculator


class DeviceCalculator(ForceFieldCalculator):
    """Energy, free energy (the same) and forces of one molecule in free space; eV and Å.

    ``results`` has their standard errors as well: ``energy_error`` (eV) and ``forces_error``
    (eV/Å, as forces). Forces cost many circuits, and run when they are asked for; the energy that
    was measured before for the same atoms then stays what it was. The same geometry has the same
    noise, another one its own.

    Args:
        field: force field and device.
    """

    def __init__(self, field: FieldOnDevice) -> None:
        super().__init__(field.model)
        self.field = field
        self.last: DeviceForces | None = None
        """What ran last: circuits, shots, cost."""
        self.total_shots = 0
        self.total_circuits = 0

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Fill ``results``; ASE asks for it when the atoms changed, or forces are not known yet.

        Raises:
            GeometryError: as :class:`~qhw.forces.calculator.ForceFieldCalculator`.
            BackendError: the device refuses, or a circuit failed on it.
        """
        # ASE's own: what the base class adds is the energy without a device
        Calculator.calculate(self, atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        assert self.atoms is not None  # ASE copied them
        wanted = "forces" in properties or self.field.needs_forces
        found = self.field.evaluate(Geometries.of_atoms([self.atoms], "atoms"), forces=wanted)
        self.last = found
        self.total_shots += found.shots
        self.total_circuits += found.circuits
        energy = float(found.energies[0])
        new = {"energy": energy, "free_energy": energy, "energy_error": found.energy_error[0]}
        self.results = {**new, **self.results}
        if found.forces is not None and found.forces_error is not None:
            self.results |= {"forces": found.forces[0], "forces_error": found.forces_error[0]}
