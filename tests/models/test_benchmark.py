from __future__ import annotations

import json
import math
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from benchmarks import training
from benchmarks.rivals import RIVALS
from benchmarks.workload import LEARNING_RATE, make_workload, ours
from qhw.models.losses import amplitude_loss


@pytest.mark.slow
def test_our_step_trains() -> None:
    workload = make_workload(4)
    step = ours(workload)
    losses = [step() for _ in range(8)]
    assert losses[-1] < losses[0]


@pytest.mark.slow
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


@pytest.mark.skipif(
    not (find_spec("jax") and find_spec("optax")), reason="jax or optax is not installed (bench)"
)
@pytest.mark.parametrize("blocks", [1, 3])
def test_our_algorithm_in_jax_has_our_loss_matrices_and_gradients(blocks: int) -> None:
    import jax.numpy as jnp

    from benchmarks.jax_matrix import decoder_matrix, encoder_matrix
    from qhw.models.layers import circuit_matrix

    workload = make_workload(12, blocks)
    model = workload.model()
    for ansatz, angles, build in (
        (model.encoder_ansatz, model.encoder_angles, encoder_matrix),
        (model.decoder_ansatz, model.decoder_angles, decoder_matrix),
    ):
        ours_found = circuit_matrix(ansatz, angles).detach().numpy()
        theirs = np.asarray(build(jnp.asarray(angles.detach().numpy()), blocks))
        columns = theirs.shape[1]
        assert np.abs(theirs[:128] - ours_found.real[:, :columns]).max() < 1e-6
        assert np.abs(theirs[128:] - ours_found.imag[:, :columns]).max() < 1e-6
    rival = RIVALS["jax, same algorithm"][1](workload)
    assert rival.first_loss == pytest.approx(workload.first_loss(), abs=1e-6)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    for _ in range(5):  # the mean latent decoded, as the rival does
        mean = model.latent_mean(model.encoder_probabilities(workload.data.amplitudes))
        output = model.decoder_probabilities(mean)
        config = workload.config
        total = amplitude_loss(output, workload.data, config.layout, config.loss)["total"]
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        after = workload.loss_at(model)
        assert rival.step() == pytest.approx(after, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", RIVALS)
def test_rivals_train_the_same_model(name: str) -> None:
    module, prepare = RIVALS[name]
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed (extra bench)")
    workload = make_workload(4)
    assert math.isclose(prepare(workload).first_loss, workload.first_loss(), rel_tol=1e-3)
