"""Hit rates: intervals against published figures, counts against counting by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from qhw.analysis.compare.model import compare, make_prior
from qhw.analysis.compare.settings import Settings
from qhw.analysis.hits.hit_rate import (
    Question,
    asked_conditions,
    compared,
    hit_rates,
    newcombe,
    prior_conditions,
)
from qhw.analysis.scores.molecules import PROTOCOLS, Reports
from qhw.chem.gap import surrogate
from qhw.chem.validity import Status, ValidityReport
from qhw.models.base import AbilityError
from qhw.models.checkpoint import load, save
from qhw.models.conditions import Conditional, ConditionError, ConditionScale, sample_for
from qhw.models.exact import ExactModel
from qhw.models.prior_conditions import asked_for
from qhw.models.registry import build
from qhw.report.hit_rates import hit_table, render_hits

LOGP = ConditionScale(property="logP", low=-3.0, high=3.0)


def question(samples: int = 20, prior: str = "posterior") -> Question:
    return Question(samples, prior, "posterior", 0, {"logP": 0.5, "QED": 0.05}, surrogate())


def small(**config: object) -> ExactModel:
    given = {"n_blocks": 1, "kappa": 500.0, "conditions": [LOGP.model_dump()], **config}
    model = build("qcvae", given, torch.Generator().manual_seed(1))
    return ExactModel(model.double().eval(), "small")


def test_newcombes_own_example() -> None:
    # Newcombe 1998, table II, row 1, method 10: 56/70 - 48/80
    found = newcombe((48, 80), (56, 70))
    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    # row (h): 10/10 - 0/10
    sure = newcombe((0, 10), (10, 10))
    assert (sure.low, sure.high) == pytest.approx((0.6075, 1.0), abs=5e-5)


def conditional(model: ExactModel) -> Conditional:
    assert isinstance(model.model, Conditional)
    return model.model


def judged(*smiles: str | None) -> Reports:
    statuses: tuple[Status, ...] = tuple("valid" if text else "clash" for text in smiles)
    return {p: ValidityReport(p, statuses, smiles) for p in PROTOCOLS}


def test_hits_are_counted_among_valid_molecules_in_a_half_open_window() -> None:
    # logP: benzene 1.6866, ethanol -0.0014, methane 0.6361, fluorine-free propane 1.4163
    own = judged("c1ccccc1", "CCO", None, "CCC", "C")
    aside = judged("CCO", "CCO", None)
    asked = np.array([1.5])
    released, strict = sorted(
        compared(own, aside, [LOGP], asked, question()), key=lambda rate: rate.protocol
    )
    for rate in (released, strict):
        assert (rate.model.samples, rate.model.valid, rate.model.hits) == (5, 4, 2)
        assert (rate.control.valid, rate.control.unique, rate.control.hits) == (2, 1, 0)
        assert rate.model.rate is not None
        assert rate.model.rate.value == 0.5
        assert rate.model.rate_of_all == 0.4
        assert rate.difference is not None
        assert not rate.margin_is_sure  # of four molecules nothing is sure
    edge = compared(judged("C"), judged("C"), [LOGP], np.array([0.6361 - 0.5]), question())
    assert edge[0].model.hits == 0  # the upper end is not in it
    edge = compared(judged("C"), judged("C"), [LOGP], np.array([0.6361 + 0.5]), question())
    assert edge[0].model.hits == 1


def test_no_valid_molecule_is_no_rate() -> None:
    rates = compared(judged(None), judged("C"), [LOGP], np.array([0.0]), question())
    assert [rate.model.rate for rate in rates] == [None, None]
    assert [rate.difference for rate in rates] == [None, None]
    assert hit_table(rates, "t").row_count == 2
    assert "<td>–</td>" in render_hits(rates, "t", "qhw judge")


def test_lists_of_values_are_all_combined() -> None:
    qed = ConditionScale(property="QED", low=0.2, high=0.6)
    found = asked_conditions(["QED=0.3,0.4", "logP=0,1,2"], [LOGP, qed], "m")
    assert sorted(tuple(map(float, one)) for one in found) == [
        (logp, share) for logp in (0.0, 1.0, 2.0) for share in (0.3, 0.4)
    ]
    with pytest.raises(ConditionError, match="at most 50 combinations, but gives 60"):
        asked_conditions(["logP=" + ",".join(["0"] * 60)], [LOGP], "m")
    with pytest.raises(ConditionError, match="'logP'"):
        asked_conditions(["logP"], [LOGP], "m")


def test_whole_question_and_its_page() -> None:
    model = small()
    control = ExactModel(build("qvae", {"n_blocks": 1}, torch.Generator()).double(), "plain")
    rates = hit_rates(model, control, [np.array([0.0]), np.array([1.0])], question())
    again = hit_rates(model, control, [np.array([0.0]), np.array([1.0])], question())
    assert [r.model for r in rates] == [r.model for r in again]
    assert [(r.asked, r.protocol) for r in rates] == [
        (0.0, "released"),
        (0.0, "strict"),
        (1.0, "released"),
        (1.0, "strict"),
    ]
    page = render_hits(rates, "<title>", "qhw judge")
    assert page.count("<svg") == 1
    assert "<title>&lt;title&gt;" in page


def test_prior_near_the_condition_has_latents_of_such_molecules() -> None:
    model = small()
    asked = ExactModel(model.model, "small", "here", np.array([1.0]))
    sample = sample_for(model.model)
    near = asked.nearness(sample.molecules)
    own = conditional(model).condition_values(sample.molecules).numpy()[:, 0]
    assert abs(float(np.average(own, weights=near)) - 1.0) < 0.1
    assert float(near.max()) == 1.0
    drawn = make_prior("near-condition", asked, sample, 0).sample(5, np.random.default_rng(0))
    assert drawn.shape == (5, 33)
    # the paper's encoding: a full turn over the range
    np.testing.assert_allclose(drawn[:, 32], 2 * np.pi * (4.0 / 6.0 - 0.5), atol=1e-9)
    with pytest.raises(AbilityError, match="prior near-condition needs one"):
        make_prior("near-condition", model, sample, 0)


def test_without_a_condition_rows_have_those_of_held_out_molecules() -> None:
    model = small(encoding="half")
    drawn = make_prior("posterior", model, sample_for(model.model), 0).sample(
        200, np.random.default_rng(0)
    )
    own = conditional(model).condition_values(sample_for(model.model).molecules).numpy()[:, 0]
    wanted = np.pi * np.clip((own + 3) / 6, 0, 1)
    assert np.isclose(drawn[:, 32:], wanted[None], atol=1e-9).any(axis=1).all()
    assert drawn[:, 32].std() > 0.1


def saved(folder: Path, **config: object) -> str:
    save(small(**config).model, folder / "m.safetensors", name="m")
    return str(folder / "m.json")


@pytest.mark.parametrize("task", ["generate", "encode", "reconstruct"])
@pytest.mark.parametrize("ending", ["trace", "post-select"])
def test_every_task_compares_with_exact(task: str, ending: str, tmp_path: Path) -> None:
    condition = () if task == "encode" else ("logP=1.0",)
    settings = Settings.parse(
        model=saved(tmp_path, ending=ending),
        device="exact",
        shots=200_000,
        molecules=3,
        task=task,
        preparation="exact",
        condition=condition,
        prior="posterior" if task == "generate" else None,
    )
    found = compare(settings)
    for stage in found.outcome.stages:
        distance = 0.5 * np.abs(stage.raw - stage.exact).sum(axis=1)
        assert (distance < 0.03).all()  # same circuit, bit order and conditions; shots only
    hits = found.result.section("condition")
    assert (hits is not None) == bool(condition)
    if hits is not None:
        released, _ = hits.metrics
        assert released.label == "logP in [0.5, 1.5), released"
        report = found.outcome.judged["exact"]["released"]
        row = released.row("exact")
        assert row is not None
        assert [value is not None for value in row.values] == report.is_valid.tolist()
    kept = found.result.section("kept")
    assert (kept is not None) == (ending == "post-select")
    if kept is not None:
        assert {m.key for m in kept.metrics} == {f"kept_{s.role}" for s in found.outcome.stages}
        for metric in kept.metrics:
            exact, device = metric.row("exact"), metric.row("device_raw")
            assert exact is not None
            assert device is not None
            np.testing.assert_allclose(
                np.array(device.values, float), np.array(exact.values, float), atol=0.01
            )
            assert 0 < np.array(exact.values, float).min() < 1
    again = Settings.model_validate_json(settings.model_dump_json())
    assert again == settings


def test_a_bad_condition_is_refused_before_anything_runs(tmp_path: Path) -> None:
    settings = Settings.parse(
        model=saved(tmp_path),
        device="exact",
        shots=100,
        molecules=2,
        task="generate",
        condition=("logP=7",),
    )
    with pytest.raises(ConditionError, match="logP from -3 to 3, but has '7'"):
        compare(settings)


# -- a prior that is asked -----------------------------------------------------------------------
def nisq() -> ExactModel:
    return ExactModel(load("nisq-chain5")[0].double(), "nisq-chain5")


def test_a_prior_is_asked_for_any_of_its_properties_and_its_control_for_none() -> None:
    scales, aside, values = prior_conditions(
        ["QED=0.4,0.5", "logP=1"], nisq(), "latent-diffusion(steps=4)"
    )
    assert [one.property for one in scales] == ["logP", "QED"]
    assert aside == "nisq-chain5-conditional(steps=4)"
    assert [one.tolist() for one in values] == [[1.0, 0.4], [1.0, 0.5]]
    asked = asked_for(["logP=1"], nisq().model, "nisq-chain5", "latent-diffusion")
    assert (asked.values, asked.of_model) == ({"logP": 1.0}, None)
    assert asked.prior == "latent-diffusion(logP=1)"


@pytest.mark.parametrize(
    ("text", "prior", "words"),
    [
        ("logP=99", "latent-diffusion", r"logP from -1\.78\S* to 2\.68\S*, but has '99'"),
        ("logP=nan", "latent-diffusion", r"logP from -1\.78\S* to 2\.68\S*, but has 'nan'"),
        ("mass=1", "latent-diffusion", "'mass', which is no property; prior nisq-chain5-cond.*SA"),
        ("logP=1", "posterior", "left out of model nisq-chain5.*prior posterior, which takes none"),
        ("logP=1", "nisq-chain5-diffusion", "prior nisq-chain5-diffusion, which takes none"),
        ("logP=1", None, "left out of model nisq-chain5, which is not conditional, but"),
    ],
)
def test_what_a_prior_cannot_be_asked_is_one_line(text: str, prior: str | None, words: str) -> None:
    with pytest.raises(ConditionError, match=words):
        asked_for([text], nisq().model, "nisq-chain5", prior)


def test_shipped_prior_makes_what_it_is_asked_for_also_in_a_comparison() -> None:
    model = nisq()
    scales, aside, values = prior_conditions(["logP=-1,2"], model, "latent-diffusion")
    how = Question(
        60, "latent-diffusion", aside, 0, {"logP": 0.5}, surrogate(), prior_scales=scales
    )
    rates = [r for r in hit_rates(model, model, values, how) if r.protocol == "strict"]
    low, high = (rate.model.median for rate in rates)
    control = float(np.median(rates[0].control_values))
    assert low is not None
    assert high is not None
    assert low < control - 0.5 < control + 0.5 < high
    settings = Settings.parse(
        model="nisq-chain5",
        device="exact",
        shots=1000,
        molecules=3,
        task="generate",
        prior="latent-diffusion",
        condition=("logP=2",),
    )
    found = compare(settings).result
    assert found.section("condition") is not None
    assert found.model.prior == "latent-diffusion(logP=2)"
