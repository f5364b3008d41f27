"""pytket: its peephole optimisation, placement and routing.

Source: A. Cowtan et al., "On the qubit routing problem", TQC 2019; pytket's own documentation.
"""

from __future__ import annotations

import math

from pytket import OpType
from pytket.architecture import Architecture
from pytket.passes import (
    AutoRebase,
    CXMappingPass,
    DecomposeBoxes,
    FullPeepholeOptimise,
    RemoveRedundancies,
    SequencePass,
    SynthesiseTket,
)
from pytket.placement import GraphPlacement
from pytket.predicates import CompilationUnit
from pytket.qasm import circuit_from_qasm_str
from qiskit import QuantumCircuit

from backends.compilers.exchange import gates_alone, measured_again
from backends.native.routing import Routed, region_of
from calibration.snapshot import DeviceSnapshot


def routed(circuit: QuantumCircuit, snapshot: DeviceSnapshot, level: int, seed: int) -> Routed:
    """The circuit in gates of its own; level 0 places and routes alone.

    Raises:
        BackendError: it has delays, or does not fit.
    """
    del seed  # it draws nothing
    given = circuit_from_qasm_str(gates_alone(circuit))
    qubits = set(region_of(snapshot).qubits)
    pairs = [pair for pair in snapshot.usable_couplings if qubits.issuperset(pair)]
    chip = Architecture(pairs)
    steps = [DecomposeBoxes()]
    if level:
        steps += [FullPeepholeOptimise()]
    steps += [CXMappingPass(chip, GraphPlacement(chip), directed_cx=False, delay_measures=False)]
    if level:
        steps += [SynthesiseTket(), RemoveRedundancies()]
    unit = CompilationUnit(given)
    SequencePass([*steps, AutoRebase({OpType.CX, OpType.Rz, OpType.Rx})]).apply(unit)
    first = {str(q): node.index[0] for q, node in unit.initial_map.items()}
    last = {str(q): node.index[0] for q, node in unit.final_map.items()}
    names = [f"q[{i}]" for i in range(circuit.num_qubits)]
    wide = QuantumCircuit(snapshot.n_qubits)
    for command in unit.circuit.get_commands():
        places = [qubit.index[0] for qubit in command.qubits]
        name = command.op.type.name.lower()
        # pytket counts angles in half turns
        getattr(wide, name)(*(math.pi * float(p) for p in command.op.params), *places)
    return measured_again(
        wide, circuit, [first[name] for name in names], [last[name] for name in names]
    )
