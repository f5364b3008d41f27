"""YAML files of users: aliases are counted for what they stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from qhw.yaml_files import MAX_BYTES, read_yaml


def write(folder: Path, text: str) -> Path:
    path = folder / "c.yaml"
    path.write_text(text)
    return path


def test_aliases_and_merges_are_read(tmp_path: Path) -> None:
    text = "base: &b {x: 1, y: [1, 2]}\nmore:\n  <<: *b\n  z: *b\n"
    b = {"x": 1, "y": [1, 2]}
    assert read_yaml(write(tmp_path, "\ufeff" + text)) == {"base": b, "more": {**b, "z": b}}
    assert read_yaml(write(tmp_path, "")) is None


def laughs(line: str, levels: int) -> str:
    lines = ["a0: &a0 {x: 1, y: 2}"]
    lines += [f"a{i + 1}: &a{i + 1} " + line.replace("?", f"*a{i}") for i in range(levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (laughs("[?, ?, ?, ?, ?, ?, ?, ?, ?]", 9), "at most 20000 values"),
        (laughs("{<<: [?, ?]}", 40), "at most 20000 values"),
        ("a: " + "[" * 5000 + "]" * 5000, "at most 32 deep"),
        ("\n".join(" " * i + f"k{i}:" for i in range(200)), "at most 32 deep"),
        ("a: *nobody", "undefined alias"),
        ("a: [1", "expected ',' or ']'"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
    ],
)
def test_what_is_too_much_or_no_yaml_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        read_yaml(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_large_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f"at most {MAX_BYTES} bytes"):
        read_yaml(write(tmp_path, "#" * (MAX_BYTES + 1)))
