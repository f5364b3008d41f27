"""Counts that somebody else's software wrote: Qiskit, Braket, metriq-gym and plain JSON.

Whatever the file's order, outcomes come out as everywhere here: bit ``c`` of an outcome's integer
is classical bit ``c``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from qiskit import QuantumCircuit

from calibration.documents import once, read_bounded

Order = Literal["qiskit", "reversed", "qubits"]
"""Of the letters of an outcome: classical bit 0 last, as Qiskit writes it, or first; or a letter
for each measured qubit, qubit 0 first, whatever bit it was written to, as Braket has it."""
MOST_SHOTS = 10**9
_MOST_BYTES = 256 * 2**20
_COUNTS = ("counts", "measurement_counts", "raw_counts", "meas_counts")
_NAMES = ("device", "deviceId", "backend_name", "backend", "platform", "device_name")
_BITS = re.compile(r"[01]+")
_HEX = re.compile(r"0[xX][0-9a-fA-F]+")
_SHOWN = 60

Say = Callable[[str], NoReturn]


class CountsFileError(ValueError):
    """A file of counts cannot be used; one line names the file, the place and the reason."""


@dataclass(frozen=True)
class CountsFile:
    """Counts as read.

    Attributes:
        path: of the file.
        sha256: of its bytes.
        kind: who wrote it.
        rows: counts of each circuit by outcome.
        order: of the letters of outcomes as they were read.
        stated: whether the file or its kind says so; else it is assumed.
        device: that the file names; ``None`` where it names none.
    """

    path: Path
    sha256: str
    kind: str
    rows: tuple[dict[int, int], ...]
    order: Order
    stated: bool
    device: str | None

    @property
    def shots(self) -> tuple[int, ...]:
        """Of each row."""
        return tuple(sum(row.values()) for row in self.rows)


def bit_of_qubit(circuit: QuantumCircuit) -> tuple[int, ...]:
    """Classical bit of every measured qubit, in the order of qubits."""
    found = {
        circuit.find_bit(item.qubits[0]).index: circuit.find_bit(item.clbits[0]).index
        for item in circuit.data
        if item.operation.name == "measure"
    }
    return tuple(found[qubit] for qubit in sorted(found))


def read_counts(path: Path, bits: Sequence[int], order: Order | None = None) -> CountsFile:
    """Read a file of counts.

    Args:
        path: of the file.
        bits: of the circuit that was run, see :func:`bit_of_qubit`.
        order: of outcomes' letters; by default what the file's kind says.

    Raises:
        CountsFileError: it cannot be read, or counts are missing, of the wrong width, negative, no
            whole numbers, too many, or do not add up to the shots that the file states.
    """

    def say(what: str) -> NoReturn:
        raise CountsFileError(f"Counts {path}: {what}")

    try:
        raw = read_bounded(path, _MOST_BYTES)
        document = json.loads(raw, object_pairs_hook=once)
    except OSError as error:
        say(error.strerror or "cannot be read")
    except (ValueError, RecursionError) as error:
        say(f"must be JSON, but: {str(error)[:200]}")
    kind, tables, told = _tables(document, say)
    if not tables:
        say("must hold counts of one circuit or more, but holds none")
    read = order or told or "qiskit"
    rows = tuple(
        _row(table, shots, bits, read, f"row {place}", say)
        for place, (table, shots) in enumerate(tables)
    )
    sha = hashlib.sha256(raw).hexdigest()
    stated = order is not None or told is not None
    return CountsFile(path, sha, kind, rows, read, stated, _device(document))


Table = tuple[Any, Any]
"""Counts by outcome, and the shots that the file states (``None`` for none)."""


def _tables(document: Any, say: Say) -> tuple[str, list[Table], Order | None]:
    """Who wrote it, counts of every row, and the order of letters that this means."""
    if isinstance(document, dict) and "braketSchemaHeader" in document:
        return "Braket", [_braket(document, say)], "qubits"
    results = document.get("results") if isinstance(document, dict) else None
    if isinstance(results, list) and results and all(_has_data(one) for one in results):
        return "Qiskit", [_qiskit(one, say) for one in results], "qiskit"
    if isinstance(document, dict) and document.get("__type__"):
        say("holds Qiskit's own objects: write `get_counts()` of each circuit as JSON instead")
    if isinstance(document, list):
        rows = [
            (one, None) if _named(one) is None else (_named(one), one.get("shots"))
            for one in document
        ]
        return "plain JSON", rows, None
    if not isinstance(document, dict):
        say(f"must be an object or a list, but is {type(document).__name__}")
    for place in (document, document.get("data"), results, document.get("result")):
        found = _named(place)
        if isinstance(place, dict) and found is not None:
            shots = place.get("shots", document.get("shots"))
            many = found if isinstance(found, list) else [found]
            own = "metriq-gym" if "job_type" in document or "app_version" in document else None
            return own or "plain JSON", [(one, shots) for one in many], _told(document, say)
    return "plain JSON", [(document, None)], None


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind)


def _named(place: Any) -> Any:
    """Counts under one of their names; ``None`` for none."""
    if not isinstance(place, dict):
        return None
    return next((place[name] for name in _COUNTS if name in place), None)


def _told(document: Any, say: Say) -> Order | None:
    """The order that a plain file states."""
    told = document.get("bit_order") if isinstance(document, dict) else None
    if told is None:
        return None
    if told not in ("qiskit", "reversed"):
        say(f"`bit_order` must be qiskit or reversed, but is {str(told)[:_SHOWN]!r}")
    return "qiskit" if told == "qiskit" else "reversed"


def _has_data(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("data"), dict)


def _qiskit(one: dict[str, Any], say: Say) -> Table:
    """A circuit of ``Result.to_dict()``, or of the service's answer to a sampler."""
    data = one["data"]
    if "counts" in data:
        return data["counts"], one.get("shots")
    registers = [value for value in data.values() if _is(value, dict) and "samples" in value]
    if len(registers) != 1 or not isinstance(registers[0]["samples"], list):
        say("must have counts, or samples of one register, in every result")
    table: dict[str, int] = {}
    for sample in registers[0]["samples"]:
        if not isinstance(sample, str):
            say("must have samples as text")
        table[sample] = table.get(sample, 0) + 1
    return table, one.get("shots")


def _braket(document: dict[str, Any], say: Say) -> Table:
    """A task's result: letters in the order of the measured qubits, which rises."""
    metadata = document.get("taskMetadata")
    shots = metadata.get("shots") if isinstance(metadata, dict) else None
    qubits = document.get("measuredQubits")
    if isinstance(qubits, list) and qubits != sorted({q for q in qubits if _is(q, int)}):
        say("`measuredQubits` must rise, but does not: which qubit is which bit is not known")
    width = len(qubits) if isinstance(qubits, list) else None
    lines = document.get("measurements")
    if isinstance(lines, list) and lines:
        return _of_width(_tallied(lines, say), width, say), shots
    shares = document.get("measurementProbabilities")
    if not isinstance(shares, dict) or type(shots) is not int or not 0 < shots <= MOST_SHOTS:
        say("must have `measurements`, or `measurementProbabilities` and shots")
    table = {}
    for outcome, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            say(f"the probability of {outcome[:_SHOWN]!r} must be 0 to 1, but is {share!r}")
        whole = round(share * shots)
        if abs(share * shots - whole) > 1e-6 * shots:
            say(f"the probability of {outcome[:_SHOWN]!r} is no whole number of {shots} shots")
        table[outcome] = whole
    return _of_width(table, width, say), shots


def _of_width(table: dict[str, int], width: int | None, say: Say) -> dict[str, int]:
    for outcome in table:
        if width not in (None, len(outcome)):
            say(f"`measuredQubits` must be one for each letter of {outcome[:_SHOWN]!r}")
    return table


def _tallied(lines: Iterable[Any], say: Say) -> dict[str, int]:
    table: dict[str, int] = {}
    for place, line in enumerate(lines):
        letters = "".join(map(str, line)) if isinstance(line, list) else ""  # bits or letters
        if not _BITS.fullmatch(letters):
            say(f"measurement {place} must be a list of 0 and 1")
        table[letters] = table.get(letters, 0) + 1
    return table


def _row(
    table: Any, stated: Any, bits: Sequence[int], order: Order, place: str, say: Say
) -> dict[int, int]:
    if not isinstance(table, dict) or not table:
        say(f"{place} must be counts by outcome, but is {type(table).__name__} or empty")
    row: dict[int, int] = {}
    for outcome, count in table.items():
        index = _outcome(outcome, bits, order, place, say)
        if isinstance(count, float) and count.is_integer() and abs(count) <= MOST_SHOTS:
            count = int(count)
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MOST_SHOTS:
            say(
                f"{place}: the count of {outcome[:_SHOWN]!r} must be a whole number from 0 to "
                f"{MOST_SHOTS}, but is {str(count)[:_SHOWN]}"
            )
        if index in row:
            say(f"{place}: the outcome {outcome[:_SHOWN]!r} is there twice")
        row[index] = count
    total = sum(row.values())
    if not 1 <= total <= MOST_SHOTS:
        say(f"{place} must have 1 to {MOST_SHOTS} shots, but has {total}")
    if stated is not None and (isinstance(stated, bool) or stated != total):
        say(
            f"{place}: counts must add up to the {str(stated)[:_SHOWN]} shots stated, but do to "
            f"{total}"
        )
    return row


def _outcome(outcome: str, of_qubit: Sequence[int], order: Order, place: str, say: Say) -> int:
    """An outcome's integer, from bits (registers may stand apart) or Qiskit's hexadecimal."""
    n_bits = len(of_qubit)
    letters = re.sub(r"[ _]", "", outcome)
    if _HEX.fullmatch(letters) and len(letters) <= 2 + n_bits:
        index = int(letters, 16)
        if index >= 2**n_bits:
            say(f"{place}: the outcome {outcome[:_SHOWN]!r} must have {n_bits} bits, but has more")
        bits = f"{index:0{n_bits}b}"
    elif _BITS.fullmatch(letters) and len(letters) == n_bits:
        bits = letters
    else:
        say(
            f"{place}: the outcome {outcome[:_SHOWN]!r} must have the circuit's {n_bits} bits, "
            f"each 0 or 1, but has {len(letters)} letters"
        )
    if order == "qubits":
        return sum(int(letter) << bit for letter, bit in zip(bits, of_qubit, strict=True))
    return int(bits if order == "qiskit" else bits[::-1], 2)


def _device(document: Any) -> str | None:
    """A name of the device, wherever these files have one; bounded."""
    places = [document]
    if isinstance(document, dict):
        places += [document.get(name) for name in ("taskMetadata", "platform", "metadata")]
    for place in places:
        if isinstance(place, dict):
            for name in _NAMES:
                if isinstance(place.get(name), str):
                    return str(place[name])[:_SHOWN]
    return None
