"""Files of geometries with energies and forces: rMD17's npz, and what ASE reads as extended XYZ."""

from __future__ import annotations

import hashlib
import io
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.closest import quoted
from calibration.documents import read_bounded
from qhw.chem.geometries import (
    EV_OF,
    EnergyUnit,
    Geometries,
    GeometryError,
    check_geometry,
    check_labels,
    check_magnitudes,
)
from qhw.numpy_files import MAX_BYTES, read_arrays

_SHIPPED = Path(str(files("qhw") / "data" / "geometries"))
_COUNT = re.compile(r"^[ \t]*(\d{1,20})[ \t\r]*$", re.MULTILINE)
_KEYS = ("nuclear_charges", "coords", "energies", "forces")


def read_geometries(
    path: Path, unit: EnergyUnit | None = None, *, trust_units: bool = False
) -> tuple[Geometries, str]:
    """Read labelled geometries.

    Args:
        path: ``.npz`` with rMD17's keys (``nuclear_charges (A,)``, ``coords (B, A, 3)`` Å,
            ``energies (B,)``, ``forces (B, A, 3)``), or ``.xyz``/``.extxyz`` as ASE reads it;
            ``shipped:NAME.npz`` is of the project's own, such as ``shipped:h2o_train.npz``.
        unit: of energies, and of forces times Å; by default what an npz says itself in ``unit``,
            else kcal/mol, as rMD17 has them, and eV of extended XYZ, as ASE has them.
        trust_units: take sizes that look like another unit's as they are.

    Returns:
        The frames in eV and Å, and the sha256 of the file.

    Raises:
        GeometryError: one line, with the file: unreadable, arrays missing or of wrong shapes,
            values missing, not finite, of a wrong size, atoms too close, a periodic cell.
        ModuleNotFoundError: extended XYZ without ASE.
    """
    path = _shipped(path)
    try:
        raw = read_bounded(path, MAX_BYTES)
    except OSError as error:
        raise GeometryError(f"{path} cannot be read: {error.strerror or error}") from error
    where = str(path)
    if path.suffix == ".npz":
        frames, unit = _of_npz(raw, where, unit)
    elif path.suffix in (".xyz", ".extxyz"):
        frames, unit = _of_xyz(raw, where, unit or "eV"), unit or "eV"
    else:
        raise GeometryError(
            f"{path} must end in .npz, .xyz or .extxyz, but ends in {path.suffix!r}"
        )
    check_geometry(frames, None, where)
    check_labels(frames, where)
    if not trust_units:
        check_magnitudes(frames, unit, where)
    return frames, hashlib.sha256(raw).hexdigest()


def energy_unit(word: str | None) -> EnergyUnit | None:
    """A unit by its name; ``None`` for the file's own.

    Raises:
        GeometryError: another word.
    """
    for unit in EV_OF:
        if word == unit:
            return unit
    if word is None:
        return None
    raise GeometryError(
        f"Argument `unit` must be one of {', '.join(EV_OF)}, but is {quoted(word[:40])}"
    )


def shipped_geometries() -> tuple[str, ...]:
    """Names of the project's own files."""
    return tuple(sorted(p.name for p in _SHIPPED.iterdir() if p.suffix == ".npz"))


def _shipped(path: Path) -> Path:
    """The file that a name with the prefix is of; any other path as it is."""
    head, found, name = str(path).partition("shipped:")
    if head or not found:
        return path
    if name not in shipped_geometries():
        raise GeometryError(
            f"Shipped geometries must be one of {', '.join(shipped_geometries())}, but are "
            f"{quoted(name[:40])}"
        )
    return _SHIPPED / name


def _of_npz(raw: bytes, where: str, unit: EnergyUnit | None) -> tuple[Geometries, EnergyUnit]:
    try:
        arrays = read_arrays(raw, (*_KEYS, "unit"))
        if not isinstance(arrays, dict):
            raise ValueError("it has one array without a name")
    except ValueError as error:
        raise GeometryError(f"{where} is no npz file of arrays: {error}") from error
    said = str(arrays["unit"])[:40] if "unit" in arrays else None
    for key in _KEYS:
        if key not in arrays:
            raise GeometryError(f"{where} must have an array {key}, but has none")
        if arrays[key].dtype.kind not in "iuf":
            raise GeometryError(f"{where}: {key} must be numbers, but is {arrays[key].dtype}")
    numbers, coords, energies, forces = (arrays[key] for key in _KEYS)
    frame_count, atom_count = (*coords.shape, 0, 0)[:2]
    energies = energies[:, 0] if energies.shape == (frame_count, 1) else energies
    _shape(numbers, (atom_count,), "nuclear_charges", where)
    _shape(coords, (frame_count, atom_count, 3), "coords", where)
    _shape(energies, (frame_count,), "energies", where)
    _shape(forces, (frame_count, atom_count, 3), "forces", where)
    if not frame_count or not atom_count:
        raise GeometryError(f"{where} must hold at least one frame of one atom, but holds none")
    strange = ~np.isin(numbers, np.arange(1, 119))
    if strange.any():
        raise GeometryError(
            f"{where}: nuclear_charges must be whole numbers from 1 to 118, but has "
            f"{numbers[strange][0]}"
        )
    try:
        unit = unit or energy_unit(said) or "kcal/mol"
    except GeometryError as error:
        raise GeometryError(f"{where}: {error}") from error
    frames = Geometries(
        np.tile(numbers.astype(np.int64), (frame_count, 1)),
        coords.astype(np.float64),
        energies.astype(np.float64) * EV_OF[unit],
        forces.astype(np.float64) * EV_OF[unit],
    )
    return frames, unit


def _shape(array: NDArray[np.generic], wanted: tuple[int, ...], key: str, where: str) -> None:
    if array.shape != wanted:
        raise GeometryError(f"{where}: {key} must have shape {wanted}, but has {array.shape}")


def _of_xyz(raw: bytes, where: str, unit: EnergyUnit) -> Geometries:
    try:
        from ase.io import read
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "ASE is not installed, which reads .xyz: pip install 'qhw[ase]'", name="ase"
        ) from None
    try:
        text = raw.decode()
        _check_counts(text)
        atoms: Any = read(io.StringIO(text), index=":", format="extxyz")
    except Exception as error:  # ASE raises whatever its parser meets
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise GeometryError(f"{where} is no extended XYZ: {reason}") from error
    frames = Geometries.of_atoms(atoms, where)
    scale = EV_OF[unit]
    return Geometries(
        frames.numbers,
        frames.positions,
        None if frames.energies is None else frames.energies * scale,
        None if frames.forces is None else frames.forces * scale,
    )


def _check_counts(text: str) -> None:
    """Refuse a frame of more atoms than there are lines: ASE would count them all."""
    lines = text.count("\n") + 1
    for found in _COUNT.finditer(text):
        if int(found[1]) > lines:
            raise ValueError(f"a frame of {found[1]} atoms in a file of {lines} lines")
