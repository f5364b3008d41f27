"""What mitigation is measured on: a workload, on a simulator whose noise may be changed."""

from __future__ import annotations

from dataclasses import replace

from backends.aer import AerBackend
from backends.base import Backend
from backends.registry import get_backend
from calibration.noise import NoiseOptions
from qhw.analysis.bench.result import BenchTask
from qhw.analysis.compare.model import held_out, make_prior, prior_latents
from qhw.analysis.compare.settings import Preparation
from qhw.circuits.workload import Workload
from qhw.models.checkpoint import load
from qhw.models.conditions import sample_for
from qhw.models.exact import ExactModel


def model_workload(
    model: str,
    task: BenchTask,
    count: int,
    preparation: Preparation,
    *,
    prior: str | None = None,
    seed: int,
) -> Workload:
    """Latents from the model's prior, or held-out molecules, and the circuit that takes them.

    Args:
        model: shipped name or path of a checkpoint.
        task: ``generate`` (decoder) or ``encode`` (encoder).
        count: two or more rows.
        preparation: how amplitudes are loaded.
        prior: of ``generate``, the model's own by default.
        seed: of the choice and of the preparation.

    Returns:
        Named as the model is.

    Raises:
        CheckpointError: no such model, or a damaged one.
        ValueError: more molecules than there are, or no task of a model.
    """
    if task == "circuit":
        raise ValueError("Argument `task` must be generate or encode for a model, but is circuit")
    loaded, card = load(model)
    exact = ExactModel(loaded.double(), card.name, f"task {task}")
    sample = sample_for(loaded)
    if task == "generate":
        inputs = prior_latents(make_prior(prior, exact, sample, seed), count, seed)
        made = exact.workload("decoder", inputs, preparation, seed=seed)
    else:
        inputs = exact.inputs(held_out(count, sample, seed).molecules)
        made = exact.workload("encoder", inputs, preparation, seed=seed)
    return replace(made, name=card.name)


def circuit_subject(workload: Workload) -> dict[str, object]:
    """What :class:`~qhw.analysis.bench.result.BenchSettings` say of a person's own circuit.

    Raises:
        ValueError: fewer than two rows.
    """
    if len(workload) < 2:
        raise ValueError(
            "Argument `angles` must have two rows or more (one of the baselines is the mean of the "
            f"others), but has {len(workload)}"
        )
    return {"model": workload.name, "task": "circuit", "rows": len(workload)}


def noisy_backend(name: str, noise: NoiseOptions) -> Backend:
    """A simulator by name, its noise changed.

    Args:
        name: for example ``engine:ibm_fez``.
        noise: strength of each source; the default is as reported.

    Raises:
        UnknownBackendError: no such backend.
        ValueError: noise options for a backend that simulates no device.
    """
    backend = get_backend(name)
    if noise == NoiseOptions():
        return backend
    if not isinstance(backend, AerBackend) or backend.snapshot is None:
        raise ValueError(
            f"Argument `noise` must be left out unless the device is aer:<device> or "
            f"engine:<device>, but the device is {name}"
        )
    return type(backend)(backend.snapshot, noise=noise, scale=backend.scale)
