"""Every vendor's two-qubit gate as one of three canonical gates between local rotations.

A circuit is routed in the canonical gates ``cz``, ``rzz`` and ``iswap``; each is then one native
gate with fixed one-qubit unitaries around it, which merge into the pulses that are there anyway.
Rotations about z pass through ``cz`` and ``rzz``, and change sides in ``iswap``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from qiskit.circuit import Gate
from qiskit.circuit.library import (
    CPhaseGate,
    CXGate,
    CZGate,
    ECRGate,
    RXXGate,
    RZZGate,
    iSwapGate,
)

from backends.base import BackendError
from backends.native.rotations import HADAMARD, IDENTITY, PAULI_X, Matrix, rz, wrap
from calibration.snapshot import GateLimit

Canonical = Literal["cz", "rzz", "iswap"]


@dataclass(frozen=True)
class Entangler:
    """One native gate as ``(after) native (before)`` of a canonical one.

    Attributes:
        canonical: the canonical gate.
        gate: the native gate.
        before: unitary on the first and the second qubit, ahead of it.
        after: the same, behind it.
    """

    canonical: Canonical
    gate: Gate
    before: tuple[Matrix, Matrix] = (IDENTITY, IDENTITY)
    after: tuple[Matrix, Matrix] = (IDENTITY, IDENTITY)

    @property
    def moves_x(self) -> tuple[bool, bool]:
        """Per qubit, whether rotations about x pass the native gate, instead of about z."""
        first, second = (before is HADAMARD for before in self.before)
        return first, second


def canonical_of(native: str) -> Canonical:
    """The canonical gate that a native gate replaces.

    Raises:
        BackendError: the native gate is not known here.
    """
    if native not in _CANONICAL:
        raise BackendError(
            f"Native two-qubit gates must be among {', '.join(_CANONICAL)}, but one is {native}."
        )
    return _CANONICAL[native]


_CANONICAL: dict[str, Canonical] = {
    "cz": "cz",
    "cx": "cz",
    "ecr": "cz",
    "rzz": "rzz",
    "rxx": "rzz",
    "cp": "rzz",
    "iswap": "iswap",
}


@lru_cache(maxsize=1024)
def entangler(native: str, angle: float = 0.0) -> Entangler:
    """The canonical gate made with a native one.

    Args:
        native: name of the native gate, its first qubit being the first of the pair.
        angle: of a canonical ``rzz``, radians.

    Raises:
        BackendError: the native gate is not known here.
    """
    canonical = canonical_of(native)
    if native == "cz":
        return Entangler(canonical, CZGate())
    if native == "cx":
        return Entangler(canonical, CXGate(), (IDENTITY, HADAMARD), (IDENTITY, HADAMARD))
    if native == "ecr":
        # ecr = X on the first, after rzx(pi/2); cz = rz(-pi/2) on both, after rzz(pi/2)
        quarter = rz(-math.pi / 2)
        after = (quarter @ PAULI_X, quarter @ HADAMARD)
        return Entangler(canonical, ECRGate(), (IDENTITY, HADAMARD), after)
    if native == "rzz":
        return Entangler(canonical, RZZGate(angle))
    if native == "rxx":
        both = (HADAMARD, HADAMARD)
        return Entangler(canonical, RXXGate(angle), both, both)
    if native == "cp":
        both = (rz(angle), rz(angle))
        return Entangler(canonical, CPhaseGate(wrap(-2 * angle)), after=both)
    return Entangler(canonical, iSwapGate())


@dataclass(frozen=True)
class Fold:
    """``rzz(t)`` as a smaller angle: Z on both qubits, and X on the first before and after.

    Attributes:
        angle: the angle to apply, radians.
        z_both: Z on both qubits (virtual).
        x_around: X on the first qubit on either side.
    """

    angle: float
    z_both: bool
    x_around: bool


def fold_rzz(angle: float, limit: GateLimit | None) -> Fold:
    """Bring the angle of ``rzz`` into what the hardware takes, and to at most a quarter turn.

    Args:
        angle: radians.
        limit: the native gate's limit, ``None`` for any angle.

    Raises:
        BackendError: no equivalent angle is accepted.
    """
    turned = wrap(angle)
    over = abs(turned) > math.pi / 2
    folded = wrap(turned - math.copysign(math.pi, turned)) if over else turned
    for candidate, x_around in ((folded, False), (-folded, True)):
        if limit is None or limit.permits(candidate):
            return Fold(candidate, over, x_around)
    raise BackendError(
        f"Native gate {limit.gate if limit else 'rzz'} must take the angle {folded:.6g} rad or its "
        f"opposite, but its limits forbid both."
    )
