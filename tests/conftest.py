from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.small_model import save_small_model

# IBM's client looks through all loaded modules at every request, for a statistic of its callers
os.environ.setdefault("USAGE_DATA_OPT_OUT", "True")

# The same examples in every run, whatever the machine's load; QHW_EXPLORE=1 draws new ones.
for name, repeatable in (("repeatable", True), ("exploring", False)):
    settings.register_profile(
        name,
        derandomize=repeatable,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=True,
    )
settings.load_profile("exploring" if os.environ.get("QHW_EXPLORE") else "repeatable")


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint of a shallow NISQ-native model with random weights."""
    return save_small_model(tmp_path_factory.mktemp("model"))
