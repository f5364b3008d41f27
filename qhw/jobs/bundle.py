"""A run as one file for others: circuits, calibration, prediction, payload hashes, counts.

The manifest names every part with its SHA-256 and ends in one hash over all of it. A hash is no
signature: who rewrites everything gets another hash, so it is to be published beside the bundle.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

import sqlalchemy as sa
from pydantic import Field, JsonValue
from sqlalchemy import Connection

from calibration.documents import read_document
from calibration.parts import Frozen, Utc
from qhw.jobs import blobs
from qhw.jobs.archive import ArchiveError, read_archive, write_archive
from qhw.jobs.desk import attempts_of
from qhw.jobs.predictions import predictions_of
from qhw.jobs.queries import get_run, jobs_of, row_errors_of
from qhw.jobs.records import JobRecord, RunRecord
from qhw.jobs.schema import circuit, result

SCHEMA_VERSION = 1
"""Version written by this code; every version up to it is read."""
MANIFEST = "manifest.json"
_NO_HASH = '"sha256": ""\n}\n'
_HASH = re.compile(rb'"sha256": "([0-9a-f]{64})"\n\}\n\Z')
_Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=0, le=2**53)]


class BundledCircuit(Frozen):
    """A compiled circuit: ``id`` is the SHA-256 of its QPY's, its facts and its snapshot's."""

    id: _Sha
    qpy: _Sha
    snapshot: _Sha | None


class BundledAttempt(Frozen):
    """A post, or a copy found at the vendor.

    Attributes:
        created: when the post began, or the copy was found.
        state: what became of it.
        vendor_id: the vendor's, where accepted.
        payload_sha256: of what was posted, as ``qhw submit --dry-run`` writes it.
    """

    created: Utc
    state: str
    vendor_id: str | None
    payload_sha256: _Sha | None


class BundledJob(Frozen):
    """One vendor job.

    Attributes:
        number: in the ledger.
        role: circuit of the model, ``<role>/<variant>`` of its variants.
        part: place among the jobs of the role.
        circuit: id of the first circuit that it runs.
        angles: part ``angles/<this>.npy``.
        rows: circuits.
        shots: per row.
        created: of the intent.
        state: where it stood when the bundle was made.
        attempts: oldest first.
        counts: name of the part that holds them; ``None`` without.
        raw_sha256: of the vendor's own result, which stays in the ledger.
        row_errors: why rows have no counts.
        finished: at the vendor.
    """

    number: _Count
    role: str
    part: _Count
    circuit: _Sha
    angles: _Sha
    rows: _Count
    shots: _Count
    created: Utc
    state: str
    attempts: tuple[BundledAttempt, ...]
    counts: str | None
    raw_sha256: _Sha | None
    row_errors: dict[int, str]
    finished: Utc | None


class BundledPrediction(Frozen):
    """What was predicted of a circuit: part ``predictions/<role>.json``, written before jobs."""

    role: str
    written: Utc


class Manifest(Frozen):
    """What a bundle holds.

    Attributes:
        run: name.
        created: of the run.
        task: what it computes.
        backend: registry name of the device.
        rehearsal: a vendor simulated on one's own machine: no device measured anything.
        settings: what was asked for.
        command: that asked for it.
        circuits: compiled ones.
        jobs: in order.
        predictions: of circuits, by role.
        parts: SHA-256 of every part by name.
        sha256: of all the rest of this manifest; of the whole bundle with it.
    """

    schema_version: int = SCHEMA_VERSION
    format: Literal["qhw bundle"] = "qhw bundle"
    run: str
    created: Utc
    task: str
    backend: str
    rehearsal: bool
    settings: JsonValue
    command: str
    circuits: tuple[BundledCircuit, ...]
    jobs: tuple[BundledJob, ...]
    predictions: tuple[BundledPrediction, ...]
    parts: dict[str, _Sha]
    sha256: str = ""

    def to_bytes(self) -> bytes:
        """JSON whose last words are the hash over all before them."""
        text = self.model_copy(update={"sha256": ""}).model_dump_json(indent=1) + "\n"
        assert text.endswith(_NO_HASH)  # the field is the last one
        sha = hashlib.sha256(text.encode()).hexdigest()
        return (text.removesuffix(_NO_HASH) + _NO_HASH.replace('""', f'"{sha}"')).encode()


def export_run(connection: Connection, run_id: str) -> tuple[str, bytes]:
    """A run of the ledger as a bundle; the same state of it gives the same bytes.

    Args:
        connection: to read with.
        run_id: name of the run, or its beginning or end.

    Returns:
        The hash over all, and the file's bytes.

    Raises:
        UnknownRunError: no such run.
        LedgerError: content is missing or damaged.
        ArchiveError: it is too large.
    """
    record = get_run(connection, run_id)
    jobs = jobs_of(connection, record.id)
    parts: dict[str, bytes] = {}
    circuits = tuple(
        _put_circuit(connection, name, parts) for name in sorted({job.circuit_id for job in jobs})
    )
    bundled = tuple(_put_job(connection, job, parts) for job in jobs)
    predicted = predictions_of(connection, record.id)
    parts |= {f"predictions/{role}.json": told for role, (told, _) in predicted.items()}
    manifest = _manifest(record, circuits, bundled, predicted, parts)
    told = manifest.to_bytes()
    return _hash_in(told), write_archive({MANIFEST: told, **parts})


def _manifest(
    record: RunRecord,
    circuits: tuple[BundledCircuit, ...],
    jobs: tuple[BundledJob, ...],
    predicted: Mapping[str, tuple[bytes, datetime]],
    parts: Mapping[str, bytes],
) -> Manifest:
    return Manifest(
        run=record.id,
        created=record.created,
        task=record.task,
        backend=record.backend,
        rehearsal=record.rehearsal,
        settings=json.loads(record.settings),
        command=record.command,
        circuits=circuits,
        jobs=jobs,
        predictions=tuple(
            BundledPrediction(role=role, written=written)
            for role, (_, written) in predicted.items()
        ),
        parts={name: hashlib.sha256(parts[name]).hexdigest() for name in sorted(parts)},
    )


def _put_circuit(connection: Connection, name: str, parts: dict[str, bytes]) -> BundledCircuit:
    row = connection.execute(sa.select(circuit).where(circuit.c.id == name)).one()
    parts[f"circuits/{name}.qpy"] = blobs.get(connection, row.qpy_sha256)
    parts[f"circuits/{name}.json"] = row.facts.encode()
    if row.snapshot_sha256 is not None:
        text = blobs.get(connection, row.snapshot_sha256)
        parts[f"snapshots/{row.snapshot_sha256}.json"] = text
    return BundledCircuit(id=name, qpy=row.qpy_sha256, snapshot=row.snapshot_sha256)


def _put_job(connection: Connection, job: JobRecord, parts: dict[str, bytes]) -> BundledJob:
    parts[f"angles/{job.angles_sha256}.npy"] = blobs.get(connection, job.angles_sha256)
    found = connection.execute(sa.select(result).where(result.c.job_id == job.id)).one_or_none()
    counts = None
    if found is not None:
        packed = blobs.get(connection, found.counts_sha256)
        kind = "npz" if packed.startswith(b"PK") else "npy"
        counts = f"counts/{job.id}.{kind}"
        parts[counts] = packed
    return BundledJob(
        number=job.id,
        role=job.role,
        part=job.part,
        circuit=job.circuit_id,
        angles=job.angles_sha256,
        rows=job.rows,
        shots=job.shots,
        created=job.created,
        state=str(job.state),
        attempts=tuple(
            BundledAttempt(
                created=a.created,
                state=str(a.state),
                vendor_id=a.vendor_id,
                payload_sha256=a.payload_sha256,
            )
            for a in attempts_of(connection, job.id)
        ),
        counts=counts,
        raw_sha256=None if found is None else found.raw_sha256,
        row_errors=row_errors_of(connection, job) if job.state.final else {},
        finished=None if found is None else found.finished,
    )


def open_bundle(raw: bytes) -> tuple[Manifest, dict[str, bytes]]:
    """A bundle's manifest and parts, every hash checked.

    Raises:
        ArchiveError: no bundle, of a later version, or altered; the line names the part.
    """
    parts = read_archive(raw)
    told = parts.pop(MANIFEST, None)
    if told is None:
        raise ArchiveError(f"must hold {MANIFEST}, but does not: no bundle of `qhw jobs export`")
    manifest = read_document(Manifest, told, SCHEMA_VERSION, f"part {MANIFEST}", ArchiveError)
    _hash_in(told)
    for name in sorted(manifest.parts.keys() | parts.keys()):
        if name not in parts:
            raise ArchiveError(f"part {name}: named by the manifest, but missing")
        if name not in manifest.parts:
            raise ArchiveError(f"part {name}: not named by the manifest")
        if hashlib.sha256(parts[name]).hexdigest() != manifest.parts[name]:
            raise ArchiveError(f"part {name}: its content has another hash than the manifest says")
    _check_circuits(manifest, parts)
    return manifest, parts


def _hash_in(told: bytes) -> str:
    """The hash at the end of a manifest's text.

    Raises:
        ArchiveError: it is not the one of the rest.
    """
    found = _HASH.search(told)
    if found is None:
        raise ArchiveError(f"part {MANIFEST}: must end in the hash over all, but does not: altered")
    own = hashlib.sha256(told[: found.start()] + _NO_HASH.encode()).hexdigest()
    if own != found[1].decode():
        raise ArchiveError(f"part {MANIFEST}: its content has another hash than it says: altered")
    return own


def _check_circuits(manifest: Manifest, parts: Mapping[str, bytes]) -> None:
    """What the manifest says of circuits and jobs is what the parts hold."""
    for one in manifest.circuits:
        facts = parts.get(f"circuits/{one.id}.json")
        qpy = parts.get(f"circuits/{one.id}.qpy")
        if facts is None or qpy is None:
            raise ArchiveError(f"part circuits/{one.id}: named by the manifest, but missing")
        whole = f"{hashlib.sha256(qpy).hexdigest()} ".encode() + facts + f" {one.snapshot}".encode()
        if hashlib.sha256(whole).hexdigest() != one.id:
            raise ArchiveError(f"part circuits/{one.id}: is another circuit than its id says")
    named = {
        **{f"snapshots/{c.snapshot}.json": c.snapshot for c in manifest.circuits if c.snapshot},
        **{f"angles/{job.angles}.npy": job.angles for job in manifest.jobs},
    }
    for name, sha in named.items():
        if manifest.parts.get(name) != sha:
            raise ArchiveError(f"part {name}: must have the hash of its name, but has not")
    known = {one.id for one in manifest.circuits}
    for job in manifest.jobs:
        if job.circuit not in known:
            raise ArchiveError(f"part {MANIFEST}: job {job.number} runs a circuit that is missing")
        if job.counts is not None and job.counts not in parts:
            raise ArchiveError(f"part {job.counts}: named by job {job.number}, but missing")
