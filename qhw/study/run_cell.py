"""One cell: a compiled model at one noise setting, for every shot count and mitigation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.aer import AerBackend
from backends.base import BackendError, CompiledTemplate, stream_seed
from backends.checks import sample
from calibration.readout import QubitReadout, ReadoutCalibration
from qhw.analysis.baselines import shot_floor_total_variation
from qhw.analysis.draw import draw_latents, latents_from_shots
from qhw.analysis.metrics import hellinger_fidelity, skill_score, total_variation
from qhw.analysis.mitigated import equivalent_shots
from qhw.analysis.molecule_scores import padded, type_accuracy
from qhw.analysis.result import PLAIN
from qhw.chem.rmsd import kabsch_rmsd
from qhw.chem.validity import judge
from qhw.circuits.templates import data_angles
from qhw.mitigation.calibrate import measured_device_qubits
from qhw.mitigation.default import resolve
from qhw.mitigation.program import build_program, run_program
from qhw.mitigation.readout import confusion_factors, inverse
from qhw.mitigation.simplex import project_to_simplex
from qhw.models.base import Role
from qhw.study.circuits import data_columns, open_circuits
from qhw.study.config import Source
from qhw.study.grid import Cell
from qhw.study.material import Material, material

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

    def distribution(self, role: Role, angles: FloatArray) -> FloatArray:
        """``(K, 2**m)`` with noise, without shots; ``angles`` in the template's columns."""
        compiled = self.compiled[role]
        columns = data_columns(self.material.templates[role], compiled)
        return self.backend.probabilities(compiled, angles[:, columns])

    def measured(
        self, role: Role, angles: FloatArray, noisy: FloatArray, shots: int | None, mitigation: str
    ) -> tuple[FloatArray, int | None]:
        """Frequencies ``(K, 2**m)`` after mitigation, and the raw shots that are as noisy.

        Counts are the same with and without readout correction; other pipelines run circuits of
        their own with as many shots. The correction knows the readout errors that are simulated,
        as a calibration run at this noise would have measured them.
        """
        if mitigation not in PLAIN and shots is not None:
            return self._mitigated(role, angles, shots, mitigation)
        found = _counted(noisy, shots, self.seed, len(role))
        if mitigation == "none":
            return found, shots
        compiled = self.compiled[role]
        undo = inverse(confusion_factors(compiled, self._calibration(compiled)))
        return project_to_simplex(found @ undo.T).probabilities, shots

    def _mitigated(
        self, role: Role, angles: FloatArray, shots: int, mitigation: str
    ) -> tuple[FloatArray, int]:
        compiled = self.compiled[role]
        columns = data_columns(self.material.templates[role], compiled)
        program = build_program(
            resolve(mitigation, compiled, total_shots=len(angles) * shots),
            self.backend,
            compiled,
            angles[:, columns],
            shots=shots,
            seed=self.seed,
            label=role,
            calibration=self._calibration(compiled),
        )
        found = run_program(program, seed=stream_seed(self.seed, f"{role} {shots}"))
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


def run_cell(cell: Cell, circuits: str) -> list[Row]:
    """Rows of a cell, one for each shot count and mitigation.

    The same cell gives the same rows on every machine with the same library versions. What fails
    is a row with its reason.

    Args:
        cell: what to run.
        circuits: JSON of its :class:`~qhw.study.circuits.CircuitSet`.
    """
    config = cell.config
    mode, _, word = cell.sources.partition(" ")
    try:
        source: Source | None = word or None  # type: ignore[assignment]  # checked with the config
        noise = config.noise(cell.scale, mode, source)
        backend, compiled = open_circuits(circuits, config.simulator, noise)
        rows = material(cell.circuit.model, cell.circuit.digests[0], cell.seed, config)
        device = _Device(backend, compiled, rows, cell.seed)
        first: Role = "encoder" if config.task == "reconstruct" else "decoder"
        noisy = device.distribution(first, rows.angles)
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
    gates = {role: circuit.two_qubit_gates for role, circuit in device.compiled.items()}
    return {
        "vendor": snapshot.vendor,
        "snapshot_taken": snapshot.taken,
        "encoder_two_qubit_gates": gates.get("encoder"),
        "decoder_two_qubit_gates": gates["decoder"],
        "decoder_duration_s": device.compiled["decoder"].duration_s,
        "decoder_qubits": list(device.compiled["decoder"].physical_qubits),
    }


def _decoded(
    device: _Device, noisy: FloatArray, shots: int | None, mitigation: str
) -> tuple[FloatArray, FloatArray]:
    """The device's last distributions ``(K, D)`` and the shot floor of each row ``(K,)``."""
    rows = device.material
    if rows.encoder is None:
        found, _ = device.measured("decoder", rows.angles, noisy, shots, mitigation)
        floor = np.zeros(len(found))
        return found, floor if shots is None else shot_floor_total_variation(rows.target, shots)
    frequencies, as_noisy = device.measured("encoder", rows.angles, noisy, shots, mitigation)
    latents = _latents(rows, frequencies, as_noisy, device.seed)
    angles = data_angles(rows.templates["decoder"], latents, seed=device.seed).angles
    decoder = device.distribution("decoder", angles)
    found, _ = device.measured("decoder", angles, decoder, shots, mitigation)
    # the floor is one noiseless run of the whole way, as in the comparison
    ideal = _counted(rows.encoder, shots, device.seed, _FLOOR_STREAM)
    reached = rows.exact.decoder(_latents(rows, ideal, shots, device.seed))
    counted = _counted(reached, shots, device.seed, _FLOOR_STREAM + 1)
    return found, total_variation(rows.target, counted)


def _latents(rows: Material, frequencies: FloatArray, shots: int | None, seed: int) -> FloatArray:
    """Draws around measured directions, kappa corrected for the shots."""
    mu = rows.exact.direction(frequencies)
    if shots is None:
        return draw_latents(mu, rows.kappa, seed)
    return latents_from_shots(mu, frequencies, shots, rows.kappa, seed)[0]


def _counted(p: FloatArray, shots: int | None, seed: int, stream: int) -> FloatArray:
    """Frequencies of multinomial shots; ``None`` gives the distribution itself."""
    if shots is None:
        return np.asarray(p / p.sum(axis=1, keepdims=True), dtype=np.float64)
    rng = np.random.default_rng([seed, _SHOTS_STREAM, stream, shots])
    return np.asarray(sample(p, shots, rng) / shots, dtype=np.float64)


def _scores(rows: Material, found: FloatArray, floor: FloatArray) -> Row:
    tvd = total_variation(rows.target, found)
    baselines = np.stack([total_variation(rows.target, b) for b in (rows.uniform, rows.prior_mean)])
    molecules, wanted = rows.exact.molecules(found), padded(rows.molecules)
    rmsd = kabsch_rmsd(padded(molecules), wanted)
    known = rmsd[np.isfinite(rmsd)]
    report = judge(molecules)
    return {
        "tvd": float(tvd.mean()),
        "hellinger_fidelity": float(hellinger_fidelity(rows.target, found).mean()),
        "skill": float(skill_score(tvd, baselines)),
        "shot_floor_tvd": float(floor.mean()),
        "uniform_tvd": float(baselines[0].mean()),
        "prior_mean_tvd": float(baselines[1].mean()),
        "valid": report.valid,
        "unique": report.unique,
        "exact_valid": rows.exact_valid,
        "prior_mean_valid": rows.constant.valid,
        "prior_mean_unique": rows.constant.unique,
        "type_accuracy": float(type_accuracy(padded(molecules), wanted).mean()),
        "rmsd": float(known.mean()) if len(known) else None,
        "rmsd_defined": len(known),
        "tvd_rows": tvd.tolist(),
        "uniform_rows": baselines[0].tolist(),
        "prior_mean_rows": baselines[1].tolist(),
    }


def _words(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text or type(error).__name__
