"""Which noise do device models lack? Candidates held against public results of real devices.

    .venv/bin/python -m experiments.device_models.missing_noise [FOUND.json]

Exact outcomes of flip-symmetric circuits have every P(1) at 1/2. The bias of real qubits beyond
shot noise is held against what each candidate makes, for several strengths; the strength is chosen
without the device, or without the benchmark, that is then judged. Three minutes of CPU; with a
file name what was found is kept there and only the tables are made again.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from qiskit.quantum_info import Statevector

from calibration.noise import NoiseOptions
from experiments.device_models.noise_sources import SOURCES, Parts, Source, distributions, native
from qhw.analysis.validate.predict import Asked, circuit_of, score_of, snapshot_of
from qhw.analysis.validate.records import Record, shipped_results

SEEDS = 3
WIDEST = 8
LEVELS_OF = {"IBM": 2}
PAIRS = ((0, 2), (0, 4), (0, 6), (2, 6), (2, 4), (4, 6))
"""Sources, by place, that are tried together."""
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


def named(parts: Parts) -> str:
    """Sources and strengths as a key."""
    return " + ".join(f"{source.name}|{strength:g}" for source, strength in parts)


def tried() -> list[tuple[Parts, int]]:
    """Nothing; each source alone with each strength and draw; pairs of sources, one draw."""
    alone = [(((s, x),), seed) for s in SOURCES for x in s.strengths for seed in range(SEEDS)]
    pairs = [
        (((SOURCES[a], x), (SOURCES[b], y)), 0)
        for a, b in PAIRS
        for x in SOURCES[a].strengths
        for y in SOURCES[b].strengths
    ]
    return [((), 0), *alone, *pairs]


def bias(distribution: np.ndarray) -> np.ndarray:
    """P(1) - 1/2 of every bit, bit k of the index being bit k."""
    n = len(distribution).bit_length() - 1
    ones = np.arange(len(distribution))[:, None] >> np.arange(n) & 1
    return distribution @ ones - 0.5


def symmetric(record: Record) -> dict:
    """Per case: bias ``(sections, draws, qubits)`` and distance to exact ``(sections, draws)``."""
    circuit = circuit_of(record)
    exact = Statevector(circuit.circuit.remove_final_measurements(inplace=False)).probabilities()
    usable = [s for s in record.sections if not s.unusable and s.counts is not None]
    snapshot, rng, cases = snapshot_of(record), np.random.default_rng(0), tried()
    keys = [named(parts) for parts, _ in cases]
    out: dict = {"shots": record.shots, "qubits": [s.qubits for s in usable]}
    for section in usable:
        seen = np.array(section.counts) / record.shots
        place = Asked(snapshot, 1, NoiseOptions()).native(circuit, section.qubits)
        found = distributions(native(place.kept(circuit.circuit, scheduled=True)), cases)
        here: dict = {}
        for key, p in zip(["measured", *keys], [seen, *found], strict=True):
            drawn = rng.multinomial(record.shots, p, size=20) / record.shots
            shots = seen[None] if key == "measured" else drawn
            tvd = (abs(shots - exact).sum(axis=1) / 2).mean()
            values = bias(p).tolist(), float(tvd)
            here.setdefault(key, []).append(values)
        for key, draws in here.items():
            of = out.setdefault(key, {"bias": [], "tvd": []})
            for name, values in zip(of, zip(*draws, strict=True), strict=True):
                of[name].append(values)
    return out


def other(record: Record) -> dict:
    """Signal of a circuit without that symmetry, measured and in each case."""
    circuit, cases = (
        circuit_of(record),
        tried()[: 1 + SEEDS * sum(len(s.strengths) for s in SOURCES)],
    )
    asked = Asked(snapshot_of(record), LEVELS_OF.get(record.vendor, 3), NoiseOptions())
    compiled = native(asked.native(circuit).kept(circuit.circuit, scheduled=True))
    out: dict = {"measured": [record.signal(record.measured)]}
    for (parts, _), p in zip(cases, distributions(compiled, cases), strict=True):
        out.setdefault(named(parts), []).append(record.signal(score_of(record, circuit, p)))
    return out


def found(path: Path | None) -> dict:
    """All that was measured and simulated, from a file if there is one."""
    if path is not None and path.exists():
        return json.loads(path.read_text())
    known = {r.id: r for r in shipped_results().records}
    out: dict = {"symmetric": {}, "other": {}}
    for name in RECORDS:
        out["symmetric"][name] = symmetric(known[name])
        print(name, file=sys.stderr)
    for record in known.values():
        small = not record.sections and (record.circuit.n or 99) <= WIDEST
        predicted = record.predicted and record.predicted.value
        if small and record.circuit.name != "mirror" and record.unfit(predicted) is None:
            out["other"][record.id] = other(record)
    if path is not None:
        path.write_text(json.dumps(out))
    return out


def case(source: Source | tuple[Source, Source] | None) -> list[str]:
    """Keys of all strengths of a source, or of two beside each other."""
    if source is None:
        return [""]
    if isinstance(source, Source):
        return [named(((source, x),)) for x in source.strengths]
    a, b = source
    return [named(((a, x), (b, y))) for x in a.strengths for y in b.strengths]


class Judge:
    """What was found of flip-symmetric circuits, as measured over model."""

    def __init__(self, data: dict) -> None:
        self.data, self.other = data["symmetric"], data["other"]
        known = {r.id: r for r in shipped_results().records}
        self.records = {name: known[name] for name in self.data}

    def bias(self, name: str, key: str) -> float:
        """Root mean square of a record's biases, shot noise taken off."""
        one = self.data[name]
        shot = 0.25 / one["shots"] if key == "measured" else 0.0
        return math.sqrt(max(np.mean(np.square(one[key]["bias"])) - shot, 1e-12))

    def ratio(self, name: str, key: str, what: str) -> float:
        """Measured over model of ``bias`` or ``tvd``."""
        if what == "bias":
            return self.bias(name, "measured") / self.bias(name, key)
        measured, model = (np.mean(self.data[name][k][what]) for k in ("measured", key))
        return float(measured / model)

    def best(self, names: Iterable[str], keys: Sequence[str]) -> str:
        """The case whose biases fit records best, least squares of logarithms."""
        chosen = list(names)
        return min(
            keys, key=lambda k: np.mean([math.log(self.ratio(n, k, "bias")) ** 2 for n in chosen])
        )

    def left_out(self, keys: Sequence[str], split: str) -> dict[str, tuple[str, list[str]]]:
        """By device or benchmark: the case that the others choose, and its own records."""
        out = {}
        for group in sorted({getattr(r, split) for r in self.records.values()}):
            own = [n for n, r in self.records.items() if getattr(r, split) == group]
            out[group] = self.best([n for n in self.records if n not in own], keys), own
        return out

    def depths(self, key: str) -> tuple[float, float]:
        """Correlation of the biases of the same qubits at two depths, and their growth; medians."""
        found = []
        for one, two in combinations(self.records, 2):
            a, b = self.records[one], self.records[two]
            if (a.device, a.benchmark) != (b.device, b.benchmark):
                continue
            both = [
                {tuple(q): np.array(d) for q, d in zip(x["qubits"], x[key]["bias"], strict=True)}
                for x in (self.data[one], self.data[two])
            ]
            common = [q for q in both[0] if q in both[1]]
            x, y = (np.array([side[q] for q in common]).ravel() for side in both)
            rms = self.bias(one, key), self.bias(two, key)
            found.append((float((x * y).mean() / (rms[0] * rms[1])), rms[1] / rms[0]))
        return float(np.median([c for c, _ in found])), float(np.median([g for _, g in found]))

    def others(self, key: str) -> tuple[float, float, float]:
        """Of other circuits: median ``|ln measured / model|`` of signals; factors' 10 and 90 %."""
        logs, factors = [], []
        for one in self.other.values():
            (measured,), model = one["measured"], float(np.mean(one[key]))
            logs.append(abs(math.log(measured / model)))
            factors.append(math.log(measured) / math.log(model))
        low, high = np.quantile(factors, (0.1, 0.9))
        return float(np.median(logs)), float(low), float(high)


def row(*cells: object) -> None:
    """One line of a table."""
    told = [f"{c:.2f}" if isinstance(c, float) else str(c) for c in cells]
    print("| " + " | ".join(told) + " |")


def head(*cells: str) -> None:
    """A table's first two lines."""
    row(*cells)
    row(*["---"] * len(cells))


def tell_signs(judge: Judge) -> None:
    """What the counts alone say."""
    head("record", "qubits", "rms bias", "mean bias", "beyond 3 sigma", "of them above 0")
    for name, one in judge.data.items():
        seen = np.ravel(one["measured"]["bias"])
        far = seen[abs(seen) > 1.5 / math.sqrt(one["shots"])]
        mean = f"{seen.mean():+.4f} ± {seen.std() / math.sqrt(len(seen)):.4f}"
        rms = f"{judge.bias(name, 'measured'):.4f}"
        row(name, len(seen), rms, mean, len(far), f"{100 * np.mean(far > 0):.0f} %")


def tell_strengths(judge: Judge) -> None:
    """Bias of each record, measured and by every strength of the best known sources."""
    for source in SOURCES:
        print(f"\n{source.name}: rms bias, measured and by the model.\n")
        head("record", "measured", "0", *(f"{x:g}" for x in source.strengths))
        for name in judge.data:
            cells = [judge.bias(name, key) for key in ("measured", "", *case(source))]
            row(name, *(f"{c:.4f}" for c in cells))


def tell_sources(judge: Judge) -> None:
    """Each source and pair, at the strength that fits the others."""
    head(
        "source", "chosen without a device", "bias", "inside 0.8 to 1.3", "TVD",
        "without a benchmark: bias", "depths: correlation", "growth",
        "other circuits: median ln error", "80 % of factors",
    )  # fmt: skip
    pairs = [(SOURCES[a], SOURCES[b]) for a, b in PAIRS]
    row("measured", *[""] * 5, *judge.depths("measured"), "", "")
    for source in (None, *SOURCES, *pairs):
        keys = case(source)
        cells: dict[str, list[float]] = {"bias": [], "tvd": []}
        picked = judge.left_out(keys, "device")
        for key, own in picked.values():
            for what, values in cells.items():
                values.append(float(np.median([judge.ratio(n, key, what) for n in own])))
        without = [
            float(np.median([judge.ratio(n, key, "bias") for n in own]))
            for key, own in judge.left_out(keys, "benchmark").values()
        ]
        chosen = {re.sub(r"[^|]*\|([\d.e-]+)", r"\1 ", key).strip() for key, _ in picked.values()}
        best = judge.best(judge.records, keys)
        inside = sum(0.8 <= value <= 1.3 for value in cells["bias"])
        if isinstance(source, tuple):
            told, name = ("", ""), " + ".join(s.name for s in source)
        else:
            error, low, high = judge.others(best)
            told = f"{error:.3f}", f"{low:.2f} to {high:.2f}"
            name = "nothing" if source is None else source.name
        spans = [", ".join(f"{v:.2f}" for v in values) for values in (*cells.values(), without)]
        row(name, "; ".join(sorted(chosen)), spans[0], f"{inside} of {len(picked)}", *spans[1:],
            *judge.depths(best), *told)  # fmt: skip


def tell_own(judge: Judge) -> None:
    """A strength of each device's own, chosen without the record that is judged."""
    head("source", *judge.records, "inside 0.8 to 1.3")
    for source in SOURCES:
        ratios = []
        for name, record in judge.records.items():
            same = [n for n, r in judge.records.items() if r.device == record.device and n != name]
            ratios.append(judge.ratio(name, judge.best(same, case(source)), "bias"))
        row(source.name, *ratios, sum(0.8 <= r <= 1.3 for r in ratios))


if __name__ == "__main__":
    torch.set_num_threads(1)
    judged = Judge(found(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
    for title, tell in (
        ("Counts alone", tell_signs),
        ("Sources", tell_sources),
        ("A strength of each device's own", tell_own),
        ("All strengths", tell_strengths),
    ):
        print(f"\n## {title}\n")
        tell(judged)
