"""Circuits of spins that turn with the molecule: singlets, rotations by vectors, exchange.

On ``n`` wires, n even, with ``D`` layers::

    singlets on pairs | rotations | [ exchange on every bond | rotations ] x D

A rotation turns a spin about a vector ``v``: ``exp(-i v.sigma / 2)``; exchange is the Heisenberg
gate ``exp(-i w (XX + YY + ZZ))``. ``XX + YY + ZZ = 2 SWAP - 1`` on pairs is read. Singlets,
exchange and reads are unchanged by turning all spins alike, so that turning all vectors leaves
what is read as it is. All couplings with the other sign give the same values (time reversal):
zero couplings are a stationary point.

Wire ``w`` of ``n`` is Qiskit's qubit ``n - 1 - w``, wire 0 the most significant.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import pi
from typing import Literal

import numpy as np
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from torch import Tensor, nn

from qhw.chem.geometries import FloatArray

Pair = tuple[int, int]
Gates = Literal["cx", "rzz"]
_NEAR = 1e-3
"""Squared angle below which a power series stands in for sine and cosine."""


@dataclass(frozen=True)
class ExchangeCircuit:
    """Shape of the circuit.

    Attributes:
        wires: n.
        layers: D.
        singlets: pairs of wires at the start, every wire in one.
        bonds: exchange gates of a layer in their order: groups of pairs that share no wire.
        reads: pairs whose ``XX + YY + ZZ`` is read.
    """

    wires: int
    layers: int
    singlets: tuple[Pair, ...]
    bonds: tuple[tuple[Pair, ...], ...]
    reads: tuple[Pair, ...]

    @property
    def couplings(self) -> int:
        """Exchange gates of a layer."""
        return sum(len(group) for group in self.bonds)

    @property
    def observables(self) -> tuple[str, ...]:
        """Pauli strings, XX, YY and ZZ of every pair that is read, wire 0 leftmost."""
        return tuple(
            "".join(axis if wire in pair else "I" for wire in range(self.wires))
            for pair in self.reads
            for axis in "XYZ"
        )

    def states(self, spins: Tensor, couplings: Tensor) -> Tensor:
        """Final states ``(M, 2**n)`` up to a phase, by amplitude index.

        Args:
            spins: rotations ``(M, D + 1, n, 4)``, see :func:`rotations`.
            couplings: ``(M, D, couplings)``, radians.
        """
        turns = _matrices(spins)
        order = [wire for pair in self.singlets for wire in pair]
        singlet = _constant(_SINGLET, turns)
        state = turns.new_ones(len(turns), 1)
        for first, second in self.singlets:  # amplitudes of a pair as a matrix: A S B^T
            pair = turns[:, 0, first] @ singlet @ turns[:, 0, second].transpose(1, 2)
            state = (state[:, :, None] * pair.flatten(1)[:, None, :]).flatten(1)
        steps = self._steps(turns, couplings)
        for layer in range(self.layers):
            for wanted, left, right in steps:
                state = _permuted(state, order, wanted)
                order = wanted
                state = state.view(len(state), left.shape[-1], right.shape[-1])
                state = (left[:, layer] @ state @ right[:, layer].transpose(1, 2)).flatten(1)
        return _permuted(state, order, list(range(self.wires)))

    def _steps(self, turns: Tensor, couplings: Tensor) -> list[tuple[list[int], Tensor, Tensor]]:
        """For every group of bonds: order of wires, and gates on its first and second part.

        The gates are ``(M, D, s, s)``; the last group's have the layer's rotations in them.
        """
        steps = []
        first = 0
        for group in self.bonds:
            waves = couplings[:, :, first : first + len(group)]
            first += len(group)
            idle = [wire for wire in range(self.wires) if all(wire not in pair for pair in group)]
            pairs = [*group, *zip(idle[::2], idle[1::2], strict=True)]
            angle = nn.functional.pad(2 * waves, (0, len(pairs) - len(group)))[..., None, None]
            same, swap = _constant(np.eye(4), turns), _constant(_SWAP, turns)
            gates = torch.cos(angle) * same - 1j * torch.sin(angle) * swap
            if group is self.bonds[-1]:
                firsts, seconds = ([pair[k] for pair in pairs] for k in (0, 1))
                gates = _kron(turns[:, 1:, firsts], turns[:, 1:, seconds]) @ gates
            half = len(pairs) // 2
            halves = (_product(gates[:, :, :half]), _product(gates[:, :, half:]))
            steps.append(([wire for pair in pairs for wire in pair], *halves))
        return steps

    def expectations(self, spins: Tensor, couplings: Tensor) -> Tensor:
        """Exact ``XX + YY + ZZ`` of every pair that is read, ``(M, reads)``, from -3 to 1.

        Args:
            spins: rotations ``(M, D + 1, n, 4)``, see :func:`rotations`.
            couplings: ``(M, D, couplings)``, radians.
        """
        return self.read(self.states(spins, couplings))

    def read(self, states: Tensor) -> Tensor:
        """``XX + YY + ZZ`` of every pair that is read, ``(M, reads)``, of states ``(M, 2**n)``."""
        state = torch.view_as_real(states)
        swapped = state[:, self._swaps]  # (M, reads, 2**n, 2)
        found: Tensor = 2 * (swapped * state[:, None]).sum(dim=(2, 3)) - 1
        return found

    def variance(self, states: Tensor, weights: Tensor) -> Tensor:
        """Variance of ``sum_p weights[p] (XX + YY + ZZ)_p`` at one shot of each axis, ``(M,)``.

        Args:
            states: ``(M, 2**n)``.
            weights: ``(M, reads)``.
        """
        values = weights @ torch.from_numpy(self._signs).to(weights).T
        found = torch.zeros_like(weights[:, 0])
        for turn in _TO_Z:
            gate = _constant(turn, states)
            turned = states
            for _ in range(self.wires):  # the first wire goes last, n times: all are turned
                turned = (gate @ turned.view(len(turned), 2, -1)).transpose(1, 2).flatten(1)
            chance = turned.abs().square()
            mean = (chance * values).sum(dim=1)
            found = found + (chance * values.square()).sum(dim=1) - mean.square()
        return found

    @cached_property
    def _swaps(self) -> Tensor:
        """Amplitude indices with the bits of a read pair exchanged, ``(reads, 2**n)``."""
        index = np.arange(2**self.wires).reshape((2,) * self.wires)
        rows = [np.swapaxes(index, *pair).ravel() for pair in self.reads]
        return torch.from_numpy(np.stack(rows))

    @cached_property
    def _signs(self) -> FloatArray:
        """Eigenvalues of ``ZZ`` of the read pairs, ``(2**n, reads)``."""
        index = np.arange(2**self.wires)[:, None]
        bits = 1.0 - 2.0 * (index >> np.arange(self.wires)[::-1] & 1)
        found: FloatArray = np.stack([bits[:, p] * bits[:, q] for p, q in self.reads], axis=1)
        return found

    def circuit(self, gates: Gates = "cx", name: str = "a") -> QuantumCircuit:
        """The circuit with free parameters ``name[0..]`` in the order of :meth:`angles`.

        Args:
            gates: exchange as three ``cx`` (their number is the least there is for any angle),
                or as three ``rzz`` of its own angle, for devices that have such gates.
            name: of the parameters.
        """
        n = self.wires
        turns, bonds = 3 * n * (self.layers + 1), self.couplings
        free = ParameterVector(name, turns + self.layers * bonds)
        circuit = QuantumCircuit(n, name="spins")
        for first, second in self.singlets:
            a, b = n - 1 - first, n - 1 - second
            circuit.x([a, b])
            circuit.h(a)
            circuit.cx(a, b)
        for layer in range(self.layers + 1):
            if layer:
                number = turns + (layer - 1) * bonds
                for group in self.bonds:
                    for first, second in group:
                        _add_exchange(circuit, free[number], n - 1 - first, n - 1 - second, gates)
                        number += 1
            for wire in range(n):
                z0, y, z1 = (free[3 * (layer * n + wire) + k] for k in range(3))
                circuit.rz(z0, n - 1 - wire)
                circuit.ry(y, n - 1 - wire)
                circuit.rz(z1, n - 1 - wire)
        return circuit

    def angles(self, spins: Tensor, couplings: Tensor) -> FloatArray:
        """Rows of angles of :meth:`circuit`, ``(M, P)`` radians.

        For every layer of rotations and wire those of RZ, RY, RZ; then the couplings.
        """
        c, x, y, z = spins.detach().double().unbind(-1)
        total, off = torch.atan2(z, c), torch.atan2(-x, y)  # halves of the sum and difference
        middle = 2 * torch.atan2(torch.hypot(x, y), torch.hypot(c, z))
        turns = torch.stack([total - off, middle, total + off], dim=-1).flatten(1)
        found: FloatArray = torch.cat([turns, couplings.detach().double().flatten(1)], 1).numpy()
        return found


def rotations(vectors: Tensor) -> Tensor:
    """``exp(-i v.sigma / 2) = c - i (x, y, z).sigma`` as ``(..., 4)``: c, x, y, z.

    Args:
        vectors: ``(..., 3)``, radians; differentiable everywhere, also at zero.
    """
    square = vectors.square().sum(dim=-1, keepdim=True)
    small = square < _NEAR
    angle = torch.where(small, torch.ones_like(square), square).sqrt()
    cosine = torch.where(small, _series(square, 0), torch.cos(0.5 * angle))
    share = torch.where(small, 0.5 * _series(square, 1), torch.sin(0.5 * angle) / angle)
    return torch.cat([cosine, share * vectors], dim=-1)


def _series(square: Tensor, first: int) -> Tensor:
    """``cos(sqrt(x) / 2)``, or ``sin(sqrt(x) / 2) / (sqrt(x) / 2)`` for ``first`` 1, at small x."""
    term = found = torch.ones_like(square)
    for k in (1, 2, 3, 4):
        term = -term * square / (4 * (2 * k - 1 + first) * (2 * k + first))
        found = found + term
    return found


def after(second: Tensor, first: Tensor) -> Tensor:
    """Rotation ``first``, then ``second``: ``(..., 4)``."""
    c, v = second[..., :1], second[..., 1:]
    d, u = first[..., :1], first[..., 1:]
    cosine = c * d - (v * u).sum(dim=-1, keepdim=True)
    return torch.cat([cosine, c * u + d * v + torch.linalg.cross(v, u)], dim=-1)


_SINGLET = np.array([[0, 1], [-1, 0]]) / np.sqrt(2)
_SWAP = np.eye(4)[[0, 2, 1, 3]]
_TO_Z = tuple(
    np.array(rows) / scale
    for rows, scale in (
        ([[1, 1], [1, -1]], np.sqrt(2)),
        ([[1, -1j], [1, 1j]], np.sqrt(2)),
        ([[1, 0], [0, 1]], 1.0),
    )
)
"""Gates that turn the eigenvectors of X, Y and Z into those of Z."""


def _matrices(spins: Tensor) -> Tensor:
    """``(..., 2, 2)`` complex."""
    c, x, y, z = spins.unbind(-1)
    rows = [torch.complex(c, -z), torch.complex(-y, -x), torch.complex(y, -x), torch.complex(c, z)]
    return torch.stack(rows, dim=-1).reshape(*c.shape, 2, 2)


def _constant(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]], like: Tensor) -> Tensor:
    return torch.from_numpy(values).to(like)


def _kron(first: Tensor, second: Tensor) -> Tensor:
    found = first[..., :, None, :, None] * second[..., None, :, None, :]
    return found.flatten(-2).flatten(-3, -2)


def _product(gates: Tensor) -> Tensor:
    """Kronecker product ``(M, D, s, s)`` of gates ``(M, D, pairs, 4, 4)``; one for none."""
    if not gates.shape[2]:
        return gates.new_ones(*gates.shape[:2], 1, 1)
    found = gates[:, :, 0]
    for place in range(1, gates.shape[2]):
        found = _kron(found, gates[:, :, place])
    return found


def _permuted(state: Tensor, order: list[int], wanted: list[int]) -> Tensor:
    """Amplitudes with wires in another order."""
    if order == wanted:
        return state
    axes = [0, *(1 + order.index(wire) for wire in wanted)]
    return state.reshape(-1, *(2,) * len(order)).permute(axes).flatten(1)


def _add_exchange(
    circuit: QuantumCircuit, angle: ParameterVector, a: int, b: int, gates: Gates
) -> None:
    """``exp(-i w (XX + YY + ZZ))``, up to a phase."""
    if gates == "rzz":
        circuit.rxx(2 * angle, a, b)
        circuit.ryy(2 * angle, a, b)
        circuit.rzz(2 * angle, a, b)
        return
    circuit.rz(pi / 2, b)
    circuit.cx(b, a)
    circuit.rz(2 * angle + pi / 2, a)
    circuit.ry(2 * angle + pi / 2, b)
    circuit.cx(a, b)
    circuit.ry(-2 * angle - pi / 2, b)
    circuit.cx(b, a)
    circuit.rz(-pi / 2, a)
