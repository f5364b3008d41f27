"""Files of measured results: what is read, and the one line that a bad one gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qhw.analysis.validate.records import DataError, read_results, shipped_results

GOOD = {
    "id": "a",
    "device": "ibm_fez",
    "vendor": "IBM",
    "date": "2026-01-02",
    "benchmark": "qml_kernel",
    "circuit": {"name": "qml_kernel", "n": 2, "seed": 0},
    "score": "P(0...0)",
    "exact": 1.0,
    "floor": 0.25,
    "shots": 100,
    "measured": 0.9,
    "uncertainty": 0.03,
}


def _read(path: Path, **changed):
    path.write_text(json.dumps({**GOOD, **changed}) + "\n")
    return read_results(path).records[0]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"counts": {"00": 50, "11": 49}}, "add up to 100 shots, but adds up to 99"),
        ({"counts": {"00": 50, "111": 50}}, "bit strings of one width"),
        ({"sections": [{"qubits": [0, 1], "counts": [50, 50, 0]}]}, "must have 4 counts"),
        ({"sections": [{"qubits": [0, 1], "counts": [50, 50, 1, 0]}]}, "adds up to 101"),
        ({"sections": [{"qubits": [0, 1, 2]}]}, "must have 2 qubits, but has 3"),
        ({"source": "github:x/y", "licence": ""}, "must name its licence"),
        ({"floor": 1.0}, "must differ from `floor`"),
        ({"measured": None}, "`measured`: Field required"),
        ({"shots": 0}, "`shots`"),
        ({"shots": True}, "`shots`"),
        ({"shots": "100"}, "`shots`"),
        ({"shots": 10**40}, "`shots`"),
        ({"counts": {"00": 10**400}}, "`counts.00`"),
        ({"measured": 1e308}, "`measured`"),
        ({"measured": "0.9"}, "`measured`"),
    ],
)
def test_a_bad_record_is_one_line_with_file_place_and_reason(tmp_path, changed, reason):
    path = tmp_path / "own.jsonl"
    with pytest.raises(DataError, match=r"own\.jsonl, line 1: ") as caught:
        _read(path, **changed)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_document_and_lines_hold_the_same(tmp_path):
    lines, document = tmp_path / "a.jsonl", tmp_path / "a.json"
    lines.write_text(json.dumps(GOOD) + "\n" + json.dumps({**GOOD, "id": "b"}) + "\n")
    records = [GOOD, {**GOOD, "id": "b"}]
    document.write_text(json.dumps({"schema_version": 1, "records": records}, indent=1))
    assert read_results(lines).records == read_results(document).records


def test_an_id_stands_once(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(2 * (json.dumps(GOOD) + "\n"))
    with pytest.raises(DataError, match="a is twice"):
        read_results(path)


def test_signal_and_noise_factor_by_hand(tmp_path):
    record = _read(tmp_path / "a.jsonl", measured=0.25 + 0.75 * 0.64)
    assert record.signal(record.measured) == pytest.approx(0.64)
    assert record.noise_factor(0.25 + 0.75 * 0.8) == pytest.approx(2.0)  # 0.8 ** 2
    assert record.unfit(0.25 + 0.75 * 0.8) is None


@pytest.mark.parametrize(
    ("changed", "predicted", "reason"),
    [
        ({"measured": 0.26}, 0.8, "at the floor"),
        ({}, 0.999, "nearly perfect"),
        ({"flags": ["suspect: dead"]}, 0.8, "suspect"),
        ({}, None, "no prediction"),
    ],
)
def test_what_judges_no_model_says_why(tmp_path, changed, predicted, reason):
    assert reason in (_read(tmp_path / "a.jsonl", **changed).unfit(predicted) or "")


def test_every_shipped_record_names_its_source_and_licence():
    found = shipped_results()
    keys = [source.key for source in found.sources]
    assert len(found.records) == 180
    for record in found.records:
        assert record.licence
        assert any(record.source.startswith(key) for key in keys)
    assert all(source.licence and source.attribution for source in found.sources)


def test_a_name_twice_an_odd_version_and_an_empty_document_are_refused(tmp_path):
    path, record = tmp_path / "own.json", json.dumps(GOOD)
    for text, reason in (
        (record[:-1] + ', "measured": 0.2}', "the name 'measured' is there twice"),
        ('{"schema_version": 1, "records": [], "records": []}', "'records' is there twice"),
        ('{"schema_version": true, "records": [' + record + "]}", "but has True"),
        ('{"schema_version": 1.0, "records": [' + record + "]}", "but has 1.0"),
        ('{"schema_version": 1, "records": []}', "must hold records"),
        ("", "must hold records"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=reason):
            read_results(path)


def test_a_byte_order_mark_is_no_part_of_the_first_record(tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps(GOOD), encoding="utf-8-sig")
    assert [record.id for record in read_results(path).records] == ["a"]


def test_a_line_ends_at_its_end_only(tmp_path):
    path = tmp_path / "own.jsonl"
    names = ["a\u2028b", "c\x85d"]
    lines = [json.dumps({**GOOD, "id": name}, ensure_ascii=False) for name in names]
    path.write_bytes("\r\n".join(lines).encode())
    assert [record.id for record in read_results(path).records] == names
