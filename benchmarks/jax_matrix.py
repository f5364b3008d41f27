"""Our own algorithm in jax: both circuits' matrices once a step, then products with the batch.

What separates the other rivals from us is mostly that algorithm; what separates this one is how
well its pieces are compiled. All in float32, complex numbers as pairs of real ones, one jit over
the whole step, ``lax.scan`` over blocks and over pieces of a batch that fit into the cache.

A block is two small matrices and one CRX: all turns of wires 0-3 with the CRX among them, those of
wires 4-6 with the CRX from wire 3 on, and the CRX from wire 6 to 0. The decoder's gates come in the
reverse order; RZ and CRX are symmetric, RY with its angle negated is its transpose, so its matrix
is the product of the transposes.
"""

from __future__ import annotations

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.jax_loss import TINY, rest_weights
from benchmarks.workload import LEARNING_RATE, MICRO_BATCH, Rival, Workload

WIRES = 7
INPUTS, LATENTS = 72, 32
"""Columns of the two matrices that are used: amplitudes that a molecule fills, and a latent."""


def jax_same_algorithm(workload: Workload) -> Rival:
    """The rival: one jitted step of loss, gradient and Adam."""
    batch, loss = len(workload.data), workload.config.loss
    blocks = workload.config.n_blocks
    pieces = max(1, batch // MICRO_BATCH)
    arrays = tuple(jnp.asarray(a).reshape(pieces, -1, *a.shape[1:]) for a in _data(workload))
    optimizer = optax.adam(LEARNING_RATE)

    def matrices(params: Any) -> Any:
        return encoder_matrix(params[0], blocks), decoder_matrix(params[1], blocks)

    def of_piece(both: Any, data: Any) -> Any:
        return _loss(*both, *data, loss, batch)

    @jax.jit
    def step_of(params: Any, state: Any, arrays: Any) -> Any:
        both, back = jax.vjp(matrices, params)

        def add(sums: Any, data: Any) -> Any:
            return jax.tree.map(jnp.add, sums, jax.value_and_grad(of_piece)(both, data)), None

        nothing = (jnp.zeros(()), jax.tree.map(jnp.zeros_like, both))
        (total, grads), _ = jax.lax.scan(add, nothing, arrays)
        updates, state = optimizer.update(back(grads)[0], state, params)
        return total, optax.apply_updates(params, updates), state

    params = tuple(
        jnp.asarray(t.numpy()) for t in (workload.encoder_angles, workload.decoder_angles)
    )
    held = {"params": params, "state": optimizer.init(params)}

    def step() -> float:
        total, held["params"], held["state"] = step_of(held["params"], held["state"], arrays)
        return float(total)

    started = time.perf_counter()
    first = step()
    remark = f"circuit matrices once a step, jit, scan, float32, jax {jax.__version__}"
    return Rival(step, time.perf_counter() - started, first, remark, tolerance=1e-6)


def encoder_matrix(angles: Any, blocks: int) -> Any:
    """``(256, 72)``: real parts of the rows, then imaginary parts."""
    return _swept(angles, blocks, INPUTS, mirrored=False)


def decoder_matrix(angles: Any, blocks: int) -> Any:
    """``(256, 32)``, of the mirrored ansatz with wires 0 and 1 in 0."""
    return _swept(angles, blocks, LATENTS, mirrored=True)


def _swept(angles: Any, blocks: int, columns: int, *, mirrored: bool) -> Any:
    """All blocks on the first columns of the identity."""
    first, second, ring = _blocks(angles, blocks, -1.0 if mirrored else 1.0)
    if mirrored:
        first, second = first.swapaxes(1, 2), second.swapaxes(1, 2)

    def swapped(x: Any, outer: int, inner: int) -> Any:
        return x.reshape(2, outer, inner, columns).swapaxes(1, 2).reshape(32, -1)

    def block(x: Any, now: Any) -> tuple[Any, None]:
        a, b, angle = now
        if mirrored:
            x = b @ swapped(_last_crx(angle, x), 8, 16)
            return (a @ swapped(x, 16, 8)).reshape(256, columns), None
        x = swapped(b @ swapped(a @ x.reshape(32, -1), 8, 16), 16, 8)
        return _last_crx(angle, x.reshape(256, columns)), None

    start = jnp.eye(256, columns, dtype=angles.dtype)
    parts = (_real(first), _real(second), ring)
    return jax.lax.scan(block, start, parts, reverse=mirrored)[0]


def _blocks(angles: Any, blocks: int, sign: float) -> tuple[Any, Any, Any]:
    """Of each block the matrices on wires 0-3 and 3-6, ``(L + 1, 16, 16)``, and the last angle."""
    turns = 3 * (blocks + 1) * WIRES
    u = _turns(angles[:turns].reshape(3, blocks + 1, WIRES), sign)
    # after the last turns comes no ring: its angles are 0
    ring = jnp.pad(angles[turns:].reshape(blocks, WIRES), ((0, 1), (0, 0)))
    idle = jnp.broadcast_to(jnp.eye(2, dtype=u.dtype), u[:, 0].shape)
    first, second = _kron([u[:, w] for w in range(4)]), _kron([idle, u[:, 4], u[:, 5], u[:, 6]])
    for w in range(3):
        first = _crx(ring[:, w], first, w)
        second = _crx(ring[:, 3 + w], second, w)
    return first, second, ring[:, 6]


def _turns(angles: Any, sign: float) -> Any:
    """RZ, RY, RZ in this order ``(L + 1, 7, 2, 2)``, RY's angles times ``sign``."""
    a, b, c = angles[0], sign * angles[1], angles[2]
    cosine, sine = jnp.cos(b / 2), jnp.sin(b / 2)

    def phase(x: Any) -> Any:
        return jax.lax.complex(jnp.cos(x / 2), jnp.sin(x / 2))

    upper = jnp.stack([phase(-a - c) * cosine, -phase(a - c) * sine], -1)
    return jnp.stack([upper, jnp.stack([phase(c - a) * sine, phase(a + c) * cosine], -1)], -2)


def _kron(factors: list[Any]) -> Any:
    found = factors[0]
    for factor in factors[1:]:
        n = found.shape[-1] * factor.shape[-1]
        products = found[:, :, None, :, None] * factor[:, None, :, None, :]
        found = products.reshape(-1, n, n)
    return found


def _crx(angle: Any, matrix: Any, wire: int) -> Any:
    """CRX from a wire to the next of four after ``(L + 1, 16, 16)`` matrices."""
    x = matrix.reshape(-1, 2**wire, 2, 2, 2 ** (2 - wire), 16)
    cosine, sine = (f(angle / 2)[:, None, None, None, None] for f in (jnp.cos, jnp.sin))
    turned = cosine * x[:, :, 1] - 1j * sine * x[:, :, 1, ::-1]
    return jnp.stack([x[:, :, 0], turned], 2).reshape(matrix.shape)


def _last_crx(angle: Any, x: Any) -> Any:
    """CRX from wire 6 to wire 0 after ``(256, k)`` real and imaginary parts."""
    y = x.reshape(2, 2, 32, 2, -1)
    one, cosine, sine = y[:, :, :, 1], jnp.cos(angle / 2), jnp.sin(angle / 2)
    flipped = one[:, ::-1]
    turned = jnp.stack([cosine * one[0] + sine * flipped[1], cosine * one[1] - sine * flipped[0]])
    return jnp.stack([y[:, :, :, 0], turned], 3).reshape(x.shape)


def _real(matrix: Any) -> Any:
    """What a complex matrix does to real parts above imaginary ones."""
    upper = jnp.concatenate([matrix.real, -matrix.imag], -1)
    return jnp.concatenate([upper, jnp.concatenate([matrix.imag, matrix.real], -1)], -2)


def _data(workload: Workload) -> tuple[np.ndarray[Any, Any], ...]:
    """Amplitudes; one-hot types, weights and a quarter over the number of atoms; rest weights."""
    types = workload.data.types.numpy()
    present = types >= 0
    counts = present.sum(1, keepdims=True)
    return (
        workload.data.amplitudes.numpy(),
        (types[..., None] == np.arange(4)).astype(np.float32),
        (present / counts).astype(np.float32),
        (0.25 / counts).astype(np.float32),
        rest_weights(workload.data.types).numpy(),
    )


def _loss(
    encoder: Any, decoder: Any, amplitudes: Any, kinds: Any, weights: Any, quarter: Any, rest: Any,
    loss: Any, batch: int,
) -> Any:  # fmt: skip
    """The paper's loss of a piece, over the whole batch's size; without gathers, slow on a CPU."""
    parts = jnp.square(amplitudes[:, :INPUTS] @ encoder.T)
    root = jnp.sqrt(jnp.maximum(parts.reshape(-1, 2, LATENTS, 4).sum((1, 3)), TINY))
    output = jnp.square((root / jnp.linalg.norm(root, axis=-1, keepdims=True)) @ decoder.T)
    alpha = jnp.sqrt(jnp.maximum(output[:, :128] + output[:, 128:], TINY))
    atoms, wanted = alpha[:, :72].reshape(-1, 9, 8), amplitudes[:, :72].reshape(-1, 9, 8)
    offsets = jnp.square(atoms[..., :3] - wanted[..., :3]).sum(-1)
    mass = jnp.square(atoms[..., 3:7])
    block = mass.sum(-1)
    share = jnp.maximum((mass * kinds).sum(-1) / block, TINY)
    table = (kinds * jnp.array(loss.class_weights, kinds.dtype)).sum(-1)
    of_atoms = (
        jnp.sqrt(offsets + TINY)
        - loss.type_weight * jnp.log(share) * table
        + loss.norm_weight * jnp.square(block - quarter)
    )
    of_rest = loss.rest_weight * (rest * jnp.abs(alpha - amplitudes)).sum()
    return ((weights * of_atoms).sum() + of_rest) / batch
