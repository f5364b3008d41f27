"""A model's circuits as workloads, and what they give without noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from qhw.chem.molecule import MoleculeBatch
from qhw.circuits.plan import CircuitPlan
from qhw.circuits.templates import CircuitTemplate, Preparation, build_template, data_angles
from qhw.circuits.workload import Role, Workload
from qhw.models.base import AbilityError, Decodes, Encodes, Model, decoding, encoding, plan_of
from qhw.models.checkpoint import weights_sha256
from qhw.models.conditions import Conditional

FloatArray = NDArray[np.float64]

NEARNESS = 0.05
"""Of a property's range: a molecule that far from what is asked counts 0.6 of one that is not."""
ROLES: dict[str, tuple[Role, ...]] = {
    "generate": ("decoder",),
    "encode": ("encoder",),
    "reconstruct": ("encoder", "decoder"),
}
"""Circuits of each task, in the order they run."""


def template_of(
    model: Model,
    role: Role,
    preparation: Preparation,
    name: str = "given",
    need: str = "what is asked",
) -> CircuitTemplate:
    """A model's circuit before compilation, its data angles free.

    Args:
        model: whose.
        role: ``encoder`` or ``decoder``.
        preparation: how amplitudes are loaded.
        name: of the model, in errors.
        need: who asks, in errors: ``task generate``.

    Raises:
        AbilityError: the model has no such circuit.
    """
    return build_template(plan_of(model, role, name, need), preparation, name=role)


@dataclass(frozen=True)
class ExactModel:
    """A model as plain double-precision functions of arrays.

    What the model cannot do raises :class:`qhw.models.base.AbilityError` when it is asked for.

    Attributes:
        model: in double precision.
        name: in errors.
        need: who asks, in errors: ``task generate``.
        condition: ``(m,)`` properties asked of a conditional model; ``None``: each molecule's own.
    """

    model: Model
    name: str = "given"
    need: str = "what is asked"
    condition: FloatArray | None = None

    @property
    def encodes(self) -> Encodes:
        """The model as one that encodes."""
        return encoding(self.model, self.name, self.need)

    @property
    def decodes(self) -> Decodes:
        """The model as one that decodes."""
        return decoding(self.model, self.name, self.need)

    @property
    def latent_dim(self) -> int:
        """Dimension d of the latents."""
        return self.decodes.latent_dim

    @property
    def kappa(self) -> float:
        """Concentration of the vMF latent used in training."""
        return self.encodes.kappa

    @property
    def weights_sha256(self) -> str:
        """What a trained prior is bound to."""
        return weights_sha256(self.model)

    def plan(self, role: Role) -> CircuitPlan:
        """The circuit of a role."""
        return plan_of(self.model, role, self.name, self.need)

    def inputs(self, molecules: MoleculeBatch) -> FloatArray:
        """Data of the encoder's preparation."""
        with torch.no_grad():
            return _array(self.encodes.encoder_inputs(molecules))

    def encoder(self, inputs: FloatArray) -> FloatArray:
        """Exact distributions of the encoder ``(B, 2**m)``."""
        with torch.no_grad():
            return _array(self.encodes.encoder_probabilities(torch.from_numpy(inputs)))

    def direction(self, distributions: FloatArray) -> FloatArray:
        """mu ``(B, latent_dim)`` of encoder distributions."""
        with torch.no_grad():
            return _array(self.encodes.latent_mean(torch.from_numpy(distributions)))

    def directions(self, molecules: MoleculeBatch) -> FloatArray:
        """mu ``(B, latent_dim)`` of molecules."""
        return self.direction(self.encoder(self.inputs(molecules)))

    def conditioned(self, latents: FloatArray, molecules: MoleculeBatch) -> FloatArray:
        """The decoder's data: latents, and behind them a condition's angles if there is one.

        Args:
            latents: ``(B, latent_dim)``.
            molecules: B molecules whose own properties are meant where none is asked for.

        Raises:
            ValueError: a molecule has no such property.
        """
        model = self.model
        if not isinstance(model, Conditional):
            return latents
        with torch.no_grad():
            if self.condition is None:
                values = model.condition_values(molecules)
            else:
                values = torch.from_numpy(np.tile(self.condition, (len(latents), 1)))
            return _array(model.conditioned(torch.from_numpy(latents), values))

    def nearness(self, molecules: MoleculeBatch) -> FloatArray:
        """How near molecules' own properties are to those asked for ``(B,)``, 1 at best.

        A Gaussian of the distance in units of the scales' ranges, of width :data:`NEARNESS`.

        Raises:
            AbilityError: the model is not conditional, or is asked for nothing.
        """
        model = self.model
        if not isinstance(model, Conditional) or self.condition is None:
            raise AbilityError(
                f"Model {self.name} of kind {model.kind} has no condition that is asked for: "
                f"{self.need} needs one"
            )
        own = model.condition_values(molecules).numpy()
        apart = [
            scale.scaled(values) - scale.scaled(asked)
            for scale, values, asked in zip(model.conditions, own.T, self.condition, strict=True)
        ]
        distance = np.sum(np.square(apart), axis=0) / NEARNESS**2
        weights: FloatArray = np.exp(-0.5 * (distance - distance.min()))
        return weights

    def kept(self, distributions: FloatArray) -> FloatArray | None:
        """Share of each distribution that post-selection keeps ``(B,)``; ``None`` without it."""
        model = self.model
        if not isinstance(model, Conditional):
            return None
        share = model.kept(torch.from_numpy(distributions))
        return None if share is None else _array(share)

    def selected(
        self, distributions: FloatArray, shots: int | None
    ) -> tuple[FloatArray, int | None]:
        """What post-selection keeps, and how many shots on the mean; as they are without it."""
        model, kept = self.model, self.kept(distributions)
        if kept is None or not isinstance(model, Conditional):
            return distributions, shots
        of_kept = _array(model.selected(torch.from_numpy(distributions)))
        return of_kept, None if shots is None else max(1, round(shots * float(kept.mean())))

    def decoder(self, latents: FloatArray) -> FloatArray:
        """Exact distributions of the decoder ``(B, 2**n)``, of :meth:`conditioned` latents."""
        with torch.no_grad():
            return _array(self.decodes.decoder_probabilities(torch.from_numpy(latents)))

    def molecules(self, distributions: FloatArray) -> MoleculeBatch:
        """Molecules of decoder distributions."""
        return self.decodes.decode(torch.from_numpy(distributions))

    def workload(
        self,
        role: Role,
        inputs: FloatArray,
        preparation: Preparation,
        *,
        seed: int,
        names: Sequence[str] | None = None,
    ) -> Workload:
        """One of the model's circuits and the rows that load inputs.

        Args:
            role: ``encoder`` or ``decoder``.
            inputs: ``(B, ...)`` data of its preparation: latents of the decoder.
            preparation: how amplitudes are loaded.
            seed: of a fit of the preparation.
            names: of the B rows, by default their numbers.

        Raises:
            ValueError: inputs that cannot be loaded.
        """
        template = template_of(self.model, role, preparation, self.name, self.need)
        data = data_angles(template, inputs, seed=seed)
        encodes = role == "encoder"
        return Workload(
            name=role,
            circuit=template.circuit,
            parameter_names=template.parameter_names,
            angles=data.angles,
            row_names=tuple(map(str, range(len(inputs))) if names is None else names),
            role=role,
            known=self.encoder(inputs) if encodes else self.decoder(inputs),
            loading=template.loading,
            fidelity=data.fidelity,
            direction=self.direction if encodes else None,
        )


def _array(values: torch.Tensor) -> FloatArray:
    return np.asarray(values.detach().double().cpu().numpy(), dtype=np.float64)
