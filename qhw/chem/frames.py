"""Reference frames: where a molecule stands before it is written into amplitudes.

``paper``: centred on the mean of the heavy atoms, atom 0 on +z. The azimuth about z stays what the
two rotations leave it (about y, then about x, as released), so it depends on how the molecule
came in. ``fixed``: the azimuth is fixed too, so the result depends on the molecule alone.
Both use proper rotations only: chirality is kept.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from qhw.chem.molecule import MoleculeBatch

FrameName = Literal["paper", "fixed"]
FRAMES: tuple[FrameName, ...] = get_args(FrameName)

CLEAR_OF_AXIS = 0.1
"""Å. Atoms nearer than this to the centre (or axis) do not define a direction while another can:
a direction taken from a short lever arm would jump at the smallest change of geometry."""
_SHARE_OF_LONGEST = 0.37
_NOTHING = 1e-9


def to_frame(molecules: MoleculeBatch, frame: FrameName) -> MoleculeBatch:
    """Molecules moved and turned into a named frame.

    Args:
        molecules: positions in Å, any placement.
        frame: ``"paper"`` or ``"fixed"`` (see the module's docstring).

    Returns:
        A new batch; types and padding unchanged.

    Raises:
        ValueError: unknown frame.
    """
    rotations = frame_rotations(molecules, frame)
    turned = np.einsum("bij,baj->bai", rotations, _centred(molecules))
    return molecules.moved_to(turned)


def frame_rotations(molecules: MoleculeBatch, frame: FrameName) -> NDArray[np.float64]:
    """Rotation of each centred molecule into the frame, ``(B, 3, 3)``, determinant +1.

    In the ``fixed`` frame the first atom clear of the centre goes to +z, then the first atom clear
    of the z axis goes to x > 0, y = 0. If no atom is clear (:data:`CLEAR_OF_AXIS`) the first
    of the farther ones serves; if all coincide with the centre (or lie on the axis) that rotation
    is the identity.

    Raises:
        ValueError: unknown frame.
    """
    if frame not in FRAMES:
        raise ValueError(f"Argument `frame` must be one of {', '.join(FRAMES)}, but is {frame!r}.")
    centred = _centred(molecules)
    if frame == "paper":
        return _onto_z(centred[:, 0])
    to_z = _onto_z(_first_clear(centred))
    off_axis = np.einsum("bij,baj->bai", to_z, centred)
    off_axis[..., 2] = 0.0
    return _azimuth_to_zero(_first_clear(off_axis)) @ to_z


def _centred(molecules: MoleculeBatch) -> NDArray[np.float64]:
    present = (molecules.types >= 0)[..., None]
    counts = np.maximum(molecules.counts, 1)[:, None, None]
    positions = np.where(present, molecules.positions, 0.0)
    centre = positions.sum(axis=1, keepdims=True) / counts
    return np.where(present, positions - centre, 0.0)


def _first_clear(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """First vector longer than ``CLEAR_OF_AXIS`` in each row, ``(B, 3)``.

    Where none is that long, the first longer than a fixed share of the longest: not the longest
    itself, since two of equal length would be told apart by rounding only.
    """
    lengths = np.linalg.norm(vectors, axis=-1)
    limit = np.minimum(CLEAR_OF_AXIS, _SHARE_OF_LONGEST * lengths.max(axis=1, keepdims=True))
    chosen = (lengths > limit).argmax(axis=1)
    picked: NDArray[np.float64] = vectors[np.arange(len(vectors)), chosen]
    return picked


def _cos_sin(
    along: NDArray[np.float64], across: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    radius = np.hypot(along, across)
    usable = radius > _NOTHING
    safe = np.where(usable, radius, 1.0)
    return np.where(usable, along / safe, 1.0), np.where(usable, across / safe, 0.0)


def _onto_z(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotations bringing each vector to +z: about y until x = 0, then about x until y = 0."""
    x, y, z = vectors.T
    cos_y, sin_y = _cos_sin(z, x)
    cos_x, sin_x = _cos_sin(np.hypot(x, z), y)
    zero = np.zeros_like(x)
    rows = [
        [cos_y, zero, -sin_y],
        [-sin_x * sin_y, cos_x, -sin_x * cos_y],
        [cos_x * sin_y, sin_x, cos_x * cos_y],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def _azimuth_to_zero(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotations about z bringing each vector's xy part to +x."""
    cos, sin = _cos_sin(vectors[:, 0], vectors[:, 1])
    zero, one = np.zeros_like(cos), np.ones_like(cos)
    rows = [[cos, sin, zero], [-sin, cos, zero], [zero, zero, one]]
    return np.moveaxis(np.array(rows), -1, 0)
