"""Errors as a person meets them: one line on stderr, exit code 2, a traceback only on request."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from qhw.cli.console import err

_DEBUG = "--debug"


class HouseGroup(TyperGroup):
    """Command group that prints expected errors as one line and takes ``--debug`` anywhere."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take ``--debug`` out, wherever it stands."""
        ctx.meta[_DEBUG] = _DEBUG in args
        return super().parse_args(ctx, [arg for arg in args if arg != _DEBUG])

    def invoke(self, ctx: Any) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except typer.TyperException as error:  # wrong options and arguments
            if ctx.meta[_DEBUG]:
                raise
            said = one_line(error.format_message())
            if said:  # nothing to say where a group without a command has just shown its help
                err.print(f"error: {said} (see qhw --help)", markup=False, soft_wrap=True)
        except expected_errors() as error:
            if ctx.meta[_DEBUG]:
                raise
            err.print(f"error: {one_line(str(error))}", markup=False, soft_wrap=True)
        raise typer.Exit(2)


def expected_errors() -> tuple[type[Exception], ...]:
    """What bad input raises; anything else is a fault of ours and keeps its traceback.

    Imported only when something was raised: these modules take seconds.
    """
    from backends.base import BackendError
    from qhw.models.train import TrainingError

    return (ValueError, OSError, ModuleNotFoundError, BackendError, TrainingError)


def one_line(text: str) -> str:
    """The text without line breaks."""
    return " ".join(text.split())
