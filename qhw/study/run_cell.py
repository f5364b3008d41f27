"""One cell: a compiled model at one noise setting, for every shot count and mitigation."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.aer import AerBackend
from backends.base import BackendError, CompiledTemplate, stream_seed
from backends.checks import sample
from calibration.readout import QubitReadout, ReadoutCalibration
from qhw.analysis.compare.draw import Drawing, noiseless_way
from qhw.analysis.compare.mitigated import equivalent_shots
from qhw.analysis.compare.settings import PLAIN
from qhw.analysis.scores.baselines import shot_floor_total_variation
from qhw.analysis.scores.metrics import hellinger_fidelity, skill_score, total_variation
from qhw.analysis.scores.molecules import padded, type_accuracy
from qhw.analysis.validate.interval import judged_as
from qhw.chem.rmsd import kabsch_rmsd
from qhw.chem.validity import judge
from qhw.circuits.workload import Role, Workload
from qhw.mitigation.calibrate import measured_device_qubits
from qhw.mitigation.placed import Placed
from qhw.mitigation.program import run_program
from qhw.mitigation.readout import confusion_factors, inverse
from qhw.mitigation.simplex import project_to_simplex
from qhw.study.circuits import open_circuits
from qhw.study.config import Source
from qhw.study.grid import Cell
from qhw.study.material import Decoded, Material, material

FloatArray = NDArray[np.float64]
Row = dict[str, Any]
"""Column -> value; the columns are :data:`qhw.study.store.SCHEMA`'s."""
CELL_ERRORS = (BackendError, ValueError, ArithmeticError, OSError, MemoryError)
"""What a cell may fail with and the study goes on. Anything else is a fault of ours."""
_SHOTS_STREAM, _FLOOR_STREAM = 31, 32


@dataclass(frozen=True, eq=False)
class _Device:
    """One device at one noise setting, its distributions kept."""

    backend: AerBackend
    compiled: Mapping[Role, CompiledTemplate]
    material: Material
    seed: int

    def place(self, workload: Workload) -> Placed:
        """A workload on the circuit of its role."""
        return Placed(workload, self.backend, self.compiled[workload.role])

    def distribution(self, placed: Placed) -> FloatArray:
        """``(K, 2**m)`` with noise, without shots."""
        return self.backend.probabilities(placed.compiled, placed.angles)

    def measured(
        self, placed: Placed, noisy: FloatArray, shots: int | None, mitigation: str
    ) -> tuple[FloatArray, int | None]:
        """Frequencies ``(K, 2**m)`` after mitigation, and the raw shots that are as noisy.

        Counts are the same with and without readout correction; other pipelines run circuits of
        their own with as many shots. The correction knows the readout errors that are simulated,
        as a calibration run at this noise would have measured them.
        """
        if mitigation not in PLAIN and shots is not None:
            return self._mitigated(placed, shots, mitigation)
        found = _counted(noisy, shots, self.seed, len(placed.workload.role))
        if mitigation == "none":
            return found, shots
        undo = inverse(confusion_factors(placed.compiled, self._calibration(placed.compiled)))
        return project_to_simplex(found @ undo.T).probabilities, shots

    def _mitigated(self, placed: Placed, shots: int, mitigation: str) -> tuple[FloatArray, int]:
        program = placed.program(
            placed.pipeline(mitigation, shots),
            shots=shots,
            seed=self.seed,
            calibration=self._calibration(placed.compiled),
        )
        seed = stream_seed(self.seed, f"{placed.workload.role} {shots}")
        found = run_program(program, seed=seed)
        assert found.probabilities is not None  # no features were asked for
        return found.probabilities, equivalent_shots(found.probabilities, found.own_error)

    def _calibration(self, compiled: CompiledTemplate) -> ReadoutCalibration:
        """The simulated readout errors as a perfect calibration of them."""
        matrices = self.backend.readout_matrices(compiled).matrices
        known = tuple(
            QubitReadout(qubit=q, p10=m[1, 0], p10_error=0.0, p01=m[0, 1], p01_error=0.0)
            for q, m in zip(measured_device_qubits(compiled), matrices, strict=True)
        )
        return ReadoutCalibration(
            device=self.backend.name,
            taken=datetime.now(UTC),
            shots=1,
            states=2**compiled.n_measured,
            qubits=known,
            pairs=(),
        )


def run_cell(cell: Cell, circuits: str, packed: bytes | None = None) -> list[Row]:
    """Rows of a cell, one for each shot count and mitigation.

    The same cell gives the same rows on every machine with the same library versions. What fails
    is a row with its reason.

    Args:
        cell: what to run.
        circuits: JSON of its :class:`~qhw.study.circuits.CircuitSet`.
        packed: a person's own circuit and rows.
    """
    config = cell.config
    mode, _, word = cell.sources.partition(" ")
    try:
        source: Source | None = word or None  # type: ignore[assignment]  # checked with the config
        noise = config.noise(cell.scale, mode, source)
        backend, compiled = open_circuits(circuits, config.simulator, noise)
        rows = material(cell.circuit.model, cell.circuit.digests[0], cell.seed, config, packed)
        device = _Device(backend, compiled, rows, cell.seed)
        noisy = device.distribution(device.place(rows.first))
    except CELL_ERRORS as error:
        return failed(cell, error)
    facts = _facts(device)
    out = []
    for shots, mitigation in variants(cell):
        row = {**identity(cell, shots, mitigation), **facts}
        try:
            found, floor = _decoded(device, noisy, shots, mitigation)
            out.append({**row, **_scores(rows, found, floor)})
        except CELL_ERRORS as error:
            out.append({**row, "status": "failed", "reason": _words(error)})
    return out


def failed(cell: Cell, error: BaseException | str) -> list[Row]:
    """The rows of a cell that could not run."""
    text = error if isinstance(error, str) else _words(error)
    return [
        {**identity(cell, shots, mitigation), "status": "failed", "reason": text}
        for shots, mitigation in variants(cell)
    ]


def variants(cell: Cell) -> list[tuple[int | None, str]]:
    """Shots (``None`` for infinite) and mitigation of each row, in order."""
    config = cell.config
    counts = [None if shots == "infinite" else shots for shots in config.shots]
    return [(shots, mitigation) for shots in counts for mitigation in config.mitigation]


def identity(cell: Cell, shots: int | None, mitigation: str) -> Row:
    """Columns that say which row it is."""
    circuit, config = cell.circuit, cell.config
    return {
        "cell": cell.key,
        "status": "done",
        "reason": "",
        "model": circuit.model,
        "model_sha256": circuit.digests[0],
        "device": circuit.device,
        "snapshot_sha256": circuit.digests[1],
        "task": config.task,
        "scale": cell.scale,
        "sources": cell.sources,
        "shots": shots,
        "mitigation": mitigation,
        "layout_seed": circuit.layout_seed,
        "seed": cell.seed,
        "molecules": config.molecules,
    }


def _facts(device: _Device) -> Row:
    snapshot = device.backend.snapshot
    encoder = device.compiled.get("encoder")
    scored = device.compiled["circuit" if "circuit" in device.compiled else "decoder"]
    return {
        "vendor": judged_as(snapshot),
        "snapshot_taken": snapshot.taken,
        "encoder_two_qubit_gates": None if encoder is None else encoder.two_qubit_gates,
        "decoder_two_qubit_gates": scored.two_qubit_gates,
        "decoder_duration_s": scored.duration_s,
        "decoder_qubits": list(scored.physical_qubits),
    }


def _decoded(
    device: _Device, noisy: FloatArray, shots: int | None, mitigation: str
) -> tuple[FloatArray, FloatArray]:
    """The device's last distributions ``(K, D)`` and the shot floor of each row ``(K,)``."""
    rows, first = device.material, device.place(device.material.first)
    found, as_noisy = device.measured(first, noisy, shots, mitigation)
    encoder = rows.first.known
    given = rows.given
    if encoder is None or rows.exact is None or given is None:
        floor = np.zeros(len(found))
        return found, floor if shots is None else shot_floor_total_variation(rows.target, shots)
    drawing = Drawing(rows.kappa, as_noisy, device.seed)
    drawn = drawing.of(rows.exact, rows.exact.direction(found), found)
    latents = rows.exact.conditioned(drawn, given)
    decoder = device.place(
        rows.exact.workload("decoder", latents, rows.preparation, seed=device.seed)
    )
    found, _ = device.measured(decoder, device.distribution(decoder), shots, mitigation)
    streams = itertools.count(_FLOOR_STREAM)
    # the floor is one noiseless run of the whole way, as in the comparison
    _, reached = noiseless_way(
        rows.exact,
        encoder,
        lambda p: _counted(p, shots, device.seed, next(streams)),
        replace(drawing, shots=shots),
        slice(None),
        given,
    )
    return found, total_variation(rows.target, reached)


def _counted(p: FloatArray, shots: int | None, seed: int, stream: int) -> FloatArray:
    """Frequencies of multinomial shots; ``None`` gives the distribution itself."""
    if shots is None:
        return np.asarray(p / p.sum(axis=1, keepdims=True), dtype=np.float64)
    rng = np.random.default_rng([seed, _SHOTS_STREAM, stream, shots])
    return np.asarray(sample(p, shots, rng) / shots, dtype=np.float64)


def _scores(rows: Material, found: FloatArray, floor: FloatArray) -> Row:
    tvd = total_variation(rows.target, found)
    baselines = rows.baselines
    return {
        "tvd": float(tvd.mean()),
        "hellinger_fidelity": float(hellinger_fidelity(rows.target, found).mean()),
        "skill": float(skill_score(tvd, baselines)),
        "shot_floor_tvd": float(floor.mean()),
        "uniform_tvd": float(baselines[0].mean()),
        "prior_mean_tvd": float(baselines[1].mean()),
        "tvd_rows": tvd.tolist(),
        "uniform_rows": baselines[0].tolist(),
        "prior_mean_rows": baselines[1].tolist(),
        **({} if rows.decoded is None else _molecules(rows.decoded, found)),
    }


def _molecules(exact: Decoded, found: FloatArray) -> Row:
    molecules, wanted = exact.exact.molecules(found), padded(exact.molecules)
    rmsd = kabsch_rmsd(padded(molecules), wanted)
    known = rmsd[np.isfinite(rmsd)]
    report = judge(molecules)
    return {
        "valid": report.valid,
        "unique": report.unique,
        "exact_valid": exact.valid,
        "prior_mean_valid": exact.constant.valid,
        "prior_mean_unique": exact.constant.unique,
        "type_accuracy": float(type_accuracy(padded(molecules), wanted).mean()),
        "rmsd": float(known.mean()) if len(known) else None,
        "rmsd_defined": len(known),
    }


def _words(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text or type(error).__name__
