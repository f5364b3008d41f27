"""Rows of angles for a circuit's free parameters, from whatever a person keeps them in.

A matrix has a column for every parameter, in the order of ``circuit.parameters`` (Qiskit's own:
vectors by index, names sorted); anything with names (a CSV header, an npz file, a mapping, a data
frame) is matched by name, in any order. A column ``row`` (or ``name``, or another that is asked
for) names the rows.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhw.numpy_files import read_arrays

FloatArray = NDArray[np.float64]

ROW_COLUMNS = ("row", "name")
"""Columns that hold the rows' names; a parameter of that name comes before."""
MAX_FILE_BYTES = 2**30
"""Larger files of angles are refused."""
MAX_NAME = 200
"""Characters of a row's name; the rest is cut."""
_REAL = "biuf"
"""Kinds of numpy's types that are real numbers; text and objects are read value by value."""
_ELEMENT = re.compile(r"(?P<vector>.+)\[(?P<index>\d+)\]")


class AnglesError(ValueError):
    """Angles do not fit a circuit; one line says which and why."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of angles.

    Attributes:
        angles: ``(B, P)`` float64, radians, columns as asked for.
        names: of the rows, B of them.
    """

    angles: FloatArray
    names: tuple[str, ...]


def read_rows(
    given: object, parameters: Sequence[str], names: str | None = None, *, of: str = ""
) -> Rows:
    """Rows of angles in the order of a circuit's parameters.

    Args:
        given: ``None`` for a circuit without parameters (one row); a matrix ``(B, P)``, or ``(P,)``
            for one row; a mapping of names to ``(B,)`` values, numbers for all rows alike, or
            matrices ``(B, n)`` for a whole parameter vector; a pandas data frame; or the path of a
            ``.csv`` (with header), ``.npy`` (a matrix) or ``.npz`` file (arrays by name, or one
            array ``angles`` with the matrix).
        parameters: names of the columns wanted.
        names: column that names the rows, in place of ``row`` or ``name``.
        of: the circuit's name, for errors.

    Raises:
        AnglesError: a file that cannot be read, names that do not fit, a wrong shape, or a value
            that is no finite number; one line names the place.

    Example:
        >>> read_rows({"b": [0.1, 0.2], "a": 1.0}, ["a", "b"]).angles
        array([[1. , 0.1],
               [1. , 0.2]])
    """
    if isinstance(given, str | Path):
        return _from_file(Path(given), parameters, names)
    if given is None:
        if names is not None:
            raise _unnamed(names, "angles")
        if parameters:
            raise AnglesError(
                f"Argument `angles` must be given for {len(parameters)} free parameters "
                f"({_few(parameters)}){of and ' of '}{of}, but is None"
            )
        return Rows(np.empty((1, 0)), ("0",))
    if isinstance(given, Mapping):
        return _from_columns(given, parameters, names, "angles")
    if hasattr(given, "columns") and hasattr(given, "to_numpy"):
        return _from_frame(given, parameters, names)
    return _from_matrix(given, parameters, names, "angles")


def _from_file(path: Path, parameters: Sequence[str], names: str | None) -> Rows:
    readers = {".csv": _from_csv, ".npy": _from_numpy, ".npz": _from_numpy}
    if path.suffix not in readers:
        raise AnglesError(
            f"Argument `angles` must be a file ending in {', '.join(readers)}, but is {path.name!r}"
        )
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise AnglesError(f"{path} cannot be read: {error.strerror}") from error
    if len(raw) > MAX_FILE_BYTES:
        raise AnglesError(f"{path} must have at most {MAX_FILE_BYTES} bytes, but has more")
    return readers[path.suffix](raw, parameters, names, str(path))


def _from_csv(raw: bytes, parameters: Sequence[str], names: str | None, where: str) -> Rows:
    try:
        lines = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise AnglesError(f"{where} must be a CSV file in UTF-8, but: {error}") from error
    lines = [line for line in lines if line]
    if len(lines) < 2:
        raise AnglesError(f"{where} must have a header and at least one row, but has neither")
    header, *body = ([word.strip() for word in line] for line in lines)
    for number, line in enumerate(body, start=2):
        if len(line) != len(header):
            raise AnglesError(
                f"{where}, line {number} must have {len(header)} values, but has {len(line)}"
            )
    if len(set(header)) != len(header):
        raise AnglesError(f"{where} must name each column once, but its header repeats one")
    return _from_columns(
        {name: [line[i] for line in body] for i, name in enumerate(header)},
        parameters,
        names,
        where,
    )


def _from_numpy(raw: bytes, parameters: Sequence[str], names: str | None, where: str) -> Rows:
    try:
        arrays = read_arrays(raw)
    except ValueError as error:
        raise AnglesError(f"{where} must be a file of numpy arrays, but: {error}") from error
    if not isinstance(arrays, dict):
        return _from_matrix(arrays, parameters, names, where)
    if set(arrays) == {"angles"} and "angles" not in parameters:
        return _from_matrix(arrays["angles"], parameters, names, where)
    return _from_columns(arrays, parameters, names, where)


def _from_frame(frame: Any, parameters: Sequence[str], names: str | None) -> Rows:
    columns = {str(name): frame[name].to_numpy() for name in frame.columns}
    found = _from_columns(columns, parameters, names, "angles")
    if names is not None or any(name in columns and name not in parameters for name in ROW_COLUMNS):
        return found
    return Rows(found.angles, tuple(str(word)[:MAX_NAME] for word in frame.index))


def _from_columns(
    given: Mapping[Any, Any], parameters: Sequence[str], wanted: str | None, where: str
) -> Rows:
    columns = {getattr(name, "name", name): values for name, values in given.items()}
    named = ROW_COLUMNS if wanted is None else (wanted,)
    labels = next((n for n in named if n in columns and n not in parameters), None)
    if wanted is not None and labels is None:
        raise _unnamed(wanted, where)
    names = None
    if labels is not None:
        names = [str(word)[:MAX_NAME] for word in np.ravel(columns.pop(labels))]
    columns = _split_vectors(columns, parameters, where)
    missing = [name for name in parameters if name not in columns]
    unknown = [name for name in columns if name not in parameters]
    if missing or unknown:
        wrong = f"lacks {_few(missing)}" if missing else f"also has {_few(unknown)}"
        free = _few(parameters) if parameters else "none"
        raise AnglesError(
            f"{_subject(where)} must name the circuit's {len(parameters)} parameters ({free}), "
            f"but {wrong}"
        )
    read = {name: _column(values, name, where) for name, values in columns.items()}
    long = {len(values) for values in read.values() if values.ndim}
    if names is not None:
        long.add(len(names))
    if len(long) > 1:
        raise AnglesError(
            f"{_subject(where)} must have columns of one length, but has {sorted(long)}"
        )
    rows = long.pop() if long else 1
    stacked = [np.broadcast_to(read[name], rows) for name in parameters]
    matrix = np.stack(stacked, axis=1) if stacked else np.empty((rows, 0))
    return _checked(matrix, parameters, where, names)


def _split_vectors(
    columns: Mapping[str, Any], parameters: Sequence[str], where: str
) -> dict[str, Any]:
    """Columns of single parameters; a matrix under a vector's name becomes its elements."""
    sizes: dict[str, int] = {}
    for name in parameters:
        if found := _ELEMENT.fullmatch(name):
            sizes[found["vector"]] = sizes.get(found["vector"], 0) + 1
    out: dict[str, Any] = {}
    for name, values in columns.items():
        if name in parameters or name not in sizes:
            out[name] = values
            continue
        matrix = np.atleast_2d(np.asarray(values))
        if matrix.ndim != 2 or matrix.shape[1] != sizes[name]:
            raise AnglesError(
                f"{_subject(where)}, vector {name!r} must have {sizes[name]} columns, but has "
                f"shape {np.shape(values)}"
            )
        elements = [p for p in parameters if p.startswith(f"{name}[")]
        out |= {element: matrix[:, i] for i, element in enumerate(elements)}
    return out


def _column(values: Any, name: str, where: str) -> FloatArray:
    column = _numbers(values, f"{_subject(where)}, column {name!r}")
    if column.ndim > 1:
        raise AnglesError(
            f"{_subject(where)}, column {name!r} must have one value a row, but has shape "
            f"{column.shape}"
        )
    return column


def _numbers(values: Any, subject: str) -> FloatArray:
    """Real numbers of any shape; what is none is named, and no imaginary part is dropped."""
    try:
        found = np.asarray(values)
        if found.dtype.kind in _REAL:
            return np.asarray(found, dtype=np.float64)
        if found.dtype.kind in "OUS":
            return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        odd = _odd(values)
        if odd is None:
            raise AnglesError(f"{subject} must hold numbers, but: {error}") from error
        raise AnglesError(f"{subject} must hold real numbers, but holds {odd!r}") from error
    raise AnglesError(f"{subject} must hold real numbers, but holds {found.dtype.name}")


def _from_matrix(values: object, parameters: Sequence[str], names: str | None, where: str) -> Rows:
    if names is not None:
        raise _unnamed(names, where)
    matrix = _numbers(values, _subject(where))
    if matrix.ndim == 1:
        matrix = matrix[None]
    if matrix.ndim != 2 or matrix.shape[1] != len(parameters):
        raise AnglesError(
            f"{_subject(where)} must have shape (B, {len(parameters)}), a column for each of "
            f"{_few(parameters) or 'no parameters'}, but has {matrix.shape}"
        )
    return _checked(matrix, parameters, where, None)


def _checked(
    matrix: FloatArray, parameters: Sequence[str], where: str, names: Sequence[str] | None
) -> Rows:
    if not len(matrix):
        raise AnglesError(f"{_subject(where)} must have at least one row, but has none")
    bad = np.argwhere(~np.isfinite(matrix))
    if len(bad):
        row, column = map(int, bad[0])
        raise AnglesError(
            f"{_subject(where)} must be finite, but row {row} has {matrix[row, column]} for "
            f"{parameters[column]!r}"
        )
    named = tuple(names) if names is not None else tuple(map(str, range(len(matrix))))
    return Rows(np.ascontiguousarray(matrix), named)


def _subject(where: str) -> str:
    return "Argument `angles`" if where == "angles" else where


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")


def _unnamed(names: str, where: str) -> AnglesError:
    return AnglesError(
        f"Argument `names` must be a column of the angles that is no parameter, but "
        f"{_subject(where).removeprefix('Argument ')} has no such {names!r}"
    )


def _odd(values: ArrayLike) -> object:
    """The first value that is no real number; ``None`` where each by itself is one."""
    for value in np.ravel(np.asarray(values, dtype=object)):
        try:
            float(value)
        except (TypeError, ValueError):
            return value[:MAX_NAME] if isinstance(value, str) else type(value).__name__
    return None
