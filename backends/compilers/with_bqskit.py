"""BQSKit: synthesis of blocks, placement and routing; minutes where others take seconds.

Source: E. Younis et al., "Berkeley Quantum Synthesis Toolkit", 2021.
"""

from __future__ import annotations

from bqskit import MachineModel, compile
from bqskit.ir.gates import CNOTGate, U3Gate
from bqskit.ir.lang.qasm2 import OPENQASM2Language
from qiskit import QuantumCircuit, qasm2

from backends.base import BackendError
from backends.compilers.exchange import gates_alone, measured_again
from backends.compilers.registry import in_native_gates
from backends.native.regions import regions
from backends.native.routing import Routed
from calibration.snapshot import DeviceSnapshot


def routed(circuit: QuantumCircuit, snapshot: DeviceSnapshot, level: int, seed: int) -> Routed:
    """The circuit in native gates, in the region of highest success of as many qubits as it has.

    Raises:
        BackendError: it has delays, or no region is large enough.
    """
    place = next(iter(regions(snapshot, circuit.num_qubits)), None)
    if place is None:
        raise BackendError(f"Argument `circuit` must fit a connected part of {snapshot.name}.")
    index = {q: i for i, q in enumerate(place)}
    couplings = [
        (index[a], index[b]) for a, b in snapshot.usable_couplings if a in index and b in index
    ]
    model = MachineModel(len(place), couplings, {CNOTGate(), U3Gate()})
    language = OPENQASM2Language()
    given = language.decode(gates_alone(circuit))
    made, start, end = compile(
        given, model, optimization_level=max(1, level), seed=seed, with_mapping=True
    )
    small = qasm2.loads(language.encode(made))
    wide = QuantumCircuit(snapshot.n_qubits)
    wide.compose(small, qubits=list(place), inplace=True)
    back = measured_again(wide, circuit, [place[q] for q in start], [place[q] for q in end])
    return in_native_gates(back, snapshot, seed)
