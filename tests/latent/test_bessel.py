"""Bessel functions against mpmath over the whole supported grid."""

import mpmath
import numpy as np
import pytest

from qhw.latent.bessel import bessel_ratio, log_reduced_bessel

DIMS = (2, 3, 4, 17, 32, 33, 256, 511, 1024)
# 119..122 and 366..376 straddle the switch of regimes at low and high order.
ARGUMENTS = (1e-12, 1e-4, 0.1, 2.0, 30.0, 119.0, 122.0, 366.0, 376.0, 2e3, 1e5)


@pytest.mark.parametrize("dim", DIMS)
def test_against_mpmath(dim: int) -> None:
    nu = mpmath.mpf(dim) / 2 - 1
    x = np.array(ARGUMENTS)
    reduced, ratio = log_reduced_bessel(dim / 2 - 1, x), bessel_ratio(dim / 2 - 1, x)
    with mpmath.workdps(60):
        for i, value in enumerate(ARGUMENTS):
            v = mpmath.mpf(value)
            bessel = mpmath.besseli(nu, v)
            expected = mpmath.log(mpmath.gamma(nu + 1) * (2 / v) ** nu * bessel)
            assert abs(reduced[i] / expected - 1) < 1e-13, value
            assert abs(ratio[i] / (mpmath.besseli(nu + 1, v) / bessel) - 1) < 2e-14, value


def test_zero_and_shapes() -> None:
    x = np.zeros((2, 3))
    assert np.array_equal(log_reduced_bessel(15.0, x), x)
    assert np.array_equal(bessel_ratio(15.0, x), x)
    assert bessel_ratio(0.0, np.array(1.0)).shape == ()
