"""The checks and the sampling that every backend shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit

from backends.base import BackendError, CompiledTemplate
from backends.dynamic.circuit import written_by

SILENT = ("delay", "id")
"""Instructions that change nothing but by the noise that goes with them."""
MAX_SIMULATED_SHOTS = 10_000_000
"""Shots of one circuit on a simulator: as many as IBM takes in one job."""


def check_angles(compiled: CompiledTemplate, angles: ArrayLike) -> NDArray[np.float64]:
    """Angles as a finite float64 matrix ``(B, P)``.

    Raises:
        BackendError: wrong shape or values that are not finite.
    """
    x = np.asarray(angles, dtype=np.float64)
    columns = len(compiled.parameter_names)
    if x.ndim != 2 or x.shape[1] != columns:
        raise BackendError(f"Argument `angles` must have shape (B, {columns}), but has {x.shape}.")
    if not np.isfinite(x).all():
        raise BackendError("Argument `angles` must be finite, but holds NaN or infinity.")
    return x


def check_shots(shots: int, *, least: int = 1, most: int = MAX_SIMULATED_SHOTS) -> int:
    """Shots as an int.

    Raises:
        BackendError: not a whole number, or out of range.
    """
    whole = isinstance(shots, int | np.integer) and not isinstance(shots, bool)
    if not whole or not least <= shots <= most:
        raise BackendError(
            f"Argument `shots` must be a whole number from {least} to {most}, but is {shots!r}."
        )
    return int(shots)


def check_measures_last(circuit: QuantumCircuit) -> int:
    """Refuse circuits that are not gates, then measurements into different bits.

    Returns:
        The number of measurements.

    Raises:
        BackendError: a bit written twice, or anything after a measurement on its qubit; names the
            instruction, counted from 0.
    """
    measured: set[object] = set()
    written: set[object] = set()
    for place, item in enumerate(circuit.data):
        name = item.name
        if measured and name != "barrier" and measured.intersection(item.qubits):
            raise BackendError(
                f"Argument `circuit` must measure last, but instruction {place}, {name}, follows "
                f"a measurement of its qubit."
            )
        if name == "measure":
            if written.intersection(item.clbits):
                raise BackendError(
                    f"Argument `circuit` must write each bit once, but instruction {place} writes "
                    f"one again."
                )
            measured.update(item.qubits)
            written.update(item.clbits)
        elif item.clbits:
            raise BackendError(
                f"Argument `circuit` must hold only gates and measurements, but instruction "
                f"{place} is {name}."
            )
    return len(written)


def check_circuit(circuit: QuantumCircuit) -> None:
    """Refuse circuits that are not "gates, then one measurement of every bit".

    Raises:
        BackendError: as :func:`check_measures_last`; no measurement, or a bit never written.
    """
    written = check_measures_last(circuit)
    if not written or written != circuit.num_clbits:
        raise BackendError(
            f"Argument `circuit` must measure into each of its {circuit.num_clbits} classical "
            f"bits once, but makes {written} measurements."
        )


def measured_qubits(circuit: QuantumCircuit) -> tuple[int, ...]:
    """Circuit qubit of each measured wire, most significant first."""
    of_bit = {
        circuit.find_bit(item.clbits[0]).index: circuit.find_bit(item.qubits[0]).index
        for item in circuit.get_instructions("measure")
    }
    if len(of_bit) < circuit.num_clbits:  # some are measured in blocks of a dynamic circuit
        of_bit |= {bit: qubit for bit, qubit in written_by(circuit).items() if bit not in of_bit}
    return tuple(of_bit[bit] for bit in sorted(of_bit, reverse=True))


def sample(
    probabilities: NDArray[np.float64], shots: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Multinomial counts ``(B, D)`` of exact distributions ``(B, D)``."""
    # numpy refuses rows whose sum passes 1 by rounding; the last class absorbs what is missing.
    p = probabilities.clip(0.0, None)
    return generator.multinomial(shots, p / p.sum(axis=1, keepdims=True)).astype(np.int64)
