"""IBM's result documents as counts, bounded and checked before and after IBM's own decoder.

The decoder unpacks tensors of any size and makes any object that a document names; so what it is
given is looked through first.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit_ibm_runtime.decoders.executor.decoder import ExecutorResultDecoder
from qiskit_ibm_runtime.decoders.executor_sampler.decoder import ClientSideSamplerResultDecoder

from backends.answer_values import moment, shown
from backends.bounded_http import MOST_BYTES, check_json
from backends.outcomes import DENSE_BITS, Outcomes, columns, count_shots
from backends.vendor import Submission, VendorError

OUR_DATA = "qhw"
"""Name under which a program carries the job's key through IBM's device into the results."""
_UNPROVEN = (
    "IBM's result document does not name its job: it has the rows, bits and shots that were asked "
    "for, and nothing else could be compared"
)


@dataclass(frozen=True)
class Results:
    """A result document, read.

    Attributes:
        counts: ``(B, 2**m)`` int64, amplitude index of the measured wires.
        finished: when the device was done, UTC.
        unproven: what could not be checked about whose results these are.
        outcomes: that the columns of ``counts`` stand for; ``None`` for all in order.
    """

    counts: NDArray[np.int64]
    finished: datetime
    unproven: str
    outcomes: Outcomes | None = None


def decode(text: str, key: str, bits: int) -> Results:
    """Counts and the time the device was done, from a result document.

    Args:
        text: the document.
        key: of the job.
        bits: measured bits of every row.

    Raises:
        ValueError: not a result of a sampler program, or of another job's.
    """
    program = decode_program(text)
    if not ClientSideSamplerResultDecoder.is_applicable(program):
        raise ValueError("the result is not a sampler's")
    for item in program:
        wrong = [name for name, array in item.items() if array.dtype != np.bool_]
        if wrong:
            raise ValueError(f"the result must hold bits, but {shown(wrong[0])} holds others")
    unproven = _whose(program.passthrough_data, key)
    finished = _finished(program)
    result = ClientSideSamplerResultDecoder.decode(program)
    for pub in result:
        for register in pub.data.values():
            if register.num_bits != bits:
                raise ValueError(
                    f"the result must hold {bits} bits a shot, but holds {register.num_bits}"
                )
    counts, outcomes = counts_of(result)
    return Results(counts, finished, unproven, outcomes)


def decode_program(text: str) -> Any:
    """IBM's decoder on a document that was looked through.

    Raises:
        ValueError: too large when unpacked, or not a result.
    """
    check_json(text.encode())
    _look_through(json.loads(text), MOST_BYTES)
    return ExecutorResultDecoder.decode(text)


def _look_through(node: Any, room: int) -> int:
    """Refuse what IBM's decoder must not be given; returns the bytes left for further tensors."""
    if isinstance(node, dict):
        if "__type__" in node:
            raise ValueError("the result names objects to be made of it")
        if {"data", "shape", "dtype"} <= node.keys():
            return room - _unpacked(node, room)
    if isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            if isinstance(child, dict | list):
                room = _look_through(child, room)
    return room


def _unpacked(tensor: dict[str, Any], room: int) -> int:
    """Bytes of a packed tensor."""
    data, shape = tensor["data"], tensor["shape"]
    if not isinstance(data, str) or not isinstance(shape, list):
        raise ValueError("a tensor of the result is malformed")
    if not all(isinstance(n, int) and 0 <= n <= 8 * MOST_BYTES for n in shape):
        raise ValueError("a tensor of the result has no proper shape")
    # also what has no bytes must have few entries: a shape may hold a nought
    if math.prod(n or 1 for n in shape) > 8 * MOST_BYTES:
        raise ValueError("a tensor of the result is too large")
    stream = zlib.decompressobj()
    try:
        size = len(stream.decompress(base64.b64decode(data), room + 1))
    except zlib.error:
        return 0  # not packed: an older schema's plain data, bounded by the document itself
    if size > room:
        raise ValueError(f"the result has more than {MOST_BYTES // 2**20} MiB when unpacked")
    return size


def _whose(passed: Any, key: str) -> str:
    """What remains unproven of whose results these are.

    Raises:
        ValueError: another job's.
    """
    ours = passed.get(OUR_DATA) if isinstance(passed, dict) else None
    told = ours.get("key") if isinstance(ours, dict) else None
    if told is None:
        return _UNPROVEN
    if told != key:
        raise ValueError(f"the result must be of job {key}, but is of {shown(told)}")
    return ""


def _finished(program: Any) -> datetime:
    """When the device was done; now, where the document's own times cannot be."""
    spans = program.metadata.chunk_timing if program.metadata else ()
    try:
        return max(moment(span.stop, "stop") for span in spans)
    except (ValueError, TypeError):
        return datetime.now(UTC)


def counts_of(result: Any) -> tuple[NDArray[np.int64], Outcomes | None]:
    """Counts ``(B, 2**m)`` of a primitive result, rows of all PUBs one below the other.

    Returns:
        Counts, and the outcomes of their columns; ``None`` for all in order.
    """
    rows: list[NDArray[np.uint8]] = []
    bits = 0
    for pub in result:
        (register,) = pub.data.values()
        packed = register.array.reshape(-1, register.num_shots, register.array.shape[-1])
        bits = register.num_bits
        rows += list(packed)
    if bits > DENSE_BITS:
        outcomes, counts = count_shots(rows, bits)
        return counts, outcomes
    weights = 256 ** np.arange(rows[0].shape[-1], dtype=np.int64)[::-1]
    tables = [np.bincount(row.astype(np.int64) @ weights, minlength=2**bits) for row in rows]
    return np.stack(tables).astype(np.int64), None


def check_counts(
    counts: NDArray[np.int64], outcomes: Outcomes | None, submission: Submission
) -> None:
    """Refuse results that do not belong to a submission.

    Raises:
        VendorError: other rows, bits or shots than asked for.
    """
    bits = submission.compiled.n_measured
    shape = (len(submission.angles), columns(bits, outcomes))
    if counts.shape != shape or not (counts.sum(axis=1) == submission.shots).all():
        raise VendorError(
            f"IBM's result must hold {shape[0]} rows of {submission.shots} shots of {bits} "
            f"bits, but has shape {counts.shape} and {counts.sum()} shots in all."
        )
