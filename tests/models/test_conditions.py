from __future__ import annotations

import pytest

from qhw.models.conditions import ConditionError, ConditionScale, asked_condition, window_of

LOGP = ConditionScale(property="logP", low=-2.0, high=3.0)
GAP = ConditionScale(property="gap", low=4.0, high=9.0)


def test_values_come_in_the_models_order() -> None:
    found = asked_condition(["gap = 5", "logP=-1.5"], (LOGP, GAP), "m")
    assert found is not None
    assert found.tolist() == [-1.5, 5.0]
    assert asked_condition([], (LOGP,), "m") is None
    ends = [asked_condition([f"logP={v}"], (LOGP,), "m") for v in (-2, 3)]
    assert [float(e[0]) for e in ends if e is not None] == [-2.0, 3.0]


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["logP"], "PROPERTY=VALUE, but is 'logP'"),
        (["logP=nan", "gap=5"], "logP from -2 to 3, but has 'nan'"),
        (["logP=inf", "gap=5"], "logP from -2 to 3, but has 'inf'"),
        (["logP=3.01", "gap=5"], "logP from -2 to 3, but has '3.01'"),
        (["logP=", "gap=5"], "logP from -2 to 3, but has ''"),
        (["logP=1", "gap=5eV"], "gap from 4 to 9 eV, but has '5eV'"),
        (["logP=1", "logP=2"], "logP once"),
        (["logP=1"], "gap too"),
        (["QED=0.4"], "'QED'; model m takes logP from -2 to 3; gap from 4 to 9 eV"),
        (["mass=\x1b[31m"], "'mass', which is no property"),
        (["\x1b[31m=1"], "which is no property"),
    ],
)
def test_what_cannot_be_asked_is_one_line(texts: list[str], words: str) -> None:
    with pytest.raises(ConditionError) as caught:
        asked_condition(texts, (LOGP, GAP), "m")
    assert words in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_model_without_conditions_takes_none() -> None:
    with pytest.raises(ConditionError, match="left out of model m, which is not conditional"):
        asked_condition(["logP=1"], (), "m")


def test_windows() -> None:
    assert window_of("logP", None) == 0.5  # the paper's
    for bad in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="above 0 and finite"):
            window_of("logP", bad)
