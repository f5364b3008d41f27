"""Results of Braket tasks as counts; what worked is kept, what failed keeps the vendor's words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from backends.answer_values import amount, shown, whole
from backends.outcomes import DENSE_BITS, Outcomes, none_seen, stacked, tabulated
from backends.vendor import VendorError
from backends.vendor_text import clean_text

_TASK = "braket.task_result.gate_model_task_result"
_SET = "braket.task_result.program_set_task_result"
_FAILED = "braket.task_result.program_set_executable_failure"
_CHILD_SUFFIX = "/results.json"
_SHARES_END = 1e-3
"""How far the rounded probabilities of a result may be from 1, all together."""

Table: TypeAlias = tuple[NDArray[np.int64], Outcomes | None]
"""Counts ``(1, D)``, and the outcomes of their columns; ``None`` for all in order."""
Reader = Callable[[str, str], tuple[bytes, dict[str, Any]]]
"""Reads a JSON object of a bucket by its key: its bytes, and parsed."""


@dataclass(frozen=True)
class Asked:
    """What a task was asked for, to compare its results with.

    Attributes:
        rows: number of rows that were sent.
        shots: of each row.
        wires: the vendor's number of each measured wire, most significant first.
        task: its ARN; empty compares neither task nor device.
        device: ARN of the device.
    """

    rows: int
    shots: int
    wires: Sequence[int]
    task: str = ""
    device: str = ""


@dataclass(frozen=True)
class Rows:
    """Counts of a task by row.

    Attributes:
        counts: ``(B, 2**m)`` int64, first measured wire most significant; zeros where it failed.
            Of wide circuits ``(B, K)``, columns ``outcomes``.
        errors: vendor's text of each failed row, or what a row's result contradicts.
        raw: the result file; where results are spread over several, a JSON object of them by key.
    """

    counts: NDArray[np.int64]
    errors: dict[int, str]
    raw: bytes
    outcomes: Outcomes | None = None


def read_rows(bucket: str, key: str, read: Reader, asked: Asked) -> Rows:
    """Read a task's results.

    A row with fewer shots than were asked for, or one that contradicts what was asked for
    otherwise, has failed while others have not; where none is as it was asked for, it is an error.

    Args:
        bucket: where the result file lies.
        key: of the result file.
        read: reads objects.
        asked: what the task was asked for.

    Raises:
        VendorError: results of something else, or none that can be read; or what ``read`` raises.
    """
    try:
        return _rows(_Files(read, bucket, key), asked)
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise VendorError(f"The result s3://{bucket}/{key} is malformed: {error!r}") from error


def _rows(files: _Files, asked: Asked) -> Rows:
    document = files.root()
    kind = _kind(document)
    if kind not in (_TASK, _SET):
        raise VendorError(f"The result must be of a gate-model task or program set, but is {kind}.")
    if asked.task:
        _check_whose(document, kind, files, asked)
    found = [document] if kind == _TASK else _executables(document, files)
    rows = asked.rows
    if len(found) != rows:
        raise VendorError(f"The result must have {rows} rows, but has {len(found)}.")
    none = none_seen(1, len(asked.wires))
    tables = [none] * rows
    errors: dict[int, str] = {}
    wrong: list[VendorError] = []
    for row, entry in enumerate(found):
        if _kind(entry) == _FAILED:
            errors[row] = _reason(entry)
            continue
        try:
            table = _counts(entry, asked.shots, asked.wires)
            there = table[0].sum()
            if there < asked.shots:
                raise VendorError(f"The result must hold {asked.shots} shots, but holds {there}.")
            tables[row] = table
        except VendorError as error:
            errors[row] = str(error)
            wrong.append(error)
    if wrong and len(errors) == rows:
        raise wrong[0]
    counts, outcomes = stacked(tables)
    return Rows(counts, errors, files.raw(), outcomes)


def _check_whose(document: Mapping[str, Any], kind: str, files: _Files, asked: Asked) -> None:
    """Compare what a result says of its task with the task that was asked for.

    Raises:
        VendorError: another task's.
    """
    told = document.get("taskMetadata")
    if isinstance(told, str):
        told = files.load(files.child(told))
    if not isinstance(told, Mapping):
        raise VendorError(f"The result must name its task {asked.task}, but names none.")
    shots = asked.rows * asked.shots
    wanted = {
        "id": asked.task,
        "deviceId": asked.device,
        "shots" if kind == _TASK else "requestedShots": shots,
    }
    for name, right in wanted.items():
        if told.get(name) != right or isinstance(told.get(name), bool):
            raise VendorError(
                f"The result must be of {name} {right}, but is of {shown(told.get(name))}: it is "
                "another task's."
            )


class _Files:
    """Reads a task's documents, all in the task's own folder, and remembers their bytes."""

    def __init__(self, read: Reader, bucket: str, key: str) -> None:
        self._read = read
        self._bucket = bucket
        self._key = key
        self._seen: dict[str, bytes] = {}

    @property
    def folder(self) -> str:
        return self._key.rpartition("/")[0]

    def root(self) -> dict[str, Any]:
        return self.load(self._key)

    def load(self, key: str) -> dict[str, Any]:
        self._seen[key], document = self._read(self._bucket, key)
        return document

    def child(self, name: str, home: str = "") -> str:
        """Key of a file that a document names, relative to the folder ``home``.

        Raises:
            VendorError: it would lie outside the task's folder.
        """
        parts = name.split("/")
        if not name.isascii() or not name.isprintable() or {"", ".", ".."} & set(parts):
            raise VendorError(f"The result names a file outside its folder: {shown(name)}.")
        return f"{home or self.folder}/{name}"

    def check_place(self, place: Any) -> None:
        """Check that a document lies where its task's results lie.

        Raises:
            VendorError: somewhere else.
        """
        if place and [str(part).rstrip("/") for part in place] != [self._bucket, self.folder]:
            raise VendorError(
                f"The result must lie in s3://{self._bucket}/{self.folder}, but names "
                f"{clean_text(place, 300)}."
            )

    def raw(self) -> bytes:
        if len(self._seen) == 1:
            return next(iter(self._seen.values()))
        return json.dumps({k: v.decode() for k, v in self._seen.items()}).encode()


def _executables(document: Mapping[str, Any], files: _Files) -> list[Mapping[str, Any]]:
    """Results of every executable in the order sent, files fetched where they lie apart."""
    files.check_place(document.get("s3Location"))
    found: list[Mapping[str, Any]] = []
    for program in document.get("programResults") or ():
        folder = files.folder
        if isinstance(program, str):
            place = files.child(program)
            folder = place.removesuffix(_CHILD_SUFFIX)
            program = files.load(place)
        entries = [
            files.load(files.child(entry, folder)) if isinstance(entry, str) else entry
            for entry in program.get("executableResults") or ()
        ]
        places = [whole(entry.get("inputsIndex") or 0, "inputsIndex") for entry in entries]
        if len(set(places)) != len(places):
            raise VendorError("The result must hold each executable once, but repeats one.")
        found += [entries[i] for i in np.argsort(places)]
    return found


def _counts(entry: Mapping[str, Any], shots: int, wires: Sequence[int]) -> Table:
    """Counts of one row, and the outcomes of their columns.

    Raises:
        VendorError: not a result of these wires and at most so many shots.
    """
    try:
        return _checked_counts(entry, shots, wires)
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise VendorError(f"The result is malformed: {error!r}") from error


def _checked_counts(entry: Mapping[str, Any], shots: int, wires: Sequence[int]) -> Table:
    measured = [whole(q, "measuredQubits") for q in entry.get("measuredQubits") or ()]
    if len(set(measured)) != len(measured):
        raise VendorError("The result must measure each qubit once, but repeats one.")
    missing = [q for q in wires if q not in measured]
    if missing:
        raise VendorError(f"The result must measure qubits {list(wires)}, but lacks {missing}.")
    columns = [measured.index(q) for q in wires]
    if entry.get("measurements"):
        table = tabulated([_bits(entry, len(measured))[:, columns]])
    elif entry.get("measurementProbabilities"):
        table = _told(entry, len(measured), columns, shots)
    else:
        raise VendorError("The result must hold `measurements` or `measurementProbabilities`.")
    if table[0].sum() > shots:
        raise VendorError(f"The result must hold {shots} shots, but holds {table[0].sum()}.")
    return table


def _bits(entry: Mapping[str, Any], width: int) -> NDArray[np.uint8]:
    """``(shots, qubits)`` bits as they were measured.

    Raises:
        VendorError: anything but 0 and 1.
    """
    bits = np.asarray(entry["measurements"])
    # conversion to whole numbers would make a 0 of 0.7
    whole_numbers = bits.dtype.kind in "iu"
    if (
        not whole_numbers
        or bits.ndim != 2
        or bits.shape[1] != width
        or ((bits != 0) & (bits != 1)).any()
    ):
        raise VendorError("The result's `measurements` must be one bit a qubit and shot.")
    return bits.astype(np.uint8)


def _told(entry: Mapping[str, Any], width: int, columns: Sequence[int], shots: int) -> Table:
    """Counts that a row's probabilities amount to.

    Raises:
        VendorError: not probabilities of outcomes.
    """
    by_outcome: dict[int, float] = {}
    for text, share in entry["measurementProbabilities"].items():
        if len(text) != width or set(text) - {"0", "1"}:
            raise VendorError(
                f"The result is malformed: outcomes must be {width} bits, but one is {shown(text)}."
            )
        outcome = int("".join(text[c] for c in columns), 2)
        told = amount(share, "measurementProbabilities")
        by_outcome[outcome] = by_outcome.get(outcome, 0.0) + told
    if len(columns) > DENSE_BITS:
        outcomes = Outcomes.of_integers(sorted(by_outcome), len(columns))
        shares = np.array([by_outcome[outcome] for outcome in sorted(by_outcome)])
    else:
        outcomes, shares = None, np.zeros(2 ** len(columns))
        shares[list(by_outcome)] = list(by_outcome.values())
    if abs(shares.sum() - 1) > _SHARES_END:
        raise VendorError(
            f"The result's probabilities must sum to 1, but sum to {shares.sum():.6g}."
        )
    return _whole(shares, shots)[None], outcomes


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
    return clean_text(told.get("failureReason") or "failed, no reason given", 500)


def simulated_seconds(document: Mapping[str, Any]) -> float | None:
    """Execution time that a simulator's result names, ``None`` where it names none.

    Raises:
        ValueError: it names what is no time.
    """
    told = (document.get("additionalMetadata") or {}).get("simulatorMetadata") or {}
    duration = told.get("executionDuration")
    return None if duration is None else amount(duration, "executionDuration") / 1000
