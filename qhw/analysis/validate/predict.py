"""What a device model says of a published result, by the cheapest way that is right.

Up to ten qubits the noisy distribution is exact. Beyond, a single expected outcome is predicted by
success, and a cut by the signal of the ten-qubit circuit of its family, to the power of the error a
qubit (readout left out) against that one's.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from qiskit.quantum_info import Statevector

from backends.aer import MAX_EXACT_QUBITS
from backends.base import BackendError
from backends.engine.backend import EngineBackend
from backends.native.compile import (
    COMPILER_VERSION,
    NativeCircuit,
    compile_native,
)
from backends.native.levels import LEVELS
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions
from calibration.snapshot import DeviceSnapshot
from qhw.analysis.validate.circuits import KINDS, BenchmarkCircuit, built
from qhw.analysis.validate.records import OWN, DataError, Predicted, Record
from qhw.models.checkpoint import write_atomically

FloatArray = NDArray[np.float64]

_FORMAT = 2
_FAMILY_QUBITS = 10
"""Size whose exact signal stands for wider circuits of a family."""
_PROCESS_OF_AVERAGE = 5 / 4
"""Process over average infidelity of two qubits, ``(d + 1) / d``."""
_LEVELS = {"IBM": 2}
"""Qiskit's default, which IBM's users got; others compile as hard as they can, as we do at 3."""
_IN_PLACE = 1
_LAYERED = "layer_fidelity"
_SHOWN, _LONGEST = 60, 300
_WIDEST, _WIDEST_LEVEL = 40, 2
"""Qubits beyond which level 3 looks for a place among nearly all of a device: minutes a circuit."""


@dataclass(frozen=True)
class Asked:
    """A circuit on a device, ready to predict.

    Attributes:
        snapshot: the device.
        level: of the compilation.
        noise: strength of its sources.
    """

    snapshot: DeviceSnapshot
    level: int
    noise: NoiseOptions

    def native(
        self, circuit: BenchmarkCircuit, qubits: tuple[int, ...] | None = None
    ) -> NativeCircuit:
        """The circuit in native gates, on these qubits or on those the compiler likes."""
        return compile_native(circuit.circuit, self.snapshot, level=self.level, qubits=qubits)

    def distribution(self, native: NativeCircuit, circuit: BenchmarkCircuit) -> FloatArray:
        """Noisy outcome probabilities ``(2**m,)``, bit ``k`` of the index being bit ``k``."""
        compiled = native.kept(circuit.circuit, scheduled=True)
        engine = EngineBackend(self.snapshot, noise=self.noise)
        found: FloatArray = engine.probabilities(compiled, np.empty((1, 0)))[0]
        return found


def predicted(
    record: Record, *, noise: NoiseOptions | None = None, cache: Path | None = None
) -> Predicted | None:
    """What the device model says of a record; ``None`` where it can say nothing.

    Args:
        record: a published result.
        noise: strength of the model's sources; as reported by default.
        cache: folder of earlier predictions, made if missing.

    Raises:
        DataError: an unknown device, circuit or argument of it, counts of the wrong width.
        OSError: the cache cannot be written.
    """
    if record.circuit.name == OWN:
        return record.predicted
    snapshot = snapshot_of(record)
    options = noise or NoiseOptions()
    path = (
        None if cache is None else cache / "validated" / f"{_key(record, snapshot, options)}.json"
    )
    if path is not None:
        try:
            return Predicted.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            pass  # missing or damaged: predicted again
    try:
        found = _predict(record, snapshot, options)
    except BackendError as error:
        if record.placement_known:
            raise DataError(f"{record.id}: {str(error)[:_LONGEST]}") from error
        return None
    if path is not None and found is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, found.model_dump_json().encode())
    return found


def snapshot_of(record: Record) -> DeviceSnapshot:
    """Calibration that a record is predicted with.

    Raises:
        DataError: there is none of that name.
    """
    try:
        return load_snapshot(record.snapshot or record.device)
    except ValueError as error:
        field = "snapshot" if record.snapshot else "device"
        said = str(error).removeprefix("Argument `name`")
        raise DataError(f"{record.id}: `{field}`{said}") from error


def check(record: Record) -> None:
    """Refuse what cannot be predicted, before anything is.

    Raises:
        DataError: an unknown device or circuit, arguments it does not take, counts of the wrong
            width, qubits that are not the device's or not the circuit's.
    """
    if record.circuit.name == OWN:
        return
    snapshot = snapshot_of(record)
    if record.circuit.name == _LAYERED:
        _check_qubits(record, _chain(record), snapshot, "chain")
        return
    circuit = circuit_of(record)
    _check_width(record, circuit)
    if circuit.edges and not record.floor > 0:
        raise DataError(f"{record.id}: `floor` of a cut must be above 0, but is {record.floor:g}")
    used = circuit.circuit.num_qubits
    if record.qubits is not None:
        _check_qubits(record, record.qubits, snapshot, "qubits", used)
    for place, section in enumerate(record.sections):
        _check_qubits(record, section.qubits, snapshot, f"sections.{place}.qubits", used)


def _chain(record: Record) -> tuple[int, ...]:
    """Qubits of layered gates, in a line; empty where they are not recorded.

    Raises:
        DataError: something else stands there.
    """
    chain = (record.circuit.model_extra or {}).get("chain") or ()
    if not isinstance(chain, list | tuple) or any(type(q) is not int for q in chain):
        raise DataError(f"{record.id}: `circuit.chain` must be a list of qubits, but is not")
    return tuple(chain)


def _check_qubits(
    record: Record,
    qubits: tuple[int, ...],
    snapshot: DeviceSnapshot,
    field: str,
    used: int | None = None,
) -> None:
    n = snapshot.n_qubits
    wrong = len(set(qubits)) < len(qubits) or any(not 0 <= q < n for q in qubits)
    if wrong or used not in (None, len(qubits)):
        many = "" if used is None else f"{used} "
        raise DataError(
            f"{record.id}: `{field}` must be {many}different numbers below {n}, the qubits of "
            f"{snapshot.name}, but is {str(list(qubits))[:_SHOWN]}"
        )


def circuit_of(record: Record) -> BenchmarkCircuit:
    """The circuit of a record.

    Raises:
        DataError: unknown kind, or arguments it does not take.
    """
    arguments = record.circuit.model_dump(exclude_none=True)
    name = arguments.pop("name")
    if name not in KINDS:
        known = ", ".join(sorted(KINDS))
        raise DataError(f"{record.id}: circuit must be one of {known}, but is {name!r}")
    try:
        return built(name, arguments)
    except ValueError as error:
        raise DataError(f"{record.id}: circuit {name}: {error}") from error


def score_of(record: Record, circuit: BenchmarkCircuit, distribution: FloatArray) -> float:
    """The record's score of a distribution ``(2**m,)``."""
    outcomes = np.arange(len(distribution))
    if circuit.expected is not None:
        return float(distribution[circuit.expected])
    if circuit.edges:
        cut = _cut(circuit, len(distribution))
        # the floor is the mean over all cuts, half of all weights, in the record's units
        unit = sum(weight for _, _, weight in circuit.edges) / 2 / record.floor
        return float(distribution @ cut) / unit
    parity = float(distribution @ (1 - 2 * (np.bitwise_count(outcomes).astype(int) & 1)))
    return (1 - parity) / 2 if record.floor else parity


def _predict(record: Record, snapshot: DeviceSnapshot, noise: NoiseOptions) -> Predicted | None:
    if record.circuit.name == _LAYERED:
        return _layer_error(record, snapshot)
    level = _level(record)
    asked = Asked(snapshot, level, noise)
    if record.sections:
        return _of_sections(record, replace(asked, level=_IN_PLACE))
    if record.circuit.name == "mirror":
        return _of_ensemble(record, asked)
    circuit = circuit_of(record)
    _check_width(record, circuit)
    return _of_circuit(record, circuit, asked)


def _level(record: Record) -> int:
    """Of the compilation: as it was done, where that is known."""
    if record.level is not None:
        return record.level
    level = _LEVELS.get(record.vendor, LEVELS[-1])
    if record.qubits is not None:  # level 3 looks for a place of its own
        return min(level, LEVELS[-1] - 1)
    return min(level, _WIDEST_LEVEL) if (record.circuit.n or 0) > _WIDEST else level


def _of_circuit(record: Record, circuit: BenchmarkCircuit, asked: Asked) -> Predicted:
    """One circuit: its exact noisy distribution where that is small enough."""
    native = asked.native(circuit, record.qubits)
    success = native.prediction.layout.success
    if native.circuit.num_qubits <= MAX_EXACT_QUBITS:
        value = score_of(record, circuit, asked.distribution(native, circuit))
        how = "noisy distribution"
    elif circuit.expected is not None:
        value, how = success, "predicted success"
    else:
        small = record.circuit.model_copy(update={"n": _FAMILY_QUBITS})
        small_one = circuit_of(record.model_copy(update={"circuit": small}))
        signal, error = _family(asked, small_one)
        value = record.floor + signal ** (_error_a_qubit(native) / error) * (
            record.exact - record.floor
        )
        how = f"{_FAMILY_QUBITS}-qubit signal scaled by error a qubit"
    return Predicted(value=value, how=how, success=success, two_qubit_gates=native.two_qubit_gates)


def _family(asked: Asked, circuit: BenchmarkCircuit) -> tuple[float, float]:
    """Signal of a cut, and error a qubit, of a circuit small enough to simulate."""
    native = asked.native(circuit)
    noisy = asked.distribution(native, circuit)
    exact = Statevector(circuit.circuit.remove_final_measurements(inplace=False)).probabilities()
    cut = _cut(circuit, len(exact))
    signal = float((noisy @ cut - cut.mean()) / (exact @ cut - cut.mean()))
    return signal, _error_a_qubit(native)


def _cut(circuit: BenchmarkCircuit, size: int) -> FloatArray:
    """Weight that each outcome cuts, ``(size,)``."""
    outcomes, cut = np.arange(size), np.zeros(size)
    for a, b, weight in circuit.edges:
        cut += weight * ((outcomes >> a ^ outcomes >> b) & 1)
    return cut


def _error_a_qubit(native: NativeCircuit) -> float:
    layout = native.prediction.layout
    found: float = (layout.readout - layout.log_success) / native.circuit.num_clbits
    return found


def _of_sections(record: Record, asked: Asked) -> Predicted | None:
    """Copies side by side, each on the very qubits it ran on."""
    circuit = circuit_of(record)
    values: list[float | None] = []
    gates, logs = [], []
    for section in record.sections:
        if section.unusable:
            values.append(None)
            continue
        native = asked.native(circuit, section.qubits)
        values.append(score_of(record, circuit, asked.distribution(native, circuit)))
        gates.append(native.two_qubit_gates)
        logs.append(native.prediction.layout.log_success)
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Predicted(
        value=fmean(known),
        how="noisy distribution, the very qubits",
        success=math.exp(fmean(logs)),
        two_qubit_gates=fmean(gates),
        sections=tuple(values),
    )


def _of_ensemble(record: Record, asked: Asked) -> Predicted:
    """Another circuit of the same ensemble: published runs name no seed."""
    native = asked.native(circuit_of(record))
    return Predicted(
        value=native.prediction.layout.success,
        how="predicted success, another instance",
        success=native.prediction.layout.success,
        two_qubit_gates=native.two_qubit_gates,
    )


def _layer_error(record: Record, snapshot: DeviceSnapshot) -> Predicted | None:
    """Process infidelity a layered gate: of isolated gates, of the chain where it is recorded."""
    chain = _chain(record)
    pairs = pairwise(chain) if chain else snapshot.usable_couplings
    gates = [snapshot.two_qubit_gate(a, b) for a, b in pairs]
    errors = [gate.error for gate in gates if gate is not None and gate.error is not None]
    if not errors:
        return None
    which = "recorded chain" if chain else "all couplings"
    return Predicted(
        value=median(errors) * _PROCESS_OF_AVERAGE, how=f"isolated gate errors x 5/4, {which}"
    )


def _check_width(record: Record, circuit: BenchmarkCircuit) -> None:
    width = circuit.circuit.num_clbits
    for outcome in record.counts or {}:
        if len(outcome) != width:
            raise DataError(
                f"{record.id}: counts must have bit strings of {width} bits, as the circuit "
                f"measures, but one has {len(outcome)}"
            )


def _key(record: Record, snapshot: DeviceSnapshot, noise: NoiseOptions) -> str:
    sections = [(section.qubits, section.unusable) for section in record.sections]
    parts = [
        f"{_FORMAT} {COMPILER_VERSION} {version('qhw')} {version('qiskit')}",
        hashlib.sha256(snapshot.to_json().encode()).hexdigest(),
        record.circuit.model_dump_json(),
        json.dumps([record.vendor, record.level, record.exact, record.floor, record.score]),
        json.dumps([record.qubits, sections]),
        repr(noise),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
