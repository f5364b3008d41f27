"""The paper's loss in jax, for the rivals that train with jax and optax."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
import torch

from benchmarks.workload import LEARNING_RATE, MICRO_BATCH, Rival, Workload
from qhw.chem.encoding import N_AMPLITUDES, slots

TINY = 1e-12


def paper_loss(probabilities: Any, amplitudes: Any, types: Any, rest: Any, loss: Any) -> Any:
    """Mean over a batch of the four terms; paper layout."""
    alpha = jnp.sqrt(jnp.maximum(probabilities, TINY))
    present = (types >= 0).astype(alpha.dtype)
    counts = present.sum(-1, keepdims=True)
    weights = present / (counts * len(alpha))
    atoms = alpha[:, :72].reshape(-1, 9, 8)
    wanted = amplitudes[:, :72].reshape(-1, 9, 8)
    offsets = jnp.square(atoms[..., :3] - wanted[..., :3]).sum(-1)
    mass = jnp.square(atoms[..., 3:7])
    block = mass.sum(-1)
    index = jnp.maximum(types, 0)
    share = jnp.take_along_axis(mass / block[..., None], index[..., None], -1)[..., 0]
    table = jnp.array(loss.class_weights, dtype=alpha.dtype)
    kinds = -jnp.log(jnp.maximum(share, TINY)) * table[index]
    return (
        (weights * jnp.sqrt(offsets + TINY)).sum()
        + loss.type_weight * (weights * kinds).sum()
        + loss.norm_weight * (weights * jnp.square(block - 0.25 / counts)).sum()
        + loss.rest_weight * (rest * jnp.abs(alpha - amplitudes)).sum() / len(alpha)
    )


def rest_weights(types: torch.Tensor) -> torch.Tensor:
    """Weight of every amplitude in the last term ``(B, 128)``, for atom types ``(B, 9)``."""
    weights = torch.zeros(len(types), N_AMPLITUDES)
    counts = (types >= 0).sum(1)
    for n in counts.unique().tolist():
        where = slots("paper", n)
        row = torch.zeros(N_AMPLITUDES)
        row[where.aux] = 1 / n
        row[where.padding] = 1 / len(where.padding)
        weights[counts == n] = row
    return weights


def jax_rival(
    workload: Workload, encode: Callable[..., Any], decode: Callable[..., Any], remark: str
) -> Rival:
    """Adam on two circuits given as batched functions of ``(angles, inputs)``.

    ``encode`` gives the distribution over wires 0-4, ``decode`` the one over all wires.
    """
    data = workload.data
    pieces = max(1, len(data) // MICRO_BATCH)
    arrays = [
        jnp.asarray(t.numpy()).reshape(pieces, -1, *t.shape[1:])
        for t in (data.amplitudes, data.types, rest_weights(data.types))
    ]
    params = tuple(
        jnp.asarray(t.numpy()) for t in (workload.encoder_angles, workload.decoder_angles)
    )
    optimizer = optax.adam(LEARNING_RATE)

    # Three compiled pieces instead of one: compilation grows faster than the number of gates, and
    # a step spends nothing between the pieces. A vjp function is a pytree, so jit may return it.
    @jax.jit
    def forward(angles: Any, amplitudes: Any) -> Any:
        def mean(angles: Any) -> Any:
            root = jnp.sqrt(jnp.maximum(encode(angles, amplitudes), TINY))
            return root / jnp.linalg.norm(root, axis=-1, keepdims=True)

        return jax.vjp(mean, angles)

    @jax.jit
    def middle(angles: Any, mean: Any, *targets: Any) -> Any:
        def total(angles: Any, mean: Any) -> Any:
            return paper_loss(decode(angles, mean), *targets, workload.config.loss)

        return jax.value_and_grad(total, argnums=(0, 1))(angles, mean)

    @jax.jit
    def backward(vjp: Any, grad: Any) -> Any:
        return vjp(grad)[0]

    def gradient(params: Any, *targets: Any) -> Any:
        mean, vjp = forward(params[0], targets[0])
        loss, (decoder_grad, mean_grad) = middle(params[1], mean, *targets)
        return loss, (backward(vjp, mean_grad), decoder_grad)

    @jax.jit
    def update(params: Any, state: Any, grads: Any) -> Any:
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    held = {"params": params, "state": optimizer.init(params)}

    def step() -> float:
        sums = None
        for piece in zip(*arrays, strict=True):
            found = gradient(held["params"], *piece)
            sums = found if sums is None else jax.tree.map(jnp.add, sums, found)
        loss, grads = jax.tree.map(lambda x: x / pieces, sums)
        held["params"], held["state"] = update(held["params"], held["state"], grads)
        jax.block_until_ready(held["params"])
        return float(loss)

    started = time.perf_counter()
    first = step()
    if pieces > 1:
        remark += f"; {pieces} accumulated batches of {MICRO_BATCH}"
    return Rival(step, time.perf_counter() - started, first, remark)
