"""A bundle checked without a ledger, a vendor or a network, and judged again from its parts."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.outcomes import Outcomes
from calibration.documents import read_bounded
from qhw.analysis.compare.facts import PredictionFacts
from qhw.analysis.compare.predicted import Prediction, judged
from qhw.jobs.archive import MAX_BYTES, ArchiveError
from qhw.jobs.bundle import BundledJob, Manifest, open_bundle

FloatArray = NDArray[np.float64]

_FORMAT: Any = np.lib.format


class BundleError(ValueError):
    """A bundle does not verify; one line names the file, the part and the reason."""


@dataclass(frozen=True)
class Verified:
    """A bundle that is what its hashes say.

    Attributes:
        manifest: what it holds.
        predictions: what was said before, beside the counts; of circuits that ran as they are.
        unknown: what a bundle cannot prove, in words.
    """

    manifest: Manifest
    predictions: tuple[PredictionFacts, ...]
    unknown: tuple[str, ...]


def verify(path: Path, sha256: str | None = None) -> Verified:
    """Check every hash of a bundle, and that its parts belong together.

    Args:
        path: file of ``qhw jobs export``.
        sha256: hash over all that it must have, as ``qhw jobs export`` told it.

    Raises:
        BundleError: it cannot be read, or anything in it is not as it was exported.
    """
    try:
        raw = read_bounded(path, MAX_BYTES)
    except OSError as error:
        raise BundleError(f"Bundle {path}: {error.strerror}") from error
    try:
        manifest, parts = open_bundle(raw)
        if sha256 is not None and sha256.strip().lower() != manifest.sha256:
            raise ArchiveError(
                f"the whole: must have hash {sha256[:64]}, but has {manifest.sha256}"
            )
        counts = {
            job.number: _counts(job, parts) for job in manifest.jobs if job.counts is not None
        }
        told = {one.role: one.written for one in manifest.predictions}
        found = []
        for role, written in told.items():
            frozen = parts.get(f"predictions/{role}.json")
            if frozen is None:
                raise ArchiveError(f"part predictions/{role}.json: named, but missing")
            prediction = Prediction.from_bytes(frozen, f"part predictions/{role}.json")
            jobs = [j for j in manifest.jobs if j.role.split("/")[0].split(" ")[0] == role]
            _check_prediction(manifest, prediction, jobs)
            if any(a.created < written for job in jobs for a in job.attempts):
                raise ArchiveError(f"part predictions/{role}.json: written after a post of its job")
            plain = [job for job in jobs if job.role == role]
            found.append(_judged(frozen, prediction, plain, counts))
    except (ArchiveError, ValueError) as error:
        raise BundleError(f"Bundle {path}: {error}") from error
    return Verified(manifest, tuple(found), _unknown(manifest))


def _check_prediction(
    manifest: Manifest, prediction: Prediction, jobs: Sequence[BundledJob]
) -> None:
    """The calibration predicted from is the one that the circuits were compiled against."""
    snapshots = {one.id: one.snapshot for one in manifest.circuits}
    for job in jobs:
        if snapshots[job.circuit] != prediction.snapshot_sha256:
            raise ArchiveError(
                f"part predictions/{prediction.role}.json: must rest on the calibration of job "
                f"{job.number}, but rests on {prediction.snapshot_sha256}"
            )
    whole = len(prediction.predicted)
    if whole > prediction.rows or len(prediction.exact) != whole:
        raise ArchiveError(f"part predictions/{prediction.role}.json: its rows do not agree")


def _judged(
    frozen: bytes,
    prediction: Prediction,
    jobs: Sequence[BundledJob],
    counts: Mapping[int, NDArray[np.int64]],
) -> PredictionFacts:
    """The three columns, from the bundle alone; nothing measured where variants ran instead."""
    width = len(prediction.exact[0]) if prediction.exact else 0
    rows: list[int] = []
    kept: list[NDArray[np.int64]] = []
    start = 0
    for job in jobs:
        found = counts.get(job.number)
        for row in range(job.rows):
            place = start + row
            if (
                found is not None
                and row not in job.row_errors
                and place < len(prediction.exact)
                and found.shape[1] == width
            ):
                rows.append(place)
                kept.append(found[row])
        start += job.rows
    exact = np.array([prediction.exact[row] for row in rows]).reshape(len(rows), width)
    table = np.array(kept, dtype=np.int64).reshape(len(rows), width)
    return judged(frozen, rows, table, exact)


def _counts(job: BundledJob, parts: Mapping[str, bytes]) -> NDArray[np.int64]:
    """A job's counts, columns all outcomes in order or those seen; sums as asked for."""
    assert job.counts is not None  # chosen by the caller
    where, raw = f"part {job.counts}", parts[job.counts]
    if raw.startswith(b"PK"):
        arrays = _arrays(where, raw)
        found = _array(where, arrays.get("counts", b""))
        packed = _array(where, arrays.get("outcomes", b""), kind="u1")
        bits = int(_array(where, arrays.get("bits", b"")).reshape(-1)[0])
        if len(Outcomes(packed, bits)) != found.shape[-1]:
            raise ArchiveError(f"{where}: must have an outcome for each column")
    else:
        found = _array(where, raw)
    if found.ndim != 2 or len(found) != job.rows or (found < 0).any():
        raise ArchiveError(f"{where}: must be counts of {job.rows} rows, but is {found.shape}")
    for row, total in enumerate(found.sum(axis=1).tolist()):
        wanted = 0 if row in job.row_errors else job.shots
        if total != wanted:
            raise ArchiveError(
                f"{where}: row {row} must add up to {wanted} shots, but does to {total}"
            )
    return found.astype(np.int64)


def _arrays(where: str, raw: bytes) -> dict[str, bytes]:
    """Members of an .npz as it is written here: stored, so nothing can inflate."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as inner:
            infos = inner.infolist()
            if any(i.compress_type != zipfile.ZIP_STORED or i.file_size > len(raw) for i in infos):
                raise ArchiveError(f"{where}: must be stored, but is compressed")
            return {info.filename.removesuffix(".npy"): inner.read(info) for info in infos}
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError) as error:
        raise ArchiveError(f"{where}: damaged ({error})") from error


def _array(where: str, raw: bytes, kind: str = "i8") -> NDArray[Any]:
    """An array in NumPy's format whose header does not say more than there is."""
    stream = io.BytesIO(raw)
    try:
        first = _FORMAT.read_magic(stream) == (1, 0)
        read = _FORMAT.read_array_header_1_0 if first else _FORMAT.read_array_header_2_0
        shape, by_columns, dtype = read(stream)
    except (ValueError, EOFError, SyntaxError) as error:
        raise ArchiveError(f"{where}: must be an array of NumPy's, but: {error}") from error
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    left = len(raw) - stream.tell()
    if dtype != np.dtype(kind) or size != left:
        raise ArchiveError(
            f"{where}: must hold {left} bytes of whole numbers, but says {dtype} {shape}"
        )
    flat: NDArray[Any] = np.frombuffer(raw, dtype=dtype, offset=stream.tell())
    return flat.reshape(shape, order="F" if by_columns else "C")


def _unknown(manifest: Manifest) -> tuple[str, ...]:
    """What nobody can know from the file alone."""
    out = [
        "a hash is no signature: compare it with the one that was published before the results",
        "what the vendor did with the posted circuits is the vendor's word",
    ]
    if manifest.rehearsal:
        out.append("a rehearsal: the vendor was simulated, and no device measured anything")
    if not all(a.payload_sha256 for job in manifest.jobs for a in job.attempts[:1]):
        out.append("of posts by an earlier version no hash of the content was kept")
    if not manifest.predictions:
        out.append("nothing was predicted")
    return tuple(out)
