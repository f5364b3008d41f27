from __future__ import annotations

from pathlib import Path

import pytest

from tests.small_model import save_small_model


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint of a shallow NISQ-native model with random weights."""
    return save_small_model(tmp_path_factory.mktemp("model"))
