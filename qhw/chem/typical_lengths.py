"""EDM's typical bond lengths and valences: what its stability is measured by.

Hoogeboom et al., Equivariant Diffusion for Molecule Generation in 3D, ICML 2022.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

_SINGLE = """
HH 74 HC 109 HN 101 HO 96 HF 92 HB 119 HSi 148 HP 144 HAs 152 HS 134 HCl 127 HBr 141 HI 161
CC 154 CN 147 CO 143 CF 135 CSi 185 CP 184 CS 182 CCl 177 CBr 194 CI 214
NN 145 NO 140 NF 136 NCl 175 NBr 214 NS 168 NI 222 NP 177
OO 148 OF 142 OBr 172 OS 151 OP 163 OSi 163 OCl 164 OI 194
FF 142 FS 158 FSi 160 FCl 166 FBr 178 FP 156 FI 187 BCl 175
SiSi 233 SiS 200 SiCl 202 SiBr 215 SiI 243
ClCl 199 ClP 203 ClS 207 ClBr 214 SS 204 SBr 225 SP 210 SI 234
BrBr 228 BrP 222 PP 221 II 266
"""
_DOUBLE = "CC 134 CN 129 CO 120 CS 160 NN 125 NO 121 OO 121 OP 150 PS 186"
_TRIPLE = "CC 120 CN 116 CO 113 NN 110"
_MARGINS = (10.0, 5.0, 3.0)
"""pm beyond a typical length, by order."""
_VALENCES = "H 1 B 3 C 4 N 3 O 2 F 1 Al 3 Si 4 P 3,5 S 4 Cl 1 As 3 Br 1 I 1 Hg 1,2 Bi 3,5"
_ELEMENTS = 119


def _number(symbol: str) -> int:
    return int(Chem.GetPeriodicTable().GetAtomicNumber(symbol))


def _reach(text: str, margin: float) -> NDArray[np.float64]:
    """Å that a bond reaches, by two atomic numbers; 0 where the pair is not in the table."""
    table = np.zeros((_ELEMENTS, _ELEMENTS))
    words = text.split()
    for pair, length in zip(words[::2], words[1::2], strict=True):
        cut = next(i for i in range(1, len(pair)) if pair[i].isupper())
        ends = _number(pair[:cut]), _number(pair[cut:])
        table[ends] = table[ends[::-1]] = (float(length) + margin) / 100
    return table


REACHES = np.stack(
    [_reach(t, m) for t, m in zip((_SINGLE, _DOUBLE, _TRIPLE), _MARGINS, strict=True)]
)
"""Å, ``(3, 119, 119)``: an order needs a distance below its own reach and those of lower orders."""
VALENCES: Mapping[int, tuple[int, ...]] = {
    _number(symbol): tuple(map(int, sums.split(",")))
    for symbol, sums in zip(_VALENCES.split()[::2], _VALENCES.split()[1::2], strict=True)
}
"""Sums of bond orders that a stable atom may have, by atomic number; elements without an entry are
never stable."""
IS_STABLE = np.zeros((_ELEMENTS, 64), dtype=np.bool_)
"""Whether an atom is stable, by atomic number and sum of bond orders; larger sums never are."""
for _z, _sums in VALENCES.items():
    IS_STABLE[_z, list(_sums)] = True
