"""The circuit of one atom: exact expectation values in torch, and the same circuit in Qiskit.

On ``n`` wires with ``L`` blocks::

    RY(a0) | [ RZ(a1)  RZZ chain  RY(a2) ]  x L ,   read Z_w and Z_w Z_w+1

A row of angles holds, in this order, ``n`` of the first RY; for every block ``n`` of RZ and ``n``
of RY; for every block ``n - 1`` of RZZ. The former depend on the atom's environment, the RZZ only
on its species. Wire ``w`` of ``n`` is Qiskit's qubit ``n - 1 - w``, wire 0 the most significant.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

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
        shape = (len(angles), 2**half, 2 ** (n - half))
        real = _product_state(angles[:, :n]).view(shape)
        state: Tensor | None = None  # real and imaginary parts (B, 2**half, 2, 2**(n - half))
        for block in range(self.blocks):
            start = n * (1 + 2 * block)
            diagonal = angles[:, start : start + n] @ signs[:, :n].T
            if self.entangled:
                first = self.data_angles + (n - 1) * block
                diagonal = diagonal + angles[:, first : first + n - 1] @ signs[:, n:].T
            diagonal = 0.5 * diagonal.view(shape)
            cosine, sine = torch.cos(diagonal), -torch.sin(diagonal)
            if state is None:
                parts = [real * cosine, real * sine]
            else:
                real, imaginary = state.unbind(2)
                parts = [
                    real * cosine - imaginary * sine,
                    real * sine + imaginary * cosine,
                ]
            turns = angles[:, start + n : start + 2 * n]
            left, right = _rotations(turns[:, :half]), _rotations(turns[:, half:])
            both = left @ torch.stack(parts, 2).flatten(2)
            both = both.view(len(angles), -1, shape[2]) @ right.transpose(1, 2)
            state = both.view(len(angles), shape[1], 2, shape[2])
        assert state is not None  # one block at least
        return state.square().sum(2).flatten(1)

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
    size = 2 ** angles.shape[1]
    return (_product_state(angles) @ _places(size).to(angles)).view(-1, size, size)


@cache
def _places(size: int) -> Tensor:
    """Where RY's products of cosines (0) and sines (1) stand in its matrix, ``(2**k, 4**k)``.

    Entry ``(i, j)`` has a sine for every bit in which they differ, negative where ``i`` has 0.
    """
    row, column = np.divmod(np.arange(size**2), size)
    negative = np.array([int(x).bit_count() % 2 for x in ~row & column])
    return torch.from_numpy((np.arange(size)[:, None] == row ^ column) * (1.0 - 2.0 * negative))
