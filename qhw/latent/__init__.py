"""The von Mises-Fisher latent: densities, sampling, priors, estimation from shots."""
