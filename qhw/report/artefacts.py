"""The files of a comparison's run folder, all but the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backends.export import to_openqasm3, to_qpy_bytes
from qhw.analysis.compare.comparison import Comparison
from qhw.analysis.compare.result import (
    MOLECULE_SOURCES,
    SOURCE_LABELS,
    DeviceSource,
    SourceKey,
)
from qhw.analysis.probe.found import fitted_snapshot
from qhw.analysis.scores.molecules import padded
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.rmsd import kabsch_rmsd
from qhw.chem.sdf import to_sdf
from qhw.report.outcomes import write_outcomes
from qhw.report.pipeline import write_mitigation
from qhw.report.probe import fitted_file

SIDE_BY_SIDE: tuple[SourceKey, ...] = ("input", "exact", *MOLECULE_SOURCES)
"""Sources written to the SDF, row by row, in this order."""
_ARRAYS: dict[DeviceSource, str] = {
    "device_readout": "readout_corrected",
    "device_mitigated": "mitigated",
}
"""Names of the distributions that are made of raw counts."""


def write_artefacts(comparison: Comparison, folder: Path) -> None:
    """Write result, molecules, circuits, snapshot, counts and what mitigation did.

    Args:
        comparison: a finished comparison.
        folder: existing folder.

    Raises:
        OSError: the folder cannot be written.
    """
    (folder / "result.json").write_text(comparison.result.to_json(), encoding="utf-8")
    if comparison.outcome.molecules:
        (folder / "molecules.sdf").write_text(side_by_side_sdf(comparison), encoding="utf-8")
    write_outcomes(comparison, folder)
    circuits = folder / "circuits"
    circuits.mkdir()
    for stage in comparison.outcome.stages:
        (circuits / f"{stage.role}.qpy").write_bytes(to_qpy_bytes(stage.compiled))
        (circuits / f"{stage.role}.qasm").write_text(to_openqasm3(stage.compiled), "utf-8")
        if stage.best_source == "device_mitigated":
            write_mitigation(stage.role, stage.pipeline, folder)
    if comparison.snapshot is not None:
        (folder / "snapshot.json").write_text(comparison.snapshot.to_json(), encoding="utf-8")
    for told in comparison.result.probes:
        fitted = None
        if comparison.snapshot is not None:
            fitted = fitted_snapshot(comparison.snapshot, told.noise)
        if fitted is not None:
            (folder / fitted_file(told)).write_text(fitted.to_json(), encoding="utf-8")
    if comparison.outcome.refitted is not None:
        text = comparison.outcome.refitted.head.to_json()
        (folder / "head.json").write_text(text, encoding="utf-8")
    np.savez_compressed(folder / "counts.npz", allow_pickle=False, **_arrays(comparison))


def side_by_side_sdf(comparison: Comparison) -> str:
    """For every row the input (if any), exact and device molecules, one after another."""
    batches = comparison.outcome.molecules
    sources = [source for source in SIDE_BY_SIDE if source in batches]
    exact = padded(batches["exact"])
    parts: list[MoleculeBatch] = []
    columns: list[dict[str, list[object]]] = []
    for source in sources:
        batch = padded(batches[source])
        parts.append(batch)
        strict, released = (comparison.outcome.judged[source][p] for p in ("strict", "released"))
        columns.append(
            {
                "source": [SOURCE_LABELS[source]] * len(batch),
                "row": comparison.outcome.rows.tolist(),
                "strict": list(strict.statuses),
                "released": list(released.statuses),
                "smiles": list(strict.smiles),
                "rmsd_to_exact_angstrom": [
                    f"{d:.4f}" if np.isfinite(d) else None for d in kabsch_rmsd(batch, exact)
                ],
            }
        )
    # sources interleaved: all of row 0, then all of row 1, ...
    order = np.arange(len(exact) * len(sources)).reshape(len(sources), -1).T.ravel()
    merged = MoleculeBatch.joined(parts)[order]
    flat = {key: [v for column in columns for v in column[key]] for key in columns[0]}
    properties = {key: [values[i] for i in order] for key, values in flat.items()}
    names = [f"{comparison.outcome.names[i % len(exact)]}, {flat['source'][i]}" for i in order]
    return to_sdf(merged, names=names, properties=properties)


def _arrays(comparison: Comparison) -> dict[str, NDArray[np.generic]]:
    """Raw counts, angles bound to the circuit, distributions and latents, by name.

    ``*_rows`` are the run's rows of a circuit's arrays; directions have the encoder's rows,
    latents the decoder's. ``*_outcomes`` are those of the columns, where that is not all of them:
    bytes, most significant first.
    """
    arrays: dict[str, NDArray[np.generic]] = dict(comparison.outcome.arrays)
    for stage in comparison.outcome.stages:
        last = stage is comparison.outcome.stages[-1]
        arrays[f"{stage.role}_rows"] = comparison.outcome.rows if last else stage.kept
        arrays[f"{stage.role}_counts"] = stage.counts
        if stage.outcomes is not None:
            arrays[f"{stage.role}_outcomes"] = stage.outcomes.packed
        if not np.isnan(stage.exact).any():  # there may be no exact reference
            arrays[f"{stage.role}_exact"] = stage.exact
        arrays[f"{stage.role}_angles"] = stage.angles
        if stage.best_source in _ARRAYS:
            arrays[f"{stage.role}_{_ARRAYS[stage.best_source]}"] = stage.best
    return arrays
