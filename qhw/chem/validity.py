"""Which decoded geometries are molecules, with every denominator.

strict: two atoms or more, no clash (below 0.75 times the sum of covalent radii), one piece, no
atom with more neighbours than its valence (bonds up to 1.3 times that sum), and RDKit sanitises
the molecule whose bond orders follow from the bond lengths. Valences are those of the formal
charges: the ones given with the molecule, else pairs of neighbours that sum to zero
(:mod:`qhw.chem.charges`). A lone heavy atom does not count: it has no geometry to be right or
wrong.

released: the evaluation code of QVAE-Mole, faithfully. Samples of fewer than two atoms are left
out of its denominator (``kept``), bonds reach 2.2 times a bond length, bond orders rise by
repeated maximum matching.

``python -m qhw.chem.validity [--all]`` prints how QM9's own geometries score, which is what a
perfect model would reach: valid/kept 96.3 % strict and 64.2 % released on the shipped sample of
1,000, 97.3 % and 61.6 % on all 130,831. What strict refuses there are cages and bridged small
rings whose unbonded carbons are 1.8 to 1.98 Å apart. RDKit draws the same bonds at 1.3 times its
radii.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qhw.chem.bonds import (
    PROTOCOLS,
    Protocol,
    bond_graph,
    check_protocol,
    distances,
    exceeds_valence,
    has_clash,
    is_connected,
)
from qhw.chem.charges import Charges, formal_charges
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.novelty import Known, Novelty
from qhw.chem.orders import distance_orders, released_orders
from qhw.chem.qm9 import load_qm9, sample_molecules
from qhw.chem.rdkit_build import build, round_trip_smiles, sanitised_smiles

_NEW = ("novel", "novel_unique", "novel_skeletons")
Status = Literal[
    "valid", "too few atoms", "clash", "disconnected", "valence", "rdkit", "unreadable"
]
_NO_MOLECULE = {"too few atoms", "unreadable"}


@dataclass(frozen=True)
class ValidityReport:
    """Judgement of a batch.

    Attributes:
        protocol: ``"strict"`` or ``"released"``.
        statuses: ``"valid"`` or the first reason against, one a molecule.
        smiles: of the valid molecules, ``None`` elsewhere.
        novelty: what of the valid is new; ``None`` without a reference.
    """

    protocol: Protocol
    statuses: tuple[Status, ...]
    smiles: tuple[str | None, ...]
    novelty: Novelty | None = None

    @property
    def samples(self) -> int:
        """All molecules judged, and records that could not be read."""
        return len(self.statuses)

    @property
    def kept(self) -> int:
        """Molecules of at least two atoms."""
        return sum(self.statuses.count(one) for one in set(self.statuses) - _NO_MOLECULE)

    @property
    def valid(self) -> int:
        """Valid molecules."""
        return self.statuses.count("valid")

    @property
    def unique(self) -> int:
        """Different SMILES among the valid."""
        return len({s for s in self.smiles if s is not None})

    @property
    def is_valid(self) -> NDArray[np.bool_]:
        """By molecule, ``(B,)``."""
        return np.array([status == "valid" for status in self.statuses], dtype=np.bool_)

    @property
    def reasons(self) -> dict[str, int]:
        """How many molecules have each status, most frequent first."""
        return dict(Counter(self.statuses).most_common())

    @property
    def rates(self) -> dict[str, float | None]:
        """Every ratio; ``None`` where the denominator is zero or no reference was given."""
        new = self.novelty
        return {
            "kept/all": _ratio(self.kept, self.samples),
            "valid/kept": _ratio(self.valid, self.kept),
            "valid/all": _ratio(self.valid, self.samples),
            "unique/valid": _ratio(self.unique, self.valid),
            "unique/all": _ratio(self.unique, self.samples),
            **{
                f"{name}/{whole}": None if new is None else _ratio(getattr(new, name), of)
                for name in _NEW
                for whole, of in (("valid", self.valid), ("all", self.samples))
            },
        }

    def against(self, reference: Known | None) -> ValidityReport:
        """The same with ``novelty`` by another reference."""
        return replace(self, novelty=None if reference is None else reference.novelty(self.smiles))

    def with_unreadable(self, records: int) -> ValidityReport:
        """The same with so many samples more that could not be read."""
        more: list[Status] = ["unreadable"] * records
        smiles = (*self.smiles, *([None] * records))
        return replace(self, statuses=(*self.statuses, *more), smiles=smiles)

    def summary(self) -> dict[str, object]:
        """Counts, ratios and reasons, ready for JSON."""
        return {
            "protocol": self.protocol,
            "samples": self.samples,
            "kept": self.kept,
            "valid": self.valid,
            "unique": self.unique,
            **{
                field.name: None if self.novelty is None else getattr(self.novelty, field.name)
                for field in fields(Novelty)
            },
            **self.rates,
            "reasons": self.reasons,
        }


def judge(
    molecules: MoleculeBatch,
    protocol: Protocol = "strict",
    *,
    reference: Known | None = None,
) -> ValidityReport:
    """Judge every molecule of a batch.

    Args:
        molecules: decoded molecules, 0 to 9 atoms, Å.
        protocol: ``"strict"`` or ``"released"`` (see the module's docstring).
        reference: molecules that are not novel, for example
            :func:`qhw.chem.training_split.known_molecules`.

    Raises:
        ValueError: unknown protocol, or a position that is not finite.
    """
    check_protocol(protocol)
    check_positions(molecules)
    bonds = bond_graph(molecules, protocol)
    # the released code knows no charges
    charges = formal_charges(molecules, bonds) if protocol == "strict" else None
    before_rdkit = _geometry_status(molecules, bonds, charges, protocol)
    write = _writer(molecules, bonds, charges)
    smiles: list[str | None] = []
    statuses: list[Status] = []
    for row, status in enumerate(before_rdkit):
        text = write(row) if status == "valid" else None
        smiles.append(text)
        statuses.append("rdkit" if status == "valid" and text is None else status)
    return ValidityReport(protocol, tuple(statuses), tuple(smiles)).against(reference)


def check_positions(molecules: MoleculeBatch) -> None:
    """Refuse what cannot be judged.

    Raises:
        ValueError: a position that is not finite; the line names the molecule.
    """
    finite = np.isfinite(molecules.positions).all(axis=-1) | (molecules.types < 0)
    if not finite.all():
        row = int((~finite).any(axis=1).argmax())
        raise ValueError(
            f"Argument `molecules` must have finite positions, but molecule {row} has not."
        )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _geometry_status(
    molecules: MoleculeBatch,
    bonds: NDArray[np.bool_],
    charges: Charges | None,
    protocol: Protocol,
) -> list[Status]:
    checks: list[tuple[Status, NDArray[np.bool_]]] = [
        ("valence", exceeds_valence(bonds, molecules.types, charges)),
        ("disconnected", ~is_connected(bonds, molecules.counts)),
    ]
    if protocol == "strict":
        checks.append(("clash", has_clash(molecules)))
    checks.append(("too few atoms", molecules.counts < 2))
    statuses: list[Status] = ["valid"] * len(molecules)
    for status, bad in checks:  # the last written reason is the one reported
        for row in np.flatnonzero(bad):
            statuses[row] = status
    return statuses


def _writer(
    molecules: MoleculeBatch, bonds: NDArray[np.bool_], charges: Charges | None
) -> Callable[[int], str | None]:
    """SMILES of one row: strict with ``charges``, else released, each different graph once."""
    counts = molecules.counts
    apart = distances(molecules)
    seen: dict[bytes, str | None] = {}

    def strict(row: int, formal: Charges) -> str | None:
        n = counts[row]
        types = molecules.types[row, :n]
        orders = distance_orders(bonds[row, :n, :n], types, apart[row, :n, :n], formal[:n])
        return sanitised_smiles(build(types, orders, formal[:n]))

    def released(row: int) -> str | None:
        n = counts[row]
        types = molecules.types[row, :n]
        key = types.tobytes() + bonds[row, :n, :n].tobytes()
        if key not in seen:
            seen[key] = round_trip_smiles(build(types, released_orders(bonds[row, :n, :n], types)))
        return seen[key]

    if charges is None:
        return released
    return lambda row: strict(row, charges[row])


def main() -> None:
    """Print how QM9's own geometries score.

    With the published SMILES as reference, ``novel`` counts the valid molecules whose SMILES is
    not found again from the heavy-atom geometry.
    """
    parser = argparse.ArgumentParser(description="Score QM9's own geometries.")
    parser.add_argument("--all", action="store_true", help="all of QM9, not the shipped sample")
    data = load_qm9() if parser.parse_args().all else sample_molecules()
    reference = Known.of(data.smiles.tolist(), "their own published SMILES")
    for protocol in PROTOCOLS:
        print(json.dumps(judge(data.molecules, protocol, reference=reference).summary()))


if __name__ == "__main__":
    main()
