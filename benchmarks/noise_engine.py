"""Time per circuit of the noise engine beside Qiskit Aer's density matrix, in one run.

Run ``python -m benchmarks.noise_engine``; ``--json`` prints one JSON document instead of a table.
The NISQ-native decoder on a heavy-hex device; the engine's time includes lowering the circuit and
computing its effects anew for every batch size. Aer is timed right before and right after, on at
most 100 rows: enough for the noise model it builds once a call not to count at 10,000.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from backends.aer import AerBackend
from backends.base import CompiledTemplate
from backends.engine.program import NoisyProgram
from calibration.catalog import load_snapshot
from qhw.circuits.templates import build_template
from qhw.models.checkpoint import load

BATCHES = (1, 100, 10_000)
AER_ROWS = 100


@dataclass(frozen=True)
class Row:
    """Seconds per circuit at one batch size, and the largest difference of any probability."""

    latents: int
    engine: float
    aer: float
    ratio: float
    difference: float


def measure(aer: AerBackend, compiled: CompiledTemplate, angles: np.ndarray, device: str) -> Row:
    few = angles[:AER_ROWS]
    before, expected = _aer(aer, compiled, few)
    started = time.perf_counter()
    found = NoisyProgram(compiled, device=device).probabilities(angles)
    engine = (time.perf_counter() - started) / len(angles)
    after, _ = _aer(aer, compiled, few)
    slow = (before + after) / 2
    difference = float(np.abs(found[: len(few)] - expected).max())
    return Row(len(angles), engine, slow, slow / engine, difference)


def _aer(
    aer: AerBackend, compiled: CompiledTemplate, angles: np.ndarray
) -> tuple[float, np.ndarray]:
    fresh = AerBackend(aer.snapshot)  # a backend keeps its last distributions
    started = time.perf_counter()
    found = fresh.probabilities(compiled, angles)
    return (time.perf_counter() - started) / len(angles), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="ibm_fez", help="snapshot")
    parser.add_argument("--torch-device", default="cpu", help="cpu or cuda")
    parser.add_argument("--model", default="nisq-chain5")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    aer = AerBackend(load_snapshot(args.device))
    model, _ = load(args.model)
    compiled = aer.compile(build_template(model.decoder_plan(), "brickwork").circuit)
    rng = np.random.default_rng(0)
    shape = (max(BATCHES), len(compiled.parameter_names))
    angles = rng.uniform(-np.pi, np.pi, shape)
    # warm up both: a first call loads libraries and compiles noise
    NoisyProgram(compiled, device=args.torch_device).probabilities(angles[:2])
    _aer(aer, compiled, angles[:2])
    rows = [measure(aer, compiled, angles[:batch], args.torch_device) for batch in BATCHES]
    if args.json:
        about = {
            "model": args.model,
            "device": args.device,
            "torch_device": args.torch_device,
            "two_qubit_gates": compiled.two_qubit_gates,
        }
        print(json.dumps(about | {"rows": [asdict(row) for row in rows]}, indent=2))
        return
    title = f"{args.model} decoder, {compiled.two_qubit_gates} two-qubit gates, {args.device}"
    table = Table(title=title)
    for heading in ("latents", "engine, s/circuit", "Aer, s/circuit", "ratio", "largest gap"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            f"{row.latents:,}",
            f"{row.engine:.2e}",
            f"{row.aer:.2e}",
            f"{row.ratio:,.1f}",
            f"{row.difference:.0e}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
