"""Tables on a terminal that would rather be wider than it than cut a name or a number."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement, measure_renderables
from rich.style import StyleType
from rich.table import Table
from rich.text import Text

from qhw.report.plain import plain_line


class WholeTable(Table):
    """Table whose columns never get narrower than their longest word.

    Columns with ``no_wrap`` keep their longest line. Print it with ``crop=False``: what does not
    fit is then folded by the terminal, not lost.
    """

    def add_row(
        self,
        *cells: RenderableType | None,
        style: StyleType | None = None,
        end_section: bool = False,
    ) -> None:
        """Add a row; strings are text from anywhere, not markup."""
        plain = [Text(plain_line(cell)) if isinstance(cell, str) else cell for cell in cells]
        super().add_row(*plain, style=style, end_section=end_section)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Give every column its least width, then render."""
        room = options.update(max_width=_NO_LIMIT)
        for column in self.columns:
            measured = measure_renderables(console, room, [column.header, *column.cells])
            column.min_width = measured.maximum if column.no_wrap else measured.minimum
        needed = Measurement.get(console, room, self).minimum
        wide = options.update(max_width=max(options.max_width, needed))
        yield from super().__rich_console__(console, wide)


_NO_LIMIT = 10_000
"""Columns; more than any table has."""
