"""BQSKit: synthesis of blocks, placement and routing; minutes where others take seconds.

Source: E. Younis et al., "Berkeley Quantum Synthesis Toolkit", 2021.
"""

from __future__ import annotations

import fcntl
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bqskit import MachineModel, compile
from bqskit.ir.gates import CNOTGate, U3Gate
from bqskit.ir.lang.qasm2 import OPENQASM2Language
from qiskit import QuantumCircuit, qasm2

from backends.base import BackendError
from backends.compilers.exchange import gates_alone, measured_again
from backends.native.regions import regions
from backends.native.routing import Routed
from calibration.snapshot import DeviceSnapshot


def routed(circuit: QuantumCircuit, snapshot: DeviceSnapshot, level: int, seed: int) -> Routed:
    """The circuit in its own gates, in the region of highest success of as many qubits.

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
    with _alone(), warnings.catch_warnings(action="ignore"):  # of fits through two points
        made, start, end = compile(
            given,
            model,
            optimization_level=max(1, level),
            seed=seed,
            with_mapping=True,
            num_workers=1,  # whoever calls has processes of its own
        )
    small = qasm2.loads(language.encode(made))
    wide = QuantumCircuit(snapshot.n_qubits)
    wide.compose(small, qubits=list(place), inplace=True)
    return measured_again(wide, circuit, [place[q] for q in start], [place[q] for q in end])


@contextmanager
def _alone() -> Iterator[None]:
    """One at a time on a machine: BQSKit's processes all meet at one port, which is its choice."""
    with (Path(tempfile.gettempdir()) / "qhw-bqskit.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
