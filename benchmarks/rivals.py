"""The workload in other frameworks, as a user of theirs would write it.

Each has the mean latent decoded without vMF noise, so they have a little less to do than we.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.workload import LEARNING_RATE, MICRO_BATCH, Rival, Workload
from qhw.circuits.ansatz import Ansatz, qvae_ansatz
from qhw.models.losses import amplitude_loss


def _ansatze(workload: Workload) -> tuple[Ansatz, Ansatz]:
    blocks = workload.config.n_blocks
    return qvae_ansatz(7, blocks), qvae_ansatz(7, blocks, mirrored=True)


def tensorcircuit(workload: Workload) -> Rival:
    """TensorCircuit-NG: jax, jit, vmap over the samples; complex64."""
    import jax
    import jax.numpy as jnp
    import tensorcircuit as tc

    from benchmarks.jax_loss import jax_rival

    tc.set_backend("jax")
    tc.set_dtype("complex64")

    def probabilities(ansatz: Ansatz, angles: Any, state: Any) -> Any:
        circuit = tc.Circuit(ansatz.n_wires, inputs=state)
        for op in ansatz.ops:
            getattr(circuit, op.name)(*op.wires, theta=angles[op.angle])
        return jnp.square(jnp.abs(circuit.state()))

    encoder, decoder = _ansatze(workload)

    def encode(angles: Any, inputs: Any) -> Any:
        one = jax.vmap(lambda x: probabilities(encoder, angles, x.astype(jnp.complex64)))
        return one(inputs).reshape(-1, 32, 4).sum(-1)

    def decode(angles: Any, latents: Any) -> Any:
        padded = jnp.pad(latents, ((0, 0), (0, 96)))
        return jax.vmap(lambda x: probabilities(decoder, angles, x.astype(jnp.complex64)))(padded)

    return jax_rival(workload, encode, decode, f"jax jit vmap, complex64, {tc.__version__}")


def _pennylane_circuits(
    workload: Workload, interface: str
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """QNodes of ``(angles, inputs)`` on default.qubit, the inputs broadcast."""
    import pennylane as qml

    gates = {"rz": qml.RZ, "ry": qml.RY, "crx": qml.CRX}
    device = qml.device("default.qubit", wires=7)

    def circuit(ansatz: Ansatz, data_wires: range, measured: range) -> Callable[..., Any]:
        @qml.qnode(device, interface=interface, diff_method="backprop")
        def node(angles: Any, inputs: Any) -> Any:
            qml.StatePrep(inputs, wires=list(data_wires), validate_norm=False)
            for op in ansatz.ops:
                gates[op.name](angles[op.angle], wires=list(op.wires))
            return qml.probs(wires=list(measured))

        return node

    encoder, decoder = _ansatze(workload)
    return circuit(encoder, range(7), range(5)), circuit(decoder, range(2, 7), range(7))


def pennylane_jax(workload: Workload) -> Rival:
    """PennyLane default.qubit: jax, jit, parameter broadcasting."""
    import pennylane as qml

    from benchmarks.jax_loss import jax_rival

    encode, decode = _pennylane_circuits(workload, "jax")
    remark = f"default.qubit, jax jit, broadcasting, {qml.__version__}"
    return jax_rival(workload, encode, decode, remark)


def pennylane_torch(workload: Workload) -> Rival:
    """PennyLane default.qubit: torch backprop, parameter broadcasting."""
    import pennylane as qml

    encode, decode = _pennylane_circuits(workload, "torch")
    angles = [
        torch.nn.Parameter(t.clone()) for t in (workload.encoder_angles, workload.decoder_angles)
    ]
    optimizer = torch.optim.Adam(angles, lr=LEARNING_RATE)
    rows = torch.arange(len(workload.data)).split(MICRO_BATCH)

    def step() -> float:
        optimizer.zero_grad()
        sums = 0.0
        for piece in rows:
            data = workload.data[piece]
            mean = encode(angles[0], data.amplitudes).clamp_min(1e-12).sqrt()
            mean = mean / mean.norm(dim=-1, keepdim=True)
            output = decode(angles[1], mean)
            config = workload.config
            total = amplitude_loss(output, data, config.layout, config.loss)["total"] / len(rows)
            total.backward()
            sums += float(total.detach())
        optimizer.step()
        return sums

    started = time.perf_counter()
    first = step()
    remark = f"default.qubit, torch, broadcasting, {qml.__version__}"
    if len(rows) > 1:
        remark += f"; {len(rows)} accumulated batches of {MICRO_BATCH}"
    return Rival(step, time.perf_counter() - started, first, remark)


RIVALS: dict[str, tuple[str, Callable[[Workload], Rival]]] = {
    "PennyLane (torch)": ("pennylane", pennylane_torch),
    "PennyLane (jax)": ("pennylane", pennylane_jax),
    "TensorCircuit-NG": ("tensorcircuit", tensorcircuit),
}
"""Name -> (module that must be installed, how it is made ready)."""
