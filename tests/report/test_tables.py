from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from qhw.report.tables import WholeTable

WORDS = st.text(st.sampled_from("abcdefgh0123456789.@_"), min_size=1, max_size=30)
CELLS = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)


def printed(table: WholeTable, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, legacy_windows=False)
    console.print(table, crop=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@settings(max_examples=60)
@given(
    rows=st.lists(st.lists(CELLS, min_size=9, max_size=9), min_size=1, max_size=4),
    width=st.integers(1, 200),
)
def test_no_word_of_any_cell_is_cut_or_left_out(rows: list[list[str]], width: int) -> None:
    table = WholeTable(box=None, pad_edge=False)
    for k in range(9):
        table.add_column(f"heading{k}")
    for row in rows:
        table.add_row(*row)
    seen = printed(table, width).split()
    wanted = [f"heading{k}" for k in range(9)] + [w for r in rows for c in r for w in c.split()]
    assert sorted(seen) == sorted(wanted)


@pytest.mark.parametrize("width", [1, 60, 80])
def test_columns_without_wrap_stay_on_one_line(width: int) -> None:
    table = WholeTable(box=None, pad_edge=False)
    for _ in range(9):
        table.add_column("T1 of it", no_wrap=True)
    table.add_row(*[f"{k} µs and more" for k in range(9)])
    heading, row = printed(table, width).splitlines()
    assert heading.count("T1 of it") == 9
    assert all(f"{k} µs and more" in row for k in range(9))


def test_where_there_is_room_it_is_an_ordinary_table() -> None:
    table = WholeTable(box=None, pad_edge=False)
    table.add_column("name")
    table.add_column("said")
    table.add_row("a", "one two three four five six seven eight nine ten")
    assert max(map(len, printed(table, 30).splitlines())) <= 30
