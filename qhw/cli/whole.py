"""Molecules with every atom for ``qhw judge``: which, by which rules, and what is shown."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qhw.cli.console import out
from qhw.cli.progress import bar

if TYPE_CHECKING:
    from qhw.analysis.whole.report import WholeProtocol, WholeReport
    from qhw.analysis.whole.subject import Subject
    from qhw.chem.bonds import Protocol
    from qhw.chem.molecule import MoleculeBatch
    from qhw.models.base import Samples

_HEAVY: tuple[Protocol, ...] = ("strict", "released")
_WHOLE: tuple[WholeProtocol, ...] = ("edm", "valency")
_NAMED = 5
"""Unreadable records that a line names."""

Protocols = Annotated[
    list[str] | None,
    typer.Option(
        "--protocol",
        metavar="NAME",
        help="strict, released, edm, valency or all; may be repeated. Default: strict and released "
        "for molecules of heavy atoms, all for molecules with hydrogens. edm and valency put "
        "hydrogens on heavy atoms with RDKit and say so.",
    ),
]
Reference = Annotated[
    Path | None,
    typer.Option(
        "--reference",
        help="3-D SDF file with hydrogens that bond lengths, angles and dihedrals are held "
        "against; default: 1,000 molecules of QM9.",
    ),
]
Relax = Annotated[
    int,
    typer.Option(
        "--relax",
        min=0,
        max=100_000,
        metavar="N",
        help="Relax the first N molecules that edm calls valid and in one piece with GFN2-xTB "
        "(extra xtb): energy lost and how far atoms move.",
    ),
]
Busters = Annotated[
    int,
    typer.Option(
        "--posebusters",
        min=0,
        max=100_000,
        metavar="N",
        help="PoseBusters' checks of the first N molecules (extra posebusters).",
    ),
]
OutIfAsked = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Folder that runs are made in.")
]


@dataclass(frozen=True, eq=False)
class Judged:
    """What is judged by which rules.

    Attributes:
        title: in words.
        heavy: heavy atoms; ``None`` if no protocol asks for them.
        heavy_protocols: that judge heavy atoms.
        subject: molecules with hydrogens; ``None`` if no protocol asks for them.
        whole_protocols: that judge these.
        left_out: what was not done and why.
        known: whether what it learnt from is EDM's training split.
        is_reference: whether it is itself what distances are to by default.
        unreadable: records of a file that could not be read, by number, and why.
    """

    title: str
    heavy: MoleculeBatch | None
    heavy_protocols: tuple[Protocol, ...]
    subject: Subject | None
    whole_protocols: tuple[WholeProtocol, ...]
    left_out: tuple[str, ...] = ()
    known: bool = False
    is_reference: bool = False
    unreadable: Mapping[int, str] = field(default_factory=dict)


def judged_heavy(title: str, molecules: MoleculeBatch, protocols: Sequence[str]) -> Judged:
    """Molecules of heavy atoms; hydrogens are added where a protocol needs them."""
    from qhw.analysis.whole.subject import of_heavy

    heavy, whole = _chosen(protocols, _HEAVY)
    subject = of_heavy(title, molecules) if whole else None
    return Judged(title, molecules if heavy else None, heavy, subject, whole)


def judged_qm9(protocols: Sequence[str]) -> Judged:
    """QM9's own geometries: heavy atoms and, if asked for, a sample with hydrogens."""
    from qhw.analysis.whole.subject import of_geometries
    from qhw.chem.qm9 import sample_molecules
    from qhw.lmdm.reference import whole_sample

    heavy, whole = _chosen(protocols, _HEAVY)
    sample = sample_molecules()
    title = f"QM9's own geometries, {len(sample)} held-out molecules"
    subject = None
    if whole:
        found = whole_sample()
        subject = of_geometries(f"QM9's own geometries, {len(found)} of EDM's test split", found)
    molecules = sample.molecules if heavy else None
    return Judged(title, molecules, heavy, subject, whole, known=True, is_reference=True)


def judged_file(path: Path, protocols: Sequence[str]) -> Judged:
    """An SDF file of any molecules; records that cannot be read are samples that are not valid.

    Raises:
        ValueError: a file that cannot be used, or a protocol asked for that is not of its elements.
    """
    from qhw.analysis.whole.subject import of_file
    from qhw.chem.hydrogens import heavy_part
    from qhw.chem.whole_sdf import read_whole_sdf

    _chosen(protocols, ())  # before a long file is read
    found = read_whole_sdf(path, keep_going=True)
    shown = found.has_hydrogens
    heavy, whole = _chosen(protocols, (*_HEAVY, *_WHOLE) if shown else _HEAVY)
    batch, left_out = None, list[str]()
    if heavy:
        try:
            batch = heavy_part(found.geometries, found.charges)
        except ValueError as error:
            if set(protocols) & set(heavy):
                raise
            left_out.append(f"left out: {error}")
            heavy, whole = (), whole or _WHOLE
    subject = None
    if whole:
        subject = replace(of_file(str(path), found), unreadable=len(found.unreadable))
    if bad := found.unreadable:
        named = "; ".join(list(bad.values())[:_NAMED])
        more = f"; {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        samples = len(found.names) + len(bad)
        left_out.append(
            f"unreadable: {len(bad)} of {samples} records, counted as not valid: {named}{more}"
        )
    return Judged(
        str(path), batch, heavy, subject, whole, tuple(left_out), unreadable=found.unreadable
    )


def judged_sample(
    model: Samples,
    name: str,
    samples: int,
    latents: Mapping[str, object],
    seed: int,
    protocols: Sequence[str],
) -> Judged:
    """What a model draws that gives every atom.

    Args:
        model: any that samples.
        name: of it.
        samples: how many.
        latents: options of latents, of which it has none; ``None`` where not given.
        seed: of the sample.
        protocols: asked for.

    Raises:
        ValueError: options of latents.
    """
    from qhw.analysis.whole.subject import of_geometries
    from qhw.chem.hydrogens import heavy_part

    for option, value in latents.items():
        if value is not None:
            raise ValueError(
                f"Argument `{option}` must be left out of model {name}, which has no latents of "
                "the house's"
            )
    heavy, whole = _chosen(protocols, (*_HEAVY, *_WHOLE))
    found = model.sample(samples, seed=seed)
    title = f"{samples} molecules generated by {name}, seed {seed}"
    subject = of_geometries(title, found)
    return Judged(title, heavy_part(found) if heavy else None, heavy, subject, whole, known=True)


def measured(
    judged: Judged, reference: Path | None, relaxed: int, busted: int
) -> WholeReport | None:
    """Measure molecules with hydrogens; ``None`` if no protocol asks for them.

    Raises:
        ValueError: options that need hydrogens where none are asked for.
        ModuleNotFoundError: an extra that is not installed.
    """
    from qhw.analysis.whole.report import Measures, judge_whole
    from qhw.chem.whole_sdf import read_whole_sdf
    from qhw.lmdm.reference import known_whole_molecules, whole_sample

    if judged.subject is None:
        asked = {"reference": reference, "relax": relaxed, "posebusters": busted}
        for name, value in asked.items():
            if value:
                raise ValueError(f"Argument `{name}` must come with protocol edm or valency")
        return None
    if reference is not None:
        beside = str(reference), read_whole_sdf(reference).geometries
    else:
        beside = "1,000 molecules of QM9 (EDM's test split)", whole_sample()
    known = known_whole_molecules() if judged.known else None
    with ExitStack() as open_bars:
        bars: dict[str, Callable[[int, int], None]] = {}

        def tell(words: str, done: int, of: int) -> None:
            if words not in bars:
                bars[words] = open_bars.enter_context(bar(words))
            bars[words](done, of)

        measures = Measures(
            protocols=judged.whole_protocols,
            known=known,
            reference=None if judged.is_reference and reference is None else beside,
            relaxed=relaxed,
            busted=busted,
            tell=tell,
        )
        return judge_whole(judged.subject, measures)


def show_whole(found: WholeReport) -> None:
    """Print tables and where things are from."""
    from qhw.report.whole_molecules import lines, tables

    for table in tables(found):
        out.print(table, crop=False)
    for words in lines(found):
        out.print(words, soft_wrap=True)


def write_whole(found: WholeReport | None, document: Mapping[str, object], folder: Path) -> Path:
    """Write ``report.html`` and ``result.json`` into a new folder of a run.

    Raises:
        ValueError: nothing with hydrogens was judged.
        OutputError: it cannot be written.
    """
    from qhw.report.runfolder import run_folder, run_id
    from qhw.report.whole_molecules import render_whole

    if found is None:
        raise ValueError("Argument `out` must come with protocol edm or valency, or a condition")
    text = json.dumps(document, indent=1) + "\n"
    with run_folder(folder, run_id("judge", text)) as made:
        (made.staging / "result.json").write_text(text, encoding="utf-8")
        page = render_whole(found, document, shlex.join(["qhw", *sys.argv[1:]]))
        (made.staging / "report.html").write_text(page, encoding="utf-8")
    return made.final


def _chosen(
    asked: Sequence[str], usual: Sequence[str]
) -> tuple[tuple[Protocol, ...], tuple[WholeProtocol, ...]]:
    """Protocols of heavy atoms, and of molecules with hydrogens.

    Raises:
        ValueError: an unknown name.
    """
    every = (*_HEAVY, *_WHOLE)
    for name in asked:
        if name not in (*every, "all"):
            raise ValueError(
                f"Argument `protocol` must be one of {', '.join(every)}, all, but is {name!r}"
            )
    wanted = every if "all" in asked else asked or usual
    return tuple(p for p in _HEAVY if p in wanted), tuple(p for p in _WHOLE if p in wanted)
