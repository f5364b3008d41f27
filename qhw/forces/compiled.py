"""Energies and forces of a trained field, compiled: products of densities, circuits, and back.

What :mod:`qhw.forces.invariants` and :mod:`qhw.forces.circuit` say in torch, which derives it any
number of times, forwards and backwards; here once, backwards, by closed forms. Atoms stand in
blocks of :data:`ATOMS` columns, all of one species, so that loops over a block are vectors and a
block's intermediates stay in the cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qhw.chem.geometries import FloatArray
from qhw.forces.circuit import AtomCircuit
from qhw.forces.harmonics import triple_integrals
from qhw.forces.invariants import UNLIKE, InvariantsConfig, distinct_triples
from qhw.models.jit import kernel

ATOMS = 16
"""Columns of a block."""


@dataclass(frozen=True, eq=False)
class Terms:
    """Products of two rows: row ``place[t, 0]`` is the sum of weighted ``[t, 1] * [t, 2]``."""

    place: NDArray[np.int64]
    weight: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Products:
    """How invariants are formed of rows: density, two-body invariants, a row of ones, pairs.

    Attributes:
        given: rows that an atom has: its density and two-body invariants, in this order.
        rows: with the one and the pairs of densities.
        pairs: forms the pairs, of rows.
        invariants: forms the invariants, of rows.
    """

    given: int
    rows: int
    pairs: Terms
    invariants: Terms


@cache
def products_of(config: InvariantsConfig) -> Products:
    """The terms of every invariant, in the order of :meth:`Invariants.of`."""
    species, wide, places = len(config.species), config.wide, (config.largest + 1) ** 2
    bodies = species * wide * places
    one = bodies + species * config.pair_radial
    pairs: list[tuple[int, int, int, float]] = []
    found: list[tuple[int, int, int, float]] = []

    def row(channel: int, width: int, degree: int, m: int) -> int:
        of_species, radial = divmod(channel, width)
        return (of_species * wide + radial) * places + degree**2 + m

    count = one - bodies
    found.extend((f, bodies + f, one, 1.0) for f in range(count))
    channels = species * config.radial
    for degree in range(config.degree + 1):
        for p, q in combinations_with_replacement(range(channels), 2):
            for m in range(2 * degree + 1):
                first, second = (row(c, config.radial, degree, m) for c in (p, q))
                found.append((count, first, second, 1.0 if p == q else UNLIKE))
            count += 1
    rows, known = one + 1, {}
    for degrees, triples in distinct_triples(species * config.triple_radial, config.triple_degree):
        order = (1, 2, 0) if degrees[1] == degrees[2] != degrees[0] else (0, 1, 2)
        integrals = triple_integrals(*degrees).transpose(order)
        one_, two, three = (degrees[axis] for axis in order)
        for triple in triples:
            p, q, r = (triple[axis] for axis in order)
            key = (one_, two, three, p, q)
            if key not in known:
                known[key] = rows
                rows += 2 * three + 1
                for i, j, k in np.argwhere(integrals):
                    left = row(p, config.triple_radial, one_, i)
                    right = row(q, config.triple_radial, two, j)
                    pairs.append((known[key] + k, left, right, float(integrals[i, j, k])))
            for k in range(2 * three + 1):
                last = row(r, config.triple_radial, three, k)
                found.append((count, known[key] + k, last, 1.0))
            count += 1
    return Products(one, rows, _terms(pairs), _terms(found))


def _terms(found: list[tuple[int, int, int, float]]) -> Terms:
    place = np.array([term[:3] for term in found], dtype=np.int64).reshape(-1, 3)
    return Terms(place, np.array([term[3] for term in found], dtype=np.float64))


@kernel
def multiply(rows, place, weight, out):  # type: ignore[no-untyped-def]
    """Add the terms' products of ``rows`` to ``out``, both ``(blocks, ., ATOMS)``."""
    for block in range(len(rows)):
        for t in range(len(weight)):
            f, a, b, w = place[t, 0], place[t, 1], place[t, 2], weight[t]
            for j in range(ATOMS):
                out[block, f, j] += w * rows[block, a, j] * rows[block, b, j]


@kernel
def multiply_back(rows, place, weight, slope, out):  # type: ignore[no-untyped-def]
    """Add to ``out`` the gradient by ``rows``, from that by the products."""
    for block in range(len(rows)):
        for t in range(len(weight)):
            f, a, b, w = place[t, 0], place[t, 1], place[t, 2], weight[t]
            for j in range(ATOMS):
                out[block, a, j] += w * slope[block, f, j] * rows[block, b, j]
            for j in range(ATOMS):
                out[block, b, j] += w * slope[block, f, j] * rows[block, a, j]


@kernel
def multiply_forward(rows, place, weight, tangents, out, slopes):  # type: ignore[no-untyped-def]
    """Add to ``out`` the terms' products, and to ``slopes`` their derivatives along directions.

    Args:
        rows: ``(atoms, .)``.
        place: of :class:`Terms`.
        weight: of :class:`Terms`.
        tangents: of the rows, ``(atoms, ., directions)``, a multiple of :data:`ATOMS`.
        out: ``(atoms, .)``.
        slopes: as ``tangents``.
    """
    for atom in range(len(rows)):
        for t in range(len(weight)):
            f, a, b = place[t, 0], place[t, 1], place[t, 2]
            x, y = weight[t] * rows[atom, a], weight[t] * rows[atom, b]
            out[atom, f] += x * rows[atom, b]
            for start in range(0, tangents.shape[2], ATOMS):
                for j in range(start, start + ATOMS):
                    slopes[atom, f, j] += x * tangents[atom, b, j] + y * tangents[atom, a, j]


def derivatives(
    circuit: AtomCircuit, angles: Tensor, fixed: Tensor, outcomes: FloatArray
) -> tuple[Tensor, Tensor]:
    """Expectations of a diagonal observable, and their derivatives by the data angles.

    Args:
        circuit: shape.
        angles: that depend on the environment, ``(blocks, data_angles, ATOMS)``.
        fixed: the others, ``(phases + couplings,)``.
        outcomes: values of the observable, ``(2**n,)``.

    Returns:
        ``(blocks, ATOMS)``, and as ``angles``.
    """
    half, rest = 0.5 * angles, 0.5 * fixed.to(angles.dtype)
    couplings = rest.new_zeros(circuit.blocks, circuit.wires - 1)
    if circuit.entangled:
        couplings = rest[circuit.phases :].view_as(couplings)
    turns = torch.stack([torch.cos(couplings), torch.sin(couplings)], dim=1)
    if circuit.phases:  # where the kernel has them
        phases = rest[: circuit.phases].view(1, -1, 1).expand(len(half), -1, ATOMS)
        half = torch.cat([half, phases], dim=1)
        half = half[:, _order(circuit)]
    energies, slopes = np.empty((len(half), ATOMS)), np.empty(half.shape)
    read(
        torch.cos(half).numpy(), torch.sin(half).numpy(), turns.numpy(), outcomes, energies, slopes
    )
    if circuit.phases:
        slopes = slopes[:, _order(circuit).argsort()[: circuit.data_angles]]
    return torch.from_numpy(energies), torch.from_numpy(slopes)


def _order(circuit: AtomCircuit) -> NDArray[np.int64]:
    """A row's RY and RZ in the order of :func:`read`: RY, then RZ and RY of every block."""
    row = np.arange(circuit.data_angles + circuit.phases)
    parts = [row[: circuit.wires]]
    for block in range(circuit.blocks):
        phase, turn, _ = circuit.places(block)
        parts += [row[phase], row[turn]]
    return np.concatenate(parts)


@kernel
def read(cosine, sine, fixed, outcomes, energy, slope):  # type: ignore[no-untyped-def]
    """Expectation of a diagonal observable of :class:`AtomCircuit`, and its gradient.

    Args:
        cosine: of half of every RY and RZ, ``(blocks, n (1 + 2 L), ATOMS)``.
        sine: likewise.
        fixed: cosines and sines of half of the RZZ's angles, ``(L, 2, n - 1)``.
        outcomes: values of the observable, ``(2**n,)``.
        energy: ``(blocks, ATOMS)``, written.
        slope: by these angles, written.
    """
    layers, n, size = len(fixed), fixed.shape[2] + 1, len(outcomes)
    psi, dual = np.empty((2, size, ATOMS)), np.empty((2, size, ATOMS))
    phases = np.empty((layers, 2, size, ATOMS))
    for block in range(len(cosine)):
        c, s, by = cosine[block], sine[block], slope[block]
        _start(c, s, n, psi)
        for layer in range(layers):
            first = n * (1 + 2 * layer)
            _phases(c[first : first + n], s[first : first + n], fixed[layer], phases[layer])
            _shift(psi, phases[layer], 1.0)
            for wire in range(n):
                _turn(psi, n - 1 - wire, c[first + n + wire], s[first + n + wire], 1.0)
        energy[block] = 0.0
        for k in range(size):
            for j in range(ATOMS):
                re, im = psi[0, k, j], psi[1, k, j]
                dual[0, k, j], dual[1, k, j] = outcomes[k] * re, outcomes[k] * im
                energy[block, j] += outcomes[k] * (re * re + im * im)
        for layer in range(layers - 1, -1, -1):
            first = n * (1 + 2 * layer)
            for wire in range(n):
                _turn_slope(psi, dual, n - 1 - wire, by[first + n + wire])
            for wire in range(n):
                angle = first + n + wire
                _turn(psi, n - 1 - wire, c[angle], s[angle], -1.0)
                _turn(dual, n - 1 - wire, c[angle], s[angle], -1.0)
            for wire in range(n):
                _shift_slope(psi, dual, n - 1 - wire, by[first + wire])
            _shift(psi, phases[layer], -1.0)
            _shift(dual, phases[layer], -1.0)
        for wire in range(n):
            _turn_slope(psi, dual, n - 1 - wire, by[wire])


@kernel
def _start(c, s, n, psi):  # type: ignore[no-untyped-def]
    """RY of n wires on zeros."""
    psi[:] = 0.0
    psi[0, 0] = 1.0
    for wire in range(n):
        for k in range(2**wire - 1, -1, -1):
            for j in range(ATOMS):
                psi[0, 2 * k + 1, j] = s[wire, j] * psi[0, k, j]
            for j in range(ATOMS):
                psi[0, 2 * k, j] = c[wire, j] * psi[0, k, j]


@kernel
def _phases(c, s, fixed, out):  # type: ignore[no-untyped-def]
    """All RZ and RZZ of a layer as one diagonal, ``(2, 2**n, ATOMS)``."""
    out[0, 0], out[1, 0] = 1.0, 0.0
    for wire in range(len(c)):
        for k in range(2**wire - 1, -1, -1):
            alike = 1.0 if k % 2 == 0 else -1.0
            re, im = (fixed[0, wire - 1], fixed[1, wire - 1]) if wire else (1.0, 0.0)
            for bit in (1, 0):
                z = 1.0 - 2.0 * bit
                for j in range(ATOMS):  # exp(-i z a / 2) exp(-i z alike g / 2)
                    x, y = out[0, k, j], out[1, k, j]
                    p, q = c[wire, j], -z * s[wire, j]
                    x, y = x * p - y * q, x * q + y * p
                    q = -z * alike * im
                    out[0, 2 * k + bit, j] = x * re - y * q
                    out[1, 2 * k + bit, j] = x * q + y * re


@kernel
def _shift(state, phase, sign):  # type: ignore[no-untyped-def]
    for k in range(state.shape[1]):
        for j in range(ATOMS):
            x, y, p, q = state[0, k, j], state[1, k, j], phase[0, k, j], sign * phase[1, k, j]
            state[0, k, j] = x * p - y * q
            state[1, k, j] = x * q + y * p


@kernel
def _shift_slope(psi, dual, bit, out):  # type: ignore[no-untyped-def]
    out[:] = 0.0
    for k in range(psi.shape[1]):
        z = 1.0 - 2.0 * ((k >> bit) & 1)
        for j in range(ATOMS):
            out[j] += z * (dual[0, k, j] * psi[1, k, j] - dual[1, k, j] * psi[0, k, j])


@kernel
def _turn(state, bit, c, s, sign):  # type: ignore[no-untyped-def]
    """RY on the wire of a bit, or its inverse."""
    for part in range(2):
        for k in range(state.shape[1]):
            if not (k >> bit) & 1:
                for j in range(ATOMS):
                    x, y, sine = state[part, k, j], state[part, k | 1 << bit, j], sign * s[j]
                    state[part, k, j] = c[j] * x - sine * y
                    state[part, k | 1 << bit, j] = sine * x + c[j] * y


@kernel
def _turn_slope(psi, dual, bit, out):  # type: ignore[no-untyped-def]
    out[:] = 0.0
    for part in range(2):
        for k in range(psi.shape[1]):
            if not (k >> bit) & 1:
                up = k | 1 << bit
                for j in range(ATOMS):
                    out[j] += dual[part, up, j] * psi[part, k, j]
                    out[j] -= dual[part, k, j] * psi[part, up, j]
