"""What mitigation is measured on: a model's circuit on a device, its rows, their exact output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backends.aer import AerBackend
from backends.base import Backend, CompiledTemplate
from backends.registry import get_backend
from backends.statevector import measured_probabilities
from calibration.noise import NoiseOptions
from qhw.analysis.compare import held_out, make_prior, prior_latents
from qhw.analysis.metrics import total_variation
from qhw.analysis.result import Preparation
from qhw.analysis.tasks import ExactModel
from qhw.chem.qm9 import sample_molecules
from qhw.circuits.templates import build_template, data_angles
from qhw.models.checkpoint import load

FloatArray = NDArray[np.float64]
BenchTask = Literal["generate", "encode"]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a model's circuit before there is a device.

    Attributes:
        model: name of the model.
        role: ``decoder`` or ``encoder``.
        inputs: ``(K, ...)`` data of the preparation.
        exact: ``(K, D)`` the model's exact distributions.
        direction: from distributions ``(K, D)`` to unit vectors ``(K, d)``; encoder only.
        source: the model, which makes the circuit.
    """

    model: str
    role: Literal["decoder", "encoder"]
    inputs: FloatArray
    exact: FloatArray
    direction: Callable[[FloatArray], FloatArray] | None
    source: ExactModel


@dataclass(frozen=True, eq=False)
class BenchSubject:
    """A circuit compiled for a device.

    Attributes:
        backend: where it runs.
        compiled: the circuit.
        angles: ``(K, P)`` radians, columns as compiled.
        exact: ``(K, D)`` the compiled circuit's own exact distributions: what mitigation can
            reach at best.
        loading: mean total variation between these and the model's; what the preparation loses.
        direction: see :class:`Rows`.
    """

    backend: Backend
    compiled: CompiledTemplate
    angles: FloatArray
    exact: FloatArray
    loading: float
    direction: Callable[[FloatArray], FloatArray] | None = None


def model_rows(model: str, task: BenchTask, count: int, *, seed: int) -> Rows:
    """Latents from the model's prior, or held-out molecules.

    Args:
        model: shipped name or path of a checkpoint.
        task: ``generate`` (decoder) or ``encode`` (encoder).
        count: two or more rows.
        seed: of the choice.

    Raises:
        CheckpointError: no such model, or a damaged one.
        ValueError: more molecules than there are.
    """
    loaded, card = load(model)
    exact = ExactModel(loaded.double(), card.name, f"task {task}")
    sample = sample_molecules()
    if task == "generate":
        latents = prior_latents(make_prior(None, exact, sample, seed), count, seed)
        return Rows(card.name, "decoder", latents, exact.decoder(latents), None, exact)
    inputs = exact.inputs(held_out(count, sample, seed).molecules)
    return Rows(card.name, "encoder", inputs, exact.encoder(inputs), exact.direction, exact)


def on_device(rows: Rows, backend: Backend, preparation: Preparation, *, seed: int) -> BenchSubject:
    """Compile the circuit of rows for a device.

    Args:
        rows: of a model.
        backend: the device.
        preparation: how amplitudes are loaded.
        seed: of compilation and preparation.

    Raises:
        BackendError: the circuit does not fit the device.
    """
    template = build_template(rows.source.plan(rows.role), preparation, name=rows.role)
    compiled = backend.compile(template.circuit, seed=seed)
    order = [template.parameter_names.index(name) for name in compiled.parameter_names]
    angles = data_angles(template, rows.inputs, seed=seed).angles[:, order]
    exact = measured_probabilities(compiled, angles)
    exact /= exact.sum(axis=1, keepdims=True)
    loading = float(total_variation(exact, rows.exact).mean())
    return BenchSubject(backend, compiled, angles, exact, loading, rows.direction)


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
    return type(backend)(backend.snapshot, noise=noise)
