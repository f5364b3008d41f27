"""Shallow preparation of real amplitudes: RY + CZ brickwork on a line, fitted to a whole batch.

A fit solves ``psi(angles) = +-target``, a small non-linear least-squares problem per row, by
Levenberg-Marquardt with the exact Jacobian; all rows and restarts go through the same batched
linear algebra. Every row meets the same starts, so its fit does not depend on its neighbours.

Source: More, "The Levenberg-Marquardt algorithm" (1978); circuit: hardware-efficient real ansatz.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qhw.circuits.amplitudes import check_amplitudes

FloatArray = NDArray[np.float64]

_CHUNK_ELEMENTS = 2_000_000
"""Rows per solve are limited so that one batch of ``(2**m, 2**m)`` matrices stays near 16 MB."""


@dataclass(frozen=True)
class BrickworkFit:
    """Angles of a batch and how well they do.

    Attributes:
        angles: ``(B, n_wires * (n_layers + 1))`` radians, ordered ``[layer][wire]``.
        fidelity: ``(B,)`` achieved ``(psi . target)**2``.
        restarts: ``(B,)`` starts used by each row, 1 at least.
    """

    angles: FloatArray
    fidelity: FloatArray
    restarts: NDArray[np.int64]


@dataclass(frozen=True)
class FitOptions:
    """How hard to try.

    Attributes:
        infidelity: a row is done below this.
        iterations: Levenberg-Marquardt steps of one start.
        max_restarts: starts before a row keeps its best; the best is reported, never hidden.
        first_starts: starts tried at once in the second round (then doubled).
    """

    infidelity: float = 1e-8
    iterations: int = 80
    max_restarts: int = 64
    first_starts: int = 4


def default_layers(n_wires: int) -> int:
    """CZ layers with which every signed vector tried was prepared to fidelity 0.99999.

    ``m`` angles a layer must cover ``2**m - 1`` real dimensions; 40 % to spare makes nearly every
    first start succeed (measured for 1 to 6 wires; 5 wires: 8 layers, 16 CZ).
    """
    return math.ceil(1.4 * (2.0**n_wires - 1) / n_wires) - 1


def fit_brickwork(
    amplitudes: FloatArray,
    n_layers: int,
    *,
    seed: int = 0,
    options: FitOptions | None = None,
) -> BrickworkFit:
    """Fit ``brickwork_ansatz(m, n_layers)`` to each row.

    Args:
        amplitudes: real signed ``(B, 2**m)``, index most significant bit = first wire.
        n_layers: CZ layers, >= 0.
        seed: of the starting angles; same seed, same angles.
        options: effort; the default suits 5 wires and 16 CZ.

    Raises:
        ValueError: amplitudes not real, finite, normalisable rows of ``2**m``; ``n_layers`` < 0.
    """
    target = torch.from_numpy(check_amplitudes(amplitudes))
    if n_layers < 0:
        raise ValueError(f"Argument `n_layers` must be >= 0, but is {n_layers}.")
    options = options or FitOptions()
    rows, dim = target.shape
    circuit = _Brickwork(dim.bit_length() - 1, n_layers)
    generator = torch.Generator().manual_seed(seed)
    angles = torch.zeros(rows, circuit.n_angles, dtype=torch.float64)
    fidelity = torch.full((rows,), -1.0, dtype=torch.float64)
    restarts = torch.zeros(rows, dtype=torch.int64)
    todo, tried, starts = torch.arange(rows), 0, 1
    while todo.numel() and tried < options.max_restarts:
        starts = min(starts, options.max_restarts - tried)
        first = torch.pi * (2 * torch.rand(starts, circuit.n_angles, generator=generator) - 1)
        best, score = _fit_starts(circuit, target[todo], first.double(), options)
        better = score > fidelity[todo]
        angles[todo[better]], fidelity[todo[better]] = best[better], score[better]
        tried += starts
        restarts[todo] = tried
        todo = todo[1 - fidelity[todo] > options.infidelity]
        starts = options.first_starts if tried == 1 else 2 * starts
    return BrickworkFit(angles.numpy(), fidelity.numpy().clip(0.0, 1.0), restarts.numpy())


class _Brickwork:
    """State and Jacobian of the ansatz for a batch of angle vectors."""

    def __init__(self, n_wires: int, n_layers: int) -> None:
        self.n_wires, self.n_layers = n_wires, n_layers
        self.n_angles = n_wires * (n_layers + 1)
        index = torch.arange(2**n_wires)
        bits = (index[:, None] >> torch.arange(n_wires - 1, -1, -1)) & 1
        #: ``flip[w]`` and ``sign[w]``: d/dangle RY = 1/2 sign * permuted state.
        self.flip = [index ^ (1 << (n_wires - 1 - w)) for w in range(n_wires)]
        self.sign = [bits[:, w].double() - 0.5 for w in range(n_wires)]
        self.cz = [
            torch.stack(
                [1.0 - 2.0 * (bits[:, w] & bits[:, w + 1]) for w in range(p, n_wires - 1, 2)]
                or [torch.ones(2**n_wires)]
            )
            .prod(0)
            .double()
            for p in (0, 1)
        ]

    def rotations(self, angles: Tensor) -> Tensor:
        """Kronecker products of each layer's RY: ``(N, P)`` -> ``(layers+1, N, D, D)``."""
        n = angles.shape[0]
        half = angles.reshape(n, self.n_layers + 1, self.n_wires).transpose(0, 1) / 2
        c, s = half.cos(), half.sin()
        ry = torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)
        product = ry[:, :, 0]
        for w in range(1, self.n_wires):
            d = product.shape[-1]
            product = torch.einsum("lnij,lnab->lniajb", product, ry[:, :, w])
            product = product.reshape(self.n_layers + 1, n, 2 * d, 2 * d)
        return product

    def state(self, angles: Tensor) -> Tensor:
        """Amplitudes ``(N, D)``."""
        rotations = self.rotations(angles)
        psi = rotations[0, :, :, 0]
        for layer in range(self.n_layers):
            psi = (rotations[layer + 1] @ (psi * self.cz[layer % 2])[..., None])[..., 0]
        return psi

    def state_and_jacobian(self, angles: Tensor) -> tuple[Tensor, Tensor]:
        """Amplitudes ``(N, D)`` and their derivatives ``(N, D, P)``."""
        rotations = self.rotations(angles)
        states = [rotations[0, :, :, 0]]
        for layer in range(self.n_layers):
            psi = states[-1] * self.cz[layer % 2]
            states.append((rotations[layer + 1] @ psi[..., None])[..., 0])
        columns: list[Tensor] = []
        suffix: Tensor | None = None
        for layer in range(self.n_layers, -1, -1):
            psi = states[layer]
            tangents = torch.stack(
                [psi[:, f] * s for f, s in zip(self.flip, self.sign, strict=True)], -1
            )
            columns.append(tangents if suffix is None else suffix @ tangents)
            if layer:
                after = rotations[layer] if suffix is None else suffix @ rotations[layer]
                suffix = after * self.cz[(layer - 1) % 2]
        return states[-1], torch.cat(columns[::-1], -1)


def _fit_starts(
    circuit: _Brickwork, target: Tensor, first: Tensor, options: FitOptions
) -> tuple[Tensor, Tensor]:
    """Best angles ``(B, P)`` and fidelity ``(B,)`` over the given starts ``(S, P)``."""
    rows, starts = target.shape[0], first.shape[0]
    chunk = max(1, _CHUNK_ELEMENTS // (target.shape[1] ** 2))
    repeated = target.repeat_interleave(starts, 0)
    tiled = first.repeat(rows, 1)
    pieces = [
        _levenberg_marquardt(circuit, t, a, options)
        for t, a in zip(torch.split(repeated, chunk), torch.split(tiled, chunk), strict=True)
    ]
    angles = torch.cat([p[0] for p in pieces]).reshape(rows, starts, -1)
    score = torch.cat([p[1] for p in pieces]).reshape(rows, starts)
    best = score.argmax(1)
    return angles[torch.arange(rows), best], score[torch.arange(rows), best]


def _levenberg_marquardt(
    circuit: _Brickwork, target: Tensor, angles: Tensor, options: FitOptions
) -> tuple[Tensor, Tensor]:
    """Damped least squares of every row at once; finished rows leave the batch."""
    angles = angles.clone()
    overlap = (circuit.state(angles) * target).sum(-1)
    damping = torch.full_like(overlap, 0.1)
    live = torch.arange(len(angles))
    eye = torch.eye(target.shape[1], dtype=torch.float64)
    for _ in range(options.iterations):
        live = live[1 - overlap[live] ** 2 > options.infidelity]
        if not live.numel():
            break
        psi, jacobian = circuit.state_and_jacobian(angles[live])
        # The global sign is free: aim at whichever of +-target is nearer.
        goal = target[live] * torch.where(overlap[live] < 0, -1.0, 1.0)[:, None]
        # More angles than residuals: (J J^T + d) is the smaller system, and never singular.
        gram = jacobian @ jacobian.transpose(1, 2) + damping[live, None, None] * eye
        dual = torch.cholesky_solve((goal - psi)[..., None], torch.linalg.cholesky(gram))
        trial = angles[live] + (jacobian.transpose(1, 2) @ dual)[..., 0]
        new = (circuit.state(trial) * target[live]).sum(-1)
        accept = new.abs() > overlap[live].abs()
        angles[live[accept]], overlap[live[accept]] = trial[accept], new[accept]
        damping[live] = torch.where(accept, damping[live] / 4, damping[live] * 4).clamp(1e-9, 1e3)
    return angles, overlap**2
