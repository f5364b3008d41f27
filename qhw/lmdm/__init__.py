"""LMDM (arXiv 2412.04242): latent diffusion of whole molecules, hydrogens included.

The paper's text gives no sizes and no code is public: what its abstract names (an equivariant
autoencoder, a dual score network of covalent and van der Waals distances, variational noise) is
built here from its published relatives MDM, EDM and GeoLDM; each module says what is from where.
"""
