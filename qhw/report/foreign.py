"""Where counts from elsewhere come from, and what they do not say, in words."""

from __future__ import annotations

from qhw.analysis.compare.facts import ForeignFacts
from qhw.report.format import printable

_ORDERS = {
    "qiskit": "classical bit 0 last, as Qiskit writes",
    "reversed": "classical bit 0 first",
    "qubits": "a letter for each measured qubit, qubit 0 first",
}


def foreign_lines(facts: ForeignFacts) -> list[str]:
    """The file, the order of its bits, and a line for each thing that is not known."""
    device = "" if facts.device is None else f", which names the device {printable(facts.device)}"
    return [
        f"counts from elsewhere: {printable(facts.file)}, {facts.kind}{device}",
        f"order of bits: {_ORDERS.get(facts.order, facts.order)}; {facts.order_check}",
        *(f"not known: {text}" for text in facts.unknown),
    ]
