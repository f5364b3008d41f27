"""The torch sampler: same distribution as numpy's, right gradients."""

import numpy as np
import pytest
import torch
from scipy import stats

from qhw.latent import vmf, vmf_torch


def unit(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(shape, generator=generator, dtype=torch.float64)
    return v / v.norm(dim=-1, keepdim=True)


@pytest.mark.parametrize(
    ("dim", "kappa"), [(2, 0.0), (2, 4.0), (3, 1.0), (32, 0.0), (32, 300.0), (256, 1e5)]
)
def test_cosines_agree_with_numpy(dim: int, kappa: float) -> None:
    n, mu = 4000, unit((dim,))
    torch_z = vmf_torch.sample(mu.expand(n, dim), kappa, torch.Generator().manual_seed(1)).numpy()
    numpy_z = vmf.sample(np.broadcast_to(mu.numpy(), (n, dim)), kappa, np.random.default_rng(1))
    np.testing.assert_allclose(np.linalg.norm(torch_z, axis=1), 1.0, atol=1e-12)
    result = stats.ks_2samp(torch_z @ mu.numpy(), numpy_z @ mu.numpy())
    assert result.pvalue > 1e-3
    length = vmf.mean_resultant_length(dim, kappa)
    expected_mean = length * mu.numpy()
    assert np.linalg.norm(torch_z.mean(axis=0) - expected_mean) < 1.6 / np.sqrt(n) + 3 / n


@pytest.mark.parametrize("kappa", [0.0, 20.0, 1e5])
def test_gradcheck(kappa: float) -> None:
    raw = (unit((3, 5), 2) * 1.7).requires_grad_()

    def draw(v: torch.Tensor) -> torch.Tensor:
        mu = v / v.norm(dim=-1, keepdim=True)
        return vmf_torch.sample(mu, kappa, torch.Generator().manual_seed(3))

    assert torch.autograd.gradcheck(draw, (raw,))


def test_gradient_of_an_expectation() -> None:
    # E<a, z> = A_d(kappa) <a, mu>, so its gradient along the sphere is A_d(kappa) (a - <a,mu> mu).
    dim, kappa, n = 8, 30.0, 40000
    a, mu = unit((dim,), 4), unit((dim,), 5).requires_grad_()
    z = vmf_torch.sample(mu.expand(n, dim), kappa, torch.Generator().manual_seed(6))
    (gradient,) = torch.autograd.grad((z @ a).mean(), mu)
    mu = mu.detach()
    along = gradient - (gradient @ mu) * mu
    expected = vmf.mean_resultant_length(dim, kappa) * (a - (a @ mu) * mu)
    assert torch.allclose(along, expected, atol=0.02)


def test_seed_dtype_and_shape() -> None:
    mu = unit((4, 6, 32)).float()
    first, second = (vmf_torch.sample(mu, 10.0, torch.Generator().manual_seed(9)) for _ in range(2))
    assert torch.equal(first, second)
    assert first.dtype == torch.float32
    assert first.shape == mu.shape
    assert torch.allclose(first.norm(dim=-1), torch.ones(4, 6), atol=1e-5)


def test_bad_arguments() -> None:
    generator = torch.Generator().manual_seed(0)
    mu = unit((2, 4))
    with pytest.raises(ValueError, match="`kappa` must be in"):
        vmf_torch.sample(mu, -1.0, generator)
    for bad in (2 * mu, mu * float("nan")):
        with pytest.raises(ValueError, match="`mu` must hold finite unit vectors"):
            vmf_torch.sample(bad, 1.0, generator)
    with pytest.raises(ValueError, match="floating-point"):
        vmf_torch.sample(torch.ones(2, 4, dtype=torch.int64), 1.0, generator)
