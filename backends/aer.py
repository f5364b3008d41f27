"""``aer:<device>``: a circuit compiled for a device and simulated with that device's noise.

The noisy distribution of up to ten qubits is computed exactly (density matrix, readout errors
included) and kept for the last batch, so any number of shots costs one simulation: shots are
multinomial draws from it. Larger circuits run as trajectories, shot by shot, and those of more than
twenty qubits with twirled noise (:mod:`backends.reference.twirled`), which the result says.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel

from backends.base import BackendError, CompiledTemplate, CostEstimate, ShotResult
from backends.binding import bind_rows, columns_of
from backends.checks import check_angles, check_shots, measured_qubits, sample
from backends.dynamic.circuit import is_dynamic
from backends.native.compile import compile_template
from backends.native.gates import for_aer
from backends.native.rows import simulated
from backends.native.simulable import simulable
from backends.outcomes import tabulated
from backends.readout import ReadoutMatrices, readout_matrices
from backends.reference.twirled import WORDS, BitArray, misread, noisy_shots
from backends.registry import noise_suffix
from calibration.aer_noise import to_aer_noise_model
from calibration.noise import DeviceNoise, NoiseOptions, apply_confusion
from calibration.snapshot import DeviceSnapshot

FloatArray = NDArray[np.float64]

_NO_WAITS = "idle qubits of dynamic circuits do not relax"
_SEED_STEP = 2113
"""From a circuit to the next in one call, Aer raises its seed by this; so do we between calls."""
_MATRIX_WORK, _STATE_WORK = 2**19, 2**21
"""Amplitudes, of all rows and shots, in one call of Aer: half a second, that Ctrl-C waits for."""

MAX_EXACT_QUBITS = 10
"""A density matrix of 10 qubits takes 16 MB and some seconds a row."""
MAX_STATE_QUBITS = 20
"""A statevector of 20 qubits takes 16 MB and some 0.1 s a shot."""


class AerBackend:
    """Simulation of one device snapshot with Qiskit Aer.

    Args:
        snapshot: the device.
        noise: strength of each source of noise; as reported by default.
        scheduled: let idle qubits relax. Off, waiting costs nothing: a comparison, not a device.
        fractional: also use the gates that must be asked for (IBM's ``rx`` and ``rzz``).
        scale: factor on all reported noise, ``noise`` included; part of the name.
    """

    def __init__(
        self,
        snapshot: DeviceSnapshot,
        *,
        noise: NoiseOptions | None = None,
        scheduled: bool = True,
        fractional: bool = False,
        scale: float = 1.0,
    ) -> None:
        self._snapshot = snapshot
        self._simulable = simulable(snapshot)
        self._noise = (noise or NoiseOptions()).scaled(scale)
        self._scale = scale
        self._scheduled = scheduled
        self._fractional = fractional
        self._last: tuple[CompiledTemplate, FloatArray, FloatArray] | None = None
        self._model: tuple[tuple[int, ...], NoiseModel] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """What it is, without what it keeps: other processes make that themselves."""
        return {**self.__dict__, "_last": None, "_model": None}

    @property
    def _asked(self) -> str:
        scaled = "" if self._scale == 1.0 else noise_suffix(self._scale)
        return f"{'+fractional' if self._fractional else ''}{scaled}"

    @property
    def name(self) -> str:
        """``aer:`` and the device's name, ``+fractional`` where that was asked for."""
        return f"aer:{self._snapshot.name}{self._asked}"

    @property
    def snapshot(self) -> DeviceSnapshot:
        """Calibration that is simulated."""
        return self._snapshot

    @property
    def scale(self) -> float:
        """Factor on all reported noise."""
        return self._scale

    @property
    def noise(self) -> NoiseOptions:
        """Strength of each source of noise."""
        return self._noise

    def compile(self, circuit: QuantumCircuit, *, seed: int = 0) -> CompiledTemplate:
        """Compile as vendors' devices do, waits of an as-late-as-possible schedule written out.

        A device whose native gates depend on a row's numbers keeps its templates in canonical
        gates; its rows are simulated pulse by pulse as they would be sent.

        Delays of the circuit stay where they are; unscheduled, only the scheduler's waits are
        left out.

        Raises:
            BackendError: the circuit does not fit the device, is not "gates, then one
                measurement of every bit", or has a delay without a length there.
        """
        return compile_template(
            circuit,
            self._snapshot,
            seed=seed,
            fractional=self._fractional,
            scheduled=self._scheduled,
        )

    def probabilities(self, compiled: CompiledTemplate, angles: FloatArray) -> FloatArray:
        """Noisy outcome probabilities ``(B, 2**m)``, readout errors included, no shot noise.

        Raises:
            BackendError: angles of the wrong shape or not finite, or more than ten qubits.
        """
        x = check_angles(compiled, angles)
        if is_dynamic(compiled.circuit):
            raise BackendError(
                "Argument `compiled` must be no dynamic circuit for an exact noisy distribution; "
                "`run` simulates it shot by shot."
            )
        if compiled.circuit.num_qubits > MAX_EXACT_QUBITS:
            raise BackendError(
                f"Argument `compiled` must use at most {MAX_EXACT_QUBITS} qubits for an exact "
                f"noisy distribution, but uses {compiled.circuit.num_qubits}; `run` takes more."
            )
        if (
            self._last is None
            or self._last[0] is not compiled
            or not np.array_equal(self._last[1], x)
        ):
            found = np.empty((len(x), 2**compiled.n_measured))
            for rows, native, values in simulated(compiled, x, scheduled=self._scheduled):
                found[rows] = self._density_matrix(native, values)
            self._last = (compiled, x.copy(), found)
        return self._last[2].copy()

    def pieces(self, compiled: CompiledTemplate, rows: int) -> list[slice]:
        """Rows that :meth:`probabilities` may take apart from the others, to the same last bit."""
        size = _rows_at_once(compiled)
        return [slice(start, start + size) for start in range(0, rows, size)]

    def keep(self, compiled: CompiledTemplate, angles: FloatArray, found: FloatArray) -> None:
        """Take what :meth:`probabilities` gave elsewhere for what it would give here next."""
        self._last = (compiled, check_angles(compiled, angles).copy(), found)

    def run(
        self, compiled: CompiledTemplate, angles: FloatArray, *, shots: int, seed: int
    ) -> ShotResult:
        """Shots of every row; up to ten qubits multinomial draws of :meth:`probabilities`.

        Raises:
            BackendError: shots out of range, angles of the wrong shape or not finite, or a wide
                circuit that is neither Clifford nor shallow.
        """
        x = check_angles(compiled, angles)
        shots = check_shots(shots)
        dynamic = is_dynamic(compiled.circuit)
        if dynamic and compiled.circuit.num_qubits > MAX_STATE_QUBITS:
            raise BackendError(
                f"Argument `compiled` must have at most {MAX_STATE_QUBITS} qubits for a dynamic "
                f"circuit, but has {compiled.circuit.num_qubits}."
            )
        if dynamic:
            counts = self._trajectories(compiled, x, shots, seed)
            done = datetime.now(UTC)
            return ShotResult(counts, shots, self.name, seed, done, approximation=_NO_WAITS)
        if compiled.circuit.num_qubits > MAX_STATE_QUBITS:
            return self._wide(compiled, x, shots, seed)
        if compiled.circuit.num_qubits > MAX_EXACT_QUBITS:
            counts = self._trajectories(compiled, x, shots, seed)
        else:
            exact = self.probabilities(compiled, x)
            counts = sample(exact, shots, np.random.default_rng(seed))
        return ShotResult(counts, shots, self.name, seed, datetime.now(UTC))

    def estimate(self, compiled: CompiledTemplate, *, circuits: int, shots: int) -> CostEstimate:
        """Simulation is free."""
        del compiled, circuits, shots
        return CostEstimate(0.0, None, "simulated on this machine, free")

    def readout_matrices(self, compiled: CompiledTemplate) -> ReadoutMatrices:
        """Confusion matrices of the measured wires, scaled as this backend scales them."""
        return readout_matrices(compiled, self._noise)

    def _density_matrix(self, compiled: CompiledTemplate, x: FloatArray) -> FloatArray:
        circuit = compiled.circuit.remove_final_measurements(inplace=False)
        # Qiskit's first listed qubit is the least significant bit of the saved distribution.
        circuit.save_probabilities(list(reversed(measured_qubits(compiled.circuit))))
        ideal = np.empty((len(x), 2**compiled.n_measured))
        size = _rows_at_once(compiled)
        found = self._experiments(circuit, compiled, x, "density_matrix", size=size)
        for row, data in enumerate(found):
            ideal[row] = data["probabilities"]
        return apply_confusion(
            ideal.clip(0.0, None), list(self.readout_matrices(compiled).matrices)
        )

    def _trajectories(
        self, compiled: CompiledTemplate, x: FloatArray, shots: int, seed: int
    ) -> NDArray[np.int64]:
        counts = np.zeros((len(x), 2**compiled.n_measured), dtype=np.int64)
        size = max(1, _STATE_WORK // (shots * 2**compiled.circuit.num_qubits))
        for rows, native, values in simulated(compiled, x, scheduled=self._scheduled):
            options = {"size": size, "seed": seed, "shots": shots}
            found = self._experiments(native.circuit, native, values, "statevector", **options)
            for row, data in zip(rows, found, strict=True):
                for outcome, count in data["counts"].items():
                    counts[row, int(outcome, 16)] = count
            seed += len(rows) * _SEED_STEP
        return counts

    def _wide(self, compiled: CompiledTemplate, x: FloatArray, shots: int, seed: int) -> ShotResult:
        noise = DeviceNoise(self._simulable.restricted(compiled.physical_qubits), self._noise)
        if any(self._noise.detuning_rad_s(q) for q in noise.snapshot.labels):
            raise BackendError(
                f"Argument `noise` must have no detuning for circuits of more than "
                f"{MAX_STATE_QUBITS} qubits, whose noise is twirled."
            )
        rng = np.random.default_rng(seed)
        confusion = self.readout_matrices(compiled).matrices
        bits: list[BitArray] = [np.empty(0, dtype=np.uint8)] * len(x)
        for rows, native, values in simulated(compiled, x, scheduled=self._scheduled):
            for row, bound in zip(rows, bind_rows(native, values), strict=True):
                bits[row] = misread(noisy_shots(bound, noise, shots, rng), confusion, rng)
        counts, outcomes = tabulated(bits)
        done = datetime.now(UTC)
        return ShotResult(
            counts, shots, self.name, seed, done, outcomes=outcomes, approximation=WORDS
        )

    def _noise_model(self, qubits: tuple[int, ...]) -> NoiseModel:
        """Kept for the last qubits: a pipeline's circuits are all on the same ones."""
        if self._model is None or self._model[0] != qubits:
            self._model = (qubits, to_aer_noise_model(self._simulable, qubits, self._noise))
        return self._model[1]

    def _experiments(
        self,
        circuit: QuantumCircuit,
        compiled: CompiledTemplate,
        x: FloatArray,
        method: str,
        *,
        size: int,
        seed: int = 0,
        **options: Any,
    ) -> Iterator[dict[str, Any]]:
        """Aer's data of every row, in order; the same whatever the size of the pieces."""
        model = self._noise_model(compiled.physical_qubits)
        circuit = for_aer(circuit)
        simulator = AerSimulator(method=method, noise_model=model, fusion_threshold=5)
        columns = columns_of(compiled)
        for start in range(0, len(x), size):
            piece = x[start : start + size]
            options["seed_simulator"] = seed + start * _SEED_STEP
            if columns:
                binds = [{p: piece[:, column].tolist() for p, column in columns.items()}]
                job = simulator.run(circuit, parameter_binds=binds, **options)
            else:
                job = simulator.run([circuit] * len(piece), **options)
            result = job.result()
            if not result.success:
                raise BackendError(f"Aer could not simulate on {self.name}: {result.status}")
            yield from (r.data.to_dict() for r in result.results)


def _rows_at_once(compiled: CompiledTemplate) -> int:
    qubits: int = compiled.circuit.num_qubits
    return max(1, int(_MATRIX_WORK // 4**qubits))
