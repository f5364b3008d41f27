"""vMF draws that let two ways through a model be compared draw by draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qhw.analysis.compare.result import Draw
from qhw.chem.molecule import MoleculeBatch
from qhw.latent import vmf
from qhw.latent.from_shots import corrected_kappa, expected_squared_angle
from qhw.models.exact import ExactModel

FloatArray = NDArray[np.float64]

_STREAM = 13


def draw_latents(
    mu: FloatArray,
    kappa: float | FloatArray | None,
    seed: int,
    rows: NDArray[np.int64] | None = None,
) -> FloatArray:
    """One vMF draw a row, each row from its own stream.

    Two calls with the same seed and nearly equal arguments give nearly equal draws, so that two
    ways through the model can be compared draw by draw.

    Args:
        mu: unit vectors ``(B, d)``.
        kappa: concentration, for all rows or ``(B,)``; infinite or ``None`` for no draw.
        seed: of the streams.
        rows: ``(B,)`` stream of each row, by default ``0 .. B-1``; a row keeps its draw when
            others are left out.
    """
    if kappa is None:
        return mu
    out = mu.copy()
    streams = np.arange(len(mu)) if rows is None else rows
    for place, concentration in enumerate(np.broadcast_to(kappa, len(mu))):
        if np.isfinite(concentration):
            rng = np.random.default_rng([seed, _STREAM, int(streams[place])])
            out[place] = vmf.sample(mu[place], float(concentration), rng)
    return out


def latents_from_shots(
    mu_hat: FloatArray,
    frequencies: FloatArray,
    shots: int,
    kappa: float | None,
    seed: int,
    rows: NDArray[np.int64] | None = None,
) -> tuple[FloatArray, Draw]:
    """Draw around estimated mean directions, kappa corrected for what the shots already spread.

    Args:
        mu_hat: estimated directions ``(B, d)``.
        frequencies: encoder distributions behind them ``(B, D)``.
        shots: behind every row.
        kappa: intended concentration; ``None`` for no draw.
        seed: of the draw.
        rows: see :func:`draw_latents`.
    """
    angle = float(np.degrees(np.sqrt(expected_squared_angle(frequencies, shots))).mean())
    if kappa is None:
        return mu_hat, Draw(
            kappa=None, kappa_used=(None, None), unattainable=0, expected_angle=angle
        )
    plan = corrected_kappa(kappa, shots, p=frequencies)
    ends = tuple(float(k) if np.isfinite(k) else None for k in np.sort(plan.kappa)[[0, -1]])
    draw = Draw(
        kappa=kappa,
        kappa_used=(ends[0], ends[1]),
        unattainable=int((~plan.attainable).sum()),
        expected_angle=angle,
    )
    return draw_latents(mu_hat, plan.kappa, seed, rows), draw


@dataclass(frozen=True, eq=False)
class Drawing:
    """How latents are drawn around measured directions.

    Attributes:
        kappa: intended concentration; ``None`` for no draw.
        shots: behind every row; ``None`` for infinitely many.
        seed: of the draw.
        rows: see :func:`draw_latents`.
    """

    kappa: float | None
    shots: int | None
    seed: int
    rows: NDArray[np.int64] | None = None

    def of(self, model: ExactModel, mu_hat: FloatArray, frequencies: FloatArray) -> FloatArray:
        """:func:`latents_from_shots`, or the draw itself of infinitely many.

        Args:
            model: says which shots count.
            mu_hat: measured directions ``(B, d)``.
            frequencies: of the encoder that they were found from.
        """
        seen, shots = model.selected(frequencies, self.shots)
        if shots is None:
            return draw_latents(mu_hat, self.kappa, self.seed, self.rows)
        return latents_from_shots(mu_hat, seen, shots, self.kappa, self.seed, self.rows)[0]


def noiseless_way(
    model: ExactModel,
    encoder: FloatArray,
    counted: Callable[[FloatArray], FloatArray],
    drawing: Drawing,
    whole: NDArray[np.int64] | slice,
    given: MoleculeBatch,
) -> tuple[FloatArray, FloatArray]:
    """One whole way through a model with shots but without noise: its shot floor.

    Args:
        model: exact.
        encoder: ``(B, 2**m)`` exact distributions of the encoder.
        counted: frequencies of as many shots as a device gets, first of the encoder's
            distributions, then of the decoder's.
        drawing: of the latents.
        whole: rows that reach the decoder.
        given: what went in, of those rows.

    Returns:
        Directions ``(B, d)`` and decoder frequencies ``(K, 2**n)``.
    """
    frequencies = counted(encoder)
    mu_hat = model.direction(frequencies)
    latents = drawing.of(model, mu_hat, frequencies)
    return mu_hat, counted(model.decoder(model.conditioned(latents[whole], given)))
