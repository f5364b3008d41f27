"""Money, configuration and prices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.prices import PriceError, price_entries, price_of
from qhw.jobs.config import ConfigError, config_path, ledger_url, load_config
from qhw.jobs.money import parse_money, show_money, to_micro


@pytest.mark.parametrize(
    ("text", "micro"),
    [("20usd", 20_000_000), (" 0.50 USD ", 500_000), ("0.000001usd", 1), ("0usd", 0)],
)
def test_amounts(text: str, micro: int) -> None:
    assert parse_money(text) == micro


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("20", "has no currency"),
        ("20eur", "has the currency 'eur'"),
        ("-5usd", "must be an amount"),
        ("usd", "must be an amount"),
        ("1e3usd", "must be an amount"),
        ("nanusd", "must be an amount"),
    ],
)
def test_amounts_that_are_none(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_money(text)


@given(st.floats(0, 1e9))
def test_a_reservation_is_never_smaller_than_the_price(usd: float) -> None:
    micro = to_micro(usd)
    assert micro / 1e6 >= usd * (1 - 1e-15)
    assert micro <= usd * 1e6 * (1 + 1e-12) + 1


@pytest.mark.parametrize(("usd", "micro"), [(0.1, 100_000), (0.00145, 1450), (0.000425, 425)])
def test_prices_are_exact_in_millionths(usd: float, micro: int) -> None:
    assert to_micro(usd) == micro


@pytest.mark.parametrize("usd", [-1.0, float("nan"), float("inf")])
def test_prices_that_are_none(usd: float) -> None:
    with pytest.raises(ValueError, match="finite and not negative"):
        to_micro(usd)


@pytest.mark.parametrize(
    ("micro", "text"),
    [(1_250_000, "1.25 usd"), (425, "0.000425 usd"), (None, "unknown"), (0, "0.00 usd")],
)
def test_amounts_for_people(micro: int | None, text: str) -> None:
    assert show_money(micro) == text


def write_config(text: str) -> None:
    config_path().parent.mkdir(parents=True)
    config_path().write_text(text)


def test_configuration() -> None:
    assert load_config().caps.per_day is None
    write_config(
        '[budget]\nper_day = "50usd"\nper_project = "200 usd"\n'
        '[budget.projects]\nqvae = "500usd"\n[jobs]\nvisibility_s = 30\n'
    )
    config = load_config()
    assert config.caps.per_day == 50_000_000
    assert config.caps.of_project("other") == 200_000_000
    assert config.caps.of_project("qvae") == 500_000_000
    assert config.patience.visibility_s == 30


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[budget]\nper_dya = "5usd"', "unknown key `budget.per_dya`"),
        ('[budget]\nper_day = "5eur"', "budget.per_day.*'eur'"),
        ("[budget]\nper_day = 5", "no currency"),
        ("budget = 5", "`budget` must be a table"),
        ("[jobs]\nvisibility_s = -1", "must be seconds from 0"),
        ("[budget", "config.toml"),
    ],
)
def test_configurations_that_are_refused(text: str, words: str) -> None:
    write_config(text)
    with pytest.raises(ConfigError, match=words):
        load_config()


def test_a_named_configuration_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QHW_CONFIG", str(tmp_path / "absent.toml"))
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        load_config()


def test_the_ledgers_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ledger_url() == f"sqlite:///{tmp_path / 'data' / 'ledger.db'}"
    monkeypatch.setenv("QHW_LEDGER_URL", "postgresql://x/y")
    assert ledger_url() == "postgresql://x/y"


def test_shipped_prices() -> None:
    assert price_of("ibm:ibm_fez").usd_per_second == 1.6
    assert price_of("braket:ionq_forte_enterprise").usd_per_shot == 0.08
    assert "not verified" in price_of("braket:iqm_garnet").basis()
    assert all(entry.source for entry in price_entries())
    with pytest.raises(PriceError, match=r"braket:aqt_ibex has none.*QHW_PRICES"):
        price_of("braket:aqt_ibex")


def test_own_prices_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"backend": "ibm:*", "as_of": "2026-11-21", "source": "open plan", "verified": True}
    (tmp_path / "mine.json").write_text(json.dumps({"schema_version": 1, "entries": [entry]}))
    monkeypatch.setenv("QHW_PRICES", str(tmp_path / "mine.json"))
    assert price_of("ibm:ibm_fez").usd_per_second == 0
    assert price_of("ibm:ibm_fez").basis() == "open plan (2026-11-21)"
    assert price_of("braket:sv1").usd_per_second == 0.00125


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "must be JSON"),
        ('{"schema_version": 2, "entries": []}', "must have schema_version 1"),
        ('{"schema_version": 1, "entries": [{"backend": "x"}]}', r"entries\.0"),
        (None, "must name a price file"),
    ],
)
def test_price_files_that_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, words: str
) -> None:
    path = tmp_path / "mine.json"
    if text is not None:
        path.write_text(text)
    monkeypatch.setenv("QHW_PRICES", str(path))
    with pytest.raises(PriceError, match=words):
        price_entries()
