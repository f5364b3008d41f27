"""CPU time of the compiler beside Qiskit's own, and of starting the command line.

``python -m benchmarks.compile_time [--levels 1,3] [device ...]`` compiles a few circuits and prints
CPU seconds of ``qiskit.transpile`` for the same target, level and seed, ours, and their ratio;
then geometric means for each device and level, and CPU seconds of commands that answer at once. At
level 3, where we keep the best of several seeds, means stand beside one run of Qiskit, beside
Qiskit given as many seeds, and beside Qiskit given as many runs as we make of its routing. Where
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
from typing import Any
from unittest.mock import patch

import numpy as np
from qiskit import QuantumCircuit, transpile

from backends.native import writing
from backends.native.compile import SEEDS, compile_native
from backends.native.levels import LEVELS
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
    """The least of three: what else runs on the machine only adds."""
    taken = []
    for _ in range(3):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def _routings(work: Callable[[], object]) -> int:
    """How often work lets Qiskit lay out and route a circuit that has no place yet."""
    counted = 0
    route = vars(writing)["route"]

    def counting(*given: Any, stay: bool = False, **options: Any) -> Any:
        nonlocal counted
        counted += not stay
        return route(*given, stay=stay, **options)

    with patch.object(writing, "route", counting):
        work()
    return counted


def ratios(device: str, level: int) -> list[tuple[float, int]]:
    """Ours over Qiskit's for every circuit that fits, and our routings; prints a line each."""
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

        by_qiskit()  # what is made once
        found_by, theirs, ours = _routings(by_us), _cpu(by_qiskit), _cpu(by_us)
        found.append((ours / theirs, found_by))
        print(
            f"{device:24}level {level} {name:9}{theirs:8.3f} s{ours:8.3f} s{ours / theirs:7.2f}"
            f"{found_by:4} routings",
            flush=True,
        )
    return found


def print_means(told: str, found: list[tuple[float, int]], level: int) -> None:
    """Print geometric means of ratios."""
    print(f"{told}, one run: {_mean([ratio for ratio, _ in found]):.2f}")
    if level == LEVELS[-1]:
        print(f"{told}, {SEEDS} seeds each: {_mean([ratio / SEEDS for ratio, _ in found]):.2f}")
        each = _mean([ratio / max(1, routings) for ratio, routings in found])
        print(f"{told}, as many routings: {each:.2f}")


def _mean(ratios: list[float]) -> float:
    return math.exp(fmean(map(math.log, ratios)))


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
            print_means(
                f"{device:24}level {level} ours over Qiskit's", ratios(device, level), level
            )
    for words in COMMANDS:
        print(f"qhw {' '.join(words)}: {start_up(words):.2f} s")


if __name__ == "__main__":
    main()
