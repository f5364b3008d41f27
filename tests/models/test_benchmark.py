from __future__ import annotations

import json
import math
from importlib.util import find_spec

import pytest
import torch

from benchmarks import training
from benchmarks.rivals import RIVALS
from benchmarks.workload import make_workload, ours


def test_our_step_trains() -> None:
    workload = make_workload(16)
    step = ours(workload)
    losses = [step() for _ in range(15)]
    assert losses[-1] < losses[0]


def test_rivals_that_are_not_installed_are_skipped_with_a_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RIVALS, "Nobody", ("no_such_framework", lambda workload: None))
    monkeypatch.setattr(training, "RIVALS", RIVALS)
    threads = torch.get_num_threads()
    try:
        code = training.main(["--batch", "4", "--rival", "Nobody", "--seconds", "0", "--json"])
    finally:
        torch.set_num_threads(threads)
    assert code == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["framework"] for row in rows] == ["qhw", "Nobody"]
    assert rows[0]["step"] > 0
    assert rows[1]["skipped"] == "no_such_framework is not installed"


@pytest.mark.slow
@pytest.mark.parametrize("name", RIVALS)
def test_rivals_train_the_same_model(name: str) -> None:
    module, prepare = RIVALS[name]
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed (extra bench)")
    workload = make_workload(4)
    assert math.isclose(prepare(workload).first_loss, workload.first_loss(), rel_tol=1e-3)
