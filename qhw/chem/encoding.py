"""Molecules as 2^7 non-negative amplitudes, and back.

Each atom has a place v in the unit cube (its position in the bounding box), a one-hot type and an
auxiliary value a = sqrt(3 - |v|^2), so that |v|^2 + 1 + a^2 = 4; all values divided by
2 sqrt(n) give n atoms norm 1. Amplitude index: wire 0 is the most significant bit.

Layouts:
    paper: atom i fills ``8i .. 8i+7`` with ``[x, y, z, C, N, O, F, a]``; zeros after atom n.
    released: atom i fills ``7i .. 7i+6`` with ``[x, y, z, C, N, O, F]``, then a_0 .. a_{n-1} from
        ``7n`` on, then zeros.

Source: QVAE-Mole (NeurIPS 2024), section 3.1; the second layout and decoding rule as released.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from qhw.chem.molecule import ELEMENTS, MAX_ATOMS, SYMBOLS, MoleculeBatch

Layout = Literal["paper", "released"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
N_AMPLITUDES = 128
_N_TYPES = len(ELEMENTS)
_AXES = np.arange(3)


@dataclass(frozen=True)
class BoundingBox:
    """The cube that is mapped to [0, 1]^3.

    Attributes:
        minimum: its lowest corner (x, y, z), Å.
        side: its side, Å.
    """

    minimum: tuple[float, float, float]
    side: float

    @classmethod
    def from_molecules(cls, molecules: MoleculeBatch, *, margin: float = 0.0) -> BoundingBox:
        """Smallest cube at the lowest corner of all atoms, widened by ``margin`` Å on each side.

        Raises:
            ValueError: no atoms, or all atoms in one point.
        """
        atoms = molecules.positions[molecules.types >= 0]
        if len(atoms) == 0:
            raise ValueError("Argument `molecules` must hold at least one atom, but it holds none.")
        low, high = atoms.min(axis=0) - margin, atoms.max(axis=0) + margin
        side = float((high - low).max())
        if side <= 0.0:
            raise ValueError("Argument `molecules` must span a volume, but all atoms coincide.")
        return cls((float(low[0]), float(low[1]), float(low[2])), side)

    def to_unit(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Å to box units; inside the box is [0, 1]."""
        places: NDArray[np.float64] = (positions - np.array(self.minimum)) / self.side
        return places

    def to_angstrom(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Box units to Å."""
        positions: NDArray[np.float64] = places * self.side + np.array(self.minimum)
        return positions


RELEASED_BOX = BoundingBox((-3.92718444, -4.54352093, -5.10957203), 10.36)
"""Box of the released code, of QM9 in the ``paper`` frame."""


@dataclass(frozen=True)
class DecodeOptions:
    """How amplitudes are read as a molecule.

    Attributes:
        count: ``"nearest"``: the atom count whose decoded molecule, encoded again, overlaps most
            with the amplitudes; inverts :func:`encode` exactly. ``"threshold"`` (paper and
            released code): atoms exist up to the first whose type amplitudes sum to at most
            ``threshold``. That rule does not invert the encoding: one type amplitude is
            1/(2 sqrt(n)), already below 0.2 at n = 7, and in the released layout the auxiliary
            values stand where the next atom's type would be.
        threshold: T.
        max_atoms: most atoms decoded. The released setting ``max_atoms=10`` yields at most 9.
        scale: ``"sqrt_n"``: coordinates times 2 sqrt(n), the inverse of the encoding.
            ``"released"``: times 2 only, which shrinks the molecule by sqrt(n).
    """

    count: Literal["nearest", "threshold"] = "nearest"
    threshold: float = 0.2
    max_atoms: int = MAX_ATOMS
    scale: Literal["sqrt_n", "released"] = "sqrt_n"

    def __post_init__(self) -> None:
        if self.count not in ("nearest", "threshold"):
            raise ValueError(
                f"Argument `count` must be nearest or threshold, but is {self.count!r}."
            )
        if self.scale not in ("sqrt_n", "released"):
            raise ValueError(f"Argument `scale` must be sqrt_n or released, but is {self.scale!r}.")
        if not 0.0 <= self.threshold < np.inf:
            raise ValueError(
                f"Argument `threshold` must be finite and >= 0, but is {self.threshold}."
            )
        if not 1 <= self.max_atoms <= MAX_ATOMS:
            raise ValueError(
                f"Argument `max_atoms` must be 1 to {MAX_ATOMS}, but is {self.max_atoms}."
            )


RELEASED_DECODE = DecodeOptions(count="threshold", scale="released")
"""Decoding of the released generation script (T = 0.2, ``--max_atoms 10``, no sqrt(n))."""


@dataclass(frozen=True)
class Slots:
    """Amplitude indices of an n-atom molecule.

    Attributes:
        places: of x, y, z, ``(n, 3)``.
        types: of the one-hot type, ``(n, 4)``.
        aux: of the auxiliary value, ``(n,)``.
        padding: all other indices, zero in an encoded molecule.
    """

    places: NDArray[np.int64]
    types: NDArray[np.int64]
    aux: NDArray[np.int64]
    padding: NDArray[np.int64]


def slots(layout: Layout, n_atoms: int) -> Slots:
    """Where an ``n_atoms``-atom molecule's values stand among the 128 amplitudes.

    Raises:
        ValueError: unknown layout, or a count outside 1..9.
    """
    if layout not in LAYOUTS:
        raise ValueError(
            f"Argument `layout` must be one of {', '.join(LAYOUTS)}, but is {layout!r}."
        )
    if not 1 <= n_atoms <= MAX_ATOMS:
        raise ValueError(f"Argument `n_atoms` must be 1 to {MAX_ATOMS}, but is {n_atoms}.")
    atom = np.arange(n_atoms)
    stride = 3 + _N_TYPES + (layout == "paper")
    places = atom[:, None] * stride + _AXES
    types = atom[:, None] * stride + 3 + np.arange(_N_TYPES)
    aux = atom * stride + 3 + _N_TYPES if layout == "paper" else n_atoms * stride + atom
    used = np.concatenate([places.ravel(), types.ravel(), aux])
    return Slots(places, types, aux, np.setdiff1d(np.arange(N_AMPLITUDES), used))


def encode(
    molecules: MoleculeBatch, *, layout: Layout = "paper", box: BoundingBox = RELEASED_BOX
) -> NDArray[np.float64]:
    """Amplitudes of molecules that already stand in their frame.

    Args:
        molecules: 1 to 9 atoms each, inside ``box``.
        layout: ``"paper"`` or ``"released"``.
        box: the cube mapped to [0, 1]^3.

    Returns:
        ``(B, 128)`` non-negative, norm 1.

    Raises:
        ValueError: unknown layout, or a molecule that cannot be encoded, by its index.
    """
    slots(layout, 1)  # checks the layout
    _check_encodable(molecules, box)
    places = np.clip(box.to_unit(molecules.positions), 0.0, 1.0)
    out = np.zeros((len(molecules), N_AMPLITUDES))
    for n in np.unique(molecules.counts):
        rows = np.flatnonzero(molecules.counts == n)
        where = slots(layout, int(n))
        v = places[rows, :n]
        out[rows[:, None, None], where.places] = v
        out[rows[:, None], where.types[np.arange(n), molecules.types[rows, :n]]] = 1.0
        out[rows[:, None], where.aux] = np.sqrt(3.0 - (v**2).sum(axis=-1))
        out[rows] /= 2.0 * np.sqrt(n)
    return out


def inside(molecules: MoleculeBatch, box: BoundingBox) -> NDArray[np.bool_]:
    """Whether all atoms of each molecule lie in the box, ``(B,)``."""
    unit = box.to_unit(molecules.positions)
    outside = ((unit < -1e-9) | (unit > 1.0 + 1e-9)).any(axis=-1) & (molecules.types >= 0)
    result: NDArray[np.bool_] = ~np.any(outside, axis=1)
    return result


def _check_encodable(molecules: MoleculeBatch, box: BoundingBox) -> None:
    present = molecules.types >= 0
    counts = molecules.counts
    _refuse(counts < 1, "have at least one atom", "has none")
    _refuse(counts > MAX_ATOMS, f"have at most {MAX_ATOMS} heavy atoms", "has more")
    gaps = (np.diff(present.astype(np.int8), axis=1) > 0).any(axis=1)
    _refuse(gaps, "list its atoms before the padding", "does not")
    unknown = (molecules.types < -1) | (molecules.types >= _N_TYPES)
    _refuse(unknown.any(axis=1), f"have elements {', '.join(SYMBOLS)} only", "has another")
    finite = np.isfinite(molecules.positions).all(axis=-1) | ~present
    _refuse(~finite.all(axis=1), "have finite coordinates", "has not")
    _refuse(~inside(molecules, box), "lie inside the bounding box", f"leaves it ({box})")


def _refuse(faults: NDArray[np.bool_] | np.bool_, rule: str, fault: str) -> None:
    bad = np.atleast_1d(faults)
    if bad.any():
        raise ValueError(
            f"Argument `molecules` must {rule} each, but molecule {int(bad.argmax())} {fault} "
            f"({int(bad.sum())} of {len(bad)})."
        )


def decode(
    amplitudes: NDArray[np.float64],
    *,
    layout: Layout = "paper",
    box: BoundingBox = RELEASED_BOX,
    options: DecodeOptions = DecodeOptions(),
) -> MoleculeBatch:
    """Molecules read from amplitudes, in the frame they were encoded in.

    Args:
        amplitudes: ``(B, 128)`` non-negative (roots of a distribution); normalised here.
        layout: ``"paper"`` or ``"released"``.
        box: the cube mapped to [0, 1]^3.
        options: defaults to those that invert :func:`encode` exactly.

    Returns:
        Molecules of 0 to ``options.max_atoms`` atoms, positions in Å.

    Raises:
        ValueError: unknown layout, wrong shape, or a row negative, not finite or all zero.
    """
    amplitudes = np.asarray(amplitudes, dtype=np.float64)
    slots(layout, 1)  # checks the layout
    normed = _normalised(amplitudes)
    if options.count == "threshold":
        counts = _threshold_counts(normed, layout, options)
    else:
        counts = _nearest_counts(normed, layout, box, options)
    return _read(normed, counts, layout, box, options)


def _normalised(amplitudes: NDArray[np.float64]) -> NDArray[np.float64]:
    if amplitudes.ndim != 2 or amplitudes.shape[1] != N_AMPLITUDES:
        raise ValueError(
            f"Argument `amplitudes` must be (B, {N_AMPLITUDES}), but is {amplitudes.shape}."
        )
    norms = np.linalg.norm(amplitudes, axis=1)
    bad = ~np.isfinite(norms) | (norms <= 0.0) | (amplitudes < 0.0).any(axis=1)
    if bad.any():
        raise ValueError(
            "Argument `amplitudes` must be finite, non-negative and not all zero in each row, "
            f"but row {int(bad.argmax())} is not ({int(bad.sum())} of {len(bad)})."
        )
    normed: NDArray[np.float64] = amplitudes / norms[:, None]
    return normed


def _threshold_counts(
    amplitudes: NDArray[np.float64], layout: Layout, options: DecodeOptions
) -> NDArray[np.int64]:
    sums = amplitudes[:, slots(layout, options.max_atoms).types].sum(axis=-1)
    exists = sums > options.threshold
    counts: NDArray[np.int64] = np.cumprod(exists, axis=1).sum(axis=1)
    return counts


def _nearest_counts(
    amplitudes: NDArray[np.float64], layout: Layout, box: BoundingBox, options: DecodeOptions
) -> NDArray[np.int64]:
    overlaps = np.empty((len(amplitudes), options.max_atoms))
    for n in range(1, options.max_atoms + 1):
        counts = np.full(len(amplitudes), n)
        read = _read(amplitudes, counts, layout, box, DecodeOptions())
        clipped = np.clip(box.to_unit(read.positions), 0.0, 1.0)
        again = MoleculeBatch(read.types, box.to_angstrom(clipped))
        overlaps[:, n - 1] = (encode(again, layout=layout, box=box) * amplitudes).sum(axis=1)
    counts_found: NDArray[np.int64] = overlaps.argmax(axis=1) + 1
    return counts_found


def _read(
    amplitudes: NDArray[np.float64],
    counts: NDArray[np.int64],
    layout: Layout,
    box: BoundingBox,
    options: DecodeOptions,
) -> MoleculeBatch:
    where = slots(layout, MAX_ATOMS)  # the atoms' own slots do not depend on how many there are
    present = np.arange(MAX_ATOMS) < counts[:, None]
    types = np.where(present, amplitudes[:, where.types].argmax(axis=-1), -1).astype(np.int8)
    root = np.sqrt(counts) if options.scale == "sqrt_n" else np.ones(len(counts))
    places = amplitudes[:, where.places] * 2.0 * root[:, None, None]
    return MoleculeBatch(types, np.where(present[..., None], box.to_angstrom(places), 0.0))
