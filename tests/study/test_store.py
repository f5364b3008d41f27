from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from qhw.study.config import StudyConfig
from qhw.study.grid import Cell, digests, expand
from qhw.study.run_cell import failed
from qhw.study.store import SCHEMA, Store, StoreError


@pytest.fixture
def cells(tiny: StudyConfig) -> tuple[Cell, ...]:
    return expand(tiny, digests(tiny))


def test_table_does_not_depend_on_the_order_of_finishing(
    cells: tuple[Cell, ...], tmp_path: Path
) -> None:
    keys = [cell.key for cell in cells]
    tables = []
    for name, order in (("a", cells), ("b", cells[::-1])):
        store = Store(tmp_path / name)
        for cell in order:
            store.add(cell.key, failed(cell, f"reason of {cell.scale}"))
        store.compact(keys)
        tables.append(store.table_file.read_bytes())
    assert tables[0] == tables[1]
    table = pq.read_table(tmp_path / "a" / "table.parquet")
    assert table.schema.equals(SCHEMA)
    assert table["scale"].to_pylist() == [0, 0, 1, 1]
    assert table["mitigation"].to_pylist() == ["none", "readout"] * 2


def test_half_written_files_are_nobodys(cells: tuple[Cell, ...], tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(cells[0].key, failed(cells[0], "x"))
    whole = (tmp_path / "cells" / f"{cells[0].key}.parquet").read_bytes()
    # what a killed writer leaves beside its target
    (tmp_path / "cells" / f".{cells[1].key}.parquet.k3x9").write_bytes(whole[:100])
    assert Store(tmp_path).finished() == {cells[0].key}


def test_failed_cells_can_be_dropped_and_only_those(
    cells: tuple[Cell, ...], tmp_path: Path
) -> None:
    store = Store(tmp_path)
    store.add(cells[0].key, failed(cells[0], "x"))
    store.add(cells[1].key, [row | {"status": "done"} for row in failed(cells[1], "")])
    assert store.drop_failed([cells[1].key]) == 0
    assert store.drop_failed([cell.key for cell in cells]) == 1
    assert store.finished() == {cells[1].key}


def test_damage_is_named(cells: tuple[Cell, ...], tmp_path: Path) -> None:
    store = Store(tmp_path)
    file = tmp_path / "cells" / f"{cells[0].key}.parquet"
    file.write_bytes(b"PAR1 not really")
    with pytest.raises(StoreError, match=cells[0].key):
        store.compact([cells[0].key])


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="must be a folder that can be written"):
        Store(tmp_path / "file" / "study")
