"""Is a static angle about z the noise that device models lack? Measured on flip-symmetric circuits.

    .venv/bin/python -m experiments.device_models.static_z > experiments/device_models/static_z.md

Exact outcomes of these circuits do not change when all bits are flipped, so every P(1) is 1/2. The
bias of real qubits beyond shot noise is held against the model's, for several sizes of the angle;
the size is chosen without the device, or without the benchmark, that is then judged.
"""

from __future__ import annotations

import numpy as np
import torch
from qiskit.quantum_info import Statevector

from calibration.noise import NoiseOptions
from qhw.analysis.validate.predict import Asked, circuit_of, snapshot_of
from qhw.analysis.validate.records import Record, shipped_results

ANGLES = (0.0, 0.01, 0.02, 0.03, 0.045, 0.07)
SECTIONS = 4
SEEDS = 2
RECORDS = (
    "l_ibm_boston_5_FC_p3",
    "l_ibm_boston_5_FC_p5",
    "l_ibm_fez_5_1D_p3",
    "l_ibm_fez_5_1D_p10",
    "l_ibm_fez_5_FC_p3",
    "l_ibm_fez_5_FC_p5",
    "l_ibm_marrakesh_5_1D_p3",
    "l_ibm_marrakesh_5_1D_p5",
    "l_ibm_marrakesh_5_1D_p10",
    "l_iqm_emerald_5_1D_aws_p3",
    "l_iqm_emerald_5_1D_aws_p5",
    "l_iqm_emerald_5_FC_p3",
)


def bias(distribution: np.ndarray) -> np.ndarray:
    """P(1) - 1/2 of every bit, bit k of the index being bit k."""
    n = len(distribution).bit_length() - 1
    ones = np.arange(len(distribution))[:, None] >> np.arange(n) & 1
    return distribution @ ones - 0.5


def of_record(record: Record) -> dict[str, np.ndarray]:
    """Bias and distance to exact, squared bias corrected for shots, for each angle."""
    circuit = circuit_of(record)
    exact = Statevector(circuit.circuit.remove_final_measurements(inplace=False)).probabilities()
    usable = [s for s in record.sections if not s.unusable and s.counts is not None][:SECTIONS]
    measured, model, distances, counted, signals, scores = [], [], [], [], [], []
    rng = np.random.default_rng(0)
    snapshot = snapshot_of(record)
    for section in usable:
        native = Asked(snapshot, 1, NoiseOptions()).native(circuit, section.qubits)
        seen = np.array(section.counts) / record.shots
        scores.append(_signal(circuit, seen, exact))
        measured.append((bias(seen) ** 2).mean() - 0.25 / record.shots)
        counted.append(abs(seen - exact).sum() / 2)
        row, far, kept = [], [], []
        for angle in ANGLES:
            squares, tvd, cut = [], [], []
            for seed in range(SEEDS if angle else 1):
                noise = NoiseOptions(static_z_rad=angle, static_seed=seed)
                p = Asked(snapshot, 1, noise).distribution(native, circuit)
                squares.append((bias(p) ** 2).mean())
                shots = rng.multinomial(record.shots, p / p.sum(), size=20) / record.shots
                tvd.append((abs(shots - exact).sum(axis=1) / 2).mean())
                cut.append(_signal(circuit, p, exact))
            row.append(np.mean(squares))
            far.append(np.mean(tvd))
            kept.append(np.mean(cut))
        model.append(row)
        distances.append(far)
        signals.append(kept)
    return {
        "measured": np.sqrt(max(np.mean(measured), 0.0)),
        "model": np.sqrt(np.mean(model, axis=0)),
        "tvd": np.mean(counted) / np.mean(distances, axis=0),
        "factor": np.log(np.mean(scores)) / np.log(np.mean(signals, axis=0)),
    }


def _signal(circuit, p: np.ndarray, exact: np.ndarray) -> float:
    k = np.arange(len(p))
    cut = sum(w * ((k >> a ^ k >> b) & 1) for a, b, w in circuit.edges)
    return float((p @ cut - cut.mean()) / (exact @ cut - cut.mean()))


def chosen(found: dict[str, dict[str, np.ndarray]], others: list[str]) -> int:
    """Place of the angle whose bias fits the others best."""
    ratios = np.array([np.log(found[o]["measured"] / found[o]["model"]) for o in others])
    return int(np.argmin(abs(np.median(ratios, axis=0))))


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    records = {r.id: r for r in shipped_results().records if r.id in RECORDS}
    found = {name: of_record(records[name]) for name in RECORDS}
    print("| record | bias measured | " + " | ".join(f"model {a:g}" for a in ANGLES) + " |")
    print("| --- " * (len(ANGLES) + 2) + "|")
    for name, row in found.items():
        cells = [f"{row['measured']:.4f}", *(f"{v:.4f}" for v in row["model"])]
        print(f"| {name} | " + " | ".join(cells) + " |")
    for split in ("device", "benchmark"):
        print(f"\nLeft out by {split}: angle from the others, measured over model.\n")
        heads = ("left out", "angle", "bias, before", "after", "TVD, before", "after")
        print("| " + " | ".join((*heads, "noise factor, before", "after")) + " |")
        print("| --- " * 8 + "|")
        for group in sorted({getattr(records[n], split) for n in RECORDS}):
            own = [n for n in RECORDS if getattr(records[n], split) == group]
            at = chosen(found, [n for n in RECORDS if n not in own])
            ratios = [found[n]["measured"] / found[n]["model"] for n in own]
            cells = [np.median([ratio[place] for ratio in ratios]) for place in (0, at)]
            for key in ("tvd", "factor"):
                cells += [np.median([found[n][key][place] for n in own]) for place in (0, at)]
            print(f"| {group} | {ANGLES[at]:g} | " + " | ".join(f"{c:.2f}" for c in cells) + " |")


if __name__ == "__main__":
    main()
