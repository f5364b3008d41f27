"""Everything that is measured of molecules with every atom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from qhw.analysis.compare.result import Estimate
from qhw.analysis.scores.molecules import wilson
from qhw.analysis.whole.distances import Distance, distances_to
from qhw.analysis.whole.mmd import BondLengthMMD
from qhw.analysis.whole.plausible import Plausibility, bust
from qhw.analysis.whole.relax import Relaxation, relax
from qhw.analysis.whole.subject import Subject
from qhw.chem.edm import EDMJudgement, judge_edm
from qhw.chem.geometries import Geometries
from qhw.chem.novelty import Known
from qhw.chem.properties import graph_values
from qhw.chem.valency import ValencyJudgement, judge_valency

WholeProtocol = Literal["edm", "valency"]
WHOLE_PROTOCOLS: tuple[WholeProtocol, ...] = get_args(WholeProtocol)
_LIKENESS = ("QED", "SA-raw", "logP")
_FLOAT = NDArray[np.float64]


@dataclass(frozen=True)
class Share:
    """A count and what it is a share of.

    Attributes:
        count: how many.
        of: denominator.
        interval: 95 %; ``None`` of nothing, and of uniqueness, which is no mean over molecules.
            What is drawn independently are molecules: the interval of a share of atoms is Wilson's
            at as many trials as give the spread over molecules.
    """

    count: int
    of: int
    interval: Estimate | None

    @property
    def share(self) -> float | None:
        """``None`` of nothing."""
        return self.count / self.of if self.of else None


@dataclass(frozen=True)
class WholeReport:
    """What was found.

    Attributes:
        title: what was judged.
        samples: molecules, and records that could not be read.
        hydrogens: where they are from.
        bonds: where valencies' bonds are from.
        edm: shares by EDM's rules; ``None`` if not asked for.
        against: what novelty is measured against; empty for nothing.
        valency: shares by valencies that know charges; ``None`` if not asked for.
        likeness: by property, mean and how many valid molecules it is of.
        reference: what distances are to; empty for nothing.
        distances: of bond lengths, angles and dihedrals.
        bond_mmd: maximum mean discrepancy of bond lengths; ``None`` without a reference.
        relaxation: by GFN2-xTB; ``None`` if not asked for.
        plausibility: PoseBusters' checks; ``None`` if not asked for.
        unreadable: how many samples could not be read.
    """

    title: str
    samples: int
    hydrogens: str
    bonds: str
    edm: dict[str, Share] | None
    against: str
    valency: dict[str, Share] | None
    likeness: dict[str, tuple[float | None, int]]
    reference: str
    distances: tuple[Distance, ...]
    bond_mmd: BondLengthMMD | None
    relaxation: Relaxation | None
    plausibility: Plausibility | None
    unreadable: int = 0

    def to_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "schema_version": 1,
            "judged": self.title,
            "samples": self.samples,
            "unreadable": self.unreadable,
            "hydrogens": self.hydrogens,
            "bonds": self.bonds,
            "edm": _shares(self.edm),
            "against": self.against or None,
            "valency": _shares(self.valency),
            "likeness": {k: {"mean": m, "of": n} for k, (m, n) in self.likeness.items()},
            "reference": self.reference or None,
            "distances": [asdict(one) for one in self.distances],
            "bond_length_mmd": None if self.bond_mmd is None else asdict(self.bond_mmd),
            "relaxation": None if self.relaxation is None else self.relaxation.summary(),
            "posebusters": None if self.plausibility is None else self.plausibility.summary(),
        }


@dataclass(frozen=True, eq=False)
class Measures:
    """What is asked for.

    Attributes:
        protocols: rules.
        known: what is not novel by EDM's SMILES; ``None`` for nothing.
        reference: molecules that distances are to, and what they are; ``None`` for nothing.
        relaxed: how many molecules are relaxed, the first that EDM's rules call valid and in one
            piece.
        busted: how many PoseBusters checks, the first of all.
        tell: called with words, how many are done, and of how many.
    """

    protocols: Sequence[WholeProtocol] = WHOLE_PROTOCOLS
    known: Known | None = None
    reference: tuple[str, Geometries] | None = None
    relaxed: int = 0
    busted: int = 0
    tell: Callable[[str, int, int], None] | None = None


def judge_whole(subject: Subject, asked: Measures) -> WholeReport:
    """Measure what is asked for.

    Raises:
        ModuleNotFoundError: an extra that is not installed.
    """
    edm = judge_edm(subject.whole, known=asked.known)
    valency = None
    stated = bool(subject.bonds)
    if "valency" in asked.protocols:
        valency = judge_valency(subject.bonded, stated=stated)
    name, reference = asked.reference or ("", None)
    distances, mmd = ((), None) if reference is None else distances_to(subject.whole, reference)
    return WholeReport(
        title=subject.title,
        samples=len(subject) + subject.unreadable,
        hydrogens=subject.hydrogens,
        bonds=subject.bonds or "RDKit, from the geometry",
        edm=shares_of(edm, subject.unreadable) if "edm" in asked.protocols else None,
        against="" if asked.known is None else asked.known.said,
        valency=None if valency is None else shares_of(valency, subject.unreadable),
        likeness={name: _mean(graph_values(name, edm.smiles)) for name in _LIKENESS},
        reference=name,
        distances=distances,
        bond_mmd=mmd,
        relaxation=_relaxation(subject, edm, asked),
        plausibility=_plausibility(subject, stated, asked),
        unreadable=subject.unreadable,
    )


def shares_of(judged: EDMJudgement | ValencyJudgement, unreadable: int = 0) -> dict[str, Share]:
    """Counts with their intervals; what could not be read is in the denominator of all."""
    found = {}
    for name, (count, readable) in judged.counts.items():
        of = readable + unreadable if name.endswith("/ all") else readable
        interval = None
        if of and name == "stable atoms / atoms":
            interval = _clustered(judged.stable_atoms, judged.atoms)
        elif of and not name.startswith("unique"):
            interval = wilson(count, of)
        found[name] = Share(count, of, interval)
    return found


def _clustered(parts: NDArray[np.int64], wholes: NDArray[np.int64]) -> Estimate:
    """Share of atoms, whose molecules and not themselves were drawn independently.

    Wilson's interval at the number of trials whose binomial spread is that of the ratio over
    molecules; without any spread, at the number of molecules.
    """
    total, molecules = int(wholes.sum()), len(wholes)
    share = float(parts.sum()) / total
    spread = float(np.square(parts - share * wholes).sum()) / total**2
    trials = share * (1 - share) / spread if spread > 0 else float(molecules)
    return wilson(share * trials, trials)


def _mean(values: _FLOAT) -> tuple[float | None, int]:
    known = values[np.isfinite(values)]
    return (float(known.mean()) if len(known) else None), len(known)


def _relaxation(subject: Subject, edm: EDMJudgement, asked: Measures) -> Relaxation | None:
    if not asked.relaxed:
        return None
    rows = np.flatnonzero(edm.valid & edm.connected)[: asked.relaxed]
    return relax([subject.bonded[row] for row in rows], _teller(asked, "relaxing"))


def _plausibility(subject: Subject, stated: bool, asked: Measures) -> Plausibility | None:
    if not asked.busted:
        return None
    first = subject.bonded[: asked.busted]
    return bust(first, stated=stated, tell=_teller(asked, "PoseBusters"))


def _teller(asked: Measures, words: str) -> Callable[[int, int], None] | None:
    tell = asked.tell
    return None if tell is None else lambda done, of: tell(words, done, of)


def _shares(found: dict[str, Share] | None) -> dict[str, object] | None:
    if found is None:
        return None
    return {
        name: {
            "count": one.count,
            "of": one.of,
            "share": one.share,
            "low": None if one.interval is None else one.interval.low,
            "high": None if one.interval is None else one.interval.high,
        }
        for name, one in found.items()
    }
