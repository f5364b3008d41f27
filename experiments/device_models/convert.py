"""Write the shipped file of public results from JSON lines of records.

    .venv/bin/python -m experiments.device_models.convert RECORDS.jsonl qhw/data/public_results.json

Every record gets the prediction of today's device models; what only the lines knew is left out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from qhw.analysis.validate.predict import predicted
from qhw.analysis.validate.records import Record, Results, Source, read_results
from qhw.cache import made_cache_folder

SOURCES = (
    Source(
        key="github:unitaryfoundation/metriq-data",
        title="Metriq data",
        url="https://github.com/unitaryfoundation/metriq-data/tree/76b4640b",
        licence="CC-BY-4.0",
        attribution="Unitary Foundation and contributors, Metriq",
    ),
    Source(
        key="github:alejomonbar/LR-QAOA-QPU-Benchmarking",
        title="LR-QAOA QPU benchmarking",
        url="https://github.com/alejomonbar/LR-QAOA-QPU-Benchmarking/tree/f8ce989f",
        licence="MIT",
        attribution="Copyright (c) 2025 Alejandro Montanez; arXiv:2502.06471",
    ),
    Source(
        key="github:christopher-altman/ibm-qml-kernel",
        title="IBM QML kernel",
        url="https://github.com/christopher-altman/ibm-qml-kernel",
        licence="MIT by README badge and Hugging Face card, no licence file",
        attribution="Christopher Altman; arXiv:2601.16004",
    ),
)


def main(lines: str, out: str) -> None:
    """Predict every record and write the document, one record a line."""
    cache = made_cache_folder()
    records = []
    for record in read_results(Path(lines)).records:
        said = predicted(record, cache=cache)
        records.append(record.model_copy(update={"predicted": said}))
    found = Results(sources=SOURCES, records=tuple(records))
    Path(out).write_text(_document(found), encoding="utf-8")


def _document(found: Results) -> str:
    sources = ",\n    ".join(_line(source.model_dump(mode="json")) for source in found.sources)
    rows = ",\n    ".join(map(_record, found.records))
    head = f'{{\n  "schema_version": {found.schema_version},\n  "sources": [\n    {sources}\n  ],\n'
    return f'{head}  "records": [\n    {rows}\n  ]\n}}\n'


def _record(record: Record) -> str:
    return _line(record.model_dump(mode="json", exclude_none=True, exclude_defaults=True))


def _line(data: object) -> str:
    return json.dumps(data, separators=(",", ":"))


if __name__ == "__main__":
    main(*sys.argv[1:3])
