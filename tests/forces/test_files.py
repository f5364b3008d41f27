from __future__ import annotations

import contextlib
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import constants

from qhw.chem.geometries import EV_OF, Geometries, GeometryError, check_geometry
from qhw.forces.files import read_geometries
from tests.forces.molecules import WATER, waters

KCAL = EV_OF["kcal/mol"]


def arrays(frames: Geometries, unit: float = KCAL) -> dict[str, np.ndarray]:
    return {
        "nuclear_charges": WATER.astype(np.uint8),
        "coords": frames.positions,
        "energies": frames.energies / unit,
        "forces": frames.forces / unit,
    }


def test_units_are_known() -> None:
    assert pytest.approx(0.0433641, rel=1e-6) == KCAL
    assert EV_OF["Ha"] == pytest.approx(627.509474 * KCAL, rel=1e-8)
    assert constants.e > 0


def test_npz_is_read_in_kcal_and_xyz_in_ev(tmp_path: Path) -> None:
    frames = waters(6)
    np.savez(tmp_path / "w.npz", **arrays(frames))
    found, digest = read_geometries(tmp_path / "w.npz")
    assert np.allclose(found.energies, frames.energies) and np.allclose(found.forces, frames.forces)
    assert np.array_equal(found.numbers, frames.numbers) and len(digest) == 64
    np.savez(tmp_path / "h.npz", **arrays(frames, EV_OF["Ha"]))
    found, _ = read_geometries(tmp_path / "h.npz", "Ha")
    assert np.allclose(found.forces, frames.forces)

    ase = pytest.importorskip("ase")
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    many = []
    for positions, energy, forces in zip(
        frames.positions, frames.energies, frames.forces, strict=True
    ):
        atoms = ase.Atoms(WATER, positions)
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        many.append(atoms)
    many.append(ase.Atoms("OH", [[0, 0, 0], [1, 0, 0]]))
    many[-1].calc = SinglePointCalculator(many[-1], energy=-2000.0, forces=np.ones((2, 3)))
    write(tmp_path / "w.extxyz", many, format="extxyz")
    found, _ = read_geometries(tmp_path / "w.extxyz")
    assert np.allclose(found.energies[:6], frames.energies)
    assert np.allclose(found.forces[:6], frames.forces, atol=1e-7)
    assert found.numbers[6].tolist() == [8, 1, 0]
    many[2].calc = None
    write(tmp_path / "gap.xyz", many, format="extxyz")
    with pytest.raises(GeometryError, match="frame 3 has none"):
        read_geometries(tmp_path / "gap.xyz")
    many[0].set_cell([9, 9, 9])
    many[0].set_pbc(True)
    write(tmp_path / "cell.xyz", many, format="extxyz")
    with pytest.raises(GeometryError, match=r"cell\.xyz: frame 1 is periodic"):
        read_geometries(tmp_path / "cell.xyz")


def _with(**changes: Callable[[np.ndarray], np.ndarray] | None) -> dict[str, np.ndarray]:
    found = arrays(waters(6))
    for key, change in changes.items():
        if change is None:
            del found[key]
        else:
            found[key] = change(found[key])
    return found


def _header(shape: str) -> bytes:
    words = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(words)) + words


def _at(place: tuple[int, ...], value: float) -> Callable[[np.ndarray], np.ndarray]:
    def changed(array: np.ndarray) -> np.ndarray:
        copied = array.copy()
        copied[place] = value
        return copied

    return changed


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_with(forces=None), "must have an array forces"),
        (_with(forces=lambda f: f[:3]), r"forces must have shape \(6, 3, 3\), but has \(3, 3, 3\)"),
        (_with(energies=_at((2,), np.nan)), "energies must be finite, but those of frame 3"),
        (_with(coords=_at((1, 0, 0), np.inf)), "positions must be finite, but those of frame 2"),
        (_with(coords=lambda x: x * 0.2), "atoms 2 and 1 of frame 1|atoms 1 and 2 of frame 1"),
        (_with(nuclear_charges=lambda z: z + 120), "whole numbers from 1 to 118, but has 128"),
        (_with(nuclear_charges=lambda z: z + 0.4), "whole numbers from 1 to 118, but has 8.4"),
        (_with(nuclear_charges=lambda z: z * np.nan), "whole numbers .* but has nan"),
        (_with(nuclear_charges=lambda z: z * np.array([1, 0, 1])), "whole numbers .* but has 0"),
        (_with(nuclear_charges=lambda z: -z.astype(int)), "whole numbers .* but has -8"),
        (_with(nuclear_charges=lambda z: z + np.uint64(2**64 - 9)), "but has 18446744073709551615"),
        (_with(energies=lambda e: e.reshape(3, 2)), r"energies must have shape \(6,\)"),
        (_with(coords=lambda x: x / 0.529177), "positions must be in Å.*as bohr"),
        (arrays(waters(6), 1.0), "energies read in kcal/mol.*as eV would give"),
        (arrays(waters(6), EV_OF["Ha"]), "energies read in kcal/mol.*as Ha would give"),
        (_with(forces=lambda f: f / 23.06 / 27.2, energies=lambda e: e - e[0]), "as .*Ha would"),
        (_with(forces=lambda f: f * 23.06), "forces read in kcal/mol/Å have.*51"),
        (_with(nuclear_charges=lambda z: z.astype("U2")), "nuclear_charges must be numbers"),
        (_with(coords=lambda x: x[:0], energies=lambda e: e[:0], forces=lambda f: f[:0]), "one"),
    ],
)
def test_bad_arrays_get_one_line(
    tmp_path: Path, content: dict[str, np.ndarray], words: str
) -> None:
    np.savez(tmp_path / "bad.npz", **content)
    with pytest.raises(GeometryError, match=words) as caught:
        read_geometries(tmp_path / "bad.npz")
    assert "\n" not in str(caught.value) and str(tmp_path / "bad.npz") in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (b"hello", "'coords' is no array"),
        (_header("(1000000000000, 3, 3)"), "Unable to allocate"),
        (_header("(10000000000000000000000, 3)"), "too large"),
        (_header("(("), "multi-line"),
    ],
)
def test_entries_that_are_no_arrays_get_one_line(tmp_path: Path, entry: bytes, words: str) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, **_with(coords=None))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("coords.npy", entry)
    with pytest.raises(GeometryError, match=words):
        read_geometries(path)


def test_altered_files_get_one_line(tmp_path: Path) -> None:
    """Whatever byte is another: zip, deflate and headers each raise their own."""
    path = tmp_path / "bad.npz"
    np.savez_compressed(path, **arrays(waters(6)))
    raw = path.read_bytes()
    assert read_geometries(path)
    for at in range(6, len(raw), len(raw) // 150):
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :])
        with contextlib.suppress(GeometryError):  # some bytes are not read
            read_geometries(path)
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for _ in range(2):
            archive.writestr("forces.npy", raw)
    with pytest.raises(GeometryError, match="each array once, but has 'forces' twice"):
        read_geometries(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("forces:R:3", "forces:R:1:q:R:2"), r"frame 1: forces must be numbers of shape \(2, 3\)"),
        (("energy=-2000", "energy=much"), "frame 1: energy must be a number, but is 'much'"),
        (("O  ", "X  "), "atom 1 of frame 1 is of none"),
        (("2\n", "3000000000\n"), "a frame of 3000000000 atoms in a file of 5 lines"),
    ],
)
def test_what_ase_lets_through_of_an_xyz(
    tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    pytest.importorskip("ase")
    text = "2\nProperties=species:S:1:pos:R:3:forces:R:3 energy=-2000\n" + (
        "O   0 0 0 1 2 3\nH   0 0 1 -1 -2 -3\n"
    )
    path = tmp_path / "w.xyz"
    path.write_text(text)
    assert read_geometries(path)[0].forces[0, 1].tolist() == [-1, -2, -3]
    path.write_text(text.replace(*change, 1))
    with pytest.raises(GeometryError, match=words):
        read_geometries(path)


@pytest.mark.parametrize("numbers", [[8, 0, 1], [8, 1, -1]])
def test_no_atom_is_passed_over(numbers: list[int]) -> None:
    frames = Geometries(np.array([numbers]), np.array([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]]))
    with pytest.raises(GeometryError, match=r"padding last, but atom 3|atom 3 of frame 1 has -1"):
        check_geometry(frames, None, "frames")


def test_sizes_that_are_right_can_be_trusted(tmp_path: Path) -> None:
    np.savez(tmp_path / "soft.npz", **_with(forces=lambda f: f * 1e-3))
    with pytest.raises(GeometryError, match="trust_units"):
        read_geometries(tmp_path / "soft.npz")
    assert read_geometries(tmp_path / "soft.npz", trust_units=True)


@pytest.mark.parametrize("name", ["no.npz", "text.npz", "pickle.npz", "words.xyz", "what.csv"])
def test_files_that_are_none_get_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "pickle.npz":
        np.savez(path, **{**arrays(waters(2)), "energies": np.array([{}, {}], dtype=object)})
    elif name != "no.npz":
        path.write_text("seven\nwords\n")
    with pytest.raises(GeometryError, match=name) as caught:
        read_geometries(path)
    assert "\n" not in str(caught.value)
