"""Zip files whose bytes their members decide: made whole in memory, read without trust.

Members are stored, not compressed, in the order of their names and without times, so an archive
can be made again from what was read out of it: any byte that differs is then found, also in the
headers that no checksum covers, and there is nothing to inflate.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Mapping

MAX_BYTES = 512 * 2**20
"""Of an archive."""
_MOST_MEMBERS = 20_000
_NAME = re.compile(r"[a-z0-9][a-z0-9_+=.-]*(/[a-z0-9][a-z0-9_+=.-]*)?")
_LONGEST_NAME = 160
_EPOCH = (1980, 1, 1, 0, 0, 0)
_PLAIN_FILE = (stat.S_IFREG | 0o644) << 16
_UNIX = 3


class ArchiveError(ValueError):
    """An archive cannot be believed; one line names the part and says why."""


def write_archive(members: Mapping[str, bytes]) -> bytes:
    """The archive of some members; the same ones give the same bytes.

    Args:
        members: content by name: small letters, digits and ``_+=.-``, at most one folder.

    Raises:
        ArchiveError: a name that :func:`read_archive` would refuse, or too much in all.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name in sorted(members):
            _check_name(name)
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system, info.external_attr = _UNIX, _PLAIN_FILE
            archive.writestr(info, members[name])
    if buffer.tell() > MAX_BYTES:
        raise ArchiveError(
            f"An archive must have at most {MAX_BYTES} bytes, but has {buffer.tell()}"
        )
    return buffer.getvalue()


def read_archive(raw: bytes) -> dict[str, bytes]:
    """Members of an archive that :func:`write_archive` made.

    Raises:
        ArchiveError: anything else, down to the last byte.
    """
    members: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            infos = archive.infolist()
            _check_infos(infos, len(raw))
            for info in infos:
                members[info.filename] = _content(archive, info)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OSError) as error:
        if isinstance(error, ArchiveError):
            raise
        raise ArchiveError(f"the archive's index: altered or damaged ({error})") from error
    again = write_archive(members)
    if again != raw:
        raise ArchiveError(f"{_part_at(again, _first_difference(again, raw))}: altered or damaged")
    return members


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(info) as stream:
            return stream.read(info.file_size)
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError) as error:
        raise ArchiveError(f"part {info.filename}: altered or damaged ({error})") from error


def _check_infos(infos: list[zipfile.ZipInfo], size: int) -> None:
    if len(infos) > _MOST_MEMBERS:
        raise ArchiveError(f"must have at most {_MOST_MEMBERS} parts, but has {len(infos)}")
    seen: set[str] = set()
    for info in infos:
        _check_name(info.filename)
        if info.filename in seen:
            raise ArchiveError(f"part {info.filename}: must be there once, but is twice")
        seen.add(info.filename)
        if stat.S_ISLNK(info.external_attr >> 16):
            raise ArchiveError(f"part {info.filename}: must be a file, but is a link")
        if info.compress_type != zipfile.ZIP_STORED:
            raise ArchiveError(f"part {info.filename}: must be stored, but is compressed")
        if info.file_size != info.compress_size or info.file_size > size:
            raise ArchiveError(
                f"part {info.filename}: must be as long as it says, but says {info.file_size} bytes"
            )
    if sum(info.file_size for info in infos) > size:
        raise ArchiveError(f"parts must fit into the file's {size} bytes, but overlap")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or ".." in name or len(name) > _LONGEST_NAME:
        raise ArchiveError(
            f"part {name[:_LONGEST_NAME]!r}: a name must be of small letters, digits and _+=.- "
            "with at most one folder, and lead nowhere else"
        )


def _first_difference(one: bytes, other: bytes) -> int:
    """Place of the first byte that differs; found by halves."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _part_at(raw: bytes, place: int) -> str:
    """What a byte of an archive belongs to."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        if place >= archive.start_dir:
            return "the archive's index"
        before = [info for info in archive.infolist() if info.header_offset <= place]
    return f"part {before[-1].filename}" if before else "the archive's index"
