"""The device as a drawing: qubits and couplings by error, the circuit's own ones marked."""

from __future__ import annotations

import numpy as np
import rustworkx as rx
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, StrMethodFormatter
from numpy.typing import NDArray

from calibration.snapshot import DeviceSnapshot
from qhw.report.svg import INK, house_style, to_svg

FloatArray = NDArray[np.float64]

_RINGS = ("#d8342c", "#e0a100")
_STEPS = 150
_COMPLETE = 0.6
"""Share of all pairs from which a graph is drawn as a circle."""


def chip_figure(snapshot: DeviceSnapshot, used: dict[str, tuple[int, ...]]) -> str:
    """SVG text of the device.

    Args:
        snapshot: its calibration.
        used: physical qubits by the role of the circuit that uses them.
    """
    place = positions(snapshot)
    with house_style():
        wide, tall = np.ptp(place, axis=0) + 1.0
        figure = Figure(figsize=(9.4, float(np.clip(9.4 * tall / wide, 2.5, 6.5)) + 0.9))
        figure.set_layout_engine("constrained")
        axes = figure.subplots()
        axes.set_aspect("equal")
        axes.axis("off")
        lines = _edges(axes, snapshot, place)
        readout = np.array([q.readout_error or np.nan for q in snapshot.qubits])
        dots = axes.scatter(
            place[:, 0],
            place[:, 1],
            c=readout,
            cmap="viridis_r",
            norm=LogNorm(*_limits(readout)),
            plotnonfinite=True,
            s=34,
            lw=0,
            zorder=3,
        )
        for (role, qubits), colour in zip(used.items(), _RINGS, strict=False):
            _ring(axes, snapshot, place, role, qubits, colour)
        if lines is not None:
            _bar(figure, axes, lines, "two-qubit gate error (lines)")
        _bar(figure, axes, dots, "readout error (dots)")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    names = "; ".join(f"{role} on qubits {', '.join(map(str, q))}" for role, q in used.items())
    return to_svg(figure, f"Couplings of {snapshot.name} coloured by error; {names}")


def positions(snapshot: DeviceSnapshot) -> FloatArray:
    """Places of the qubits in a drawing ``(n, 2)``, neighbours about 1 apart, long side across.

    The vendor's own where given; a circle for all-to-all couplings; else stress majorisation of
    the hop distances, started from classical scaling, so that equal devices look equal.

    Source: Gansner, Koren and North, Graph Drawing 2004.
    """
    given = [qubit.xy for qubit in snapshot.qubits]
    if all(xy is not None for xy in given):
        # chips are drawn with their first row at the top
        return np.array(given, dtype=np.float64) * [1.0, -1.0]
    n = snapshot.n_qubits
    graph: rx.PyGraph = rx.PyGraph(multigraph=False)
    graph.add_nodes_from(range(n))
    graph.add_edges_from_no_data(list(snapshot.couplings))
    if len(snapshot.couplings) >= _COMPLETE * n * (n - 1) / 2:
        return _circle(n, 2 * np.pi / n, n / (2 * np.pi))
    hops = np.asarray(rx.distance_matrix(graph, null_value=np.inf), dtype=np.float64)
    hops[~np.isfinite(hops)] = hops[np.isfinite(hops)].max() + 2.0
    # a small circle parts qubits that no hop count tells apart
    start = _classical_scaling(hops) + _circle(n, 2.4, 0.02)
    return _across(_majorise(hops, start))


def _circle(n: int, step: float, radius: float) -> FloatArray:
    angles = step * np.arange(n)
    points = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.asarray(points, dtype=np.float64)


def _classical_scaling(hops: FloatArray) -> FloatArray:
    n = len(hops)
    centre = np.eye(n) - 1.0 / n
    values, vectors = np.linalg.eigh(-0.5 * centre @ hops**2 @ centre)
    top = vectors[:, -2:] * np.sqrt(np.maximum(values[-2:], 1e-9))
    # the sign of an eigenvector is arbitrary: fix it
    signs = np.sign(top[np.abs(top).argmax(axis=0), [0, 1]])
    return np.asarray(top * signs, dtype=np.float64)


def _majorise(hops: FloatArray, start: FloatArray) -> FloatArray:
    n = len(hops)
    weights = np.where(hops > 0, 1.0 / np.maximum(hops, 1.0) ** 2, 0.0)
    laplacian = np.diag(weights.sum(axis=1)) - weights
    inverse = np.linalg.pinv(laplacian)
    x = start
    for _ in range(_STEPS):
        apart = np.linalg.norm(x[:, None] - x[None], axis=-1)
        ratio = np.divide(weights * hops, apart, out=np.zeros((n, n)), where=apart > 1e-9)
        x = inverse @ ((np.diag(ratio.sum(axis=1)) - ratio) @ x)
    return x


def _across(x: FloatArray) -> FloatArray:
    centred = x - x.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(axes[[0, 1], np.abs(axes).argmax(axis=1)])
    return np.asarray(centred @ (axes * signs[:, None]).T, dtype=np.float64)


def _edges(axes: Axes, snapshot: DeviceSnapshot, place: FloatArray) -> LineCollection | None:
    pairs = snapshot.usable_couplings
    gates = [snapshot.two_qubit_gate(*pair) for pair in pairs]
    errors = np.array([(gate.error if gate else None) or np.nan for gate in gates])
    if not np.isfinite(errors).any():
        return None
    lines = LineCollection(
        [place[list(pair)] for pair in pairs],
        cmap="viridis_r",
        norm=LogNorm(*_limits(errors)),
        linewidths=2.2,
    )
    lines.set_array(np.where(np.isfinite(errors), errors, np.nanmedian(errors)))
    axes.add_collection(lines)
    return lines


def _ring(
    axes: Axes,
    snapshot: DeviceSnapshot,
    place: FloatArray,
    role: str,
    qubits: tuple[int, ...],
    colour: str,
) -> None:
    ring = place[list(qubits)]
    axes.scatter(
        ring[:, 0],
        ring[:, 1],
        s=110,
        facecolors="none",
        edgecolors=colour,
        lw=2,
        zorder=4,
        label=f"qubits of the {role}",
    )
    for qubit, (x, y) in zip(qubits, ring, strict=True):
        axes.annotate(
            str(snapshot.qubits[qubit].label),
            (x, y),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
            fontsize=7.5,
            color=INK,
        )


def _bar(figure: Figure, axes: Axes, mappable: ScalarMappable, label: str) -> None:
    bar = figure.colorbar(
        mappable,
        ax=axes,
        label=label,
        orientation="horizontal",
        shrink=0.4,
        aspect=30,
        pad=0.02,
        ticks=LogLocator(subs=(1.0, 2.0, 5.0)),
        format=StrMethodFormatter("{x:g}"),
    )
    bar.minorticks_off()


def _limits(values: FloatArray) -> tuple[float, float]:
    known = values[np.isfinite(values) & (values > 0)]
    if not len(known):
        return 1e-3, 1e-1
    low, high = np.quantile(known, [0.02, 0.98])
    return float(low), float(max(high, low * 1.01))
