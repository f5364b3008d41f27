"""Molecules with every atom, as they were measured: on a terminal, and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup
from matplotlib.figure import Figure

from qhw.analysis.whole.distances import UNITS
from qhw.analysis.whole.report import Share, WholeReport
from qhw.provenance import versions
from qhw.report.format import interval, number, percent
from qhw.report.page import asset, environment
from qhw.report.svg import SOFT, house_style, to_svg
from qhw.report.tables import WholeTable

_COLOUR = "#2a6f97"
_Row = tuple[str, str, str, str]


def tables(found: WholeReport) -> list[WholeTable]:
    """Shares, then distances, then whatever else was measured."""
    made = [
        _table((title, "count", "share", "95 % interval"), share_rows(shares))
        for title, shares in sections(found)
    ]
    if found.distances:
        headings = (f"distance to {found.reference}", "Wasserstein-1", "floor", "types covered")
        made.append(_table(headings, distance_rows(found)))
    made.append(_table(("measured", "molecules", "value", ""), other_rows(found)))
    return made


def sections(found: WholeReport) -> list[tuple[str, Mapping[str, Share]]]:
    """Title and shares of every protocol that was asked for."""
    both = (("edm", found.edm), ("valency", found.valency))
    return [(f"{found.title}, {name}", shares) for name, shares in both if shares is not None]


def share_rows(shares: Mapping[str, Share]) -> list[_Row]:
    """Name, count, share and interval of each."""
    return [
        (
            name,
            f"{one.count:,} / {one.of:,}",
            percent(one.share),
            interval(one.interval, as_percent=True),
        )
        for name, one in shares.items()
    ]


def distance_rows(found: WholeReport) -> list[_Row]:
    """Kind, distance, floor and cover of each."""
    return [
        (
            f"{one.kind} ({UNITS[one.kind]}), {one.values:,} values",
            number(one.value),
            number(one.floor),
            f"{percent(one.covered)}, {percent(one.strange)} of types unknown to it",
        )
        for one in found.distances
    ]


def other_rows(found: WholeReport) -> list[_Row]:
    """Likeness, relaxation and PoseBusters."""
    rows = [
        (f"{name}, mean over valid", f"{of:,}", number(mean), "")
        for name, (mean, of) in found.likeness.items()
    ]
    if (mmd := found.bond_mmd) is not None:
        of = f"{len(mmd.by_type)} of {mmd.types} types"
        name = "bond lengths between heavy atoms, MMD"
        rows.append((name, of, number(mmd.mean), f"floor {number(mmd.floor)}"))
    if (relaxed := found.relaxation) is not None:
        told = relaxed.summary()
        of = f"{relaxed.converged:,} of {relaxed.tried:,} converged"
        for words, key in (
            ("energy lost (kcal/mol)", "energy_kcal_mol"),
            ("atoms moved (RMSD, Å)", "rmsd_angstrom"),
        ):
            values = [told[f"{key}_{what}"] for what in ("median", "mean")]
            shown = [number(v) if isinstance(v, float) else "–" for v in values]
            rows.append((f"GFN2-xTB, {words}", of, f"median {shown[0]}", f"mean {shown[1]}"))
    if (bust := found.plausibility) is not None:
        rows.append(_busted("PoseBusters, every check passed", bust.passed, bust.tried))
        rows += [_busted(f"  {name}", passed, bust.tried) for name, passed in bust.checks.items()]
    return rows


def lines(found: WholeReport) -> list[str]:
    """Where things are from."""
    told = [f"hydrogens: {found.hydrogens}"]
    if found.valency is not None:
        told.append(f"bonds and charges of valency: {found.bonds}")
    if found.edm is not None:
        told.append(f"novel: {'against ' + found.against if found.against else 'not measured'}")
    if found.distances:
        told.append("floor: one half of the reference from the other")
    return told


def render_whole(found: WholeReport, document: Mapping[str, object], command: str) -> str:
    """The page's HTML text.

    Args:
        found: what was measured.
        document: the result, whose ``reports`` of heavy atoms are shown as well.
        command: that made it.
    """
    reports = document.get("reports")
    return (
        environment()
        .get_template("whole.html.j2")
        .render(
            found=found,
            sections=[(title, share_rows(shares)) for title, shares in sections(found)],
            heavy=reports if isinstance(reports, list) else [],
            distances=distance_rows(found),
            others=other_rows(found),
            lines=lines(found),
            figure=Markup(_figure(found)),
            command=command,
            versions=versions(),
            css=asset("report.css"),
        )
    )


def _figure(found: WholeReport) -> str:
    """SVG text: shares with their intervals, and what relaxing did where it was asked for."""
    relaxed = found.relaxation
    drawn = relaxed is not None and relaxed.converged > 0
    with house_style():
        figure = Figure(figsize=(9.4, 4.2), layout="constrained")
        axes = figure.subplots(1, 2 if drawn else 1, squeeze=False)[0]
        bars = [
            (f"{title.rpartition(', ')[2]}: {name}", one)
            for title, shares in sections(found)
            for name, one in shares.items()
            if one.interval is not None
        ][::-1]
        for place, (_, one) in enumerate(bars):
            assert one.interval is not None and one.share is not None
            low, high = one.share - one.interval.low, one.interval.high - one.share
            style = {"fmt": "o", "ms": 4, "color": _COLOUR, "ecolor": SOFT}
            axes[0].errorbar(100 * one.share, place, xerr=[[100 * low], [100 * high]], **style)
        axes[0].set_yticks(range(len(bars)), [name for name, _ in bars])
        axes[0].set_xlim(-2, 102)
        axes[0].set_xlabel("share (%), 95 % interval")
        if drawn:
            assert relaxed is not None
            axes[1].plot(relaxed.moved, relaxed.energies, ".", color=_COLOUR, alpha=0.7)
            axes[1].set_xlabel("atoms moved (RMSD, Å)")
            axes[1].set_ylabel("energy lost (kcal/mol)")
        return to_svg(figure, "Shares of stable, valid and connected molecules")


def _busted(name: str, passed: int, tried: int) -> _Row:
    return name, f"{passed:,} / {tried:,}", percent(passed / tried if tried else None), ""


def _table(headings: Sequence[str], rows: Sequence[_Row]) -> WholeTable:
    table = WholeTable(box=None, pad_edge=False, header_style="dim")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    return table
