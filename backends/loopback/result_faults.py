"""Faults of results: shots, bits, qubits and rows that are not those of the job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.loopback.answer_faults import Document, edited, one_of
from backends.loopback.faults import Exchange, Fault
from backends.loopback.messages import Vendor
from backends.loopback.transport_faults import Make

Bits = NDArray[Any]
"""``(..., shots, bits)``."""
_FAILED = "program_set_executable_failure"


def bits(change: Callable[[Bits, str], Bits]) -> Make:
    """The measured bits of every row, changed."""

    def make(_vendor: Vendor, value: str) -> Fault:
        change(np.zeros((2, 1), dtype=np.int64), value)  # a value that does not suit is told now

        def rewrite(document: Document, _: Exchange) -> None:
            for entry in _entries(document):
                if "measurements" in entry:
                    entry["measurements"] = change(np.array(entry["measurements"]), value).tolist()
            for part in document.get("data", ()):
                part["results"] = {
                    name: _repacked(packed, lambda found: change(found, value))
                    for name, packed in part["results"].items()
                }

        return edited(rewrite)

    return make


def _repacked(packed: Document, change: Callable[[Bits], Bits]) -> Document:
    """An array in IBM's packing, changed."""
    from ibm_quantum_schemas.common import CompressedTensorModel  # not there with Amazon's alone

    found = CompressedTensorModel.model_validate(packed).to_numpy()
    told: Document = CompressedTensorModel.from_numpy(change(found)).model_dump(mode="json")
    return told


def shots(found: Bits, value: str) -> Bits:
    """As many times the shots."""
    count = found.shape[-2]
    return np.take(found, np.arange(round(count * float(value))) % count, axis=-2)


def one_bit(found: Bits, value: str) -> Bits:
    """The first bit that is 0 becomes a number."""
    number = float(value)
    kind = np.int64 if number.is_integer() else np.float64
    found = found.astype(kind)
    found.reshape(-1)[np.argmin(found)] = number
    return found


def narrow(found: Bits, _value: str) -> Bits:
    """The last bit of every shot is missing."""
    return np.ascontiguousarray(found[..., :-1])


def flat(found: Bits, _value: str) -> Bits:
    """Rows and shots are one axis."""
    return found.reshape(-1)


def qubits(_vendor: Vendor, value: str) -> Fault:
    """Counts of other qubits: ``others`` or ``twice`` the first one."""
    one_of(value, "others", "twice")

    def rewrite(document: Document, _: Exchange) -> None:
        for entry in _entries(document):
            measured = entry.get("measuredQubits")
            if measured:
                others = [q + 1000 for q in measured]
                entry["measuredQubits"] = (
                    others if value == "others" else [measured[0] for _ in measured]
                )
        for part in document.get("data", ()):
            names = list(part["results"])
            part["results"] = {f"{value}_{name}": part["results"][name] for name in names}

    return edited(rewrite)


def rows(vendor: Vendor, value: str) -> Fault:
    """A number of results: ``one-less``, ``twice`` or ``none``; a single IBM PUB has fewer rows."""

    one_of(value, "one-less", "twice", "none")

    def some(found: list[Any]) -> list[Any]:
        return {"one-less": found[:-1], "twice": found * 2, "none": []}[value]

    def rewrite(document: Document, _: Exchange) -> None:
        if vendor.vendor == "braket":
            if "programResults" in document:
                document["programResults"] = some(document["programResults"])
            else:
                document["measurements"] = some(document.get("measurements") or [])
            return
        document["data"] = some(document["data"])

    return edited(rewrite)


def probabilities(_vendor: Vendor, value: str) -> Fault:
    """Amazon's results as probabilities: ``negative``, ``nan``, ``short`` or ``sum-2``."""
    one_of(value, "negative", "nan", "short", "sum-2")

    def wrong(found: list[list[int]]) -> dict[str, float]:
        patterns, counts = np.unique(np.array(found), axis=0, return_counts=True)
        shares = dict(zip(_texts(patterns), (counts / len(found)).tolist(), strict=True))
        first = next(iter(shares))
        if value == "negative":
            other = first.translate(str.maketrans("01", "10"))
            return shares | {first: shares[first] + 1.5, other: -1.5}
        if value == "nan":
            return shares | {first: float("nan")}
        if value == "short":
            return {text[:-1] or "0": share for text, share in shares.items()}
        return {text: 2 * share for text, share in shares.items()}

    def rewrite(document: Document, _: Exchange) -> None:
        for entry in _entries(document):
            if "measurements" in entry:
                entry["measurementProbabilities"] = wrong(entry.pop("measurements"))

    return edited(rewrite)


def successful_shots(_vendor: Vendor, value: str) -> Fault:
    """What the result itself says of its shots: a factor of the true number, or ``missing``."""
    factor = None if value == "missing" else float(value)

    def rewrite(document: Document, _: Exchange) -> None:
        told = document.get("taskMetadata")
        if not isinstance(told, dict):
            return
        for key in ("successfulShots", "shots"):
            if factor is None:
                told.pop(key, None)
            elif key in told:
                told[key] = int(told[key] * factor)

    return edited(rewrite)


def _entries(document: Document) -> list[Document]:
    """Amazon's results of every executable that worked; none of IBM's."""
    if "measurements" in document:
        return [document]
    programs = [p for p in document.get("programResults") or () if isinstance(p, dict)]
    entries = [entry for program in programs for entry in program.get("executableResults") or ()]
    return [
        entry
        for entry in entries
        if isinstance(entry, dict) and _FAILED not in str(entry.get("braketSchemaHeader"))
    ]


def _texts(patterns: NDArray[Any]) -> list[str]:
    return ["".join(map(str, pattern)) for pattern in patterns.tolist()]
