"""Modified Bessel functions I_nu in log space, as the von Mises-Fisher distribution needs them.

Two regimes cover every order ``nu >= 0`` and argument ``x >= 0``:

* the power series of 0F1 (all terms positive, so no cancellation) up to its largest term being the
  60th;
* beyond that Debye's uniform expansion (DLMF 10.41.3 and 10.41.5), whose true small parameter is
  ``1/sqrt(nu^2 + x^2) < 1/119``: uniform in ``nu``, down to ``nu = 0``.

``scipy.special.ive`` is not used: it underflows for high order and small argument.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

FloatArray = NDArray[np.float64]

_PEAK_TERM = 60
_SERIES_TERMS = 160
_DEBYE_TERMS = 8


def log_reduced_bessel(nu: float, x: FloatArray) -> FloatArray:
    """log of ``Gamma(nu+1) (2/x)^nu I_nu(x)``, which is 0F1(; nu+1; x^2/4) and 1 at ``x = 0``.

    Args:
        nu: order, >= 0.
        x: argument, any shape, >= 0.

    Returns:
        The logarithm, shape of ``x``.
    """
    return _by_regime(
        nu,
        x,
        series=lambda v: np.log1p(_series_minus_one(nu, v)),
        debye=lambda v: _log_reduced_debye(nu, v),
    )


def bessel_ratio(nu: float, x: FloatArray) -> FloatArray:
    """``I_{nu+1}(x) / I_nu(x)``, in [0, 1).

    Args:
        nu: order, >= 0.
        x: argument, any shape, >= 0.

    Returns:
        The ratio, shape of ``x``.
    """
    return _by_regime(
        nu,
        x,
        series=lambda v: _ratio_series(nu, v),
        debye=lambda v: _ratio_debye(nu, v),
    )


def _by_regime(
    nu: float,
    x: FloatArray,
    *,
    series: Callable[[FloatArray], FloatArray],
    debye: Callable[[FloatArray], FloatArray],
) -> FloatArray:
    flat = np.ravel(x)
    small = flat * flat <= 4.0 * _PEAK_TERM * (_PEAK_TERM + nu)
    out = np.empty_like(flat)
    if small.any():
        out[small] = series(flat[small])
    if not small.all():
        out[~small] = debye(flat[~small])
    return out.reshape(np.shape(x))


def _series_minus_one(nu: float, x: FloatArray) -> FloatArray:
    quarter = 0.25 * x * x
    term = np.ones_like(x)
    total = np.zeros_like(x)
    for k in range(1, _SERIES_TERMS):
        term = term * quarter / (k * (k + nu))
        total += term
    return total


def _ratio_series(nu: float, x: FloatArray) -> FloatArray:
    upper = 1.0 + _series_minus_one(nu + 1.0, x)
    lower = 1.0 + _series_minus_one(nu, x)
    return np.asarray(x / (2.0 * (nu + 1.0)) * upper / lower, dtype=np.float64)


def _log_reduced_debye(nu: float, x: FloatArray) -> FloatArray:
    r = np.hypot(nu, x)
    correction = np.log(_debye_sum(_U, nu, r))
    log_two_over = np.log(2.0 / (nu + r))
    # (2/x)^nu cancels the x^nu of Debye's exponent, so x itself never enters a logarithm.
    out = gammaln(nu + 1.0) + nu * log_two_over + r - 0.5 * np.log(2.0 * np.pi * r) + correction
    return np.asarray(out, dtype=np.float64)


def _ratio_debye(nu: float, x: FloatArray) -> FloatArray:
    r = np.hypot(nu, x)
    derivative = r / x * _debye_sum(_V, nu, r) / _debye_sum(_U, nu, r)
    return np.asarray(derivative - nu / x, dtype=np.float64)


def _debye_sum(table: FloatArray, nu: float, r: FloatArray) -> FloatArray:
    """``sum_k q_k(p) / nu^k`` at ``p = nu/r``, written so that ``nu = 0`` is regular."""
    p2 = (nu / r) ** 2
    total = np.zeros_like(r)
    for row in table[::-1]:
        inner = np.zeros_like(r)
        for c in row[::-1]:
            inner = inner * p2 + c
        total = total / r + inner
    return total


Polynomial = dict[int, Fraction]


def _debye_tables() -> tuple[FloatArray, FloatArray]:
    """Coefficients of U_k and V_k (DLMF 10.41.10-11); row k, column j: that of ``p^(k+2j)``."""
    u: list[Polynomial] = [{0: Fraction(1)}]
    v: list[Polynomial] = [{0: Fraction(1)}]
    for _ in range(1, _DEBYE_TERMS):
        new_u: Polynomial = {}
        new_v: Polynomial = {}
        for power, c in u[-1].items():
            up, down = power + 1, power + 3
            new_u[up] = new_u.get(up, Fraction(0)) + c * (
                Fraction(power, 2) + Fraction(1, 8 * (power + 1))
            )
            new_u[down] = new_u.get(down, Fraction(0)) - c * (
                Fraction(power, 2) + Fraction(5, 8 * (power + 3))
            )
            new_v[up] = new_v.get(up, Fraction(0)) - c * (Fraction(1, 2) + power)
            new_v[down] = new_v.get(down, Fraction(0)) + c * (Fraction(1, 2) + power)
        v.append({power: c + new_v[power] for power, c in new_u.items()})
        u.append(new_u)
    return _table(u), _table(v)


def _table(polynomials: list[Polynomial]) -> FloatArray:
    out = np.zeros((len(polynomials), len(polynomials)))
    for k, polynomial in enumerate(polynomials):
        for power, c in polynomial.items():
            out[k, (power - k) // 2] = float(c)
    return out


_U, _V = _debye_tables()
