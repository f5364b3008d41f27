"""Matplotlib figures as SVG text that sits in a page: same input, same text, page's own colours."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK = "#1d232b"
"""Text and axes; becomes the page's text colour."""
SOFT = "#7b8592"
"""Grid and second-rank marks; legible on light and dark paper."""

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "qhw",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "font.family": "sans-serif",
    "font.size": 10.5,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib settings of every figure of the house, for the time of the block."""
    with mpl.rc_context(_STYLE):
        yield


def to_svg(figure: Figure, label: str) -> str:
    """``<svg>`` element with an accessible name.

    Args:
        figure: drawn inside :func:`house_style`.
        label: what a reader who cannot see it should hear.
    """
    buffer = io.StringIO()
    with mpl.rc_context(_STYLE):
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # ids repeat between figures of one page; a prefix of their own keeps clip paths apart
    salt = f"f{zlib.crc32(text.encode()):x}"
    text = re.sub(r'id="([^"]+)"', rf'id="{salt}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{salt}-\1)", text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{salt}-\1"', text)
    safe = label.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return text.replace("<svg ", f'<svg role="img" aria-label="{safe}" ', 1)
