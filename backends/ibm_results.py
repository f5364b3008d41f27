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
    """

    counts: NDArray[np.int64]
    finished: datetime
    unproven: str


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
    return Results(counts_of(result), finished, unproven)


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


def counts_of(result: Any) -> NDArray[np.int64]:
    """Counts ``(B, 2**m)`` of a primitive result, rows of all PUBs one below the other."""
    tables = []
    for pub in result:
        (register,) = pub.data.values()
        packed = register.array.reshape(-1, register.num_shots, register.array.shape[-1])
        weights = 256 ** np.arange(packed.shape[-1], dtype=np.int64)[::-1]
        outcomes = packed.astype(np.int64) @ weights
        size = 2**register.num_bits
        tables.append(np.stack([np.bincount(row, minlength=size) for row in outcomes]))
    return np.concatenate(tables).astype(np.int64)


def check_counts(counts: NDArray[np.int64], submission: Submission) -> None:
    """Refuse results that do not belong to a submission.

    Raises:
        VendorError: other rows, bits or shots than asked for.
    """
    shape = (len(submission.angles), 2**submission.compiled.n_measured)
    if counts.shape != shape or not (counts.sum(axis=1) == submission.shots).all():
        raise VendorError(
            f"IBM's result must hold {shape[0]} rows of {submission.shots} shots over {shape[1]} "
            f"outcomes, but has shape {counts.shape} and {counts.sum()} shots in all."
        )
