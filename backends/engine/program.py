"""A compiled circuit with its noise, ready for any number of rows of angles.

``p[row, k] = tr(E_k rho_row)``: what is the same for every row, from the last gate that depends on
data to the misread bit, is one noisy measurement (a POVM) whose ``2**m`` effects are evolved
backwards once (Heisenberg picture); a row then costs its own preparation, on the qubits that its
data reach, and one product with the effects. Few rows are cheaper forwards, and go that way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from qiskit.circuit import Parameter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import reverse_cuthill_mckee
from torch import Tensor

from backends.base import CompiledTemplate
from backends.binding import columns_of
from backends.checks import check_angles, measured_qubits
from backends.engine import pauli
from backends.engine.detuning import (
    LARGEST_GAP,
    Realisation,
    finer_minus_this,
    realisations,
)
from backends.engine.evolve import Block, Register, join, prepare
from backends.engine.steps import Step, fuse, lower, split
from backends.native.rows import device_part, is_native
from calibration.noise import NoiseOptions

FloatArray = NDArray[np.float64]

_PREPARED_AT_ONCE = 2**20
_EFFECTS_AT_ONCE = 2**22
"""Numbers evolved together (8 and 32 MB): more falls out of the processor's cache."""
_STORED = 2**27
"""Most numbers kept as effects of all nodes (1 GB)."""
_COMPARED = 4
"""Rows on which an average over detunings is compared with a finer one."""
_NEGATIVE = 1e-3
"""Largest negative mass of an average over detunings that is taken for quadrature error."""


class NoisyProgram:
    """Outcome probabilities of one compiled circuit under one setting of the noise.

    Args:
        compiled: template of gates on one or two qubits, delays and final measurements.
        options: strength of each source; as reported by default.
        device: torch device, ``"cpu"`` or ``"cuda"``.
        detuning_level: accuracy of the average over quasi-static detunings, see
            :func:`backends.engine.quadrature.gaussian_nodes`. The error falls as the phase spread
            of a qubit (radians, over the circuit) to the power ``2 level + 2``; one that is too
            large for the circuit is refused (:mod:`backends.engine.detuning`).

    Raises:
        ValueError: a gate on more than two qubits, or a device without double precision.
    """

    def __init__(
        self,
        compiled: CompiledTemplate,
        options: NoiseOptions | None = None,
        *,
        device: torch.device | str = "cpu",
        detuning_level: int = 2,
    ) -> None:
        self.compiled = compiled
        self.device = torch.device(device)
        if self.device.type == "mps":
            raise ValueError("Argument `device` must have double precision, but is 'mps'.")
        self._columns = columns_of(compiled)
        options = options or NoiseOptions()
        noises: list[Realisation] = [(1.0, None)]
        finer: list[Realisation] = []
        part = device_part(compiled)
        if part is not None:
            if not is_native(compiled, part):
                raise ValueError(
                    "Argument `compiled` must be in native gates, but is in those that native "
                    "rows are written from; backends.native.rows.simulated gives them."
                )
            noises = realisations(part, options, detuning_level)
            finer = finer_minus_this(compiled, part, options, detuning_level)
        confusion = [
            np.eye(2) if noises[0][1] is None else noises[0][1].confusion(q)
            for q in measured_qubits(compiled.circuit)
        ]
        readout = [torch.as_tensor(pauli.readout_effects(c), device=device) for c in confusion]
        self._branches, self._finer = (
            [
                (weight, _Branch.of(lower(compiled, noise), compiled, readout, self.device))
                for weight, noise in chosen
            ]
            for chosen in (noises, finer)
        )

    def probabilities(self, angles: FloatArray) -> FloatArray:
        """Noisy outcome probabilities ``(B, 2**m)``, readout errors included.

        Args:
            angles: ``(B, P)`` radians, columns the template's ``parameter_names``.

        Raises:
            BackendError: angles of the wrong shape or not finite.
            ValueError: an average over detunings that is no distribution, or that two more nodes
                would change: the level is too low.
        """
        rows = check_angles(self.compiled, angles)
        total = np.zeros((len(rows), 2**self.compiled.n_measured))
        backwards = self._backwards(len(rows))
        for weight, branch in self._branches:
            total += weight * self._branch(branch, rows, backwards)
        negative = float(-total.clip(None, 0.0).sum(axis=1).min(initial=0.0))
        if negative > _NEGATIVE:
            raise ValueError(
                "Argument `detuning_level` must be higher for detunings this strong, but the "
                f"average has a negative mass of {negative:.2g}."
            )
        self._check_detunings(rows[:_COMPARED])
        positive = total.clip(0.0, None)
        return np.asarray(positive / positive.sum(axis=1, keepdims=True), dtype=np.float64)

    def _check_detunings(self, rows: FloatArray) -> None:
        change = np.zeros((len(rows), 2**self.compiled.n_measured))
        for weight, branch in self._finer:
            change += weight * self._branch(branch, rows, False)
        gap = float(0.5 * np.abs(change).sum(axis=1).max(initial=0.0))
        if gap > LARGEST_GAP:
            raise ValueError(
                "Argument `detuning_level` must be higher, or T2* longer, for detunings this "
                f"strong: two more nodes move a distribution by {gap:.2g}."
            )

    def _backwards(self, rows: int) -> bool:
        branch = self._branches[0][1]
        outcomes = 2**self.compiled.n_measured
        stored = outcomes * 4 ** len(branch.touched) * len(self._branches)
        known = branch.effects is not None
        return bool(branch.touched) and stored <= _STORED and (known or rows >= outcomes)

    def _branch(self, branch: _Branch, rows: FloatArray, backwards: bool) -> FloatArray:
        if not branch.touched:  # nothing depends on data
            same = branch.forward(torch.ones(1, 1, dtype=torch.float64, device=self.device))
            return same.cpu().numpy().repeat(len(rows), axis=0)
        width = len(branch.touched) if backwards else self.compiled.circuit.num_qubits
        chunk = max(1, _PREPARED_AT_ONCE >> (2 * width))
        out = np.empty((len(rows), 2**self.compiled.n_measured))
        for start in range(0, len(rows), chunk):
            part = rows[start : start + chunk]
            states = branch.prepared(part, self._columns)
            found = states @ branch.povm().T if backwards else branch.forward(states)
            out[start : start + chunk] = found.cpu().numpy()
        return out


@dataclass(eq=False)
class _Branch:
    """The program under one realisation of the detunings.

    Attributes:
        front: steps that depend on rows, and those before them.
        back: everything else, fixed.
        touched: qubits of the front, sorted.
        order: all qubits, coupled ones next to each other.
        measured: measured qubits, most significant first.
        readout: ``(2, 4)`` effects of each measured qubit.
        effects: ``(2**m, 4**len(touched))`` once computed.
    """

    front: list[Step]
    back: list[Block]
    touched: list[int]
    order: list[int]
    measured: tuple[int, ...]
    readout: list[Tensor]
    device: torch.device
    effects: Tensor | None = field(default=None, init=False)

    @classmethod
    def of(
        cls,
        steps: list[Step],
        compiled: CompiledTemplate,
        readout: list[Tensor],
        device: torch.device,
    ) -> _Branch:
        front, back = split(steps)
        blocks = [
            Block(step.qubits, torch.as_tensor(step.parts[0], device=device)) for step in fuse(back)
        ]
        return cls(
            fuse(front),
            blocks,
            sorted({q for step in front for q in step.qubits}),
            _line(compiled.circuit.num_qubits, [s.qubits for s in back]),
            measured_qubits(compiled.circuit),
            readout,
            device,
        )

    def prepared(self, rows: FloatArray, columns: dict[Parameter, int]) -> Tensor:
        """States ``(B, 4**len(touched))`` before the shared part."""
        blocks = [
            Block(s.qubits, torch.as_tensor(s.matrices(columns, rows), device=self.device))
            for s in self.front
        ]
        return prepare(join(blocks), self.touched, self.device)

    def forward(self, states: Tensor) -> Tensor:
        """Probabilities ``(b, 2**m)`` of prepared states ``(b, 4**len(touched))``."""
        n, b = len(self.order), len(states)
        zero = torch.as_tensor(pauli.ZERO, device=self.device)
        values = states.T
        others = [q for q in self.order if q not in self.touched]
        for _ in others:
            values = (values[:, None] * zero[None, :, None]).flatten(0, 1)
        register = Register(self.touched + others, values)
        register.reorder(self.order)
        for block in self.back:
            register.apply(block.matrix, block.qubits)
        unseen = torch.as_tensor(pauli.UNSEEN, device=self.device)
        for q in set(range(n)) - set(self.measured):
            register.contract(q, unseen)
        register.reorder(self.measured)
        values = register.values
        for bit, effects in enumerate(self.readout):
            shaped = values.reshape(2**bit, 4, -1)
            values = torch.matmul(effects, shaped)
        return values.reshape(-1, b).T

    def povm(self) -> Tensor:
        """Effects ``(2**m, 4**len(touched))`` of the shared part, evolved back to the front."""
        if self.effects is None:
            outcomes = torch.arange(2 ** len(self.measured), device=self.device)
            chunk = max(1, _EFFECTS_AT_ONCE >> (2 * len(self.order)))
            parts = [
                self._pulled_back(outcomes[start : start + chunk])
                for start in range(0, len(outcomes), chunk)
            ]
            self.effects = torch.cat(parts, dim=1).T.contiguous()
        return self.effects

    def _pulled_back(self, outcomes: Tensor) -> Tensor:
        m = len(self.measured)
        unseen = torch.as_tensor(pauli.UNSEEN, device=self.device)[:, None]
        factors = dict.fromkeys(self.order, unseen.expand(4, len(outcomes)))
        for bit, (q, effects) in enumerate(zip(self.measured, self.readout, strict=True)):
            factors[q] = effects[outcomes >> (m - 1 - bit) & 1].T
        register = Register.product(self.order, factors)
        for block in reversed(self.back):
            register.apply(block.matrix.T, block.qubits)
        zero = torch.as_tensor(pauli.ZERO, device=self.device)
        for q in set(self.order) - set(self.touched):
            register.contract(q, zero)
        register.reorder(self.touched)
        return register.values


def _line(n: int, gates: Sequence[tuple[int, ...]]) -> list[int]:
    """Qubits in an order that puts coupled ones next to each other."""
    pairs = Counter(g for g in gates if len(g) == 2)
    if not pairs:
        return list(range(n))
    a, b = np.array(list(pairs)).T
    ones = np.ones(2 * len(a))
    graph = coo_array((ones, (np.r_[a, b], np.r_[b, a])), shape=(n, n)).tocsr()
    return [int(q) for q in reverse_cuthill_mckee(graph, symmetric_mode=True)]
