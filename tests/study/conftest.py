from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from qhw.study.config import StudyConfig


@pytest.fixture
def settings(small_model: Path) -> dict[str, Any]:
    """A study of seconds: a shallow model on one real device."""
    return {
        "name": "tiny",
        "models": [str(small_model)],
        "devices": ["iqm_garnet"],
        "scales": [0, 1],
        "shots": [1000],
        "molecules": 4,
        "prior": "uniform-sphere",
    }


@pytest.fixture
def tiny(settings: dict[str, Any]) -> StudyConfig:
    return StudyConfig.model_validate(settings)


@pytest.fixture
def sweep_file(settings: dict[str, Any], tmp_path: Path) -> Path:
    """A study of twelve cells, one of them on a device that does not exist."""
    settings |= {
        "devices": ["iqm_garnet", "nowhere"],
        "scales": [0, 0.5, 1, 2],
        "budget": {"sources": ["gates", "readout"], "modes": ["without"]},
    }
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(settings))
    return file
