"""PoseBusters' checks of single molecules (extra ``posebusters``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rdkit import Chem, rdBase

from qhw.chem.gap import need_extra
from qhw.chem.valency import perceived


@dataclass(frozen=True)
class Plausibility:
    """How many molecules pass.

    Attributes:
        tried: molecules.
        passed: of them, how many pass every check.
        checks: how many pass each; a molecule without readable bonds passes none.
    """

    tried: int
    passed: int
    checks: dict[str, int]

    def summary(self) -> dict[str, object]:
        """Ready for JSON."""
        return {"tried": self.tried, "passed": self.passed, "checks": self.checks}


def bust(
    molecules: Sequence[Chem.Mol],
    *,
    stated: bool,
    tell: Callable[[int, int], None] | None = None,
) -> Plausibility:
    """Check molecules for bond lengths, angles, clashes, flat rings and strain.

    Args:
        molecules: with hydrogens, a conformer, and bonds if ``stated``.
        stated: take bonds as they are; else those of the geometry, as for valencies.
        tell: called with how many of how many are done.

    Raises:
        ModuleNotFoundError: posebusters is not installed; one line names the extra.
    """
    need_extra("posebusters", "posebusters", "Checks of PoseBusters")
    from posebusters import PoseBusters

    busters = PoseBusters(config="mol")
    passed, checks = 0, dict[str, int]()
    for done, given in enumerate(molecules, 1):
        molecule = _sanitised(given if stated else perceived(given))
        if molecule is not None:
            with rdBase.BlockLogs():
                row = busters.bust([molecule], None, None).iloc[0]
            passed += bool(row.all())
            for name, value in row.items():
                checks[str(name)] = checks.get(str(name), 0) + bool(value)
        if tell is not None:
            tell(done, len(molecules))
    return Plausibility(len(molecules), passed, checks)


def _sanitised(molecule: Chem.Mol | None) -> Chem.Mol | None:
    if molecule is None:
        return None
    copy = Chem.Mol(molecule)
    with rdBase.BlockLogs():
        failed = Chem.SanitizeMol(copy, catchErrors=True)
    return copy if failed == Chem.SanitizeFlags.SANITIZE_NONE else None
