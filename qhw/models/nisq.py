"""NISQ-native QVAE: the same autoencoder, cut to what a heavy-hex device survives.

What differs from QVAE-Mole, and why (two-qubit gates decide on hardware):

* a linear head makes the encoder's amplitudes, 32 instead of 128, so that 16 CZ load them;
* entanglers are CZ on a line, which a heavy-hex lattice embeds without a SWAP;
* a linear read-out of the measured sqrt-distribution replaces "amplitude = coordinate", so that
  every outcome carries signal and none has to stay empty;
* training sees finite shots, a depolarised floor and the vMF latent, as the device will.

Decoder: 16 CZ of latent preparation + 3 CZ a layer.

Other designs (`couplings`, `bases`) are there to be compared: `experiments/generation`.
"""

from __future__ import annotations

import copy
import functools
import math
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from qhw.chem.frames import FrameName, to_frame
from qhw.chem.molecule import ELEMENTS, MAX_ATOMS, MoleculeBatch
from qhw.circuits.ansatz import chain_ansatz, tile_ansatz
from qhw.circuits.plan import CircuitPlan
from qhw.latent.vmf_torch import sample
from qhw.models.base import AbilityError, MoleculeVAE
from qhw.models.layers import born_probabilities, circuit_matrix

N_WIRES = 7
LATENT_WIRES = 5
ANGSTROM_PER_UNIT = 2.0
"""Scale of coordinates inside the network, Å: about their spread in QM9."""
_N_TYPES = len(ELEMENTS)
_N_COORDINATES = 3 * MAX_ATOMS
_N_FEATURES = _N_COORDINATES + MAX_ATOMS * (_N_TYPES + 1)
_ROOT_FLOOR = 1e-9
"""Keeps the gradient of the square root finite at empty outcomes."""


class NISQConfig(BaseModel):
    """Shape and training noise of the NISQ-native model.

    Attributes:
        encoder_layers: CZ layers of the encoder's chain (2 CZ each, 5 wires).
        decoder_layers: CZ layers of the decoder's chain (3 CZ each, 7 wires), or tile (2 CZ each).
        couplings: what the decoder's CZ are between: neighbours on a ``line``, or on the seven
            qubits of a heavy-hex ``tile``.
        bases: local bases the decoder is measured in: 1, as the circuit ends, or 2, half of the
            shots after a Hadamard on every wire. With 2 no device runs it.
        kappa: concentration of the vMF latent in training.
        shots: decoder shots simulated in training; ``None`` for infinitely many.
        depolarising: training outcomes are mixed with up to this share of the uniform
            distribution, so that the read-out learns to ignore a depolarised floor.
        type_weight: weight of the atom-type cross-entropy.
        distance_weight: weight of the near-neighbour distance error, which validity hangs on.
        frame: reference frame of the coordinates.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder_layers: int = Field(default=4, ge=0, le=64)
    decoder_layers: int = Field(default=14, ge=0, le=64)
    couplings: Literal["line", "tile"] = "line"
    bases: Literal[1, 2] = 1
    kappa: float = Field(default=2e4, gt=0, le=1e5)
    shots: int | None = Field(default=10_000, ge=1)
    depolarising: float = Field(default=0.0, ge=0, lt=1)
    type_weight: float = Field(default=0.3, ge=0)
    distance_weight: float = Field(default=2.0, ge=0)
    frame: FrameName = "fixed"


@dataclass(frozen=True)
class NISQData:
    """Tensors of a training set, one row a molecule.

    Attributes:
        features: ``(B, 72)`` inputs of the head.
        positions: ``(B, 9, 3)`` Å, in the model's frame.
        types: ``(B, 9)`` index of the element, -1 where there is no atom.
    """

    features: Tensor
    positions: Tensor
    types: Tensor

    def __len__(self) -> int:
        return len(self.types)

    def __getitem__(self, rows: Tensor) -> NISQData:
        return NISQData(self.features[rows], self.positions[rows], self.types[rows])


class NISQVAE(MoleculeVAE):
    """Linear head -> 5-wire encoder -> vMF on S^31 -> 7-wire decoder -> linear read-out.

    The encoder measures its 5 wires; mu is the root of that distribution. The decoder loads the
    latent on wires 2..6 (wires 0, 1 in |0>) and measures all 7.
    """

    kind: ClassVar[str] = "nisq"
    Config: ClassVar[type[NISQConfig]] = NISQConfig

    def __init__(self, config: NISQConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.latent_dim = 2**LATENT_WIRES
        self.kappa = self.config.kappa
        self._encoder = chain_ansatz(LATENT_WIRES, self.config.encoder_layers)
        layers = self.config.decoder_layers
        tile = self.config.couplings == "tile"
        self._decoder = tile_ansatz(layers) if tile else chain_ansatz(N_WIRES, layers)

        def uniform(*shape: int, bound: float) -> nn.Parameter:
            return nn.Parameter((2 * torch.rand(*shape, generator=generator) - 1) * bound)

        def normal(*shape: int, scale: float) -> nn.Parameter:
            return nn.Parameter(scale * torch.randn(*shape, generator=generator))

        # A head that outweighs its bias spreads the latents from the start; angles of 0.6 rad
        # keep the first circuits away from both identity and Haar-flat outputs.
        bound = 1 / math.sqrt(_N_FEATURES)
        self.head_weight = uniform(self.latent_dim, _N_FEATURES, bound=6 * bound)
        self.head_bias = uniform(self.latent_dim, bound=0.5)
        self.encoder_angles = normal(self._encoder.n_angles, scale=0.6)
        self.decoder_angles = normal(self._decoder.n_angles, scale=0.6)
        n_outcomes = self.n_outcomes
        bound = 1 / math.sqrt(n_outcomes)
        self.readout_weight = uniform(_N_FEATURES, n_outcomes, bound=5 * bound)
        self.readout_bias = uniform(_N_FEATURES, bound=bound)

    @property
    def n_outcomes(self) -> int:
        """Length of the decoder's distributions: 128 a basis."""
        size: int = self.config.bases * 2**N_WIRES
        return size

    # -- quantum side --------------------------------------------------------------------------
    def encoder_plan(self) -> CircuitPlan:
        """16 CZ of loading + 2 CZ a layer on 5 wires, all measured.

        Raises:
            AbilityError: its decoder has no circuit, so that nothing should run the encoder either.
        """
        self._check_for_devices()
        wires = tuple(range(LATENT_WIRES))
        weights = self.encoder_angles.detach().double().cpu().numpy()
        return CircuitPlan("amplitudes", wires, None, self._encoder, weights, wires)

    def decoder_plan(self) -> CircuitPlan:
        """Latent on wires 2..6, entanglers over 7 wires, all measured.

        Raises:
            AbilityError: measured in two bases, which is more than one circuit.
        """
        self._check_for_devices()
        weights = self.decoder_angles.detach().double().cpu().numpy()
        wires = tuple(range(N_WIRES))
        return CircuitPlan(
            "amplitudes", wires[N_WIRES - LATENT_WIRES :], None, self._decoder, weights, wires
        )

    def _check_for_devices(self) -> None:
        if self.config.bases != 1:
            raise AbilityError(
                "A decoder that is measured in two bases (`bases: 2`) is two circuits, and devices "
                "are given one: it is decoded exactly only"
            )

    # -- classical side ------------------------------------------------------------------------
    def encoder_inputs(self, molecules: MoleculeBatch) -> Tensor:
        """Unit signed amplitudes ``(B, 32)`` from the linear head.

        Raises:
            ValueError: a molecule with no atom, or with more than nine.
        """
        return self._head(self.precompute(_checked(molecules)).features)

    def _head(self, features: Tensor) -> Tensor:
        amplitudes = functional.linear(features, self.head_weight, self.head_bias)
        return functional.normalize(amplitudes, dim=-1)

    def read_out(self, probabilities: Tensor) -> tuple[Tensor, Tensor]:
        """Linear read-out of measured distributions ``(B, n_outcomes)``.

        Returns:
            Positions ``(B, 9, 3)`` in Å, and type scores ``(B, 9, 5)`` for C, N, O, F, no atom.
        """
        return self._read_roots(self.read_out_features(probabilities))

    def read_out_features(self, probabilities: Tensor) -> Tensor:
        """Scaled roots ``(B, n_outcomes)`` of distributions."""
        # A bin's root is about n_outcomes^(-1/2): the read-out's inputs are about 1.
        return (probabilities + _ROOT_FLOOR).sqrt() * math.sqrt(self.n_outcomes)

    def read_out_map(self) -> tuple[Tensor, Tensor]:
        """``(72, n_outcomes)`` and ``(72,)``: coordinates in units of 2 Å, then type scores."""
        return self.readout_weight.detach(), self.readout_bias.detach()

    def with_read_out(self, weight: Tensor, bias: Tensor) -> Self:
        """A copy with another linear read-out.

        Raises:
            ValueError: wrong shapes.
        """
        shapes = (self.readout_weight.shape, self.readout_bias.shape)
        if (weight.shape, bias.shape) != shapes:
            raise ValueError(
                f"Arguments `weight` and `bias` must have shapes {tuple(map(tuple, shapes))}, but "
                f"have {tuple(weight.shape)} and {tuple(bias.shape)}."
            )
        other = copy.deepcopy(self)
        with torch.no_grad():
            other.readout_weight.copy_(weight)
            other.readout_bias.copy_(bias)
        return other

    def _read_roots(self, roots: Tensor) -> tuple[Tensor, Tensor]:
        out = functional.linear(roots, self.readout_weight, self.readout_bias)
        positions = out[:, :_N_COORDINATES].reshape(-1, MAX_ATOMS, 3) * ANGSTROM_PER_UNIT
        return positions, out[:, _N_COORDINATES:].reshape(-1, MAX_ATOMS, _N_TYPES + 1)

    def decode(self, probabilities: Tensor) -> MoleculeBatch:
        """Molecules from decoder distributions ``(B, n_outcomes)``: each atom's likeliest type.

        Raises:
            ValueError: wrong shape, or probabilities that are not finite.
        """
        if probabilities.ndim != 2 or probabilities.shape[1] != self.n_outcomes:
            raise ValueError(
                f"Argument `probabilities` must have shape (B, {self.n_outcomes}), "
                f"but has {tuple(probabilities.shape)}."
            )
        if not torch.isfinite(probabilities).all():
            raise ValueError("Argument `probabilities` must be finite, but holds NaN or infinity.")
        with torch.no_grad():
            positions, scores = self.read_out(probabilities.clamp_min(0).to(self.readout_weight))
        types = scores.argmax(-1)
        # Present atoms move to the front, in order: a batch has its padding last.
        absent = types == _N_TYPES
        order = absent.to(torch.int8).argsort(dim=-1, stable=True)
        types = types.masked_fill(absent, -1).gather(1, order)
        positions = positions.masked_fill(absent[..., None], 0.0)
        positions = positions.gather(1, order[..., None].expand_as(positions))
        return MoleculeBatch(types.to(torch.int8).cpu().numpy(), positions.double().cpu().numpy())

    # -- exact ---------------------------------------------------------------------------------
    def encoder_probabilities(self, inputs: Tensor) -> Tensor:
        """Exact distribution over the encoder's 5 wires, ``(B, 32)``."""
        return born_probabilities(circuit_matrix(self._encoder, self.encoder_angles), inputs)

    def decoder_probabilities(self, latents: Tensor) -> Tensor:
        """Exact distribution ``(B, n_outcomes)`` of the decoder, the basis its highest bit."""
        return self._measured(self._decoder_matrix(), latents)

    def _decoder_matrix(self) -> Tensor:
        """``(128, 32)`` complex, from latents to amplitudes."""
        wires = range(N_WIRES - LATENT_WIRES, N_WIRES)
        return circuit_matrix(self._decoder, self.decoder_angles, wires)

    def _measured(self, matrix: Tensor, latents: Tensor) -> Tensor:
        first = born_probabilities(matrix, latents)
        if self.config.bases == 1:
            return first
        second = born_probabilities(_hadamards(N_WIRES).to(matrix) @ matrix, latents)
        return torch.cat([first, second], dim=1) / 2

    # -- training ------------------------------------------------------------------------------
    def loss(self, molecules: MoleculeBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Mean squared atom displacement (Å^2), type cross-entropy, near-distance error.

        The latent is drawn from the vMF, the outcome distribution is depolarised at random up to
        ``config.depolarising``, and each root gets the spread that ``config.shots`` give it
        (1/(4N) for populated bins, fading with the bin: delta method of sqrt(c/N)).
        """
        return self.loss_of(self.precompute(molecules), generator)

    def precompute(self, molecules: MoleculeBatch) -> NISQData:
        """Features, framed coordinates and types of a training set."""
        framed = to_frame(molecules, self.config.frame)
        positions = torch.as_tensor(framed.positions).to(self.head_weight)
        types = torch.as_tensor(framed.types).long()
        return NISQData(_features(positions, types), positions, types)

    def loss_of(self, data: NISQData, generator: torch.Generator) -> dict[str, Tensor]:
        """As :meth:`loss`, of precomputed rows."""
        mu = self.latent_mean(self.encoder_probabilities(self._head(data.features)))
        latent = sample(mu, self.kappa, generator)
        roots = self._noisy_roots(self.decoder_probabilities(latent), generator)
        positions, scores = self._read_roots(roots)
        types, truth, present = data.types, data.positions, data.types >= 0
        losses = {
            "coordinates": (positions - truth).square().sum(-1)[present].mean(),
            "types": functional.cross_entropy(
                scores.flatten(0, 1), types.masked_fill(~present, _N_TYPES).flatten()
            ),
            "distances": _distance_loss(positions, truth, present),
        }
        losses["total"] = (
            losses["coordinates"]
            + self.config.type_weight * losses["types"]
            + self.config.distance_weight * losses["distances"]
        )
        return losses

    def _noisy_roots(self, probabilities: Tensor, generator: torch.Generator) -> Tensor:
        n_outcomes = probabilities.shape[1]
        if self.config.depolarising:
            share = self.config.depolarising * torch.rand(
                len(probabilities), 1, generator=generator, dtype=probabilities.dtype
            )
            probabilities = (1 - share) * probabilities + share / n_outcomes
        roots = (probabilities + _ROOT_FLOOR).sqrt()
        if self.config.shots is not None:
            spread = 0.5 / math.sqrt(self.config.shots)
            noise = torch.randn(roots.shape, generator=generator, dtype=roots.dtype)
            roots = roots + spread * noise * (roots / spread).clamp(max=1)
        return roots * math.sqrt(n_outcomes)


@functools.lru_cache
def _hadamards(n_wires: int) -> Tensor:
    """A Hadamard on every wire, ``(2**n, 2**n)`` real."""
    one = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64) / math.sqrt(2)
    return functools.reduce(torch.kron, [one] * n_wires)


def _checked(molecules: MoleculeBatch) -> MoleculeBatch:
    counts = molecules.counts
    bad = (counts < 1) | (counts > MAX_ATOMS)
    if bad.any():
        raise ValueError(
            f"Argument `molecules` must have 1 to {MAX_ATOMS} heavy atoms each, "
            f"but molecule {int(bad.argmax())} has {int(counts[bad.argmax()])}."
        )
    return molecules


def _features(positions: Tensor, types: Tensor) -> Tensor:
    """``(B, 72)``: coordinates in units of 2 Å, one-hot type of each atom, presence."""
    present = types >= 0
    one_hot = functional.one_hot(types.clamp_min(0), _N_TYPES) * present[..., None]
    units = positions / ANGSTROM_PER_UNIT
    return torch.cat([units.flatten(1), one_hot.flatten(1), present], dim=1)


def _distance_loss(positions: Tensor, truth: Tensor, present: Tensor) -> Tensor:
    """Mean squared error of interatomic distances (Å^2), weighted towards bonded neighbours."""

    def distances(x: Tensor) -> Tensor:
        return ((x[:, :, None] - x[:, None]).square().sum(-1) + 1e-6).sqrt()

    wanted = distances(truth)
    weight = (-(wanted - 1.4).clamp_min(0)).exp()
    pairs = present[:, :, None] & present[:, None] & ~torch.eye(MAX_ATOMS, dtype=torch.bool)
    weight = weight * pairs
    return (weight * (distances(positions) - wanted).square()).sum() / weight.sum().clamp_min(1.0)
