"""How well a model rebuilds molecules it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np
import torch

from qhw.chem.bonds import same_graph
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.rmsd import kabsch_rmsd
from qhw.chem.validity import judge
from qhw.latent.vmf_torch import sample
from qhw.models.conditions import Conditional

if TYPE_CHECKING:
    from qhw.models.base import MoleculeVAE

Latent = Literal["mean", "sampled"]
_CHUNK = 2048


@runtime_checkable
class HasFidelity(Protocol):
    """A model whose target is a vector of amplitudes."""

    def fidelity(self, molecules: MoleculeBatch, probabilities: torch.Tensor) -> torch.Tensor:
        """Squared overlap of the roots of distributions with the targets, ``(B,)``."""


@torch.no_grad()
def decoder_outputs(
    model: MoleculeVAE, molecules: MoleculeBatch, latent: Latent, generator: torch.Generator
) -> torch.Tensor:
    """Exact decoder distributions of encoded molecules, ``(B, 2**n)``.

    Args:
        model: any.
        molecules: what is encoded.
        latent: decode the ``"mean"`` direction, or one ``"sampled"`` from the vMF.
        generator: of the sampling.
    """
    outputs = []
    for start in range(0, len(molecules), _CHUNK):
        part = molecules[start : start + _CHUNK]
        mean = model.encode(part)
        z = mean if latent == "mean" else sample(mean, model.kappa, generator)
        if isinstance(model, Conditional):
            z = model.conditioned(z, model.condition_values(part))
        outputs.append(model.decoder_probabilities(z))
    return torch.cat(outputs)


def reconstruction_metrics(
    model: MoleculeVAE, molecules: MoleculeBatch, generator: torch.Generator
) -> dict[str, float | None]:
    """Metrics of reconstruction, from the mean direction and from one vMF draw.

    Names are ``<latent>/<metric>``. ``atom_count``: share with the right number of atoms;
    ``atom_types``: share of true atoms whose type is right at its place; ``rms_coordinate``: root
    mean square error of one coordinate in the model's frame after rigid superposition, Å, over
    molecules with the right number of atoms; ``median_rmsd``: of the RMSD per molecule;
    ``same_graph``: share with the same elements and bonds; ``valid_strict``: share of all judged
    valid; ``fidelity``: mean squared overlap, where the model has it.

    Args:
        model: any, in evaluation mode.
        molecules: held out.
        generator: of the vMF draws.
    """
    found: dict[str, float | None] = {}
    for latent in ("mean", "sampled"):
        outputs = decoder_outputs(model, molecules, latent, generator)
        rebuilt = model.decode(outputs).padded(molecules.types.shape[1])
        rmsd = kabsch_rmsd(molecules, rebuilt)
        matched = np.isfinite(rmsd)
        values: dict[str, float | None] = {
            "atom_count": float((molecules.counts == rebuilt.counts).mean()),
            "atom_types": float((molecules.types == rebuilt.types)[molecules.types >= 0].mean()),
            "median_rmsd": float(np.median(rmsd[matched])) if matched.any() else None,
            "rms_coordinate": (
                float(np.sqrt((rmsd[matched] ** 2).mean() / 3)) if matched.any() else None
            ),
            "same_graph": float(same_graph(molecules, rebuilt).mean()),
            "valid_strict": float(judge(rebuilt, "strict").is_valid.mean()),
        }
        if isinstance(model, HasFidelity):
            values["fidelity"] = float(model.fidelity(molecules, outputs).mean())
        found |= {f"{latent}/{name}": value for name, value in values.items()}
    return found
