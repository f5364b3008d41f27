"""Wide circuits of little entanglement, as a matrix product state whose truncation is counted.

Sites are the circuit's qubits in order. One site is the centre: all sites left of it are left
isometries, all right of it right isometries, so that what a truncation drops is its squared error.
A gate on qubits far apart is carried there by swaps.

Source: Schollwoeck, Annals of Physics 326, 96 (2011).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from backends.checks import SILENT
from backends.outcomes import Outcomes
from backends.reference.base import ReferenceFacts

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

MAX_BOND = 128
"""Largest bond dimension: a site then takes half a megabyte, a gate some 50 ms."""
THRESHOLD = 1e-14
"""Squared Schmidt weight that may be dropped at a gate without asking."""
MAX_DISCARDED = 1e-4
"""Weight dropped in all beyond which the state is no exact reference any more."""
SITE_WORK = 2e5
"""What handling a site costs beside its numbers, in multiplications."""
_NUMBERS_AT_ONCE = 2**21
_SWAP = np.eye(4)[[0, 2, 1, 3]].astype(np.complex128)


class TooEntangledError(Exception):
    """More was dropped than an exact reference may miss."""


@dataclass(frozen=True, eq=False)
class MPSReference:
    """The outcome distribution of a matrix product state; made by :func:`mps_reference`.

    Attributes:
        sites: ``(left, 2, right)`` of every qubit, the first one the centre.
        measured: qubit of each measured wire, first most significant.
        discarded: squared weight that truncation dropped.
    """

    sites: tuple[ComplexArray, ...]
    measured: tuple[int, ...]
    discarded: float

    @property
    def facts(self) -> ReferenceFacts:
        """How it is known."""
        bond = max(site.shape[2] for site in self.sites)
        return ReferenceFacts(
            "matrix product state",
            f"bond dimension {bond} (at most {MAX_BOND}), Schmidt weights below {THRESHOLD:g} "
            f"a gate truncated, discarded weight {self.discarded:.1e}",
            self.discarded,
        )

    def probabilities(self, outcomes: Outcomes) -> FloatArray:
        """Of each outcome ``(K,)``."""
        bits = outcomes.bits()
        wire = {qubit: w for w, qubit in enumerate(self.measured)}
        last = max(self.measured)  # behind it are isometries only
        whole = len(wire) == last + 1
        bond = max(site.shape[2] for site in self.sites)
        rows = max(1, _NUMBERS_AT_ONCE // (bond if whole else bond**2))
        out = np.empty(len(bits))
        for start in range(0, len(bits), rows):
            part = bits[start : start + rows]
            read = (part[:, wire[q]] if q in wire else None for q in range(last + 1))
            found = self._amplitudes(read) if whole else self._marginals(read, len(part))
            out[start : start + rows] = found
        return out

    def _amplitudes(self, read: Iterator[NDArray[np.uint8] | None]) -> FloatArray:
        left: ComplexArray = np.ones((1, 1), dtype=np.complex128)
        for site, bit in zip(self.sites, read, strict=False):
            assert bit is not None  # every qubit is measured
            left = np.broadcast_to(left, (len(bit), left.shape[1]))
            both = np.einsum("kl,lbr->kbr", left, site, optimize=True)
            left = both[np.arange(len(bit)), bit]
        return np.asarray((np.abs(left) ** 2).sum(axis=1))

    def _marginals(self, read: Iterator[NDArray[np.uint8] | None], count: int) -> FloatArray:
        left: ComplexArray = np.ones((count, 1, 1), dtype=np.complex128)
        for site, bit in zip(self.sites, read, strict=False):
            terms = []
            for value in (0, 1):
                a = site[:, value]
                term = a.T @ left @ a.conj()
                terms.append(term if bit is None else term * (bit == value)[:, None, None])
            left = terms[0] + terms[1]
        return np.asarray(np.trace(left, axis1=1, axis2=2).real.clip(0.0))

    def sample(self, shots: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Noiseless shots ``(shots, m)``, first measured wire first."""
        bits = np.empty((shots, len(self.sites)), dtype=np.uint8)
        rows = max(1, _NUMBERS_AT_ONCE // max(site.shape[2] for site in self.sites))
        for start in range(0, shots, rows):
            part = bits[start : start + rows]
            left: ComplexArray = np.ones((len(part), 1), dtype=np.complex128)
            for qubit, site in enumerate(self.sites):
                both = np.einsum("kl,lbr->kbr", left, site, optimize=True)
                weight = (np.abs(both) ** 2).sum(axis=2)
                total = weight.sum(axis=1)
                bit = (rng.random(len(part)) * total >= weight[:, 0]).astype(np.uint8)
                part[:, qubit] = bit
                chosen = np.arange(len(part))
                left = both[chosen, bit] / np.sqrt(weight[chosen, bit])[:, None]
        return bits[:, list(self.measured)]

    def correlations(self) -> FloatArray:
        """``(m, m)``: ``<Z_i Z_j>`` of the measured wires, ``<Z_i>`` on the diagonal."""
        n, z = len(self.sites), np.array([1.0, -1.0])
        out = np.zeros((n, n))
        before: ComplexArray = np.ones((1, 1), dtype=np.complex128)
        for i, site in enumerate(self.sites):
            opened = _moved(before, site, z)
            out[i, i] = np.trace(opened).real
            before = _moved(before, site, np.ones(2))
            for j in range(i + 1, n):
                out[i, j] = out[j, i] = np.trace(_moved(opened, self.sites[j], z)).real
                opened = _moved(opened, self.sites[j], np.ones(2))
        chosen = list(self.measured)
        return out[np.ix_(chosen, chosen)]


def _moved(left: ComplexArray, site: ComplexArray, weights: FloatArray) -> ComplexArray:
    found: ComplexArray = sum(
        w * (site[:, b].T @ left @ site[:, b].conj()) for b, w in enumerate(weights)
    )
    return found


def mps_reference(
    circuit: QuantumCircuit, measured: Sequence[int], *, most_work: float = math.inf
) -> MPSReference:
    """Evolve a bound circuit of one- and two-qubit gates.

    Args:
        circuit: gates; measurements are passed over.
        measured: qubit of each measured wire, first most significant.
        most_work: complex multiplications, about, after which it is given up.

    Raises:
        TooEntangledError: truncation would drop more than :data:`MAX_DISCARDED`, or it takes
            longer than it may.
    """
    state = Evolving(circuit.num_qubits)
    index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
    for item in circuit.data:
        if item.operation.name not in ("measure", "barrier", *SILENT):
            state.apply(
                np.asarray(item.operation.to_matrix(), dtype=np.complex128),
                [index[q] for q in item.qubits],
            )
        if state.work > most_work:
            raise TooEntangledError(
                f"a matrix product state takes more than {most_work:.0e} multiplications"
            )
    return MPSReference(state.finished(), tuple(measured), state.discarded)


class Evolving:
    """A state under gates, ``|0...0>`` at first; a shallow copy goes its own way.

    Attributes:
        sites: of the qubits, never changed in place.
        centre: the one site that is no isometry.
        discarded: squared weight dropped so far.
        work: complex multiplications so far, about.
    """

    def __init__(self, n: int) -> None:
        zero = np.array([1.0, 0.0], dtype=np.complex128).reshape(1, 2, 1)
        self.sites: list[ComplexArray] = [zero.copy() for _ in range(n)]
        self.centre = 0
        self.discarded = 0.0
        self.work = 0.0

    def __copy__(self) -> Evolving:
        other = Evolving(0)
        other.sites, other.centre = list(self.sites), self.centre
        other.discarded, other.work = self.discarded, self.work
        return other

    def apply(self, matrix: ComplexArray, qubits: Sequence[int]) -> None:
        """A gate on one or two qubits, its matrix in Qiskit's order."""
        if len(qubits) == 1:
            (site,) = qubits
            self.sites[site] = np.einsum("ab,lbr->lar", matrix, self.sites[site])
            return
        first, second = qubits
        # Qiskit's first qubit is the least significant bit of a gate matrix
        gate = matrix if first > second else _SWAP @ matrix @ _SWAP
        low, high = sorted(qubits)
        for site in range(high - 1, low, -1):
            self._two(_SWAP, site)
        self._two(gate, low)
        for site in range(low + 1, high):
            self._two(_SWAP, site)

    def finished(self) -> tuple[ComplexArray, ...]:
        """Normalised sites, the first one the centre."""
        self._centre_at(0)
        self.sites[0] = self.sites[0] / np.linalg.norm(self.sites[0])
        return tuple(self.sites)

    def _two(self, gate: ComplexArray, site: int) -> None:
        """A gate on two neighbours, the left one the most significant bit of its matrix."""
        self._centre_at(site if self.centre <= site else site + 1)
        a, b = self.sites[site], self.sites[site + 1]
        joined = np.einsum("lar,rbs->labs", a, b)
        joined = np.einsum("xyab,labs->lxys", gate.reshape(2, 2, 2, 2), joined)
        left, right = joined.shape[0], joined.shape[3]
        self.work += SITE_WORK + 100.0 * left * right * min(left, right)
        u, s, vh = np.linalg.svd(joined.reshape(2 * left, 2 * right), full_matrices=False)
        weight = s**2 / (s**2).sum()
        tails = np.cumsum(weight[::-1])[::-1]
        kept = min(max(1, int((tails > THRESHOLD).sum())), MAX_BOND)
        self.discarded += float(tails[kept]) if kept < len(s) else 0.0
        if self.discarded > MAX_DISCARDED:
            raise TooEntangledError(
                f"a matrix product state of bond dimension {MAX_BOND} drops more than "
                f"{MAX_DISCARDED:g} of it"
            )
        s = s[:kept] / np.linalg.norm(s[:kept])
        self.sites[site] = u[:, :kept].reshape(left, 2, kept)
        self.sites[site + 1] = (s[:, None] * vh[:kept]).reshape(kept, 2, right)
        self.centre = site + 1

    def _centre_at(self, site: int) -> None:
        while self.centre < site:
            self.work += SITE_WORK
            here = self.sites[self.centre]
            q, r = np.linalg.qr(here.reshape(-1, here.shape[2]))
            self.sites[self.centre] = q.reshape(here.shape[0], 2, -1)
            self.centre += 1
            self.sites[self.centre] = np.einsum("lk,kbr->lbr", r, self.sites[self.centre])
        while self.centre > site:
            self.work += SITE_WORK
            here = self.sites[self.centre]
            q, r = np.linalg.qr(here.reshape(here.shape[0], -1).T)
            self.sites[self.centre] = q.T.reshape(-1, 2, here.shape[2])
            self.centre -= 1
            self.sites[self.centre] = np.einsum("lbk,rk->lbr", self.sites[self.centre], r)
