"""Trained quantum circuits on noisy quantum computers, and exactly what came out.

    import qhw

    device = qhw.device("ibm:ibm_boston", budget="30usd")
    found = qhw.measure(circuit, angles, device, shots=20_000)
    print(found)
    found.save("runs/mine")

    values = qhw.expect(circuit, angles, ["0.5*XXI - 1.2*IYY", "Z0 Z1"], device, shots=20_000)

Names are loaded when they are first used, so that importing the package takes no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qhw.analysis.expect.function import ExpectationFunction as ExpectationFunction
    from qhw.analysis.expect.function import expectation_function as expectation_function
    from qhw.api.calibrating import calibrate as calibrate
    from qhw.api.calibrating import calibrate_head as calibrate_head
    from qhw.api.devices import Device as Device
    from qhw.api.devices import device as device
    from qhw.api.devices import devices as devices
    from qhw.api.expectation_values import ExpectationValues as ExpectationValues
    from qhw.api.expecting import expect as expect
    from qhw.api.force_fields import calculator as calculator
    from qhw.api.generating import generate as generate
    from qhw.api.gradients import ExpectationGradient as ExpectationGradient
    from qhw.api.hits import hit_rates as hit_rates
    from qhw.api.measuring import measure as measure
    from qhw.api.mitigating import advise as advise
    from qhw.api.mitigating import bench as bench
    from qhw.api.mitiq_executor import mitiq_executor as mitiq_executor
    from qhw.api.modelling import compare as compare
    from qhw.api.modelling import judge as judge
    from qhw.api.planning import depth_report as depth_report
    from qhw.api.plugins import register as register
    from qhw.api.primitives.estimator import Estimator as Estimator
    from qhw.api.primitives.sampler import Sampler as Sampler
    from qhw.api.results import Measurement as Measurement
    from qhw.api.results import ModelComparison as ModelComparison
    from qhw.api.running import Run as Run
    from qhw.api.running import estimate as estimate
    from qhw.api.running import run as run
    from qhw.api.running import submit as submit
    from qhw.api.running import submitted as submitted
    from qhw.api.saved_runs import compare_runs as compare_runs
    from qhw.api.saved_runs import runs as runs
    from qhw.api.studying import noise_study as noise_study
    from qhw.api.training import train as train
    from qhw.chem.molecule import MoleculeBatch as Molecules  # noqa: F401
    from qhw.circuits.workload import Workload as Workload
    from qhw.mitigation.base import Technique as Technique
    from qhw.mitigation.observables import Observable as Observable
    from qhw.mitigation.pipeline import Pipeline as Pipeline
    from qhw.models.checkpoint import load as load_model  # noqa: F401
    from qhw.models.checkpoint import save as save_model  # noqa: F401

_PLACES = {
    "Device": "qhw.api.devices",
    "Estimator": "qhw.api.primitives.estimator",
    "ExpectationFunction": "qhw.analysis.expect.function",
    "ExpectationGradient": "qhw.api.gradients",
    "ExpectationValues": "qhw.api.expectation_values",
    "Measurement": "qhw.api.results",
    "ModelComparison": "qhw.api.results",
    "Molecules": "qhw.chem.molecule:MoleculeBatch",
    "Observable": "qhw.mitigation.observables",
    "Pipeline": "qhw.mitigation.pipeline",
    "Run": "qhw.api.running",
    "Sampler": "qhw.api.primitives.sampler",
    "Technique": "qhw.mitigation.base",
    "Workload": "qhw.circuits.workload",
    "advise": "qhw.api.mitigating",
    "bench": "qhw.api.mitigating",
    "calculator": "qhw.api.force_fields",
    "calibrate": "qhw.api.calibrating",
    "calibrate_head": "qhw.api.calibrating",
    "compare": "qhw.api.modelling",
    "compare_runs": "qhw.api.saved_runs",
    "depth_report": "qhw.api.planning",
    "device": "qhw.api.devices",
    "devices": "qhw.api.devices",
    "estimate": "qhw.api.running",
    "expect": "qhw.api.expecting",
    "expectation_function": "qhw.analysis.expect.function",
    "generate": "qhw.api.generating",
    "hit_rates": "qhw.api.hits",
    "judge": "qhw.api.modelling",
    "load_model": "qhw.models.checkpoint:load",
    "measure": "qhw.api.measuring",
    "mitiq_executor": "qhw.api.mitiq_executor",
    "noise_study": "qhw.api.studying",
    "register": "qhw.api.plugins",
    "run": "qhw.api.running",
    "runs": "qhw.api.saved_runs",
    "save_model": "qhw.models.checkpoint:save",
    "submit": "qhw.api.running",
    "submitted": "qhw.api.running",
    "train": "qhw.api.training",
}
"""Module of every public name, and the name there where it is another."""

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'qhw' has no attribute {name!r}")
    module, _, other = _PLACES[name].partition(":")
    found = getattr(import_module(module), other or name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
