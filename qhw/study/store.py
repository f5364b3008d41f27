"""Results on disk: a small Parquet file for each finished cell, one table at the end.

A file appears whole or not at all (written beside, synced, renamed), so a study killed at any
moment has the rows of every finished cell and nothing else. The table is these rows in the order
of the study's cells, whatever the order they finished in.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from qhw.models.checkpoint import write_atomically
from qhw.study.run_cell import Row

SCHEMA_VERSION = 1
_TEXT, _WHOLE, _REAL = pa.string(), pa.int64(), pa.float64()
_REALS = pa.list_(pa.float64())
SCHEMA = pa.schema(
    [
        ("cell", _TEXT),
        ("status", _TEXT),
        ("reason", _TEXT),
        ("model", _TEXT),
        ("model_sha256", _TEXT),
        ("device", _TEXT),
        ("vendor", _TEXT),
        ("snapshot_sha256", _TEXT),
        ("snapshot_taken", pa.timestamp("us", tz="UTC")),
        ("task", _TEXT),
        ("scale", _REAL),
        ("sources", _TEXT),
        ("shots", _WHOLE),
        ("mitigation", _TEXT),
        ("layout_seed", _WHOLE),
        ("seed", _WHOLE),
        ("molecules", _WHOLE),
        ("encoder_two_qubit_gates", _WHOLE),
        ("decoder_two_qubit_gates", _WHOLE),
        ("decoder_duration_s", _REAL),
        ("decoder_qubits", pa.list_(_WHOLE)),
        ("tvd", _REAL),
        ("hellinger_fidelity", _REAL),
        ("skill", _REAL),
        ("shot_floor_tvd", _REAL),
        ("uniform_tvd", _REAL),
        ("prior_mean_tvd", _REAL),
        ("valid", _WHOLE),
        ("unique", _WHOLE),
        ("exact_valid", _WHOLE),
        ("prior_mean_valid", _WHOLE),
        ("prior_mean_unique", _WHOLE),
        ("type_accuracy", _REAL),
        ("rmsd", _REAL),
        ("rmsd_defined", _WHOLE),
        ("tvd_rows", _REALS),
        ("uniform_rows", _REALS),
        ("prior_mean_rows", _REALS),
    ],
    metadata={"qhw_study_schema": str(SCHEMA_VERSION)},
)
"""Columns. ``shots`` is null for infinite; ``*_rows`` hold one value a latent or molecule;
distances are total variation to exact, RMSD in Å, durations in seconds. Of a person's own circuit
``molecules`` counts its rows, ``decoder_*`` are its own, and what is of molecules is null."""


class StoreError(ValueError):
    """A study's folder cannot be written, or a file in it cannot be read."""


class Store:
    """A study's folder.

    Args:
        folder: made if missing.

    Raises:
        StoreError: it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            for part in (self._cells, self._circuits):
                part.mkdir(parents=True, exist_ok=True)
                if part.is_symlink():
                    raise NotADirectoryError(0, f"{part.name} in it is a link")
        except OSError as error:
            raise StoreError(
                f"Argument `out` must be a folder that can be written, but {folder}: "
                f"{error.strerror or error}"
            ) from error

    @property
    def _cells(self) -> Path:
        return self.folder / "cells"

    @property
    def _circuits(self) -> Path:
        return self.folder / "circuits"

    @property
    def table_file(self) -> Path:
        """The final table."""
        return self.folder / "table.parquet"

    def finished(self) -> frozenset[str]:
        """Keys of the cells that have their rows."""
        return frozenset(file.stem for file in self._cells.glob("*.parquet"))

    def add(self, key: str, rows: Sequence[Row]) -> None:
        """Keep a cell's rows; on disk when this returns."""
        table = pa.Table.from_pylist(list(rows), SCHEMA)
        self._write(self._cells / f"{key}.parquet", _parquet(table))

    def drop_failed(self, keys: Iterable[str]) -> int:
        """Forget cells with a failed row, so that they run again; returns how many."""
        dropped = 0
        for key in self.finished().intersection(keys):
            if "failed" in self._read(key)["status"].to_pylist():
                (self._cells / f"{key}.parquet").unlink()
                dropped += 1
        return dropped

    def compact(self, keys: Iterable[str]) -> pa.Table:
        """Write the table of these cells, in this order, and return it.

        Raises:
            StoreError: a cell's file is missing or cannot be read.
        """
        tables = [self._read(key) for key in keys]
        table = pa.concat_tables(tables).combine_chunks() if tables else SCHEMA.empty_table()
        self._write(self.table_file, _parquet(table))
        return table

    def circuits(self, key: str) -> str | None:
        """JSON of compiled circuits, ``None`` if there are none under this key."""
        file = self._circuits / f"{key}.json"
        return file.read_text(encoding="utf-8") if file.exists() else None

    def add_circuits(self, key: str, text: str) -> None:
        """Keep compiled circuits."""
        self._write(self._circuits / f"{key}.json", text.encode())

    def _read(self, key: str) -> pa.Table:
        file = self._cells / f"{key}.parquet"
        try:
            return pq.read_table(file, schema=SCHEMA, partitioning=None)
        except (OSError, pa.ArrowException) as error:
            raise StoreError(
                f"{file} cannot be read: {error}; delete it to run it again"
            ) from error

    def _write(self, file: Path, content: bytes) -> None:
        try:
            write_atomically(file, content)
            # the name too must survive a power cut
            handle = os.open(file.parent, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise StoreError(f"{file} cannot be written: {error.strerror or error}") from error


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
