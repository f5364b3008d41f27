"""Counts from elsewhere on the command line of ``qhw compare``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from qhw.cli.asked import Line

CountsFile = Annotated[
    Path | None,
    typer.Option(
        "--counts",
        metavar="FILE",
        help="Counts of your circuits that were made elsewhere, a row each: JSON of Qiskit, "
        "Braket, metriq-gym, or by outcome. With --device and --qubits readout is corrected.",
    ),
]
BitOrder = Annotated[
    str | None,
    typer.Option(
        "--bit-order",
        help="Of the outcomes in --counts: qiskit (classical bit 0 last) or reversed. By default "
        "what the kind of file means; it is checked against exact.",
    ),
]
Qubits = Annotated[
    str | None,
    typer.Option(
        "--qubits", metavar="Q,Q,...", help="Of --counts: device qubit of each classical bit."
    ),
]


def with_counts(line: Line, path: Path, bit_order: str | None, qubits: str | None) -> Line:
    """The line with counts in place of a device.

    Raises:
        ValueError: counts of a model, options that counts leave no choice of, or bad values.
    """
    from backends.registry import get_backend
    from qhw.analysis.compare.foreign import UNKNOWN_DEVICE, recorded
    from qhw.analysis.compare.measure import settings_of
    from qhw.circuits.counts_files import Order, bit_of_qubit, read_counts
    from qhw.paid.asked import AskedCircuit, AskedCounts

    asked = line.asked
    if not isinstance(asked, AskedCircuit):
        raise ValueError("Argument `counts` must be given with circuit files, but is of a model")
    if "shots" in line.typed:
        raise ValueError("Argument `shots` must be left out of counts, which say it themselves")
    if bit_order not in (None, "qiskit", "reversed"):
        raise ValueError(f"Argument `bit_order` must be qiskit or reversed, but is {bit_order!r}")
    order: Order | None = None
    if bit_order is not None:
        order = "qiskit" if bit_order == "qiskit" else "reversed"
    labels = _labels(qubits)
    given = read_counts(path, bit_of_qubit(asked.workload.circuit), order)
    known = "device" in line.typed
    device = None
    if known:
        simulated = get_backend(asked.settings.device)
        device = (simulated.name, simulated.snapshot)
    backend = recorded(asked.workload, given, device, labels)
    asked_of = asked.settings.model_dump(include={"seed", "mitigation", "with_raw", "calibrations"})
    settings = settings_of(
        asked.workload,
        **asked_of,
        device=asked.settings.device if known else UNKNOWN_DEVICE,
        shots=backend.shots,
        counts=str(path.resolve()),
        bit_order=order,
        qubits=labels,
    )
    return replace(line, asked=AskedCounts(settings, asked.workload, backend, given))


def _labels(text: str | None) -> tuple[int, ...]:
    try:
        return () if text is None else tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(
            f"Argument `qubits` must be numbers with commas between, but is {text!r}"
        ) from None
