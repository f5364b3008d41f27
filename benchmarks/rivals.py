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
    """TensorCircuit-NG: jax, jit, vmap over the samples, ``lax.scan`` over the blocks; complex64.

    Its documentation advises to scan over layers: unrolled, ten blocks take minutes to compile.
    """
    import jax
    import jax.numpy as jnp
    import tensorcircuit as tc

    from benchmarks.jax_loss import jax_rival

    tc.set_backend("jax")
    tc.set_dtype("complex64")
    wires, blocks = 7, workload.config.n_blocks

    def split(angles: Any) -> tuple[Any, Any, Any]:
        """RZ-RY-RZ angles of every block, those of the last layer, and the rings' angles."""
        turns = 3 * (blocks + 1) * wires
        euler = angles[:turns].reshape(3, blocks + 1, wires).transpose(1, 0, 2)
        return euler[:blocks], euler[blocks], angles[turns:].reshape(blocks, wires)

    def turn(circuit: Any, euler: Any) -> None:
        for wire in range(wires):
            circuit.rz(wire, theta=euler[0, wire])
            circuit.ry(wire, theta=euler[1, wire])
            circuit.rz(wire, theta=euler[2, wire])

    def encoder(angles: Any, state: Any) -> Any:
        def block(state: Any, now: Any) -> tuple[Any, None]:
            circuit = tc.Circuit(wires, inputs=state)
            turn(circuit, now[0])
            for wire in range(wires):
                circuit.crx(wire, (wire + 1) % wires, theta=now[1][wire])
            return circuit.state(), None

        each, last, rings = split(angles)
        circuit = tc.Circuit(wires, inputs=jax.lax.scan(block, state, (each, rings))[0])
        turn(circuit, last)
        return circuit.state()

    def decoder(angles: Any, state: Any) -> Any:
        def block(state: Any, now: Any) -> tuple[Any, None]:
            circuit = tc.Circuit(wires, inputs=state)
            for wire in reversed(range(wires)):
                circuit.crx(wire, (wire + 1) % wires, theta=now[1][wire])
            turn(circuit, now[0][::-1])
            return circuit.state(), None

        each, last, rings = split(angles)
        circuit = tc.Circuit(wires, inputs=state)
        turn(circuit, last[::-1])
        return jax.lax.scan(block, circuit.state(), (each, rings), reverse=True)[0]

    def probabilities(circuit: Callable[..., Any], angles: Any, inputs: Any) -> Any:
        one = jax.vmap(lambda x: circuit(angles, x.astype(jnp.complex64)))
        return jnp.square(jnp.abs(one(inputs)))

    def encode(angles: Any, inputs: Any) -> Any:
        return probabilities(encoder, angles, inputs).reshape(-1, 32, 4).sum(-1)

    def decode(angles: Any, latents: Any) -> Any:
        return probabilities(decoder, angles, jnp.pad(latents, ((0, 0), (0, 96))))

    remark = f"jax jit vmap, scan over blocks, complex64, {tc.__version__}"
    return jax_rival(workload, encode, decode, remark)


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


def jax_same_algorithm(workload: Workload) -> Rival:
    """What we do, in jax; see :mod:`benchmarks.jax_matrix`."""
    from benchmarks import jax_matrix

    return jax_matrix.jax_same_algorithm(workload)


RIVALS: dict[str, tuple[str, Callable[[Workload], Rival]]] = {
    "PennyLane (torch)": ("pennylane", pennylane_torch),
    "PennyLane (jax)": ("pennylane", pennylane_jax),
    "TensorCircuit-NG": ("tensorcircuit", tensorcircuit),
    "jax, same algorithm": ("jax", jax_same_algorithm),
}
"""Name -> (module that must be installed, how it is made ready)."""
