"""Circuits of one's own on the command line, in place of a model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qhw.cli.bind import bound_values
from qhw.cli.console import err

if TYPE_CHECKING:
    from qhw.circuits.workload import Workload

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FILE.qasm|FILE.qpy",
        help="A circuit of your own in place of a model; or several that differ in their angles "
        "alone, a row each.",
    ),
]
Angles = Annotated[
    Path | None,
    typer.Option(
        "--angles",
        metavar="FILE",
        help="Rows of angles for its free parameters: .csv with a header, .npz or .npy.",
    ),
]
Names = Annotated[
    str | None,
    typer.Option(
        "--names", metavar="COLUMN", help="Column that names the rows; row or name by default."
    ),
]


def own_workload(
    ctx: typer.Context,
    files: list[Path] | None,
    angles: Path | None,
    names: str | None,
    models: Iterable[str],
    bind: list[str] | None = None,
) -> Workload | None:
    """The circuits of files and their rows; ``None`` where none are given.

    Args:
        ctx: of the command.
        files: as given.
        angles: as given.
        names: as given.
        models: the command's arguments that belong to models alone.
        bind: as given.

    Raises:
        ValueError: what does not go with files, or with a model; or as :meth:`Workload.of`.
    """
    found = own_circuits(ctx, files, angles, names, models, bind)
    if found is None:
        return None
    from qhw.circuits.workload import Workload

    work = Workload.of(found, angles, names=names, bind=bound_values(bind))
    tell_note(work)
    return work


def own_circuits(
    ctx: typer.Context,
    files: list[Path] | None,
    angles: Path | None,
    names: str | None,
    models: Iterable[str],
    bind: list[str] | None = None,
) -> Path | list[Path] | None:
    """The files where some are given, else ``None``; arguments as for :func:`own_workload`.

    Raises:
        ValueError: what does not go with files, or with a model.
    """
    if not files:
        for name, value in (("angles", angles), ("names", names), ("bind", bind or None)):
            if value is not None:
                raise ValueError(
                    f"Argument `{name}` must be left out without a circuit file, but is "
                    f"{_words(value)}"
                )
        return None
    for name in models:
        if given(ctx, name):
            raise ValueError(
                f"Argument `{name}` must be left out of circuit files, but is given; it belongs to "
                "models"
            )
    return files if len(files) > 1 else files[0]


def valid_mitigation(work: Workload) -> str | None:
    """The pipeline of a dynamic circuit for which nobody chose one, told; ``None`` of others."""
    from backends.dynamic.circuit import is_dynamic
    from qhw.mitigation.default import valid_for_dynamic

    if not is_dynamic(work.circuit):
        return None
    found = valid_for_dynamic(work.circuit)
    told = f"{work.name}: mitigation {found}: what is valid for this dynamic circuit"
    err.print(told, markup=False, soft_wrap=True)
    return found


def tell_note(work: Workload) -> None:
    """Say what was left behind of the circuit as written."""
    if work.note:
        err.print(f"{work.name}: {work.note}", markup=False, soft_wrap=True)


def given(ctx: typer.Context, name: str) -> bool:
    """Whether an option of the command was typed."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")


def _words(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def own_words(
    files: Iterable[Path], angles: Path | None, names: str | None, bind: list[str] | None = None
) -> list[str]:
    """The words of a command line that name them."""
    words = list(map(str, files))
    words += [word for text in bind or () for word in ("--bind", text)]
    words += [] if angles is None else ["--angles", str(angles)]
    return words + ([] if names is None else ["--names", names])
