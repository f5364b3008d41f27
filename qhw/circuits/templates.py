"""Measured Qiskit templates of circuit plans, and the data angles that fill them.

Wire ``w`` of ``n`` is Qiskit qubit ``n - 1 - w``. Measured wires go to one classical register,
first measured wire to the most significant bit, so a Qiskit bitstring read as an integer is the
amplitude index of the measured wires.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import ParameterExpression, ParameterVector

from qhw.circuits.amplitude_prep import tree_angle_count, tree_angles, tree_circuit
from qhw.circuits.ansatz import Ansatz, brickwork_ansatz
from qhw.circuits.brickwork_prep import default_layers, fit_brickwork
from qhw.circuits.plan import CircuitPlan

FloatArray = NDArray[np.float64]
Preparation = Literal["exact", "brickwork"]
PREPARATIONS: tuple[Preparation, ...] = ("exact", "brickwork")


@dataclass(frozen=True)
class CircuitTemplate:
    """A measured circuit whose data angles are free.

    Attributes:
        circuit: its parameters are ``parameter_names``, sorted as Qiskit sorts them.
        parameter_names: columns of the angle matrix: ``d[0..]``, then ``w[0..]`` if weights are
            free.
        n_data: how many of them are data.
        measured_wires: wires measured, most significant first.
        loading: ``"exact"`` and ``"brickwork"`` load amplitudes, ``"angles"`` takes them as is.
        n_data_wires: wires the data acts on.
        prep_layers: CZ layers of a brickwork loading, 0 otherwise.
        n_conditions: how many of the data angles, the last, turn condition wires.
    """

    circuit: QuantumCircuit
    parameter_names: tuple[str, ...]
    n_data: int
    measured_wires: tuple[int, ...]
    loading: Literal["exact", "brickwork", "angles"]
    n_data_wires: int
    prep_layers: int
    n_conditions: int = 0


@dataclass(frozen=True)
class DataAngles:
    """Rotation angles of a batch and how well they load the data.

    Attributes:
        angles: ``(B, n_data)`` radians, columns ``d[0..]``.
        fidelity: ``(B,)`` squared overlap of the loaded state with the wanted one; 1 where the
            loading is exact.
    """

    angles: FloatArray
    fidelity: FloatArray


def build_template(
    plan: CircuitPlan,
    preparation: Preparation = "exact",
    *,
    weights: bool = False,
    prep_layers: int | None = None,
    name: str = "qhw",
) -> CircuitTemplate:
    """Build the circuit of a plan.

    Args:
        plan: what to load, apply and measure.
        preparation: how amplitudes are loaded; without effect when the plan loads angles.
        weights: keep the trained angles free, as parameters ``w[i]`` after the data.
        prep_layers: CZ layers of ``"brickwork"``; :func:`default_layers` by default.
        name: name of the circuit.

    Raises:
        ValueError: the plan contradicts itself, or ``preparation`` is unknown.
    """
    if preparation not in PREPARATIONS:
        raise ValueError(
            f"Argument `preparation` must be one of {', '.join(PREPARATIONS)}, "
            f"but is {preparation!r}."
        )
    _check_plan(plan)
    n, m = plan.ansatz.n_wires, len(plan.measured_wires)
    layers = 0
    circuit = QuantumCircuit(QuantumRegister(n, "q"), ClassicalRegister(m, "c"), name=name)
    turned = len(plan.condition_wires)
    if plan.loader is not None:
        data = ParameterVector("d", plan.loader.n_angles + turned)
        append_ansatz(circuit, plan.loader, data)
    elif preparation == "exact":
        count = tree_angle_count(len(plan.data_wires))
        data = ParameterVector("d", count + turned)
        tree = tree_circuit(len(plan.data_wires), list(data)[:count])
        circuit.compose(tree, [n - 1 - w for w in reversed(plan.data_wires)], inplace=True)
    else:
        width = len(plan.data_wires)
        layers = default_layers(width) if prep_layers is None else prep_layers
        brickwork = brickwork_ansatz(width, layers)
        data = ParameterVector("d", brickwork.n_angles + turned)
        append_ansatz(circuit, brickwork, data, wires=plan.data_wires)
    for place, wire in enumerate(plan.condition_wires):
        circuit.ry(data[len(data) - turned + place], n - 1 - wire)
    trained = ParameterVector("w", plan.ansatz.n_angles if weights else 0)
    append_ansatz(circuit, plan.ansatz, trained if weights else plan.weights.tolist())
    for bit, wire in enumerate(reversed(plan.measured_wires)):
        circuit.measure(n - 1 - wire, bit)
    return CircuitTemplate(
        circuit=circuit,
        parameter_names=tuple(p.name for p in (*data, *trained)),
        n_data=len(data),
        measured_wires=plan.measured_wires,
        loading="angles" if plan.loader is not None else preparation,
        n_data_wires=len(plan.data_wires),
        prep_layers=layers,
        n_conditions=turned,
    )


def data_angles(template: CircuitTemplate, inputs: ArrayLike, *, seed: int = 0) -> DataAngles:
    """Angles of the data columns for a batch.

    Args:
        template: from :func:`build_template`.
        inputs: amplitudes ``(B, 2**n_data_wires)``, real, signs and any scale allowed, index most
            significant bit = first data wire; or angles ``(B, n_data)`` when it loads angles.
        seed: of a brickwork fit; without effect otherwise.

    Raises:
        ValueError: wrong shape, values not finite, or a row that cannot be normalised.
    """
    x = np.asarray(inputs, dtype=np.float64)
    turned = template.n_conditions
    angles = template.loading == "angles"
    width = template.n_data if angles else 2**template.n_data_wires + turned
    if x.ndim != 2 or x.shape[1] != width:
        raise ValueError(f"Argument `inputs` must have shape (B, {width}), but has {x.shape}.")
    if not np.isfinite(x).all():
        raise ValueError("Argument `inputs` must be finite, but holds NaN or infinity.")
    if angles:
        return DataAngles(x, np.ones(len(x)))
    amplitudes, conditions = x[:, : width - turned], x[:, width - turned :]
    if template.loading == "brickwork":
        fit = fit_brickwork(amplitudes, template.prep_layers, seed=seed)
        return DataAngles(np.hstack([fit.angles, conditions]), fit.fidelity)
    return DataAngles(np.hstack([tree_angles(amplitudes), conditions]), np.ones(len(x)))


def append_ansatz(
    circuit: QuantumCircuit,
    ansatz: Ansatz,
    angles: Sequence[ParameterExpression | float] | ParameterVector,
    *,
    wires: Sequence[int] | None = None,
) -> None:
    """Append an ansatz to a circuit, in place.

    Args:
        circuit: wire ``w`` is its qubit ``num_qubits - 1 - w``.
        ansatz: gates to append.
        angles: ``n_angles`` numbers (radians) or parameters.
        wires: circuit wire of each ansatz wire; the same number by default.
    """
    place = range(ansatz.n_wires) if wires is None else wires
    for op in ansatz.ops:
        qubits = [circuit.num_qubits - 1 - place[w] for w in op.wires]
        # Operation names are Qiskit's own method names: rz, ry, crx, cz.
        gate = getattr(circuit, op.name)
        gate(*qubits) if op.angle is None else gate(angles[op.angle], *qubits)


def _check_plan(plan: CircuitPlan) -> None:
    n = plan.ansatz.n_wires
    if plan.weights.shape != (plan.ansatz.n_angles,) or not np.isfinite(plan.weights).all():
        raise ValueError(
            f"Argument `plan` must have {plan.ansatz.n_angles} finite weights, "
            f"but has shape {plan.weights.shape} or a value that is not finite."
        )
    for field, wires in (
        ("data_wires and condition_wires", (*plan.data_wires, *plan.condition_wires)),
        ("measured_wires", plan.measured_wires),
    ):
        if not wires or len(set(wires)) != len(wires) or not set(wires) <= set(range(n)):
            raise ValueError(
                f"Argument `plan` must have distinct {field} below {n}, but has {wires}."
            )
    if (plan.preparation == "angles") != (plan.loader is not None):
        raise ValueError(
            f"Argument `plan` must have a loader if and only if its preparation is 'angles', "
            f"but has {plan.preparation!r} with loader {plan.loader is not None}."
        )
    if plan.loader is not None and plan.loader.n_wires != n:
        raise ValueError(
            f"Argument `plan` must have a loader on {n} wires, but it has {plan.loader.n_wires}."
        )
