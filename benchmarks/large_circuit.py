"""100 qubits and 100,000 gates: CPU time and memory of compiling, beside Qiskit's own.

``python -m benchmarks.large_circuit [--device ibm_boston] [--layers 667] [--anywhere]`` compiles
one random circuit (a U on every qubit, then CX on pairs of a chain, layer by layer; ``--anywhere``:
on random pairs, which take some 19 times the gates on a heavy-hex device) at level 1 in two
processes, one by ``qiskit.transpile`` for the same target and seed and one by ours, and prints CPU
seconds, peak memory and what compiling added to it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
from qiskit import QuantumCircuit, transpile

from backends.native.compile import compile_native
from backends.native.routing import target_of
from backends.native.writing import Writing
from calibration.catalog import load_snapshot

QUBITS, LEVEL, SEED = 100, 1, 0


def circuit(layers: int, anywhere: bool) -> QuantumCircuit:
    """150 gates a layer, but for the ends of the chain."""
    rng = np.random.default_rng(5)
    made = QuantumCircuit(QUBITS)
    for layer in range(layers):
        for q in range(QUBITS):
            made.u(*map(float, rng.uniform(-3, 3, 3)), q)
        order = rng.permutation(QUBITS) if anywhere else np.arange(layer % 2, QUBITS)
        for a, b in zip(order[::2].tolist(), order[1::2].tolist(), strict=False):
            made.cx(a, b)
    made.measure_all()
    return made


def measured(who: str, device: str, layers: int, anywhere: bool) -> dict[str, float]:
    """CPU seconds, megabytes at the peak and before, two-qubit gates; in this process."""
    given, snapshot = circuit(layers, anywhere), load_snapshot(device)
    how = Writing.ways(snapshot, False)[0]
    target = target_of(snapshot, how.region.qubits, canonical=how.canonical, fractional=False)
    transpile(circuit(1, False), target=target, optimization_level=LEVEL)  # what is made once
    compile_native(circuit(1, False), snapshot, level=LEVEL)
    before, begun = _peak(), time.process_time()
    if who == "ours":
        done = compile_native(given, snapshot, level=LEVEL, seed=SEED).circuit
    else:
        done = transpile(given, target=target, optimization_level=LEVEL, seed_transpiler=SEED)
    taken = time.process_time() - begun
    pairs = sum(1 for i in done.data if len(i.qubits) == 2 and i.operation.name != "barrier")
    return {"cpu_s": taken, "peak_mb": _peak(), "before_mb": before, "two_qubit_gates": pairs}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="ibm_boston")
    parser.add_argument("--layers", type=int, default=667)
    parser.add_argument("--anywhere", action="store_true")
    parser.add_argument("--who", choices=("qiskit", "ours"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.who:
        print(json.dumps(measured(asked.who, asked.device, asked.layers, asked.anywhere)))
        return
    line = [sys.executable, "-m", "benchmarks.large_circuit", "--device", asked.device]
    line += ["--layers", str(asked.layers), *(["--anywhere"] if asked.anywhere else [])]
    for who in ("qiskit", "ours"):
        whole = [*line, "--who", who]
        done = subprocess.run(whole, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout)
        print(
            f"{who:7} {found['cpu_s']:7.1f} s of CPU, peak {found['peak_mb']:5.0f} MB, "
            f"{found['peak_mb'] - found['before_mb']:5.0f} more than before, "
            f"{found['two_qubit_gates']:,.0f} two-qubit gates"
        )


if __name__ == "__main__":
    main()
