from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from qhw.study.config import ConfigError, StudyConfig, read_config


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scales": []}, "scales"),
        ({"scales": [1, 1.0]}, "none twice"),
        ({"scales": [-1]}, "scales.0"),
        ({"scales": [float("nan")]}, "scales.0"),
        ({"shots": [0]}, "shots.0"),
        ({"shots": ["many"]}, "infinite"),
        ({"shots": [10**20]}, "shots.0"),
        ({"seeds": [2**63]}, "seeds.0"),
        ({"layout_seeds": [2**63]}, "layout_seeds.0"),
        ({"task": "dream"}, "generate"),
        ({"mitigation": ["magic"]}, "readout"),
        ({"mitigation": ["none", "none"]}, "none twice"),
        ({"mitigation": ["zne(1,3)"], "shots": ["infinite"]}, "must be finite"),
        ({"molecules": 2}, "molecules"),
        ({"prior": "flat"}, "uniform-sphere"),
        ({"name": "../up"}, "name"),
        ({"colour": "blue"}, "colour"),
        ({"budget": {"sources": ["cosmic"]}}, "budget.sources.0"),
        ({"budget": {"sources": ["coherent_zz"]}}, "coherent_zz is not"),
    ],
)
def test_bad_settings_are_one_line_naming_the_field(
    settings: dict[str, Any], tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump(settings | change))
    with pytest.raises(ConfigError) as caught:
        read_config(file)
    assert words in str(caught.value)
    assert "bad.yaml" in str(caught.value)


@pytest.mark.parametrize("text", ["a: [1", "- just\n- a list", "", "!!python/object:os.system {}"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"other\.yaml"):
        read_config(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path / "none.yaml")


def test_sources_switch_off_what_they_name(settings: dict[str, Any]) -> None:
    config = StudyConfig.model_validate(settings | {"extra": {"zz_rad": 0.1}})
    whole = config.noise(2.0)
    assert (whole.gates, whole.idle, whole.readout, whole.coherent_zz) == (2, 2, 2, 2)
    assert (whole.depolarising, whole.gate_relaxation, whole.zz_rad) == (1, 1, 0.1)
    only = config.noise(2.0, "only", "readout")
    assert (only.readout, only.idle, only.depolarising, only.gate_relaxation) == (2, 0, 0, 0)
    assert only.coherent_zz == 0
    without = config.noise(2.0, "without", "gates")
    assert (without.readout, without.idle, without.depolarising) == (2, 2, 0)
    assert without.gate_relaxation == 0
    part = config.noise(2.0, "without", "depolarising")
    assert (part.depolarising, part.gate_relaxation) == (0, 1)
