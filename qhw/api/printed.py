"""What the command line prints, as text."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType

_WIDTH = 120


def shown(part: RenderableType) -> str:
    """A table or a line as plain text, no trailing blanks."""
    console = Console(file=io.StringIO(), width=_WIDTH, color_system=None)
    with console.capture() as capture:
        console.print(part, crop=False)
    return "\n".join(line.rstrip() for line in capture.get().rstrip().splitlines())
