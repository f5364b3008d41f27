"""From an atom's invariants to its energy: a circuit, or a classical control in its place.

Every head maps the inputs of an atom linearly, by its species, to ``units`` (angles of the circuit,
arguments of hidden units), turns them into ``reads``, and weighs these, by species, into an energy.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from qhw.forces.atom_head import AtomHead
from qhw.forces.circuit import AtomCircuit
from qhw.forces.compiled import derivatives

HeadKind = Literal["circuit", "product", "mlp", "cosine", "ridge", "mean"]

_START_ANGLE = 0.2
"""Root mean square, radians, of the angle that carries the ridge's atomic energy without bypass."""
_SINES = {1: ((1.0,), (1.0,)), 2: ((1.0, 2.0), (4 / 3, -1 / 6))}
"""Multiples of an angle and weights of their sines that add up to it: of two, to fifth order."""
_SCATTER, _BIAS_SCATTER = 0.02, 0.1
"""Spread of weights and angles that the ridge start does not set."""


class HeadConfig(BaseModel):
    """What turns inputs into atomic energies.

    Attributes:
        kind: ``circuit``; ``product``: the circuit without entangling gates; ``mlp``: one layer of
            ``tanh``; ``cosine``: one layer of cosines; ``ridge``: linear; ``mean``: a constant.
        form: ``hybrid``: a linear bypass carries the linear part; ``pure``: the head carries all.
        wires: of the circuit.
        blocks: of the circuit.
        phases: what the circuit's RZ depend on, the atom's ``environment`` or its ``species`` only,
            where they start at a right angle: every wire's two RY then turn about two axes.
        width: hidden units of ``mlp`` and ``cosine``; by default as many as the circuit has angles
            that depend on the inputs, so that all have the same number of parameters within 2 %.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: HeadKind = "circuit"
    form: Literal["pure", "hybrid"] = "hybrid"
    wires: int = Field(default=6, ge=2, le=8)
    blocks: int = Field(default=2, ge=1, le=4)
    phases: Literal["environment", "species"] = "environment"
    width: int | None = Field(default=None, ge=1, le=4096)

    @property
    def circuit(self) -> AtomCircuit:
        """Its circuit, or the one it stands in for."""
        return AtomCircuit(
            self.wires, self.blocks, self.kind == "circuit", self.phases == "environment"
        )

    @property
    def quantum(self) -> bool:
        """Whether a circuit is read."""
        return self.kind in ("circuit", "product")

    @property
    def units(self) -> int:
        """Linear combinations of an atom's inputs."""
        if self.kind in ("ridge", "mean"):
            return 0
        if self.quantum or self.width is None:
            return self.circuit.data_angles
        return self.width

    @property
    def bypassed(self) -> bool:
        """Whether inputs enter the energy linearly."""
        return self.kind == "ridge" or (self.form == "hybrid" and self.kind != "mean")


class Head(AtomHead):
    """Atomic energies of inputs.

    Args:
        config: which.
        species: how many, S.
        inputs: of an atom, K.
        generator: draws what a ridge start leaves open.
    """

    def __init__(
        self, config: HeadConfig, species: int, inputs: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.config, self.inputs = config, inputs
        self.shift = nn.Parameter(torch.zeros(species))
        self.bypass: Tensor
        if config.bypassed:  # from the closed form: steps of one size would undo its fine balance
            self.register_buffer("bypass", torch.zeros(species, inputs))
        if config.units:
            spread = (species, inputs, config.units)
            self.weight = nn.Parameter(_SCATTER * torch.randn(spread, generator=generator))
            biases = torch.randn(species, config.units, generator=generator)
            self.bias = nn.Parameter(_BIAS_SCATTER * biases)
            reads = config.circuit.reads if config.quantum else config.units
            self.readout = nn.Parameter(torch.zeros(species, reads))
        if config.kind == "circuit":
            couplings = torch.randn(species, config.circuit.couplings, generator=generator)
            self.coupling = nn.Parameter(_BIAS_SCATTER * couplings)
        if config.quantum and config.circuit.phases:
            phases = torch.randn(species, config.circuit.phases, generator=generator)
            self.phase = nn.Parameter(0.5 * torch.pi + _BIAS_SCATTER * phases)

    @property
    def mapped(self) -> Tensor:
        """Weights of the map from inputs to units."""
        return self.weight

    @property
    def energetic(self) -> list[nn.Parameter]:
        """Weights whose unit is an energy."""
        return [self.shift, *([self.readout] if self.config.units else [])]

    def start(self, ridge: Tensor, size: Tensor) -> None:
        """Begin at a ridge solution: exactly where there is a bypass, else up to a sine's bend.

        Args:
            ridge: weights of the inputs, ``(S, K)``.
            size: root mean square of the atomic energies they give, ``(S,)``.
        """
        with torch.no_grad():
            if self.config.bypassed:
                self.bypass.copy_(ridge)
                return
            if self.config.kind == "mean":
                return
            scaled = _START_ANGLE * ridge / size[:, None]
            self._carry(scaled.to(self.weight), (size / _START_ANGLE).to(self.weight))

    def _carry(self, scaled: Tensor, size: Tensor) -> None:
        """Let the last two wires (units) carry what a bypass would; they are not trained further.

        Of two or one the last does, whose sine is right to third order.

        Steps of one size would undo the ridge's balance here as there.

        Args:
            scaled: weights of the inputs of an angle, ``(S, K)``.
            size: eV of a radian, ``(S,)``.
        """
        config = self.config
        ends = config.wires if config.quantum else config.units
        count = min(2, max(ends - 1, 1))
        multiples, shares = (scaled.new_tensor(part) for part in _SINES[count])
        units = torch.arange(config.units)
        held = units % ends >= ends - count  # every angle of a wire that depends on inputs
        carriers = units[held][-count:]
        self.weight[:, :, held] = 0.0
        self.bias[:, held] = 0.0
        self.weight[:, :, carriers] = scaled[:, :, None] * multiples
        if config.kind != "mlp":  # cos(x - pi/2) = sin(x)
            self.bias[:, carriers] = -0.5 * torch.pi
        read = torch.arange(self.readout.shape[1])
        read = (read >= ends - count) & (read < ends)
        self.readout[:, read] = size[:, None] * shares
        for parameter, still in ((self.weight, held), (self.bias, held), (self.readout, read)):
            hook = partial(torch.Tensor.masked_fill, mask=still, value=0.0)
            parameter.register_hook(hook)  # type: ignore[no-untyped-call]

    def units(self, inputs: Tensor, kinds: Tensor) -> Tensor:
        """Angles of the circuit, or arguments of hidden units, ``(M, .)``.

        Args:
            inputs: ``(M, K)``.
            kinds: index of each atom's species, ``(M,)``.
        """
        found = _mapped(inputs, kinds, self.weight) + self.bias[kinds]
        fixed = self.fixed
        return found if fixed is None else torch.cat([found, fixed[kinds]], dim=1)

    @property
    def fixed(self) -> Tensor | None:
        """What of a circuit only the species decides, ``(S, phases + couplings)`` radians."""
        parts: list[Tensor] = []
        if self.config.quantum and self.config.circuit.phases:
            parts.append(self.phase)
        if self.config.kind == "circuit":
            parts.append(self.coupling)
        return torch.cat(parts, dim=1) if parts else None

    def energies(self, inputs: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        """Atomic energies and the variance of one shot of each, ``(M,)``, eV and eV².

        Args:
            inputs: ``(M, K)``.
            kinds: index of each atom's species, ``(M,)``.
        """
        energy, variance = self.linear(inputs, kinds), torch.zeros_like(inputs[:, 0])
        if not self.config.units:
            return energy, variance
        units = self.units(inputs, kinds)
        if not self.config.quantum:
            reads = torch.tanh(units) if self.config.kind == "mlp" else torch.cos(units)
            return energy + (reads * self.readout[kinds]).sum(dim=1), variance
        circuit = self.config.circuit
        outcomes = (self.readout @ torch.from_numpy(circuit.signs).to(inputs).T)[kinds]
        probabilities = circuit.probabilities(units)
        mean = (probabilities * outcomes).sum(dim=1)
        variance = (probabilities * outcomes.square()).sum(dim=1) - mean.square()
        return energy + mean, variance

    def maps(self) -> tuple[Tensor, Tensor]:
        """Units, then the bypass if there is one, as linear maps of inputs.

        Returns:
            Weights ``(S, units [+ 1], K)`` and what is added to their products, ``(S, .)``: biases,
            and the atom's constant energy.
        """
        species, bypassed = len(self.shift), self.config.bypassed
        weights = self.shift.new_zeros(species, self.config.units + bypassed, self.inputs)
        biases = self.shift.new_zeros(weights.shape[:2])
        with torch.no_grad():
            if self.config.units:
                weights[:, : self.config.units] = self.weight.transpose(1, 2)
                biases[:, : self.config.units] = self.bias
            if bypassed:
                weights[:, -1], biases[:, -1] = self.bypass, self.shift
        return weights, biases

    def derived(self, units: Tensor, kind: int) -> tuple[Tensor, Tensor]:
        """Energies of atoms of one species, and their derivatives by what :meth:`maps` gives.

        Args:
            units: ``(blocks, units [+ 1], ATOMS)``.
            kind: index of the species.

        Returns:
            ``(blocks, ATOMS)`` eV, and as ``units``, eV a radian; the last, of the bypass, are 1.
        """
        slopes = torch.ones_like(units)
        energies = units[:, -1] if self.config.bypassed else self.shift.detach()[kind]
        if not self.config.units:
            return energies.expand(len(units), units.shape[2]), slopes
        arguments = units[:, : self.config.units]
        if self.config.quantum:
            circuit = self.config.circuit
            outcomes = circuit.signs @ self.readout.detach()[kind].numpy()
            fixed = arguments.new_zeros(0) if self.fixed is None else self.fixed.detach()[kind]
            found, by_units = derivatives(circuit, arguments, fixed, outcomes)
        else:
            weights = self.readout.detach()[kind][:, None]
            if self.config.kind == "mlp":
                reads = torch.tanh(arguments)
                by_units = weights * (1 - reads.square())
            else:
                reads = torch.cos(arguments)
                by_units = -weights * torch.sin(arguments)
            found = (weights * reads).sum(dim=1)
        slopes[:, : self.config.units] = by_units
        return energies + found, slopes

    def linear(self, inputs: Tensor, kinds: Tensor) -> Tensor:
        """What of the atomic energies no circuit or hidden unit carries, ``(M,)``."""
        energy = self.shift[kinds]
        if self.config.bypassed:
            energy = energy + _mapped(inputs, kinds, self.bypass[:, :, None])[:, 0]
        return energy

    def unfolded(self, projection: Tensor) -> Head:
        """The same head on what its inputs are linear combinations of.

        Args:
            projection: ``(S, F, K)``; inputs are ``x @ projection[s]``.

        Returns:
            A head of F inputs, in the projection's precision.
        """
        made = Head(self.config, len(self.shift), projection.shape[1], torch.Generator())
        state = {key: value.to(projection.dtype) for key, value in self.state_dict().items()}
        if "weight" in state:
            state["weight"] = projection @ state["weight"]
        if "bypass" in state:
            state["bypass"] = (projection @ state["bypass"][:, :, None])[:, :, 0]
        made = made.to(projection.dtype)
        made.load_state_dict(state)
        return made


def _mapped(inputs: Tensor, kinds: Tensor, weights: Tensor) -> Tensor:
    """Each atom's inputs times the weights ``(S, K, U)`` of its species, ``(M, U)``.

    Atoms sorted by species are not copied.
    """
    is_sorted = bool((kinds[1:] >= kinds[:-1]).all())
    order = None if is_sorted else kinds.argsort(stable=True)
    counts = torch.bincount(kinds, minlength=len(weights)).tolist()
    parts = torch.split(inputs if order is None else inputs[order], counts)
    found = torch.cat([part @ weight for part, weight in zip(parts, weights, strict=True)])
    return found if order is None else found[order.argsort()]
