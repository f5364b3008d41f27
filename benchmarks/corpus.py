"""Circuits as the public has them: what is read, what it becomes, and how long that takes.

    python -m benchmarks.corpus [FOLDER]... [--mqt] [--sizes N,N] [--read-only] [--limit N]
                                [--most-qubits N] [--json FILE]

``--mqt`` takes MQT Bench's algorithms (extra ``bench``), as they are and independent of targets,
as OpenQASM 2 and 3 files in several sizes, and tells them also as circuits: an algorithm at a level
and size, in whatever languages. Folders are searched for .qasm and .qpy files. On four devices at
level 1 every circuit is compiled by qhw, Qiskit and, where it is installed, pytket; with
``--read-only`` none is. Told are circuits read, refused by reason and failed (anything but one line
is a failure), and geometric means of the ratios to Qiskit and pytket of two-qubit gates, pulses and
processor time, over the circuits that both compiled.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

from qiskit import QuantumCircuit, qasm2, qasm3

from backends.base import BackendError
from backends.compilers.registry import compile_by
from calibration.catalog import load_snapshot
from qhw.circuits.files import SUFFIXES, CircuitFileError, read_circuits
from qhw.circuits.workload import Workload

DEVICES = ("ibm_fez", "iqm_garnet", "rigetti_cepheus_1_108q", "ionq_forte_enterprise")
SIZES = (3, 5, 8, 12)


def mqt_files(folder: Path, sizes: Iterable[int] = SIZES) -> Iterator[Path]:
    """MQT Bench's algorithms as files of both languages; what it cannot make is left out."""
    from mqt.bench import BenchmarkLevel, get_benchmark
    from mqt.bench.benchmarks import get_available_benchmark_names

    levels = (BenchmarkLevel.ALG, BenchmarkLevel.INDEP)
    for level, name, size in product(levels, get_available_benchmark_names(), sizes):
        try:
            circuit = get_benchmark(name, level, size)
        except Exception:  # whatever it says: it has no circuit of that size
            continue
        if "initialize" in circuit.count_ops():
            circuit = circuit.decompose("initialize")
        for suffix, write in ((".qasm", qasm2.dumps), (".qasm3", qasm3.dumps)):
            path = folder / f"{name}_{level.name.lower()}_{size}{suffix}"
            with suppress(Exception):  # a language that cannot say it
                path.write_text(write(circuit))
                yield path


def reason_of(error: Exception, path: Path) -> str:
    """Why a circuit is refused, without its names and numbers."""
    words = str(error).replace(str(path), "FILE").split()
    return " ".join("N" if any(c.isdigit() for c in word) else word for word in words)[:110]


def read(paths: Iterable[Path]) -> tuple[dict[str, QuantumCircuit], Counter[str], dict[str, str]]:
    """Circuits by path; refusals by reason; failures by path."""
    found: dict[str, QuantumCircuit] = {}
    refused: Counter[str] = Counter()
    failed: dict[str, str] = {}
    for path in paths:
        try:
            for circuit in read_circuits(path):
                if circuit.parameters:
                    values = {p: 0.1 + 0.01 * i for i, p in enumerate(circuit.parameters)}
                    circuit = circuit.assign_parameters(values)
                found[f"{path}#{circuit.name}"] = Workload.of(circuit).circuit
        except (CircuitFileError, BackendError) as error:
            line = "\n" not in str(error)
            refused[reason_of(error, path)] += 1
            if not line:
                failed[str(path)] = "refused in more than one line"
        except Exception as error:
            failed[str(path)] = f"{type(error).__name__}: {str(error)[:200]}"
    return found, refused, failed


def instances(paths: Iterable[Path], circuits: Iterable[str], failed: Iterable[str]) -> str:
    """MQT Bench's circuits, each of an algorithm, level and size, in however many languages."""
    every = {path.stem for path in paths}
    read_ = {Path(name.rpartition("#")[0]).stem for name in circuits} & every
    wrong = {Path(name).stem for name in failed} & every
    return (
        f"{len(every)} circuits (algorithm, level, size), {len(read_)} read in at least one "
        f"language, {len(every - wrong)} read or refused in one line in every one"
    )


def timed(compiler: str, circuit: QuantumCircuit, device: str) -> tuple[Any, float]:
    """A compilation and its processor time."""
    start = time.process_time()
    found = compile_by(compiler, circuit, load_snapshot(device), level=1)
    return found, time.process_time() - start


def compare(circuits: dict[str, QuantumCircuit]) -> dict[str, Any]:
    """Ratios to other compilers by device, and what could not be compiled."""
    rivals = ["qiskit", *(["pytket"] if find_spec("pytket") else [])]
    logs: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    refused: Counter[str] = Counter()
    failed: dict[str, str] = {}
    theirs_failed: Counter[str] = Counter()
    for name, circuit in circuits.items():
        for device in DEVICES:
            try:
                own, seconds = timed("qhw", circuit, device)
            except BackendError as error:
                refused[f"{device}: {reason_of(error, Path('-'))}"] += 1
                continue
            except Exception as error:
                failed[f"{name} on {device}"] = f"{type(error).__name__}: {str(error)[:200]}"
                continue
            for rival in rivals:
                try:
                    other, theirs = timed(rival, circuit, device)
                except Exception as error:  # theirs may fail: only what both did is compared
                    said = f"{type(error).__name__}: {reason_of(error, Path('-'))}"
                    theirs_failed[f"{rival} on {device}: {said}"] += 1
                    continue
                for figure, mine, its in (
                    ("two-qubit gates", own.two_qubit_gates, other.two_qubit_gates),
                    ("pulses", own.pulses, other.pulses),
                    ("time", seconds, theirs),
                ):
                    if mine and its:
                        logs[device, rival, figure].append(math.log(mine / its))
    ratios = {
        " ".join(key): {"ratio": math.exp(sum(v) / len(v)), "circuits": len(v)}
        for key, v in sorted(logs.items())
    }
    return {
        "ratios": ratios,
        "not compiled": refused,
        "not compiled by others": theirs_failed,
        "failed to compile": failed,
    }


def main(argv: list[str] | None = None) -> int:
    """Run; 1 where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--mqt", action="store_true", help="MQT Bench's algorithms")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="of MQT Bench, qubits")
    parser.add_argument("--read-only", action="store_true", help="compile nothing")
    parser.add_argument("--limit", type=int, default=0, help="compile at most so many circuits")
    parser.add_argument("--most-qubits", type=int, default=100, help="compile none with more")
    parser.add_argument("--json", type=Path, help="write everything there too")
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as made:
        paths = [p for f in asked.folders for p in sorted(f.rglob("*")) if p.suffix in SUFFIXES]
        given = len(paths)
        if asked.mqt:
            paths += list(mqt_files(Path(made), [int(n) for n in asked.sizes.split(",")]))
        if not paths:
            parser.error("no circuit file: give folders or --mqt")
        circuits, refused, failed = read(paths)
    print(
        f"files {len(paths)}: circuits read {len(circuits)}, refused {sum(refused.values())}, "
        f"failed {len(failed)}"
    )
    if asked.mqt:
        print(f"MQT Bench: {instances(paths[given:], circuits, failed)}")
    for reason, count in refused.most_common():
        print(f"  refused {count}: {reason}")
    small = {n: c for n, c in circuits.items() if c.num_qubits <= asked.most_qubits}
    if asked.limit:
        small = dict(list(small.items())[: asked.limit])
    found = compare({} if asked.read_only else small)
    for what, row in found["ratios"].items():
        print(f"  {what}: {row['ratio']:.3f} of theirs, {row['circuits']} circuits")
    for reason, count in found["not compiled"].most_common():
        print(f"  not compiled {count}: {reason}")
    for reason, count in found["not compiled by others"].most_common():
        print(f"  not compiled by others {count}: {reason}")
    failed |= found["failed to compile"]
    for name, why in failed.items():
        print(f"  FAILED {name}: {why}")
    if asked.json:
        told = {"files": len(paths), "read": len(circuits), "refused": refused, **found}
        asked.json.write_text(json.dumps({**told, "failed": failed}, indent=1))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
