"""``qhw devices``: what a model can be run on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qhw.cli.console import emit_json, out
from qhw.cli.options import Json
from qhw.cli.progress import bar
from qhw.report.tables import WholeTable

if TYPE_CHECKING:
    from backends.live import Standing
    from backends.prices import PriceEntry
    from calibration.catalog import CatalogRow
    from calibration.plugins import Offer


def list_devices(
    word: Annotated[str, typer.Argument(help="Only names that contain this.")] = "",
    live: Annotated[
        bool,
        typer.Option("--live", help="Ask the vendors: status, queue, opening hours, price."),
    ] = False,
    device: Annotated[
        list[str] | None,
        typer.Option(
            "--device",
            help="With --live, only this: ibm, braket, ibm:<device> or braket:<device>; may be "
            "repeated.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Device models: age of the calibration, qubits, median errors; or devices as they are now."""
    if live:
        _list_live(word, device or [], as_json=as_json)
        return
    if device:
        raise ValueError("Argument `device` must come with --live, but --live is not given")
    _list_models(word, as_json=as_json)


def _list_models(word: str, *, as_json: bool) -> None:
    from calibration.catalog import list_snapshots
    from qhw.report.format import duration, number

    rows = [row for row in list_snapshots() if word in row.reference]
    if not rows:
        raise ValueError(f"Argument `word` must be part of a device's name, but no name has {word}")
    if as_json:
        others = [{"backend": offer.name, "package": offer.package} for offer in _offered()]
        emit_json({"devices": [{"backend": "exact"}, *map(_document, rows), *others]})
        return
    table = WholeTable(box=None, pad_edge=False, header_style="dim")
    table.add_column("backend", no_wrap=True)
    headings = ("age (days)", "qubits", "2q error", "1q error", "readout", "T1", "T2")
    for heading in (*headings, "$/shot (of)", "corrected"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("processor", no_wrap=True)
    for row in rows:
        table.add_row(
            f"aer:{row.reference}",
            str(row.age().days),
            str(row.n_qubits),
            number(row.two_qubit_error),
            number(row.one_qubit_error),
            number(row.readout_error),
            duration(row.t1_s) if row.t1_s else "–",
            duration(row.t2_s) if row.t2_s else "–",
            "–" if row.usd_per_shot is None else f"{row.usd_per_shot:g} ({row.price_as_of})",
            str(row.corrections),
            row.processor if row.made_up is None else f"{row.processor}, made up",
        )
    out.print(table, crop=False)
    for row in rows:
        if row.made_up is not None:
            said = f"{row.reference} is made up: {row.made_up}"
            out.print(said, soft_wrap=True)
    also = ["exact (ideal, finite shots)", *(f"{offer.name}: (of {offer})" for offer in _offered())]
    out.print(f"also: {', '.join(also)}", soft_wrap=True)


def _offered() -> tuple[Offer, ...]:
    """Prefixes of backends that other packages offer; their devices only they know."""
    from backends.registry import BACKENDS

    return BACKENDS.offers()


def _document(row: CatalogRow) -> dict[str, object]:
    return {
        "backend": f"aer:{row.reference}",
        "vendor": row.vendor,
        "processor": row.processor,
        "taken": row.taken.isoformat(),
        "age_days": row.age().days,
        "qubits": row.n_qubits,
        "usable_couplings": row.usable_couplings,
        "median_two_qubit_error": row.two_qubit_error,
        "median_one_qubit_error": row.one_qubit_error,
        "median_readout_error": row.readout_error,
        "median_t1_s": row.t1_s,
        "median_t2_s": row.t2_s,
        "usd_per_shot": row.usd_per_shot,
        "price_as_of": row.price_as_of.isoformat() if row.price_as_of else None,
        "corrections": row.corrections,
        "made_up": row.made_up,
    }


def _list_live(word: str, names: list[str], *, as_json: bool) -> None:
    from backends.live import ask_devices

    with bar("asking devices") as told:
        rows = [row for row in ask_devices(names, told=told) if word in row.backend]
    if not rows:
        raise ValueError(f"Argument `word` must be part of a device's name, but no name has {word}")
    if as_json:
        emit_json({"devices": [_live_document(row) for row in rows]})
        return
    table = WholeTable(box=None, pad_edge=False, header_style="dim")
    for heading in ("backend", "status", "queue", "executes", "USD", "error"):
        table.add_column(heading, justify="right" if heading == "queue" else "left")
    for row in rows:
        cells = (
            row.backend,
            row.status or "–",
            "–" if row.queue is None else str(row.queue),
            _window(row),
            _price(row.price) if row.price else "–" if row.error else "unknown",
            row.error,
        )
        table.add_row(*cells)
    out.print(table, crop=False)
    for row in rows:
        if row.price_error:
            out.print(row.price_error, soft_wrap=True)


def _window(row: Standing) -> str:
    """``now``, or when it opens next, UTC."""
    if row.error or not row.in_service or row.is_open is None:
        return "–"
    if row.is_open:
        return "now"
    if row.next_opening is None:
        return "no opening announced"
    return f"from {row.next_opening:%a %Y-%m-%d %H:%M} UTC"


def _price(price: PriceEntry) -> str:
    units = {"task": price.usd_per_task, "shot": price.usd_per_shot, "s": price.usd_per_second}
    said = " + ".join(f"{usd:g}/{unit}" for unit, usd in units.items() if usd) or "free"
    return said if price.verified else f"{said} (of {price.as_of}, not verified)"


def _live_document(row: Standing) -> dict[str, object]:
    price = row.price
    return {
        "backend": row.backend,
        "status": row.status or None,
        "in_service": row.in_service,
        "queue": row.queue,
        "queue_text": row.queue_text or None,
        "open": row.is_open,
        "next_opening": row.next_opening.isoformat() if row.next_opening else None,
        "usd_per_task": price.usd_per_task if price else None,
        "usd_per_shot": price.usd_per_shot if price else None,
        "usd_per_second": price.usd_per_second if price else None,
        "price_basis": price.basis() if price else row.price_error or None,
        "error": row.error or None,
    }
