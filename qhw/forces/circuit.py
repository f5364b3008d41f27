"""The circuit of one atom: exact expectation values in torch, and the same circuit in Qiskit.

On ``n`` wires with ``L`` blocks::

    RY(a0) | [ RZ(a1)  RZZ chain  RY(a2) ]  x L ,   read Z_w and Z_w Z_w+1

A row of angles holds, in this order, ``n`` of the first RY; for every block ``n`` of RZ and ``n``
of RY; for every block ``n - 1`` of RZZ. The former depend on the atom's environment, the RZZ only
on its species. Wire ``w`` of ``n`` is Qiskit's qubit ``n - 1 - w``, wire 0 the most significant.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from torch import Tensor

from qhw.chem.geometries import FloatArray
from qhw.circuits.workload import Workload


@dataclass(frozen=True)
class AtomCircuit:
    """Shape of the circuit.

    Attributes:
        wires: n.
        blocks: L.
        entangled: with RZZ; without, it is a product of one-qubit circuits.
    """

    wires: int
    blocks: int
    entangled: bool = True

    @property
    def data_angles(self) -> int:
        """Angles that depend on the environment."""
        return self.wires * (1 + 2 * self.blocks)

    @property
    def couplings(self) -> int:
        """Angles of RZZ."""
        return (self.wires - 1) * self.blocks if self.entangled else 0

    @property
    def reads(self) -> int:
        """Expectation values read: every Z_w, then every Z_w Z_w+1."""
        return 2 * self.wires - 1

    @cached_property
    def signs(self) -> NDArray[np.float64]:
        """Eigenvalues of the observables, ``(2**n, reads)``, rows by amplitude index."""
        index = np.arange(2**self.wires)[:, None]
        z = 1.0 - 2.0 * (index >> np.arange(self.wires)[::-1] & 1)
        return np.concatenate([z, z[:, :-1] * z[:, 1:]], axis=1)

    @property
    def observables(self) -> tuple[str, ...]:
        """Pauli strings of what is read, wire 0 leftmost."""
        places = [{w} for w in range(self.wires)] + [{w, w + 1} for w in range(self.wires - 1)]
        return tuple("".join("Z" if w in p else "I" for w in range(self.wires)) for p in places)

    def probabilities(self, angles: Tensor) -> Tensor:
        """Exact distribution over amplitude indices, ``(B, 2**n)``.

        Args:
            angles: ``(B, data_angles + couplings)``, radians; differentiable, repeatedly.
        """
        n, half = self.wires, self.wires // 2
        signs = torch.from_numpy(self.signs).to(angles)
        real = _product_state(angles[:, :n])
        imaginary: Tensor | None = None
        for block in range(self.blocks):
            start = n * (1 + 2 * block)
            diagonal = angles[:, start : start + n] @ signs[:, :n].T
            if self.entangled:
                first = self.data_angles + (n - 1) * block
                diagonal = diagonal + angles[:, first : first + n - 1] @ signs[:, n:].T
            cosine, sine = torch.cos(0.5 * diagonal), -torch.sin(0.5 * diagonal)
            if imaginary is None:
                real, imaginary = real * cosine, real * sine
            else:
                real, imaginary = (
                    real * cosine - imaginary * sine,
                    real * sine + imaginary * cosine,
                )
            turns = angles[:, start + n : start + 2 * n]
            left, right = _rotations(turns[:, :half]), _rotations(turns[:, half:])
            both = torch.stack([real, imaginary], 1)
            both = both.view(len(angles), 2, 2**half, 2 ** (n - half))
            both = left[:, None] @ both @ right[:, None].transpose(-1, -2)
            real, imaginary = both.flatten(2).unbind(1)
        found = real.square()
        return found if imaginary is None else found + imaginary.square()

    def expectations(self, angles: Tensor) -> Tensor:
        """Exact values of :attr:`observables`, ``(B, reads)``."""
        return self.probabilities(angles) @ torch.from_numpy(self.signs).to(angles)

    def circuit(self) -> QuantumCircuit:
        """The circuit with free parameters ``a[0..]`` in the order of a row of angles."""
        n = self.wires
        free = ParameterVector("a", self.data_angles + self.couplings)
        circuit = QuantumCircuit(n, name="atom")
        for wire in range(n):
            circuit.ry(free[wire], n - 1 - wire)
        for block in range(self.blocks):
            start = n * (1 + 2 * block)
            for wire in range(n):
                circuit.rz(free[start + wire], n - 1 - wire)
            if self.entangled:
                first = self.data_angles + (n - 1) * block
                for parity in (0, 1):  # neighbours of one colour at a time: depth 2
                    for wire in range(parity, n - 1, 2):
                        circuit.rzz(free[first + wire], n - 1 - wire, n - 2 - wire)
            for wire in range(n):
                circuit.ry(free[start + n + wire], n - 1 - wire)
        return circuit

    def workload(self, angles: FloatArray, names: tuple[str, ...]) -> Workload:
        """The circuit and rows of angles, as devices take them.

        Args:
            angles: ``(B, data_angles + couplings)``, radians.
            names: of the rows.
        """
        circuit = self.circuit()
        columns = [f"a[{i}]" for i in range(angles.shape[1])]
        rows = {"row": list(names), **dict(zip(columns, angles.T, strict=True))}
        return Workload.of(circuit, rows, name="atom")


def _product_state(angles: Tensor) -> Tensor:
    """``(B, 2**k)``: RY of k wires on zeros, the first wire most significant."""
    pairs = torch.stack([torch.cos(0.5 * angles), torch.sin(0.5 * angles)], dim=-1)
    state = pairs[:, 0]
    for wire in range(1, pairs.shape[1]):
        state = (state[:, :, None] * pairs[:, wire, None, :]).flatten(1)
    return state


def _rotations(angles: Tensor) -> Tensor:
    """``(B, 2**k, 2**k)``: RY on each of k wires, the first most significant."""
    cosine, sine = torch.cos(0.5 * angles), torch.sin(0.5 * angles)
    turns = torch.stack([cosine, -sine, sine, cosine], dim=-1).view(*angles.shape, 2, 2)
    found: Tensor = turns[:, 0]
    for wire in range(1, turns.shape[1]):
        found = torch.einsum("bij,bkl->bikjl", found, turns[:, wire]).flatten(3, 4).flatten(1, 2)
    return found
