"""What probes would have been worth on public results: a larger kernel predicted from smaller ones.

    .venv/bin/python -m experiments.device_models.probe [RECORDS]

RECORDS is a file that ``qhw validate-models --data`` takes; the shipped results by default. Records
without a prediction are predicted first, which takes minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from qhw.analysis.validate.interval import factors_of
from qhw.analysis.validate.predict import predicted
from qhw.analysis.validate.probed import FAMILY, ProbedResult, probed_results
from qhw.analysis.validate.records import Record, Results, read_results, shipped_results
from qhw.cache import made_cache_folder


def main(words: Sequence[str]) -> None:
    """Print the tables."""
    results = read_results(Path(words[0])) if words else shipped_results()
    rows = probed_results(_predicted(results))
    print("| device | larger kernels | median abs ln error, as reported | with probes | less |")
    print("| --- | --- | --- | --- | --- |")
    for device in sorted({row.record.device for row in rows}):
        _line(device, [row for row in rows if row.record.device == device])
    _line("all", rows)
    low, high = factors_of([row.factor_left for row in rows])
    print(f"\nnoise measured over noise of the probes, 80 %: {low:.2f} to {high:.2f}")


def _predicted(results: Results) -> Results:
    cache = made_cache_folder()

    def told(record: Record) -> Record:
        if record.benchmark != FAMILY or record.predicted is not None:
            return record
        return record.model_copy(update={"predicted": predicted(record, cache=cache)})

    return results.model_copy(update={"records": tuple(map(told, results.records))})


def _line(name: str, rows: Sequence[ProbedResult]) -> None:
    before, after = (median(getattr(r, which) for r in rows) for which in ("error", "error_left"))
    less = 100 * (1 - after / before)
    print(f"| {name} | {len(rows)} | {before:.3f} | {after:.3f} | {less:.0f} % |")


if __name__ == "__main__":
    main(sys.argv[1:])
