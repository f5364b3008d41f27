"""A study's table whose figures are known: distances in proportion to the noise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from qhw.study.config import StudyConfig
from qhw.study.grid import Digests, expand
from qhw.study.run_cell import Row, failed, identity, variants
from qhw.study.store import SCHEMA

SLOPES = {"good": 0.1, "bad": 0.4}
BEST = 0.3
"""Baseline: ``bad`` meets it at a scale of 0.75, ``good`` at 3."""
SOURCES = {"gates": 0.75, "readout": 0.25}


def made_up_config(**changes: object) -> StudyConfig:
    """Two models on two devices."""
    return StudyConfig.model_validate(
        {
            "name": "made-up",
            "models": list(SLOPES),
            "devices": ["x", "y"],
            "scales": [0, 0.25, 1, 2],
            "budget": {"sources": list(SOURCES)},
            "layout_seeds": [0, 1],
            "seeds": [0, 1],
            "molecules": 8,
        }
        | changes
    )


def made_up_table(config: StudyConfig, broken: Sequence[str] = ()) -> pa.Table:
    """Distances that grow in proportion to the noise, sources that add up."""
    rows: list[Row] = []
    known = Digests(dict.fromkeys(config.models, "m"), dict.fromkeys(config.devices, "d"))
    for cell in expand(config, known):
        if cell.circuit.device in broken:
            rows += failed(cell, "no <such> device")
            continue
        mode, _, source = cell.sources.partition(" ")
        share = {"all": 1.0, "only": SOURCES.get(source, 0), "without": 1 - SOURCES.get(source, 0)}
        mean = min(SLOPES[cell.circuit.model] * cell.scale * share[mode], 1.0)
        # differences between latents and layouts that average out
        spread = np.linspace(-0.1, 0.1, config.molecules) * mean
        shift = 0.05 * mean * (1 if cell.circuit.layout_seed else -1)
        tvd = (mean + spread + shift).tolist()
        for shots, mitigation in variants(cell):
            rows.append(identity(cell, shots, mitigation) | _numbers(tvd))
    return pa.Table.from_pylist(rows, SCHEMA)


def _numbers(tvd: list[float]) -> Row:
    return {
        "vendor": "v",
        "snapshot_taken": datetime(2026, 1, 2, tzinfo=UTC),
        "decoder_two_qubit_gates": 31,
        "decoder_duration_s": 0.0,
        "tvd": float(np.mean(tvd)),
        "shot_floor_tvd": 0.0,
        "uniform_tvd": 0.5,
        "prior_mean_tvd": BEST,
        "valid": 6,
        "unique": 5,
        "exact_valid": 7,
        "prior_mean_valid": 0,
        "prior_mean_unique": 0,
        "type_accuracy": 0.9,
        "rmsd": 0.2,
        "rmsd_defined": 8,
        "tvd_rows": tvd,
        "uniform_rows": [0.5] * len(tvd),
        "prior_mean_rows": [BEST] * len(tvd),
    }
