"""Times of the steps that a user waits for: ``python -m benchmarks.speed [--json]``.

Each row is the best of three runs after a warm-up, in seconds, on this machine. Figures of a busy
machine say little; none of them is asserted in a test.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from backends.aer import AerBackend
from backends.binding import bind_rows
from calibration.catalog import load_snapshot
from calibration.readers.ibm import read_ibm_fake
from qhw.circuits.amplitude_prep import tree_angles
from qhw.circuits.templates import build_template, data_angles
from qhw.models.checkpoint import load

DEVICE, MODEL = "ibm_boston", "nisq-chain5"


def steps() -> dict[str, Callable[[], object]]:
    """What is timed, by a name that says how much of it."""
    rng = np.random.default_rng(0)
    vectors, latents = rng.normal(size=(1000, 128)), rng.normal(size=(1000, 32))
    model, _ = load(MODEL)
    backend = AerBackend(load_snapshot(DEVICE))
    template = build_template(model.decoder_plan(), "brickwork")
    compiled = backend.compile(template.circuit)
    angles = data_angles(template, latents).angles
    shifted = iter(range(1, 1000))
    return {
        "angles of 1000 exact preparations, 128 amplitudes": lambda: tree_angles(vectors),
        "fit of 20 shallow preparations, 32 amplitudes": lambda: data_angles(
            template, latents[:20]
        ),
        f"compile the decoder of {MODEL} for {DEVICE}": lambda: backend.compile(template.circuit),
        "bind 1000 molecules to the compiled decoder": lambda: bind_rows(compiled, angles),
        # The backend remembers its last batch, so every run gets another one.
        "exact noisy distribution of 20 latents (Aer)": lambda: backend.probabilities(
            compiled, angles[:20] + 1e-9 * next(shifted)
        ),
        "open one IBM snapshot": lambda: read_ibm_fake(DEVICE),
    }


def best_of(step: Callable[[], object], runs: int = 3) -> float:
    """Shortest of some runs after one that is not counted, seconds."""
    step()
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        step()
        taken.append(time.perf_counter() - start)
    return min(taken)


def main() -> None:
    """Print the table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    as_json = parser.parse_args().json
    torch.set_num_threads(1)
    seconds = {name: best_of(step) for name, step in steps().items()}
    if as_json:
        print(json.dumps(seconds, indent=2))
        return
    table = Table("step", "seconds")
    for name, value in seconds.items():
        table.add_row(name, f"{value:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
