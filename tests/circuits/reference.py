"""Plain gate-by-gate numpy evaluation, wire 0 = most significant bit; independent of the house."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qhw.circuits.ansatz import Ansatz


def gate_matrix(name: str, angle: float) -> NDArray[np.complex128]:
    c, s = np.cos(angle / 2), np.sin(angle / 2)
    if name == "rz":
        return np.diag([np.exp(-0.5j * angle), np.exp(0.5j * angle)])
    if name == "ry":
        return np.array([[c, -s], [s, c]], dtype=complex)
    if name == "cz":
        return np.diag([1, 1, 1, -1]).astype(complex)
    crx = np.eye(4, dtype=complex)
    crx[2:, 2:] = [[c, -1j * s], [-1j * s, c]]
    return crx


def run_ansatz(
    ansatz: Ansatz, angles: NDArray[np.float64], state: NDArray[np.complex128]
) -> NDArray[np.complex128]:
    n = ansatz.n_wires
    for op in ansatz.ops:
        k = len(op.wires)
        matrix = gate_matrix(op.name, 0.0 if op.angle is None else float(angles[op.angle]))
        psi = np.tensordot(
            matrix.reshape((2,) * (2 * k)), state.reshape((2,) * n), (range(k, 2 * k), op.wires)
        )
        state = np.moveaxis(psi, range(k), op.wires).reshape(-1)
    return state


def embed(
    amplitudes: NDArray[np.float64], wires: tuple[int, ...], n: int
) -> NDArray[np.complex128]:
    """Amplitudes of ``wires`` (first most significant), every other wire in |0>."""
    state = np.zeros((2,) * n, dtype=complex)
    m = len(wires)
    for index, amplitude in enumerate(amplitudes / np.linalg.norm(amplitudes)):
        place = [0] * n
        for bit, wire in enumerate(wires):
            place[wire] = index >> (m - 1 - bit) & 1
        state[tuple(place)] = amplitude
    return state.reshape(-1)


def marginal(state: NDArray[np.complex128], wires: tuple[int, ...], n: int) -> NDArray[np.float64]:
    p = (np.abs(state) ** 2).reshape((2,) * n)
    p = p.sum(axis=tuple(w for w in range(n) if w not in wires))
    # Axes left are the kept wires in increasing order; put them in the order asked for.
    return p.transpose([sorted(wires).index(w) for w in wires]).reshape(-1)
