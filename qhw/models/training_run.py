"""What every training run shares: its config's file, its log, its progress, its threads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import torch
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeRemainingColumn

from qhw.models.checkpoint import write_atomically
from qhw.yaml_files import read_yaml


class TrainingError(RuntimeError):
    """Training cannot go on; the last state on disk is intact."""


class TrainingConfig(BaseModel):
    """What is read from a file that asks for a training."""

    @classmethod
    def from_yaml(cls, path: Path) -> Self:
        """Read a config.

        Raises:
            ValueError: unreadable, not YAML, or fields that are unknown, missing or out of range,
                by name.
        """
        try:
            return cls.model_validate(read_yaml(path))
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} cannot be read: {error}") from error
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()
            )
            raise ValueError(f"{path} is not a training config: {faults}.") from error
        except ValueError as error:
            raise ValueError(f"{path} is not valid YAML: {error}") from error


def make_folder(out: Path) -> None:
    """Make the folder of a training.

    Raises:
        OSError: it cannot be made or written.
    """
    out.mkdir(parents=True, exist_ok=True)
    if not os.access(out, os.W_OK):
        raise PermissionError(f"Folder {out} cannot be written.")


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Torch uses so many threads inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cut_log(log: Path, epochs: int) -> None:
    """Keep the lines of the first ``epochs`` epochs."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    kept = [f"{line}\n" for line in lines[:epochs]]
    write_atomically(log, "".join(kept).encode())


def shown(
    epochs: range, name: str, total: int, progress: bool, unit: str = "epochs"
) -> Iterator[int]:
    """The epochs (or steps), with a bar on stderr if wanted."""
    columns = (*Progress.get_default_columns()[:3], TextColumn(unit), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not progress) as bar:
        task = bar.add_task(name, total=total, completed=epochs.start)
        for epoch in epochs:
            yield epoch
            bar.advance(task)
