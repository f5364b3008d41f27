"""Our force field in jax: the same invariants, the same circuit, one jit; float64.

What separates it from ours is how well its pieces are compiled. Atomic numbers are constants of the
compilation, so that every other molecule costs another one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from qhw.chem.geometries import Geometries
from qhw.forces.circuit import AtomCircuit
from qhw.forces.harmonics import triple_integrals
from qhw.forces.invariants import Invariants, InvariantsConfig
from qhw.forces.model import ForceField

Answer = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def jax_force_field(
    model: ForceField, numbers: np.ndarray[Any, Any], at_once: int
) -> Callable[[Geometries], Answer]:
    """Energies ``(B,)`` and forces ``(B, A, 3)`` of frames of one molecule.

    Args:
        model: with a circuit and a bypass, in double precision.
        numbers: atomic numbers ``(A,)`` that all frames have.
        at_once: frames computed at once; batches are multiples of it.
    """
    jax.config.update("jax_enable_x64", True)
    energies = _energies(model, numbers)

    def both(positions: Any) -> Any:
        energy, back = jax.vjp(energies, positions)
        return energy, -back(jnp.ones_like(energy))[0]

    @jax.jit
    def pieces(positions: Any) -> Any:
        found = jax.lax.map(both, positions.reshape(-1, at_once, *positions.shape[1:]))
        return found[0].reshape(-1), found[1].reshape(positions.shape)

    def answer(frames: Geometries) -> Answer:
        energy, forces = pieces(jnp.asarray(frames.positions))
        return np.asarray(energy), np.asarray(forces)

    return answer


def _energies(model: ForceField, numbers: np.ndarray[Any, Any]) -> Callable[[Any], Any]:
    config = model.config
    species, circuit = config.invariants.species, config.head.circuit
    kinds = np.array([species.index(z) for z in numbers])
    state = {key: value.double().numpy() for key, value in model.state_dict().items()}
    there = [np.flatnonzero(kinds == kind) for kind in range(len(species))]
    reference = sum(config.reference[kind] for kind in kinds)

    def energies(positions: Any) -> Any:
        values = _invariants(model.invariants, kinds, positions)
        units, reads, linear = [], [], jnp.full(len(positions), reference)
        for kind, atoms in enumerate(there):
            inputs = (values[:, atoms] - state["center"][kind]).reshape(-1, values.shape[-1])
            data = inputs @ state["head.weight"][kind] + state["head.bias"][kind]
            fixed = model.head.fixed.detach().double().numpy()[kind]
            fixed = jnp.broadcast_to(fixed, (len(data), len(fixed)))
            units.append(jnp.concatenate([data, fixed], 1))
            weights = circuit.signs @ state["head.readout"][kind]
            reads.append(np.broadcast_to(weights, (len(data), len(weights))))
            each = inputs @ state["head.bypass"][kind] + state["head.shift"][kind]
            linear = linear + each.reshape(len(positions), -1).sum(1)
        chance = _probabilities(circuit, jnp.concatenate(units))
        each, first = (chance * jnp.concatenate(reads)).sum(1), 0
        for atoms in there:
            count = len(positions) * len(atoms)
            linear = linear + each[first : first + count].reshape(len(positions), -1).sum(1)
            first += count
        return linear

    return energies


def _invariants(invariants: Invariants, kinds: np.ndarray[Any, Any], positions: Any) -> Any:
    """``(B, A, F)``, as :meth:`Invariants.of`."""
    c: InvariantsConfig = invariants.config
    count = len(kinds)
    pair = ~np.eye(count, dtype=bool)
    kind = np.eye(len(c.species))[kinds]
    apart = positions[:, None, :, :] - positions[:, :, None, :]
    apart = jnp.where(pair[..., None], apart, 1.0)
    distance = jnp.sqrt(jnp.square(apart).sum(-1))
    most = max(c.pair_radial, c.radial, c.triple_radial)
    order = np.arange(1, most + 1)
    share = jnp.minimum(distance / c.cutoff, 1.0)[..., None]
    wave = jnp.sin(order * math.pi * share) / (share * c.cutoff) * math.sqrt(2 / c.cutoff)
    radial = wave * (0.5 + 0.5 * jnp.cos(math.pi * share)) * pair[..., None]
    parts = [jnp.einsum("js,bijn->bisn", kind, radial[..., : c.pair_radial])]
    parts = [parts[0].reshape(*positions.shape[:2], -1)]
    degrees = max(c.degree, c.triple_degree if c.triple_radial else 0)
    wide = jnp.einsum("js,bijn->bisnj", kind, radial[..., : max(c.radial, c.triple_radial)])
    unit = apart / distance[..., None]
    density = [jnp.einsum("bisnj,bijm->bisnm", wide, y) for y in _harmonics(unit, degrees)]

    def channels(d: Any, width: int) -> Any:
        return d[:, :, :, :width].reshape(*d.shape[:2], -1, d.shape[-1])

    size = len(c.species) * c.radial
    rows, columns = np.triu_indices(size)
    both = np.where(rows == columns, 1.0, np.float32(math.sqrt(2)))  # as ours
    for d in density[: c.degree + 1]:
        flat = channels(d, c.radial)
        parts.append(jnp.einsum("bicm,bidm->bicd", flat, flat)[:, :, rows, columns] * both)
    few = [channels(d, c.triple_radial) for d in density] if c.triple_radial else []
    for (one, two, three), places in invariants._triples:
        integrals = triple_integrals(one, two, three)
        if two == three != one:
            coupled = _coupled(few[two], few[three], integrals.transpose(1, 2, 0))
            found = jnp.einsum("bcpi,bcik->bcpk", few[one], coupled)
        else:
            coupled = _coupled(few[one], few[two], integrals, half=one == two)
            found = jnp.einsum("bckp,bcrk->bcpr", coupled, few[three])
        parts.append(found.reshape(*found.shape[:2], -1)[:, :, places.numpy()])
    return jnp.concatenate(parts, axis=-1)


def _coupled(first: Any, second: Any, integrals: Any, *, half: bool = True) -> Any:
    turned = jnp.einsum("bcpi,ijk->bcpkj", first, integrals)
    both = jnp.einsum("bcpkj,bcqj->bckpq", turned, second)
    width = first.shape[2]
    if half:
        rows, columns = np.triu_indices(width)
        return both[..., rows, columns]
    return both.reshape(*both.shape[:3], width * width)


def _harmonics(unit: Any, largest: int) -> list[Any]:
    """As :func:`qhw.forces.harmonics.spherical_harmonics`."""
    x, y, z = unit[..., 0], unit[..., 1], unit[..., 2]
    cosines, sines = [jnp.ones_like(x)], [jnp.zeros_like(x)]
    for _ in range(largest):
        real, imaginary = cosines[-1], sines[-1]
        cosines.append(x * real - y * imaginary)
        sines.append(x * imaginary + y * real)
    legendre: dict[tuple[int, int], Any] = {}
    for m in range(largest + 1):
        legendre[m, m] = jnp.full_like(z, float(math.prod(range(1, 2 * m, 2))))
        for degree in range(m + 1, largest + 1):
            value = (2 * degree - 1) * z * legendre[degree - 1, m]
            if degree > m + 1:
                value = value - (degree + m - 1) * legendre[degree - 2, m]
            legendre[degree, m] = value / (degree - m)
    found = []
    for degree in range(largest + 1):
        columns = []
        for m in range(-degree, degree + 1):
            k = abs(m)
            ratio = math.factorial(degree - k) / math.factorial(degree + k)
            norm = math.sqrt((2 * degree + 1) / (4 * math.pi) * ratio * (1 if m == 0 else 2))
            columns.append(norm * legendre[degree, k] * (cosines[k] if m >= 0 else sines[k]))
        found.append(jnp.stack(columns, axis=-1))
    return found


def _probabilities(circuit: AtomCircuit, angles: Any) -> Any:
    """As :meth:`AtomCircuit.probabilities`."""
    n, half = circuit.wires, circuit.wires // 2
    signs = circuit.signs
    pairs = jnp.stack([jnp.cos(0.5 * angles[:, :n]), jnp.sin(0.5 * angles[:, :n])], -1)
    real = pairs[:, 0]
    for wire in range(1, n):
        real = (real[:, :, None] * pairs[:, wire, None, :]).reshape(len(angles), -1)
    imaginary = jnp.zeros_like(real)
    for block in range(circuit.blocks):
        phase, turn, coupling = circuit.places(block)
        diagonal = angles[:, phase] @ signs[:, :n].T + angles[:, coupling] @ signs[:, n:].T
        cosine, sine = jnp.cos(0.5 * diagonal), -jnp.sin(0.5 * diagonal)
        real, imaginary = real * cosine - imaginary * sine, real * sine + imaginary * cosine
        turns = angles[:, turn]
        left, right = _rotations(turns[:, :half]), _rotations(turns[:, half:])
        both = jnp.stack([real, imaginary], 1).reshape(len(angles), 2, 2**half, -1)
        both = left[:, None] @ both @ right[:, None].swapaxes(-1, -2)
        both = both.reshape(len(angles), 2, -1)
        real, imaginary = both[:, 0], both[:, 1]
    return jnp.square(real) + jnp.square(imaginary)


def _rotations(angles: Any) -> Any:
    """``(B, 2**k, 2**k)``: RY on each of k wires, the first most significant."""
    cosine, sine = jnp.cos(0.5 * angles), jnp.sin(0.5 * angles)
    turns = jnp.stack([cosine, -sine, sine, cosine], -1).reshape(*angles.shape, 2, 2)
    found = turns[:, 0]
    for wire in range(1, turns.shape[1]):
        both = jnp.einsum("bij,bkl->bikjl", found, turns[:, wire])
        found = both.reshape(len(angles), 2 ** (wire + 1), -1)
    return found
