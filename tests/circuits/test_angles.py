from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhw.circuits.angles import AnglesError, read_rows

NAMES = ["a", "t[0]", "t[1]", "z"]
MATRIX = np.arange(12.0).reshape(3, 4) / 7


def columns() -> dict[str, np.ndarray]:
    return {name: MATRIX[:, i] for i, name in enumerate(NAMES)}


def write_csv(path: Path, named: dict[str, np.ndarray], labels: list[str] | None = None) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(["row"] if labels else []), *named])
        for i in range(len(MATRIX)):
            writer.writerow(
                [*([labels[i]] if labels else []), *(repr(float(v[i])) for v in named.values())]
            )
    return path


@given(order=st.permutations(NAMES))
def test_names_decide_the_columns_in_every_form(
    tmp_path_factory: pytest.TempPathFactory, order: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("angles")
    named = {name: columns()[name] for name in order}
    np.savez(folder / "a.npz", **named)
    csv_file = write_csv(folder / "a.csv", named, ["one", "two", "three"])
    for form in (named, folder / "a.npz", str(csv_file)):
        np.testing.assert_array_equal(read_rows(form, NAMES).angles, MATRIX)
    assert read_rows(csv_file, NAMES).names == ("one", "two", "three")


def test_a_matrix_goes_by_the_circuits_order(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", MATRIX)
    np.savez(tmp_path / "b.npz", angles=MATRIX)
    for form in (MATRIX, MATRIX.tolist(), tmp_path / "a.npy", tmp_path / "b.npz"):
        found = read_rows(form, NAMES)
        np.testing.assert_array_equal(found.angles, MATRIX)
        assert found.names == ("0", "1", "2")
    np.testing.assert_array_equal(read_rows(MATRIX[1], NAMES).angles, MATRIX[1:2])


def test_vectors_by_name_and_numbers_for_all_rows() -> None:
    found = read_rows({"t": MATRIX[:, 1:3], "a": 0.5, "z": MATRIX[:, 3]}, NAMES)
    np.testing.assert_array_equal(found.angles[:, 1:], MATRIX[:, 1:])
    np.testing.assert_array_equal(found.angles[:, 0], 0.5)


def test_vectors_of_ten_and_more_keep_the_order_of_their_elements() -> None:
    names = [f"t[{i}]" for i in range(12)]
    matrix = np.arange(24.0).reshape(2, 12)
    np.testing.assert_array_equal(read_rows({"t": matrix}, names).angles, matrix)


def test_data_frames_bring_their_index() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(columns(), index=["x", "y", "z"])
    found = read_rows(frame[NAMES[::-1]], NAMES)
    np.testing.assert_array_equal(found.angles, MATRIX)
    assert found.names == ("x", "y", "z")


def test_nothing_free_is_one_row() -> None:
    assert read_rows(None, []).angles.shape == (1, 0)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (None, "must be given for 4 free parameters"),
        (MATRIX[:, :3], r"must have shape \(B, 4\).* but has \(3, 3\)"),
        (np.empty((0, 4)), "must have at least one row"),
        ({**columns(), "q": [1, 2, 3]}, "also has q"),
        ({"a": [1.0]}, r"lacks t\[0\], t\[1\], z"),
        (
            {**columns(), "a": ["0.1", "zwei", "3"]},
            "'a' must hold real numbers, but holds 'zwei'",
        ),
        ({**columns(), "z": [1, float("nan"), 3]}, "row 1 has nan for 'z'"),
        ({**columns(), "z": [1, 2]}, r"columns of one length, but has \[2, 3\]"),
        ({"t": MATRIX, "a": 1, "z": 2}, "vector 't' must have 2 columns"),
        ("angles.xlsx", "must be a file ending in .csv, .npy, .npz"),
    ],
)
def test_what_does_not_fit_is_named(form: object, words: str) -> None:
    with pytest.raises(AnglesError, match=words):
        read_rows(form, NAMES)


def test_damaged_and_dangerous_files_are_one_line(tmp_path: Path) -> None:
    np.save(tmp_path / "pickle.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04broken")
    np.savez_compressed(tmp_path / "altered.npz", angles=np.tile(MATRIX, (40, 1)))
    raw = bytearray((tmp_path / "altered.npz").read_bytes())
    raw[30 + sum(raw[26:30:2])] = 0xFF  # of deflate, no type of block
    (tmp_path / "altered.npz").write_bytes(raw)
    (tmp_path / "latin.csv").write_bytes("a,\xe9\n1,2\n".encode("latin-1"))
    (tmp_path / "short.csv").write_text("a,t[0],t[1],z\n1,2,3\n")
    (tmp_path / "twice.csv").write_text("a,a\n1,2\n")
    (tmp_path / "empty.csv").write_text("a,t[0]\n")
    for name, words in (
        ("pickle.npy", "numpy arrays"),
        ("cut.npz", "numpy arrays"),
        ("altered.npz", "numpy arrays, but: Error -3 while decompressing"),
        ("latin.csv", "UTF-8"),
        ("short.csv", "line 2 must have 4 values, but has 3"),
        ("twice.csv", "name each column once"),
        ("empty.csv", "at least one row"),
        ("none.csv", "cannot be read"),
    ):
        with pytest.raises(AnglesError, match=words) as caught:
            read_rows(tmp_path / name, NAMES)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
