"""A run's rows in a thumbnail: each row's distance to exact, between shot floor and baseline."""

from __future__ import annotations

import math

from markupsafe import Markup

from qhw.saved.entry import Strip

WIDTH, HEIGHT = 120, 36
_EDGE = 3
_DECADES = 3.0
"""Below the largest distance shown; what is nearer to exact is drawn at the edge."""


def thumbnail(strip: Strip | None) -> Markup:
    """SVG text, or nothing; distances logarithmic, far from exact is up."""
    if strip is None or not strip.values:
        return Markup("")
    lines = (("baseline", strip.baseline), ("floor", strip.floor))
    known = [*strip.values, *(value for _, value in lines if value is not None)]
    most = max(known)
    if most <= 0:
        return Markup("")
    parts = [
        Markup('<line class="{}" x1="0" x2="{}" y1="{}" y2="{}"/>').format(name, WIDTH, y, y)
        for name, value in lines
        if value is not None
        for y in [_height(value, most)]
    ]
    step = (WIDTH - 2 * _EDGE) / max(1, len(strip.values) - 1)
    parts += [
        Markup('<circle cx="{:.1f}" cy="{}" r="1.6"/>').format(_EDGE + i * step, _height(v, most))
        for i, v in enumerate(strip.values)
    ]
    return Markup(
        '<svg class="strip" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" '
        'aria-label="distance to exact of each row, shot floor and baseline as lines">{2}</svg>'
    ).format(WIDTH, HEIGHT, Markup("").join(parts))


def _height(value: float, most: float) -> float:
    share = 1 + math.log10(value / most) / _DECADES if value > 0 else 0.0
    return round(_EDGE + (1 - min(1.0, max(0.0, share))) * (HEIGHT - 2 * _EDGE), 1)
