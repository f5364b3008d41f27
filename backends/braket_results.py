"""Results of Braket tasks as counts; what worked is kept, what failed keeps the vendor's words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.vendor import VendorError

_TASK = "braket.task_result.gate_model_task_result"
_SET = "braket.task_result.program_set_task_result"
_FAILED = "braket.task_result.program_set_executable_failure"
_CHILD_SUFFIX = "/results.json"

Reader = Callable[[str, str], tuple[bytes, dict[str, Any]]]
"""Reads a JSON object of a bucket by its key: its bytes, and parsed."""


@dataclass(frozen=True)
class Rows:
    """Counts of a task by row.

    Attributes:
        counts: ``(B, 2**m)`` int64, first measured wire most significant; zeros where it failed.
        errors: vendor's text of each failed row.
        raw: the result file; where results are spread over several, a JSON object of them by key.
    """

    counts: NDArray[np.int64]
    errors: dict[int, str]
    raw: bytes


def read_rows(
    bucket: str, key: str, read: Reader, rows: int, shots: int, wires: Sequence[int]
) -> Rows:
    """Read a task's results.

    Args:
        bucket: where the result file lies.
        key: of the result file.
        read: reads objects.
        rows: number of rows that were sent.
        shots: of each row.
        wires: the vendor's number of each measured wire, most significant first.

    Raises:
        VendorError: not results of these rows; or what ``read`` raises.
    """
    try:
        return _rows(_Files(read), bucket, key, rows, shots, wires)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise VendorError(f"The result s3://{bucket}/{key} is malformed: {error!r}") from error


def _rows(
    files: _Files, bucket: str, key: str, rows: int, shots: int, wires: Sequence[int]
) -> Rows:
    document = files.load(bucket, key)
    kind = _kind(document)
    if kind == _TASK:
        found: list[Mapping[str, Any]] = [document]
    elif kind == _SET:
        found = _executables(document, bucket, key, files)
    else:
        raise VendorError(f"The result must be of a gate-model task or program set, but is {kind}.")
    if len(found) != rows:
        raise VendorError(f"The result must have {rows} rows, but has {len(found)}.")
    counts = np.zeros((rows, 2 ** len(wires)), dtype=np.int64)
    errors: dict[int, str] = {}
    for row, entry in enumerate(found):
        if _kind(entry) == _FAILED:
            errors[row] = _reason(entry)
        else:
            counts[row] = _counts(entry, shots, wires)
    return Rows(counts, errors, files.raw())


class _Files:
    """Reads documents and remembers their bytes."""

    def __init__(self, read: Reader) -> None:
        self._read = read
        self._seen: dict[str, bytes] = {}

    def load(self, bucket: str, key: str) -> dict[str, Any]:
        self._seen[key], document = self._read(bucket, key)
        return document

    def raw(self) -> bytes:
        if len(self._seen) == 1:
            return next(iter(self._seen.values()))
        return json.dumps({k: v.decode() for k, v in self._seen.items()}).encode()


def _executables(
    document: Mapping[str, Any], bucket: str, key: str, files: _Files
) -> list[Mapping[str, Any]]:
    """Results of every executable in the order sent, files fetched where they lie apart."""
    place = document.get("s3Location") or (bucket, key.rpartition("/")[0])
    home, prefix = str(place[0]), str(place[1]).rstrip("/")
    found: list[Mapping[str, Any]] = []
    for program in document.get("programResults") or ():
        folder = prefix
        if isinstance(program, str):
            folder = f"{prefix}/{program}".removesuffix(_CHILD_SUFFIX)
            program = files.load(home, f"{prefix}/{program}")
        entries = [
            files.load(home, f"{folder}/{entry}") if isinstance(entry, str) else entry
            for entry in program.get("executableResults") or ()
        ]
        found += sorted(entries, key=lambda entry: int(entry.get("inputsIndex") or 0))
    return found


def _counts(entry: Mapping[str, Any], shots: int, wires: Sequence[int]) -> NDArray[np.int64]:
    measured = [int(q) for q in entry.get("measuredQubits") or ()]
    missing = [q for q in wires if q not in measured]
    if missing:
        raise VendorError(f"The result must measure qubits {list(wires)}, but lacks {missing}.")
    columns = [measured.index(q) for q in wires]
    weights = 1 << np.arange(len(wires))[::-1]
    if entry.get("measurements"):
        bits = np.asarray(entry["measurements"], dtype=np.int64)
        if bits.ndim != 2 or bits.shape[1] != len(measured) or ((bits != 0) & (bits != 1)).any():
            raise VendorError("The result's `measurements` must be one bit a qubit and shot.")
        outcomes = bits[:, columns] @ weights
        counts = np.bincount(outcomes, minlength=2 ** len(wires))
    elif entry.get("measurementProbabilities"):
        shares = np.zeros(2 ** len(wires))
        for text, share in entry["measurementProbabilities"].items():
            picked = np.array([int(text[c]) for c in columns])
            shares[picked @ weights] += float(share)
        counts = _whole(shares, shots)
    else:
        raise VendorError("The result must hold `measurements` or `measurementProbabilities`.")
    if counts.sum() > shots:
        raise VendorError(f"The result must hold {shots} shots, but holds {counts.sum()}.")
    return np.asarray(counts, dtype=np.int64)


def _whole(shares: NDArray[np.float64], shots: int) -> NDArray[np.int64]:
    """Counts that sum to ``shots``: rounded down, what is left to the largest remainders."""
    exact = shares / shares.sum() * shots
    counts: NDArray[np.int64] = np.floor(exact + 1e-9).astype(np.int64)
    left = shots - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:left]] += 1
    return counts


def _kind(entry: Mapping[str, Any]) -> str:
    header = entry.get("braketSchemaHeader")
    return str(header.get("name")) if isinstance(header, Mapping) else "without schema header"


def _reason(entry: Mapping[str, Any]) -> str:
    told = entry.get("failureMetadata") or {}
    return str(told.get("failureReason") or "failed, no reason given")


def simulated_seconds(document: Mapping[str, Any]) -> float | None:
    """Execution time that a simulator's result names, ``None`` where it names none."""
    told = (document.get("additionalMetadata") or {}).get("simulatorMetadata") or {}
    duration = told.get("executionDuration")
    return None if duration is None else float(duration) / 1000
