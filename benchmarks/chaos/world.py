"""What a schedule needs from a vendor under test: a client, a plan of faults, and the books."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

from backends.vendor import Submission, VendorBackend
from benchmarks.chaos.local import ASK_FAULTS, FETCH_FAULTS, SUBMIT_FAULTS, LocalVendor
from benchmarks.vendor_process import Billed
from qhw.jobs.config import Patience


class World(Protocol):
    """A vendor with faults. Made in the parent; its clients are made in forked children."""

    patience: Patience

    def client(self) -> VendorBackend:
        """A fresh client of the vendor."""

    def submission(self, rows: int, shots: int) -> Submission:
        """Something to run."""

    def arrange(self, rng: np.random.Generator) -> None:
        """Plan faults for the next calls."""

    def calm(self) -> None:
        """No more faults."""

    def account(self) -> tuple[Billed, ...]:
        """Everything the vendor accepted."""

    def secrets(self) -> tuple[str, ...]:
        """What clients log in with."""

    def close(self) -> None:
        """Stop."""


def two_qubit_circuit() -> QuantumCircuit:
    """Two rotations and a CX, not symmetric in its qubits."""
    circuit = QuantumCircuit(QuantumRegister(2, "q"), ClassicalRegister(2, "c"))
    circuit.ry(Parameter("a"), 1)
    circuit.ry(Parameter("b"), 0)
    circuit.cx(1, 0)
    circuit.measure([0, 1], [0, 1])
    return circuit


class LocalWorld:
    """The vendor in a file; every call may fail or kill the client."""

    patience = Patience(visibility_s=0.05, lease_s=30.0, attempts=6, backoff_s=0.005)

    def __init__(self, folder: Path, *, hostile: bool) -> None:
        del hostile  # a file has no wire on which a lie could come
        self._vendor = LocalVendor(folder / "vendor.db")
        self._compiled = self._vendor.compile(two_qubit_circuit())

    def client(self) -> VendorBackend:
        return self._vendor

    def submission(self, rows: int, shots: int) -> Submission:
        angles = np.random.default_rng(rows).uniform(0, 3, (rows, 2))
        return Submission(self._compiled, angles, shots)

    def arrange(self, rng: np.random.Generator) -> None:
        for number in range(4):
            if rng.random() < 0.6:
                self._vendor.plan("submit", number, str(rng.choice(SUBMIT_FAULTS)))
        for operation in ("find", "status", "cancel", "usage"):
            for number in range(5):
                if rng.random() < 0.25:
                    self._vendor.plan(operation, number, str(rng.choice(ASK_FAULTS)))
        for number in range(4):
            if rng.random() < 0.4:
                self._vendor.plan("fetch", number, str(rng.choice(FETCH_FAULTS)))

    def calm(self) -> None:
        self._vendor.calm()

    def account(self) -> tuple[Billed, ...]:
        return tuple(
            Billed(t.id, t.key, t.state, t.billed_micro, self._vendor.true_counts(t.id))
            for t in self._vendor.tasks()
        )

    def secrets(self) -> tuple[str, ...]:
        return ()  # a file asks for no login

    def close(self) -> None:
        """Nothing runs."""
