from __future__ import annotations

import pytest
import torch

from qhw.chem.molecule import MoleculeBatch
from qhw.chem.qm9 import sample_molecules


@pytest.fixture(scope="session")
def molecules() -> MoleculeBatch:
    return sample_molecules().molecules


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(11)
