"""Two-qubit gates and predicted success of the compiler on every device of the catalogue.

``python -m benchmarks.compilers [--json] [device ...]`` compiles the shipped models' circuits and
a few standard ones with seed 0, and prints them beside what the two compilers before gave (version
2, kept in ``compilers_reference.json``) and beside ``qiskit.transpile`` at level 3, best of the
same seeds, scored by the same prediction. Where Qiskit cannot write a device's pulses it lays out,
routes and optimises in canonical gates, and our pass writes them.

The reference's ``simulated`` is what ``aer:`` and ``ibm:`` ran, ``sent`` what ``braket:`` ran on
the devices that are written row by row, ``counted`` the best of three seeds of a depth report, its
angles bound.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from qiskit import QuantumCircuit, transpile
from qiskit.circuit.library import QFTGate

from backends.base import BackendError
from backends.native.compile import SEEDS, compile_native
from backends.native.levels import LEVELS
from backends.native.prediction import predict
from backends.native.routing import region_of
from backends.native.target import to_target
from backends.native.writing import Writing, with_random_angles
from calibration.catalog import list_snapshots, load_snapshot
from calibration.snapshot import DeviceSnapshot
from qhw.circuits.plan import CircuitPlan
from qhw.circuits.templates import Preparation, build_template
from qhw.models.checkpoint import load

REFERENCE = Path(__file__).with_name("compilers_reference.json")
LEAST_QUBITS = 7
"""Connected usable qubits that the largest circuit needs."""

Figures = tuple[int, float]
"""Two-qubit gates and predicted success."""


def circuits() -> dict[str, QuantumCircuit]:
    """What is compiled: the models' templates, data angles free, and standard circuits."""
    nisq, qvae = (load(name)[0].double() for name in ("nisq-chain5", "qvae-l10"))
    plans: dict[str, tuple[CircuitPlan, Preparation]] = {
        "nisq-chain5 decoder": (nisq.decoder_plan(), "brickwork"),
        "nisq-chain5 encoder": (nisq.encoder_plan(), "brickwork"),
        "qvae-l10 decoder": (qvae.decoder_plan(), "exact"),
    }
    found = {name: build_template(*asked).circuit for name, asked in plans.items()}
    return found | {"ghz5": ghz(5), "qft5": qft(5), "ring7": ring(7)}


def ghz(n: int) -> QuantumCircuit:
    """A GHZ state."""
    circuit = QuantumCircuit(n)
    circuit.h(0)
    for q in range(1, n):
        circuit.cx(0, q)
    circuit.measure_all()
    return circuit


def qft(n: int) -> QuantumCircuit:
    """A quantum Fourier transform."""
    circuit = QuantumCircuit(n)
    circuit.append(QFTGate(n), range(n))
    circuit.measure_all()
    return circuit


def ring(n: int) -> QuantumCircuit:
    """Two layers of random rotations and a ring of cz."""
    rng = np.random.default_rng(7)
    circuit = QuantumCircuit(n)
    for _ in range(2):
        for q in range(n):
            circuit.ry(float(rng.uniform(-3, 3)), q)
        for q in range(n):
            circuit.cz(q, (q + 1) % n)
    circuit.measure_all()
    return circuit


def devices() -> Iterator[str]:
    """Every device once, its newest calibration, if it has enough connected usable qubits."""
    newest = {row.reference.partition("@")[0]: row.reference for row in list_snapshots()}
    for reference in newest.values():
        try:
            connected = len(region_of(load_snapshot(reference)).qubits)
        except (BackendError, ValueError):
            continue
        if connected >= LEAST_QUBITS:
            yield reference


def by_qiskit(circuit: QuantumCircuit, snapshot: DeviceSnapshot) -> Figures:
    """``qiskit.transpile`` at level 3, best of the compiler's seeds by our prediction."""
    how = Writing.ways(snapshot, False)[0]
    tries = [_tried(circuit, snapshot, how, seed) for seed in range(SEEDS)]
    return max(tries, key=lambda figures: figures[1])


def _tried(circuit: QuantumCircuit, snapshot: DeviceSnapshot, how: Writing, seed: int) -> Figures:
    if how.by_rows:
        routed = how.wide(circuit, level=LEVELS[-1], seed=seed)
        free, qubits = with_random_angles(routed.circuit, seed), routed.qubits
        native = how.by_pulses(free, qubits)
    else:
        target = to_target(snapshot.restricted(how.region.qubits))
        wide = transpile(
            circuit, target=target, optimization_level=LEVELS[-1], seed_transpiler=seed
        )
        index = {qubit: i for i, qubit in enumerate(wide.qubits)}
        items = [item for item in wide.data if item.operation.name != "barrier"]
        used = sorted({index[q] for item in items for q in item.qubits})
        place = {q: i for i, q in enumerate(used)}
        native = QuantumCircuit(len(used), wide.num_clbits)
        for item in items:
            bits = [wide.find_bit(bit).index for bit in item.clbits]
            native.append(item.operation, [place[index[q]] for q in item.qubits], bits)
        qubits = tuple(how.region.qubits[q] for q in used)
    return native.num_nonlocal_gates(), predict(native, snapshot, qubits).layout.success


def measured(names: list[str]) -> Iterator[dict[str, Any]]:
    """A row for each device and circuit."""
    before = json.loads(REFERENCE.read_text(encoding="utf-8"))
    wanted = circuits()
    for name in names:
        snapshot = load_snapshot(name)
        for label, circuit in wanted.items():
            start = time.process_time()
            native = compile_native(circuit, snapshot)
            seconds = time.process_time() - start
            yield {
                "device": name,
                "circuit": label,
                **before.get(name, {}).get(label, {}),
                "qiskit": by_qiskit(circuit, snapshot),
                "now": (native.two_qubit_gates, native.prediction.layout.success),
                "seconds": round(seconds, 3),
            }


def main() -> None:
    """Print the table, or all rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("devices", nargs="*", help="by default every device that is large enough")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows = measured(asked.devices or list(devices()))
    if asked.json:
        print(json.dumps(list(rows), indent=1))
        return
    columns = ("simulated", "sent", "counted", "qiskit", "now")
    print(f"{'device':34} {'circuit':20}" + "".join(f"{c:>14}" for c in columns) + "  seconds")
    for row in rows:
        cells = (_cell(row.get(column)) for column in columns)
        print(f"{row['device']:34} {row['circuit']:20}" + "".join(cells) + f"  {row['seconds']}")


def _cell(figures: Figures | None) -> str:
    return f"{'–':>14}" if figures is None else f"{figures[0]:>6} {figures[1]:.4f} "


if __name__ == "__main__":
    main()
