"""A force field on vendors played on this machine: one budget, paid once, taken up again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import qhw
from backends.loopback.braket import BraketService
from qhw.api.field_comparison import compare_force_field
from qhw.jobs.errors import BudgetError
from tests.cli.conftest import braket, own_home
from tests.forces.molecules import random_field

__all__ = ["braket", "own_home"]

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]

ASKED = {"frames": 1, "shots": 100, "mitigation": "readout", "forces": "classical", "seed": 3}
DATA = "shipped:h2o_test.npz"


@pytest.mark.slow
def test_one_budget_holds_for_raw_and_mitigated_and_nothing_is_paid_twice(
    braket: BraketService,
) -> None:
    field = random_field(0)
    once = compare_force_field(
        field, DATA, qhw.device("braket:iqm_garnet", budget="900usd"), **ASKED
    )
    sent, prices = braket.queue.accepted, [one.usd for one in once.readings[1:]]
    assert (
        sent > 0 and min(prices) > 0 and [r.name for r in once.readings][1:] == ["raw", "readout"]
    )
    again = compare_force_field(
        field, DATA, qhw.device("braket:iqm_garnet", budget="900usd"), **ASKED
    )
    assert braket.queue.accepted == sent
    for name in ("raw", "readout"):
        assert np.array_equal(once.measured[name].energies, again.measured[name].energies)
    # enough for the dearer one, not for both
    between = max(prices) + 0.5 * min(prices)
    with pytest.raises(BudgetError, match="nothing was sent"):
        compare_force_field(
            field,
            DATA,
            qhw.device("braket:iqm_garnet", budget=f"{between:.2f}usd"),
            **{**ASKED, "seed": 4},
        )
    assert braket.queue.accepted == sent


def test_steps_and_trials_are_not_paid_for() -> None:
    field, place = random_field(0), qhw.device("braket:iqm_garnet", budget="9usd")
    with pytest.raises(ValueError, match="every new geometry would be a paid run"):
        qhw.calculator(field, place, shots=10)
    with pytest.raises(ValueError, match="`shots` must be given on braket:iqm_garnet"):
        compare_force_field(field, Path(DATA), place, precision="1kcal/mol")
