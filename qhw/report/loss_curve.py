"""The loss over a training, from its log."""

from __future__ import annotations

import json
from pathlib import Path

from matplotlib.figure import Figure

from qhw.report.svg import house_style, to_svg

CURVE = "loss.svg"
_LOG = "log.jsonl"
_NO_LOSS = {"rate", "seconds"}


def write_loss_curve(folder: Path) -> None:
    """Write ``loss.svg`` beside the ``log.jsonl`` of a training.

    Args:
        folder: of the training.

    Raises:
        OSError: it cannot be read or written.
    """
    lines = [json.loads(line) for line in (folder / _LOG).read_text("utf-8").splitlines()]
    by_step = any("step" in line for line in lines)
    x = [line["step" if by_step else "epoch"] for line in lines]
    with house_style():
        figure = Figure(figsize=(6.0, 3.6), layout="constrained")
        axes = figure.subplots()
        for name, values in _curves(lines).items():
            axes.plot(x, values, lw=1.4, label=name)
        axes.set_xlabel("step" if by_step else "epoch")
        axes.set_ylabel("loss")
        axes.set_yscale("log")
        axes.legend(frameon=False)
        svg = to_svg(figure, "Loss over the training")
    (folder / CURVE).write_text(svg, encoding="utf-8")


def _curves(lines: list[dict[str, object]]) -> dict[str, list[float]]:
    """Values of every loss by name; one that some line lacks is left out."""
    rows = [_losses(line) for line in lines]
    names = [n for n in (rows[0] if rows else ()) if all(n in row for row in rows)]
    return {name: [row[name] for row in rows] for name in names}


def _losses(line: dict[str, object]) -> dict[str, float]:
    inner = line.get("losses")
    if isinstance(inner, dict):
        return inner
    named = {"training": line.get("loss"), "held out": line.get("held_out")}
    if "total" in line:  # of molecules with hydrogens
        named = {name: value for name, value in line.items() if name not in _NO_LOSS}
    return {name: value for name, value in named.items() if isinstance(value, float)}
