"""The circuit of one atom: exact expectation values in torch, and the same circuit in Qiskit.

On ``n`` wires with ``L`` blocks::

    RY(a0) | [ RZ(a1)  RZZ chain  RY(a2) ]  x L ,   read Z_w and Z_w Z_w+1

The RY depend on the atom's environment, the RZZ only on its species, the RZ on either. A row of
angles holds what depends on the environment first: ``n`` of the first RY; for every block ``n`` of
RZ, if they do, and ``n`` of RY. Then for every block ``n`` of RZ, if they do not; for every block
``n - 1`` of RZZ. Wire ``w`` of ``n`` is Qiskit's qubit ``n - 1 - w``, wire 0 the most significant.
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
        free_phases: the RZ depend on the environment too, else only on the species.
    """

    wires: int
    blocks: int
    entangled: bool = True
    free_phases: bool = True

    @property
    def _per_block(self) -> int:
        """Rotations of a wire in a block that depend on the environment."""
        return 2 if self.free_phases else 1

    @property
    def data_angles(self) -> int:
        """Angles that depend on the environment."""
        return self.wires * (1 + self._per_block * self.blocks)

    @property
    def phases(self) -> int:
        """Angles of RZ that do not depend on the environment."""
        return 0 if self.free_phases else self.wires * self.blocks

    @property
    def angles(self) -> int:
        """All, in a row."""
        return self.data_angles + self.phases + self.couplings

    def places(self, block: int) -> tuple[slice, slice, slice]:
        """Where a block's RZ, RY and RZZ stand in a row."""
        n = self.wires
        phase = n * (1 + 2 * block) if self.free_phases else self.data_angles + n * block
        turn = n * self._per_block * (block + 1)
        coupling = self.data_angles + self.phases + (n - 1) * block
        return (slice(phase, phase + n), slice(turn, turn + n), slice(coupling, coupling + n - 1))

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
            angles: ``(B, angles)``, radians; differentiable, repeatedly.
        """
        n, half = self.wires, self.wires // 2
        signs = torch.from_numpy(self.signs).to(angles)
        shape = (len(angles), 2**half, 2 ** (n - half))
        real = _product_state(angles[:, :n]).view(shape)
        state: Tensor | None = None  # real and imaginary parts (B, 2**half, 2, 2**(n - half))
        for block in range(self.blocks):
            phase, turn, coupling = self.places(block)
            diagonal = angles[:, phase] @ signs[:, :n].T
            if self.entangled:
                diagonal = diagonal + angles[:, coupling] @ signs[:, n:].T
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
            turns = angles[:, turn]
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
        free = ParameterVector("a", self.angles)
        circuit = QuantumCircuit(n, name="atom")
        for wire in range(n):
            circuit.ry(free[wire], n - 1 - wire)
        for block in range(self.blocks):
            phase, turn, coupling = (free[place] for place in self.places(block))
            for wire in range(n):
                circuit.rz(phase[wire], n - 1 - wire)
            if self.entangled:
                for parity in (0, 1):  # neighbours of one colour at a time: depth 2
                    for wire in range(parity, n - 1, 2):
                        circuit.rzz(coupling[wire], n - 1 - wire, n - 2 - wire)
            for wire in range(n):
                circuit.ry(turn[wire], n - 1 - wire)
        return circuit

    def workload(self, angles: FloatArray, names: tuple[str, ...]) -> Workload:
        """The circuit and rows of angles, as devices take them.

        Args:
            angles: ``(B, angles)``, radians.
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
