"""CPU time of the compiler beside Qiskit's own, and of starting the command line.

``python -m benchmarks.compile_time [--levels 1,3] [device ...]`` compiles a few circuits and prints
CPU seconds of ``qiskit.transpile`` for the same target, level and seed, ours, their ratio, and the
geometric mean for each device and level; then CPU seconds of commands that answer at once. Where
Qiskit cannot write a device's pulses its target is in canonical gates, which saves it a step.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import fmean

import numpy as np
from qiskit import QuantumCircuit, transpile

from backends.native.compile import compile_native
from backends.native.routing import target_of
from backends.native.writing import Writing
from benchmarks.compilers import ghz, qft, ring
from calibration.catalog import load_snapshot

DEVICES = ("ibm_boston", "ibm_sherbrooke", "iqm_garnet", "ionq_forte_enterprise")
COMMANDS = (["compare", "--help"], ["compare", "--task", "nothing"], ["devices"])


def circuits() -> dict[str, QuantumCircuit]:
    """By name, from 5 to 20 qubits."""
    return {
        "ghz5": ghz(5),
        "ghz20": ghz(20),
        "qft5": qft(5),
        "qft12": qft(12),
        "ring7": ring(7),
        "random10": _random(10, 10),
        "random20": _random(20, 20),
    }


def _random(n: int, layers: int) -> QuantumCircuit:
    """Layers of random one-qubit gates and pairs."""
    rng = np.random.default_rng(3)
    circuit = QuantumCircuit(n)
    for _ in range(layers):
        for q in range(n):
            circuit.u(*map(float, rng.uniform(-3, 3, 3)), q)
        for a, b in rng.permutation(n)[: n // 2 * 2].reshape(-1, 2).tolist():
            circuit.cx(a, b)
    circuit.measure_all()
    return circuit


def _cpu(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def ratios(device: str, level: int) -> list[float]:
    """Ours over Qiskit's for every circuit that fits; prints a line each."""
    snapshot = load_snapshot(device)
    how = Writing.ways(snapshot, False)[0]
    qubits = how.region.qubits
    target = target_of(snapshot, qubits, canonical=how.canonical, fractional=False)
    found = []
    for name, circuit in circuits().items():
        if circuit.num_qubits > len(qubits):
            continue

        def by_qiskit(circuit: QuantumCircuit = circuit) -> object:
            return transpile(circuit, target=target, optimization_level=level, seed_transpiler=0)

        def by_us(circuit: QuantumCircuit = circuit) -> object:
            return compile_native(circuit, snapshot, level=level)

        by_qiskit(), by_us()  # what is made once
        theirs, ours = _cpu(by_qiskit), _cpu(by_us)
        found.append(ours / theirs)
        print(
            f"{device:24}level {level} {name:9}{theirs:8.3f} s{ours:8.3f} s{found[-1]:7.2f}",
            flush=True,
        )
    return found


def start_up(words: list[str]) -> float:
    """CPU seconds of a command, in a process of its own."""
    before = os.times()
    command = [sys.executable, "-c", "from qhw.cli.app import main; main()", *words]
    subprocess.run(command, capture_output=True, check=False)
    after = os.times()
    spent = after.children_user + after.children_system
    return spent - before.children_user - before.children_system


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("devices", nargs="*", default=DEVICES)
    parser.add_argument("--levels", default="1,3")
    asked = parser.parse_args()
    for level in map(int, asked.levels.split(",")):
        for device in asked.devices:
            found = ratios(device, level)
            mean = math.exp(fmean(map(math.log, found)))
            print(f"{device:24}level {level} geometric mean of ours over Qiskit's {mean:.2f}")
    for words in COMMANDS:
        print(f"qhw {' '.join(words)}: {start_up(words):.2f} s")


if __name__ == "__main__":
    main()
