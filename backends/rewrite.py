"""A compiled circuit with its two-qubit gates replaced or angles fixed, on the same qubits.

Error mitigation runs variants of one compiled circuit: folded, twirled, with errors inserted. They
must keep its place, every two-qubit gate they were given, and the delays that the circuit asks for.
Transpiling them again would not: Qiskit cancels a gate and its inverse from optimisation level 1
on, and with them the folds. Only the scheduler's waits are dropped, and made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Instruction
from qiskit.transpiler import PassManager
from qiskit.transpiler.passes import Optimize1qGatesDecomposition

from backends.base import BackendError, CompiledTemplate
from backends.delays import is_wait, without_waits
from backends.figures import size_of
from backends.native.fold import fold_rzz_angles
from backends.native.prediction import predict
from backends.native.routing import target_of
from backends.native.rows import device_part, example_row, is_native
from backends.native.schedule import schedule_alap
from backends.native.target import to_target
from backends.native.writing import writes_rows

Pair = tuple[int, int]
Placed = tuple[Instruction, tuple[int, ...]]
"""A gate and the circuit qubits it acts on."""
Edit = Callable[[int, Instruction, Pair], Sequence[Placed]]
"""From a two-qubit gate (its number in the circuit, itself, its qubits) to what replaces it."""

_IDEAL = ("rx", "ry", "rz", "cz")


def two_qubit_gates(compiled: CompiledTemplate) -> list[tuple[Instruction, Pair]]:
    """Two-qubit gates of a template in circuit order, each with its circuit qubits."""
    index = {qubit: i for i, qubit in enumerate(compiled.circuit.qubits)}
    return [
        (item.operation, (index[item.qubits[0]], index[item.qubits[1]]))
        for item in compiled.circuit.data
        if _entangles(item.operation)
    ]


def rewritten(compiled: CompiledTemplate, edit: Edit) -> CompiledTemplate:
    """Replace every two-qubit gate, merge one-qubit gates, and schedule again if it was scheduled.

    Two-qubit gates are neither added, removed, moved nor cancelled beyond what ``edit`` says.

    Args:
        compiled: native or canonical template.
        edit: gives the replacement, on the circuit's qubits; native two-qubit gates in directions
            that exist, one-qubit gates of any kind.

    Returns:
        The variant; parameters, measured qubits, places and seed are those of ``compiled``.
    """
    index = {qubit: i for i, qubit in enumerate(compiled.circuit.qubits)}
    edited = compiled.circuit.copy_empty_like()
    number = 0
    for item in compiled.circuit.data:
        if is_wait(item.operation):
            continue
        if not _entangles(item.operation):
            edited.append(item)
            continue
        pair = (index[item.qubits[0]], index[item.qubits[1]])
        for operation, qubits in edit(number, item.operation, pair):
            edited.append(operation, list(qubits))
        number += 1
    return _finished(compiled, edited)


def fixed(compiled: CompiledTemplate, values: Mapping[str, float]) -> CompiledTemplate:
    """Fix some of the free angles, merge one-qubit gates, and schedule again if it was scheduled.

    Args:
        compiled: native or canonical template.
        values: radians by parameter name; a name the compiler has dropped changes nothing.

    Returns:
        The variant, without those columns; otherwise as :func:`rewritten`.

    Raises:
        ValueError: a name that is no parameter.
    """
    unknown = sorted(set(values) - set(compiled.parameter_names))
    if unknown:
        raise ValueError(f"Argument `values` must name parameters, but has {', '.join(unknown)}")
    here = {p: values[p.name] for p in compiled.circuit.parameters if p.name in values}
    bound = compiled.circuit.assign_parameters(here)
    names = tuple(name for name in compiled.parameter_names if name not in values)
    return _finished(replace(compiled, circuit=bound, parameter_names=names), without_waits(bound))


def replaced(compiled: CompiledTemplate, circuit: QuantumCircuit) -> CompiledTemplate:
    """Another circuit in the place of a compiled one, gate by gate.

    Every gate is written in the device's own by itself: nothing is merged or cancelled with its
    neighbours, so that what another library folded or inserted is really run. Where native gates
    are written row by row, the template stays in canonical gates with a barrier behind each, which
    the writing of a row emits its pulses at; only rotations about z, no pulses there, move on.

    Args:
        compiled: any template; its qubits are taken.
        circuit: gates and final measurements on as many qubits, the same one by one; parameters may
            be free, and become the columns.

    Raises:
        BackendError: another number of qubits.
    """
    if circuit.num_qubits != compiled.circuit.num_qubits:
        raise BackendError(
            f"Argument `circuit` must have {compiled.circuit.num_qubits} qubits, as what it "
            f"replaces, but has {circuit.num_qubits}."
        )
    part = device_part(compiled)
    stay = list(range(circuit.num_qubits))
    options = {"seed_transpiler": compiled.seed, "optimization_level": 1}
    if part is None:
        gates = sorted({*_IDEAL, *compiled.circuit.count_ops()} - {"measure", "barrier"})
        native = transpile(apart(circuit), basis_gates=gates, **options)
    elif compiled.snapshot is not None and writes_rows(compiled.snapshot):
        places = compiled.physical_qubits
        target = target_of(compiled.snapshot, places, canonical=True, fractional=False)
        native = transpile(apart(circuit), target=target, initial_layout=stay, **options)
    else:
        optional = set(part.optional_gates)
        fractional = any(item.operation.name in optional for item in compiled.circuit.data)
        target = to_target(part, fractional=fractional)
        native = transpile(apart(circuit), target=target, initial_layout=stay, **options)
    names = tuple(p.name for p in circuit.parameters)
    base = replace(compiled, parameter_names=names, n_measured=circuit.num_clbits)
    return _finished(base, native)


def apart(circuit: QuantumCircuit) -> QuantumCircuit:
    """With a barrier after every gate, on its qubits."""
    out = circuit.copy_empty_like()
    for item in circuit.data:
        out.append(item)
        if item.operation.name not in ("measure", "barrier"):
            out.barrier(item.qubits)
    return out


def _entangles(operation: Instruction) -> bool:
    return bool(operation.num_qubits == 2 and operation.name != "barrier")


def _finished(compiled: CompiledTemplate, edited: QuantumCircuit) -> CompiledTemplate:
    part = device_part(compiled)
    if part is None:
        return replace(compiled, circuit=edited, **size_of(edited))
    if is_native(compiled, part):
        optional = set(part.optional_gates)
        fractional = any(item.operation.name in optional for item in edited.data)
        target = to_target(part, fractional=fractional)
        merge = PassManager([Optimize1qGatesDecomposition(target=target)])
        kept = native = merge.run(fold_rzz_angles(edited, part))
        if compiled.scheduled:
            kept = schedule_alap(native, part).circuit
    else:
        kept = edited
        native = example_row(replace(compiled, circuit=edited))
    prediction = predict(native, part, tuple(range(part.n_qubits)))
    return replace(
        compiled,
        circuit=kept,
        **size_of(native),
        duration_s=prediction.duration_s,
        predicted_success=prediction.layout.success,
    )
