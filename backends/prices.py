"""What vendors charge: a dated table, and a file of the user's own over it.

A device without an entry has an unknown price (AQT, at present): nothing is guessed.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from backends.base import BackendError
from backends.places import PlaceError, named_path
from calibration.documents import read_bounded
from calibration.parts import Frozen, Price

OVERLAY = "QHW_PRICES"
"""Environment variable naming a JSON file whose entries come before the shipped ones."""
_SCHEMA_VERSION = 1
_FORM = (
    '{"schema_version": 1, "entries": [{"backend": "%s", "as_of": "YYYY-MM-DD", '
    '"usd_per_task": ..., "usd_per_shot": ..., "source": "..."}]}'
)


class PriceError(BackendError):
    """No price is known, or a price file cannot be used."""


class PriceEntry(Price):
    """A price with its origin.

    Attributes:
        backend: registry name, or a pattern with ``*``.
        source: where the figures are from.
        verified: whether they were read from the vendor on ``as_of``.
    """

    backend: str
    source: str
    verified: bool = False

    def basis(self) -> str:
        """One line for people: origin, date, and whether it was verified."""
        doubt = "" if self.verified else ", not verified"
        return f"{self.source} ({self.as_of.isoformat()}{doubt})"


class _Table(Frozen):
    schema_version: int
    entries: tuple[PriceEntry, ...]
    note: str = ""


def price_entries() -> tuple[PriceEntry, ...]:
    """Every entry, those of the file named by ``QHW_PRICES`` first.

    Raises:
        PriceError: that file cannot be read; one line says why.
    """
    shipped = resources.files("backends").joinpath("prices.json").read_text(encoding="utf-8")
    try:
        own = named_path(OVERLAY)
    except PlaceError as error:
        raise PriceError(str(error)) from error
    return (*(_read_file(own) if own else ()), *_parse(shipped, "the shipped price table"))


def price_of(backend: str) -> PriceEntry:
    """The first entry that fits a backend's name such as ``ibm:ibm_fez``.

    Raises:
        PriceError: none does; the line says how to add one.
    """
    device = backend.partition("+")[0]  # what is asked of a device leaves its price
    for entry in price_entries():
        if fnmatchcase(device, entry.backend):
            return entry
    raise PriceError(
        f"Argument `backend` must have a known price, but {backend} has none: write "
        f"{_FORM % backend} with the vendor's figures into a file and name it with {OVERLAY}."
    )


def _read_file(path: Path) -> tuple[PriceEntry, ...]:
    try:
        text = read_bounded(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PriceError(f"{OVERLAY} must name a price file, but {path}: {error}") from error
    return _parse(text, str(path))


def _parse(text: str, where: str) -> tuple[PriceEntry, ...]:
    try:
        table = _Table.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PriceError(f"{where}: `{place}`: {first['msg']}") from error
    except ValueError as error:
        raise PriceError(f"{where} must be JSON, but: {error}") from error
    if table.schema_version != _SCHEMA_VERSION:
        raise PriceError(
            f"{where} must have schema_version {_SCHEMA_VERSION}, but has {table.schema_version}"
        )
    return table.entries
