from __future__ import annotations

from pathlib import Path

import pytest
from qiskit import QuantumCircuit

from backends.aer import AerBackend
from backends.base import DistributionBackend, UnknownBackendError
from backends.exact import ExactBackend
from backends.prices import price_of
from backends.registry import backend_names, get_backend
from calibration.readers.ibm import read_ibm_fake


def test_names_resolve_to_backends_of_that_name() -> None:
    assert isinstance(get_backend("exact"), ExactBackend)
    aer = get_backend("aer:ibm_boston")
    assert isinstance(aer, AerBackend)
    assert aer.name == "aer:ibm_boston"
    assert get_backend("aer:fake_boston").name == "aer:ibm_boston"
    assert isinstance(aer, DistributionBackend)


def test_every_ibm_snapshot_is_listed() -> None:
    names = backend_names()
    assert names[0] == "exact"
    assert sum(n.startswith("aer:ibm_") for n in names) >= 68
    assert {"aer:ibm_fez", "aer:ibm_torino", "aer:ibm_nighthawk"} <= set(names)


def test_a_snapshot_file_is_a_device(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(read_ibm_fake("ibm_manila").to_json())
    assert get_backend(f"aer:{file}").name == "aer:ibm_manila"


@pytest.mark.parametrize(
    "name", ["exakt", "aer", "aer:", "exact:ibm_boston", "", "zzz:" + "y" * 5000, "aer:\x1b[2Jx"]
)
def test_unknown_names_are_answered_in_one_short_line(name: str) -> None:
    with pytest.raises(
        UnknownBackendError, match=r"\d+ (others|is close): `qhw devices` lists"
    ) as e:
        get_backend(name)
    said = str(e.value)
    assert len(said) < 300 and said.isprintable()
    assert sum(said.count(other) for other in ("aer:ibm_", "engine:ibm_")) <= 4  # itself and three


def test_a_paid_device_is_no_simulator() -> None:
    with pytest.raises(UnknownBackendError, match=r"'ibm:ibm_fez' takes jobs: .*qhw run"):
        get_backend("ibm:ibm_fez")


def test_close_matches_come_first() -> None:
    with pytest.raises(UnknownBackendError, match="closest: emulator:ibm_fez"):
        get_backend("emulater:ibm_fez")
    with pytest.raises(UnknownBackendError, match=r"closest: aer:ibm_boston.*; 1\d\d others"):
        get_backend("aer:ibm_bostn")


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownBackendError, match=r"gone\.json"):
        get_backend(f"aer:{tmp_path / 'gone.json'}")


def test_what_is_asked_of_a_device_is_part_of_its_name() -> None:
    backend = get_backend("aer:ibm_boston+fractional")
    assert backend.name == "aer:ibm_boston+fractional"
    circuit = QuantumCircuit(2, 2)
    circuit.h([0, 1])
    circuit.rzz(0.4, 0, 1)
    circuit.h([0, 1])
    circuit.measure([0, 1], [0, 1])
    assert "rzz" in backend.compile(circuit).circuit.count_ops()
    assert "rzz" not in get_backend("aer:ibm_boston").compile(circuit).circuit.count_ops()
    assert price_of("ibm:ibm_boston+fractional") == price_of("ibm:ibm_boston")
    with pytest.raises(UnknownBackendError, match="iqm_garnet has none"):
        get_backend("aer:iqm_garnet+fractional")
