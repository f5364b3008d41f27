"""Write what the site takes from the code: the commands, the public names, two files of the root.

python -m docs.generate          # into docs/generated/, which git ignores
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

import qhw
from qhw.cli.app import app

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "generated"
_LINK = re.compile(r"\]\((?!https?:|#)([^)]+)\)")


def commands_page() -> str:
    """Markdown of every command, its arguments, options and defaults."""
    parts = [
        "# Commands",
        "Made from the commands themselves when this site was built; `qhw COMMAND --help` says the "
        "same. Every command takes `--json` (one document on stdout, where there is something to "
        "tell) and `--debug` (a traceback in place of one line). Exit codes: 0 done, 2 bad input, "
        "130 interrupted.",
    ]
    root = typer.main.get_command(app)
    for command, context in leaves(root, root.context_class(root, info_name="qhw")):
        parts += _command(command, context)
    return "\n\n".join(parts) + "\n"


def leaves(command: Any, context: Any) -> Iterator[tuple[Any, Any]]:
    """Every command that does something, with its context (typer carries a click of its own)."""
    if not isinstance(command, TyperGroup):
        yield command, context
        return
    for name in command.list_commands(context):
        sub = command.get_command(context, name)
        yield from leaves(sub, sub.context_class(sub, parent=context, info_name=name))


def _command(command: Any, context: Any) -> list[str]:
    usage = " ".join(command.collect_usage_pieces(context))
    rows = [
        record
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context)) is not None
    ]
    parts = [
        f"## {context.command_path}",
        f"```text\n{context.command_path} {usage}\n```",
        _plain(command.help or ""),
    ]
    if rows:
        table = ["| option | what |", "| --- | --- |"]
        table += [f"| `{_cell(name)}` | {_cell(_plain(about))} |" for name, about in rows]
        parts.append("\n".join(table))
    return parts


def _plain(text: str) -> str:
    """Without typer's marks, and with nothing that Markdown would take for its own."""
    return text.replace("\x08", "").replace("<", "&lt;").replace("*", r"\*").strip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def python_page() -> str:
    """Markdown that mkdocstrings fills from the docstrings of every public name."""
    parts = ["# Python", "Everything that `import qhw` offers, from the docstrings."]
    for name in qhw.__all__:
        thing = getattr(qhw, name)
        options = f"    options:\n      heading: qhw.{name}\n      toc_label: {name}"
        parts.append(f"::: {thing.__module__}.{thing.__qualname__}\n{options}")
    return "\n\n".join(parts) + "\n"


def copied(name: str) -> str:
    """A file of the root; its links into docs/ hold from docs/generated/, others become text."""

    def link(found: re.Match[str]) -> str:
        inside = found[1].removeprefix("docs/")
        return f"](../{inside})" if inside != found[1] else "](#)"

    text = _LINK.sub(link, (ROOT / name).read_text(encoding="utf-8"))
    return re.sub(r"\[([^\]]+)\]\(#\)", r"\1", text)


def main(target: Path = TARGET) -> None:
    """Write the pages.

    Args:
        target: folder, made if missing.
    """
    target.mkdir(exist_ok=True)
    pages = {
        "commands.md": commands_page(),
        "python.md": python_page(),
        "contributing.md": copied("CONTRIBUTING.md"),
        "changelog.md": copied("CHANGELOG.md"),
    }
    for name, text in pages.items():
        (target / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
