"""Energies and forces of ethanol by the shipped force field: ours, PennyLane and jax in one run.

Run ``python -m benchmarks.force_field``; ``--json`` prints one JSON document. PennyLane has our
invariants and its own circuits, as a user of its would write them; the rival in jax has all of it
in jax. Batches of ours and of a rival are timed in turn, in CPU time on one core, and the ratio
is the median over turns. Every rival's energies and forces must be ours to 1e-8.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from qhw.api.force_fields import force_field
from qhw.chem.geometries import Geometries
from qhw.forces.model import ForceField

MODEL = "ethanol"
SHAKEN = 0.05
"""Å, root mean square displacement of a coordinate from the equilibrium geometry."""
CLOSE = 1e-8

Answer = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
Field = Callable[[Geometries], Answer]


@dataclass(frozen=True)
class Row:
    """One rival; CPU seconds for 1,000 frames, medians over batches.

    ``ratio`` is its time over ours in the same turn, median; ``skipped`` says why nothing was
    measured.
    """

    framework: str
    batch: int = 0
    setup: float | None = None
    seconds: float | None = None
    ours: float | None = None
    ratio: float | None = None
    remark: str = ""
    skipped: str = ""


def ethanol(count: int) -> Geometries:
    """Ethanol, shaken; the same each time."""
    from ase.build import molecule

    atoms = molecule("CH3CH2OH")
    moved = SHAKEN * np.random.default_rng(0).normal(size=(count, len(atoms), 3))
    return Geometries(np.tile(atoms.numbers, (count, 1)), atoms.positions + moved)


def in_pennylane(model: ForceField, device: str, method: str, *, broadcast: bool) -> Field:
    """Our invariants and weights; the circuits are QNodes with torch, read by expectation values.

    Args:
        model: with a circuit.
        device: of PennyLane.
        method: of differentiation.
        broadcast: all atoms of a batch as one circuit with arrays of angles, else one by one.
    """
    import pennylane as qml

    shape, head = model.config.head.circuit, model.head
    places = range(shape.wires)

    @qml.qnode(qml.device(device, wires=shape.wires), interface="torch", diff_method=method)
    def node(angles: Any) -> Any:
        for wire in places:
            qml.RY(angles[..., wire], wires=wire)
        for block in range(shape.blocks):
            phase, turn, coupling = (angles[..., place] for place in shape.places(block))
            for wire in places:
                qml.RZ(phase[..., wire], wires=wire)
            for wire in places[:-1]:
                qml.IsingZZ(coupling[..., wire], wires=[wire, wire + 1])
            for wire in places:
                qml.RY(turn[..., wire], wires=wire)
        both = [qml.PauliZ(wire) @ qml.PauliZ(wire + 1) for wire in places[:-1]]
        return [qml.expval(one) for one in [qml.PauliZ(wire) for wire in places] + both]

    def energies(frames: Geometries, positions: torch.Tensor) -> torch.Tensor:
        numbers = torch.from_numpy(frames.numbers)
        inputs, kinds = model._inputs(numbers, positions)
        angles = head.units(inputs, kinds)
        if broadcast:
            reads = torch.stack(tuple(node(angles)), dim=1)
        else:
            reads = torch.stack([torch.stack(tuple(node(row))) for row in angles])
        atomic = (reads * head.readout[kinds]).sum(dim=1) + head.linear(inputs, kinds)
        return model._summed(atomic, numbers)

    def answer(frames: Geometries) -> Answer:
        positions = torch.from_numpy(frames.positions).clone().requires_grad_()
        energy = energies(frames, positions)
        (slope,) = torch.autograd.grad(energy.sum(), positions)
        return energy.detach().numpy(), -slope.numpy()

    return answer


def in_jax(model: ForceField, at_once: int) -> Field:
    """See :mod:`benchmarks.force_field_jax`."""
    from benchmarks.force_field_jax import jax_force_field

    return jax_force_field(model, ethanol(1).numbers[0], at_once)


ONE_BY_ONE = "PennyLane default.qubit, one by one"
SLOW, MOST = 5, 50
"""Frames that a rival is timed on whose time is proportional to them; most turns."""
RIVALS: dict[str, tuple[str, str, Callable[[ForceField, int], Field]]] = {
    ONE_BY_ONE: (
        "pennylane",
        f"backprop by torch, a QNode an atom, timed on {SLOW} frames of a batch",
        lambda model, _: in_pennylane(model, "default.qubit", "backprop", broadcast=False),
    ),
    "PennyLane default.qubit, broadcast": (
        "pennylane",
        "backprop by torch, a QNode a batch",
        lambda model, _: in_pennylane(model, "default.qubit", "backprop", broadcast=True),
    ),
    "PennyLane lightning.qubit": (
        "pennylane_lightning",
        "adjoint, torch, broadcast",
        lambda model, _: in_pennylane(model, "lightning.qubit", "adjoint", broadcast=True),
    ),
    "jax, same algorithm": (
        "jax",
        "jit, float64, the whole batch at once",
        in_jax,
    ),
    "jax, same algorithm, in pieces": (
        "jax",
        "jit, float64, lax.map over pieces of the batch that fit into the cache",
        lambda model, batch: in_jax(model, next(n for n in (20, 10, batch) if batch % n == 0)),
    ),
}
"""Name -> module that must be installed, remark, how it is made ready for a size of batches."""
EXTRA = "pip install 'qhw[bench]' pennylane-lightning"


def measured(name: str, model: ForceField, frames: Geometries, batch: int, budget: float) -> Row:
    """A rival beside ours.

    Raises:
        RuntimeError: its energies or forces are not ours.
    """
    module, remark, prepare = RIVALS[name]
    if find_spec(module) is None:
        return Row(name, skipped=f"{module} is not installed ({EXTRA})")
    batches = [frames[first : first + batch] for first in range(0, len(frames), batch)]
    part = min(batch, SLOW) if name == ONE_BY_ONE else batch
    started = time.perf_counter()
    rival = prepare(model, batch)
    found, wanted = rival(batches[0][:part]), model.energy_and_forces(batches[0][:part])
    setup = time.perf_counter() - started
    off = max(float(np.abs(a - b).max()) for a, b in zip(found, wanted, strict=True))
    if not off < CLOSE:
        raise RuntimeError(f"{name}: energies or forces differ from ours by {off:.1e}")
    times, started = [], time.perf_counter()
    while not times or (len(times) < MOST and time.perf_counter() - started < budget):
        now = batches[len(times) % len(batches)]
        times.append((_seconds_a_frame(model.energy_and_forces, now),))
        times[-1] += (_seconds_a_frame(rival, now[:part]),)
    ratio = float(np.median([theirs / own for own, theirs in times]))
    beside, median = (1000 * float(t) for t in np.median(times, axis=0))
    return Row(name, batch, setup, median, beside, ratio, f"{remark}; off by {off:.0e}")


def _seconds_a_frame(field: Field, frames: Geometries) -> float:
    started = time.process_time()
    field(frames)
    return (time.process_time() - started) / len(frames)


def table(rows: list[Row]) -> Table:
    """Rows for people."""
    shown = Table(
        title="Energies and forces of 1,000 frames of ethanol, exact, one core's CPU time"
    )
    for name in ("rival", "batch", "set-up, s", "theirs, s", "ours, s", "theirs / ours"):
        shown.add_column(name, justify="left" if name == "rival" else "right")
    shown.add_column("remark")
    for row in rows:
        if row.seconds is None or row.ours is None or row.ratio is None or row.setup is None:
            shown.add_row(row.framework, *["-"] * 5, f"skipped: {row.skipped}")
            continue
        figures = (f"{row.setup:.1f}", f"{row.seconds:.2f}", f"{row.ours:.2f}", f"{row.ratio:.2f}")
        shown.add_row(row.framework, str(row.batch), *figures, row.remark)
    return shown


def main(argv: list[str] | None = None) -> int:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.force_field", description=__doc__)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--rival", choices=sorted(RIVALS), nargs="*", default=list(RIVALS))
    parser.add_argument("--seconds", type=float, default=10.0, help="per rival (default 10)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args(argv)
    if given.batch < 1 or given.frames < given.batch or given.frames % given.batch:
        parser.error("--frames must be a multiple of --batch")
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):  # before a rival starts threads, one a core that it sees
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    model, frames = force_field(MODEL), ethanol(given.frames)
    rows = []
    for name in given.rival:
        rows.append(measured(name, model, frames, given.batch, given.seconds))
        Console(stderr=True).print(f"{name}: {rows[-1].ratio}", highlight=False)
    if given.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        Console(width=None if sys.stdout.isatty() else 160).print(table(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
