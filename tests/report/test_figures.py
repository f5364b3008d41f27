from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from calibration.snapshot import DeviceSnapshot, Gate, Qubit
from qhw.analysis.compare.result import Estimate
from qhw.report.chip import positions
from qhw.report.drawing import structure_svg, view_json
from qhw.report.format import duration, interval, number, percent


def device(n: int, pairs: list[tuple[int, int]], places: bool = False) -> DeviceSnapshot:
    qubits = [Qubit(label=q, xy=(float(q), 7.0) if places else None) for q in range(n)]
    return DeviceSnapshot(
        name="d",
        vendor="ibm",
        processor="p",
        taken=datetime(2026, 1, 1, tzinfo=UTC),
        source="test",
        payload_sha256="0" * 64,
        qubits=tuple(qubits),
        gates=tuple(Gate(name="cz", qubits=pair, error=0.01) for pair in pairs),
        couplings=tuple(pairs),
        one_qubit_gates=("sx",),
        two_qubit_gates=("cz",),
    )


def grid(rows: int, columns: int) -> list[tuple[int, int]]:
    across = [
        (r * columns + c, r * columns + c + 1) for r in range(rows) for c in range(columns - 1)
    ]
    down = [
        (r * columns + c, (r + 1) * columns + c) for r in range(rows - 1) for c in range(columns)
    ]
    return across + down


def test_a_square_lattice_is_drawn_as_one() -> None:
    pairs = grid(4, 7)
    place = positions(device(28, pairs))
    lengths = np.array([np.linalg.norm(place[a] - place[b]) for a, b in pairs])
    assert lengths.max() / lengths.min() < 2
    assert np.ptp(place[:, 0]) > np.ptp(place[:, 1])  # long side across
    apart = np.linalg.norm(place[:, None] - place[None], axis=-1) + 9 * np.eye(28)
    assert apart.min() > 0.5


def test_all_to_all_is_a_circle_and_given_places_are_kept() -> None:
    n = 9
    circle = positions(device(n, [(a, b) for a in range(n) for b in range(a + 1, n)]))
    assert np.allclose(np.linalg.norm(circle, axis=1), n / (2 * np.pi))
    assert positions(device(3, [(0, 1)], places=True)).tolist() == [[0, -7], [1, -7], [2, -7]]


def test_pieces_without_couplings_are_placed_too() -> None:
    place = positions(device(6, [(0, 1), (1, 2), (3, 4)]))
    assert np.isfinite(place).all()
    assert len({tuple(np.round(p, 3)) for p in place}) == 6


def test_structures_take_the_pages_colour() -> None:
    text = structure_svg("CCO", "a < b & 'c'")
    assert "currentColor" in text
    assert "aria-label='a &lt; b &amp; &#39;c&#39;'" in text
    with pytest.raises(ValueError, match="readable by RDKit"):
        structure_svg("C(", "x")


def test_an_empty_molecule_has_an_empty_view() -> None:
    assert view_json(np.zeros(0, np.int8), np.zeros((0, 3))) == '{"atoms": [], "bonds": []}'


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0"), (0.03456, "0.0346"), (0.99634, "0.99634"), (0.9999999, "> 0.99999"),
     (12345.0, "12,345"), (1.2e-7, "1.2e-07"), (-0.5, "-0.5")],
)  # fmt: skip
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


def test_other_formats() -> None:
    assert percent(0.9634) == "96.3 %"
    assert interval(Estimate(value=0.5, low=0.25, high=0.75), as_percent=True) == "25.0 % to 75.0 %"
    assert interval(None) == ""
    assert [duration(t) for t in (3e-6, 0.041, 2.1, 0)] == ["3 µs", "41 ms", "2.1 s", "0 s"]
