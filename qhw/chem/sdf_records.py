"""Records of an SDF file, read in bounded pieces: plain or gzipped, any line ends."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

MAX_LINE, MAX_RECORD, MAX_FILE = 2**20, 2**22, 2**30
"""Bytes, after decompression."""
_MAX_TITLE = 200
_GZIP = b"\x1f\x8b"
Bad = Callable[[int, ValueError], None]
"""Told the number of a record that cannot be used, and why."""
_DIMENSION = re.compile(r"(?<![A-Z])[23]D\s*$")


@dataclass(frozen=True)
class Record:
    """One record's molfile.

    Attributes:
        where: file and number of the record from 1, for messages.
        lines: up to and with ``M  END``, without line ends.
        number: of the record in the file, from 1.
    """

    where: str
    lines: list[str]
    number: int

    @property
    def title(self) -> str:
        """The first line, bounded, without control characters."""
        shown = "".join(c if c.isprintable() else "\ufffd" for c in self.lines[0].strip())
        return shown[:_MAX_TITLE]

    @property
    def dimension(self) -> str:
        """``2D``, ``3D``, or nothing where the header does not say."""
        line = self.lines[1].upper()
        if line[20:22] in ("2D", "3D"):  # columns of the format
            return line[20:22]
        found = _DIMENSION.search(line)
        return found.group().strip() if found else ""


def read_records(path: Path, bad: Bad | None = None) -> Iterator[Record]:
    """Records of a file, one after another; the last needs no ``$$$$``.

    Args:
        path: the file.
        bad: told of records that cannot be used, which are then passed over; ``None`` raises. What
            is wrong with the file as a whole is raised anyway.

    Raises:
        ValueError: no regular file, damaged compression, a line, record or file beyond the bounds,
            a record that ends before ``M  END``, or a coordinate that is no finite number, by file,
            record and atom.
    """
    if not path.is_file():
        raise ValueError(f"Argument `input` must be an SDF file, but {path} is not a file.")
    kept: list[bytes] = []
    number, size, ended = 1, 0, False
    for line in _lines(path):
        where = f"{path}, record {number}"
        size += len(line) + 1
        if size > MAX_RECORD:
            raise ValueError(
                f"Argument `input` must have records of at most {MAX_RECORD} bytes, "
                f"but {where} is longer."
            )
        if line.startswith(b"$$$$"):
            yield from _usable(path, number, kept, bad)
            kept, number, size, ended = [], number + 1, 0, False
        elif not ended:  # data fields after the molfile are passed over
            kept.append(line)
            ended = line.startswith(b"M  END")
    if any(line.strip() for line in kept):
        yield from _usable(path, number, kept, bad)


def _usable(path: Path, number: int, kept: list[bytes], bad: Bad | None) -> Iterator[Record]:
    try:
        found = _record(f"{path}, record {number}", kept, number)
    except ValueError as error:
        if bad is None:
            raise
        bad(number, error)
    else:
        yield found


def _lines(path: Path) -> Iterator[bytes]:
    """Lines without their ends (LF, CRLF or CR)."""
    total = 0
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == _GZIP
            raw.seek(0)
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if zipped else raw
            while line := stream.readline(MAX_LINE):
                line = line.removeprefix(b"\xef\xbb\xbf") if total == 0 else line
                total += len(line)
                if len(line) == MAX_LINE or total > MAX_FILE:
                    raise ValueError(
                        f"Argument `input` must have lines below {MAX_LINE} and {MAX_FILE} bytes "
                        f"in all, but {path} has more."
                    )
                yield from line.removesuffix(b"\n").removesuffix(b"\r").split(b"\r")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"Argument `input` must be whole, but {path} is a damaged gzip file: {error}"
        ) from error
    except OSError as error:
        raise ValueError(
            f"Argument `input` must be an SDF file that can be read, but {path}: {error.strerror}"
        ) from error


def _record(where: str, raw: list[bytes], number: int) -> Record:
    if not raw or not raw[-1].startswith(b"M  END"):
        raise ValueError(
            f"Argument `input` must hold whole molecules, but {where} ends before `M  END`."
        )
    lines = [_text(line) for line in raw]
    if len(lines) < 5:
        raise ValueError(f"Argument `input` must hold molecules, but {where} cannot be read.")
    _check_coordinates(where, lines)
    return Record(where, lines, number)


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:  # titles written on older systems
        return line.decode("latin-1")


def _check_coordinates(where: str, lines: list[str]) -> None:
    """Name the atom: RDKit only says that it cannot read the record."""
    for atom, fields in enumerate(_atom_fields(lines), 1):
        for field in fields[:3]:
            try:
                finite = math.isfinite(float(field))
            except ValueError:
                finite = False
            if not finite:
                raise ValueError(
                    f"Argument `input` must have finite coordinates, but {where}, atom {atom} "
                    f"has {field.strip()[:20]!r}."
                )


def atom_symbols(lines: list[str]) -> Iterator[str]:
    """What every atom of a record that is there is called."""
    return (fields[3].strip() for fields in _atom_fields(lines))


def _atom_fields(lines: list[str]) -> Iterator[list[str]]:
    """Texts of x, y, z and symbol of every atom that is there."""
    if lines[3].rstrip().endswith("V3000"):
        inside = False
        for line in lines[4:]:
            words = line.split()
            if words[2:4] in (["BEGIN", "ATOM"], ["END", "ATOM"]):
                inside = words[2] == "BEGIN"
            elif inside and len(words) >= 7:  # M V30 index type x y z ...
                yield [*words[4:7], words[3]]
    elif lines[3][:3].strip().isdecimal():
        for line in lines[4 : min(4 + int(lines[3][:3]), len(lines) - 1)]:
            yield [line[0:10], line[10:20], line[20:30], line[31:34]]
