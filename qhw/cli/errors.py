"""Errors as a person meets them: one line on stderr, exit code 2, a traceback only on request."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from backends.errors import BackendError
from qhw.cli.console import err

_DEBUG = "--debug"
_ARGS = "qhw.args"
_ARGUMENT = re.compile(r"^Argument `(\w+)[\w.]*`")
_OTHER_NAMES = {"name": "device", "backend": "device", "mitigation": "pipelines", "part": "circuit"}
"""What the house's functions call a thing whose option has another name."""
_TOO_MUCH: dict[type[Exception], str] = {
    MemoryError: "More is asked for than this machine's memory holds: ",
    RecursionError: "A file is nested too deeply to be read: ",
}
"""Of huge numbers and hostile files; Python's own words may be none."""


class HouseGroup(TyperGroup):
    """Command group that prints expected errors as one line and takes ``--debug`` anywhere."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take ``--debug`` out, wherever it stands."""
        ctx.meta[_DEBUG] = _DEBUG in args
        ctx.meta[_ARGS] = [arg for arg in args if arg != _DEBUG]
        return super().parse_args(ctx, list(ctx.meta[_ARGS]))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, ``--debug`` in its help."""
        command = super().get_command(ctx, cmd_name)
        for one in (command, *getattr(command, "commands", {}).values()):
            if one is not None:
                one.epilog = one.epilog or f"{_DEBUG} shows a traceback where something fails."
        return command

    def invoke(self, ctx: Any) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except typer.TyperException as error:  # wrong options and arguments
            if ctx.meta[_DEBUG]:
                raise
            said = one_line(error.format_message())
            if said:  # nothing to say where a group without a command has just shown its help
                err.print(f"error: {said} (see qhw --help)", soft_wrap=True)
        except BrokenPipeError:  # whoever read our output has seen enough, as `head` does
            raise
        except Exception as error:
            if ctx.meta[_DEBUG] or not isinstance(error, expected_errors()):
                raise
            said = with_option(_words(error), _options(self, ctx.meta[_ARGS]))
            err.print(f"error: {said}", soft_wrap=True)
        raise typer.Exit(2)


def _words(error: Exception) -> str:
    too_much = next((said for kind, said in _TOO_MUCH.items() if isinstance(error, kind)), "")
    return one_line(f"{too_much}{error}").removesuffix(":")


def with_option(message: str, options: dict[str, str]) -> str:
    """The message with the option's name where it starts with that of a function's argument.

    Args:
        message: such as "Argument `shots` must be ...".
        options: option of each argument, such as ``{"shots": "--shots"}``.
    """
    found = _ARGUMENT.match(message)
    if found is None:
        return message
    name = found[1]
    known = (options.get(n) for n in (name, name.removesuffix("s"), _OTHER_NAMES.get(name, "")))
    option = next(filter(None, known), None)
    return message if option is None else f"Option `{option}`{message[found.end() :]}"


def _options(group: TyperGroup, args: Sequence[str]) -> dict[str, str]:
    """Options of the command that the arguments call, by the names functions may give them."""
    command: Any = group
    for arg in args:
        if not isinstance(command, TyperGroup):
            break
        command = command.commands.get(arg, command)
    return dict(_names(command))


def _names(command: Any) -> Iterator[tuple[str, str]]:
    for parameter in command.params:
        long = next((o for o in parameter.opts if o.startswith("--")), None)
        if long is not None:
            yield parameter.name, long
            yield long.removeprefix("--").replace("-", "_"), long


def expected_errors() -> tuple[type[Exception], ...]:
    """What bad input raises; anything else is a fault of ours and keeps its traceback.

    Of modules that take seconds only those that are loaded: others have raised nothing.
    """
    training = sys.modules.get("qhw.models.training_run")
    of_training = () if training is None else (training.TrainingError,)
    return (ValueError, OSError, ModuleNotFoundError, BackendError, *of_training, *_TOO_MUCH)


def one_line(text: str) -> str:
    """The text without line breaks."""
    return " ".join(text.split())
