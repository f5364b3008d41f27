"""The examples in the docstrings of what people use run as written."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

MODULES = (
    "qhw.analysis.expect.function",
    "qhw.api.devices",
    "qhw.api.expecting",
    "qhw.api.measuring",
    "qhw.api.mitiq_executor",
    "qhw.api.modelling",
    "qhw.api.planning",
    "qhw.api.primitives.estimator",
    "qhw.api.primitives.sampler",
    "qhw.circuits.angles",
    "qhw.circuits.shift_rules",
    "qhw.circuits.workload",
    "qhw.mitigation.observables",
)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.usefixtures("own_home")
def test_examples_run(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("QHW_CACHE", str(tmp_path))
    found = doctest.testmod(import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 0 and found.failed == 0
