"""What holds for an element, by atomic number: size, and how many bonds its charge leaves it."""

from __future__ import annotations

from functools import cache

from rdkit import Chem

_NO_LIMIT = 16
"""No atom has more neighbours; for metals, whose bonds RDKit does not count."""


def covalent_radius(number: int) -> float:
    """Å; Cordero et al., Dalton Trans. 2008, 2832 (C: sp3), as RDKit tabulates them.

    Args:
        number: atomic number, 1 to 118.
    """
    return float(Chem.GetPeriodicTable().GetRcovalent(number))


@cache
def largest_valence(number: int, charge: int = 0) -> int:
    """Most bonds (by order, hydrogens included) of an atom with a formal charge.

    A charged atom binds like the neutral atom with as many electrons: N+ like C four times, O-
    like F once, C- and O+ like N three times, B- like C. That is RDKit's valence model, too.

    Args:
        number: atomic number; hydrogen included.
        charge: formal charge.
    """
    electrons = number - charge
    if not 1 <= electrons <= 118:
        return 0
    limits = list(Chem.GetPeriodicTable().GetValenceList(electrons))
    return _NO_LIMIT if -1 in limits else max(limits)
