"""Shots that a wanted error of a force field takes, and whether a Monte Carlo agrees.

python experiments/force_field_devices/shots.py CHECKPOINT FRAMES.npz OUT.csv [--repeats N]

Ten frames of the file, evenly spread; no noise, no mitigation, forces by parameter shift. A line a
wanted error: the most shots a row that a frame takes, what the closed form says of the error at
these shots on that frame, and what N runs on the exact simulator with as many shots show.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

import qhw
from qhw.analysis.force.device import SimulatedReader
from qhw.analysis.force.rows import force_rows
from qhw.analysis.force.shot_plan import (
    deviation_of_one_shot,
    parse_precision,
    shots_without_noise,
)
from qhw.api.force_fields import force_field
from qhw.forces.files import read_geometries

WANTED = ("1kcal/mol", "0.1kcal/mol", "65meV/A", "20meV/A")


def main() -> None:
    """Plan, then draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("frames", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--repeats", type=int, default=300)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = force_field(given.checkpoint)
    frames = read_geometries(given.frames)[0]
    some = [frames[at : at + 1] for at in range(0, len(frames), max(1, len(frames) // 10))][:10]
    rows = [force_rows(model, one, "shift") for one in some]
    read = SimulatedReader(qhw.device("exact").backend, "none", 0)
    fields = ["wanted", "shots", "fewest", "rows", "closed_form_meV", "monte_carlo_meV", "off"]
    with given.out.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(fields)
        for text in WANTED:
            precision = parse_precision(text)
            planned = [shots_without_noise(model, one, precision) for one in rows]
            most = int(np.argmax(planned))
            of, shots = rows[most], planned[most]
            exact = of.combined(read(of, None, 0).values.values)
            part = 0 if precision.force is None else 1
            said = rms(of.errors(deviation_of_one_shot(model, of))[part]) / np.sqrt(shots)
            off = [
                of.combined(read(of, shots, seed).values.values)[part] - exact[part]
                for seed in track(range(given.repeats), text)
            ]
            seen = rms(off)
            line = [
                text,
                shots,
                min(planned),
                len(of.work),
                1e3 * said,
                1e3 * seen,
                seen / said - 1,
            ]
            table.writerow([f"{x:.4g}" if isinstance(x, float) else x for x in line])
            file.flush()


def rms(values: object) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


if __name__ == "__main__":
    main()
