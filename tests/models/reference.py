"""Gate-by-gate simulation in numpy, written apart from the code it checks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qhw.circuits.ansatz import Ansatz

Complex = NDArray[np.complex128]


def rz(t: float) -> Complex:
    return np.diag([np.exp(-0.5j * t), np.exp(0.5j * t)])


def ry(t: float) -> Complex:
    return np.array(
        [[np.cos(t / 2), -np.sin(t / 2)], [np.sin(t / 2), np.cos(t / 2)]], dtype=complex
    )


def crx(t: float) -> Complex:
    gate = np.eye(4, dtype=complex)
    gate[2:, 2:] = [[np.cos(t / 2), -1j * np.sin(t / 2)], [-1j * np.sin(t / 2), np.cos(t / 2)]]
    return gate


def embed(gate: Complex, wires: tuple[int, ...], n: int) -> Complex:
    """The gate on the whole register, entry by entry; wire 0 is the most significant bit."""
    full = np.zeros((2**n, 2**n), dtype=complex)
    for column in range(2**n):
        bits = [(column >> (n - 1 - w)) & 1 for w in range(n)]
        local = int("".join(str(bits[w]) for w in wires), 2)
        for new_local in range(2 ** len(wires)):
            new_bits = list(bits)
            for k, w in enumerate(wires):
                new_bits[w] = (new_local >> (len(wires) - 1 - k)) & 1
            row = int("".join(map(str, new_bits)), 2)
            full[row, column] = gate[new_local, local]
    return full


def unitary(ansatz: Ansatz, angles: NDArray[np.float64]) -> Complex:
    total = np.eye(2**ansatz.n_wires, dtype=complex)
    for op in ansatz.ops:
        if op.angle is None:
            gate = np.diag([1, 1, 1, -1]).astype(complex)
        else:
            gate = {"rz": rz, "ry": ry, "crx": crx}[op.name](angles[op.angle])
        total = embed(gate, op.wires, ansatz.n_wires) @ total
    return total
