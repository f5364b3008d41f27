"""The ledger is where it is said to be, from every folder, and nobody else's to read."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from backends.places import PlaceError
from backends.prices import PriceError, price_entries
from qhw.cache import cache_folder
from qhw.jobs.config import config_path, data_folder, load_config
from qhw.jobs.errors import LedgerError
from qhw.jobs.ledger import Ledger

HUSH = "hush-hush-1234"


@pytest.mark.parametrize("name", ["a?b", "a%20b", "a#b", "a b", "a&b=c", "ä", "a%3Fb", "file:a"])
@pytest.mark.parametrize("form", ["QHW_DATA", "XDG_DATA_HOME"])
def test_any_folder_name_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, form: str
) -> None:
    monkeypatch.delenv("QHW_DATA")
    monkeypatch.setenv(form, str(tmp_path / name))
    Ledger.open().close()
    file = tmp_path / name / ("" if form == "QHW_DATA" else "qhw") / "ledger.db"
    assert sqlite3.connect(file).execute("SELECT count(*) FROM run").fetchone() == (0,)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("variable", "use"),
    [
        ("QHW_DATA", data_folder),
        ("XDG_DATA_HOME", data_folder),
        ("QHW_CONFIG", load_config),
        ("XDG_CONFIG_HOME", load_config),
        ("QHW_CACHE", cache_folder),
        ("XDG_CACHE_HOME", cache_folder),
        ("QHW_PRICES", price_entries),
        ("HOME", config_path),
    ],
)
def test_no_relative_place(monkeypatch: pytest.MonkeyPatch, variable: str, use: object) -> None:
    for name in ("QHW_DATA", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "QHW_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "some/where")
    with pytest.raises((PlaceError, PriceError), match=rf"{variable} must be an absolute path"):
        use()  # type: ignore[operator]


def test_the_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("QHW_DATA", "~/ledgers")
    assert data_folder() == tmp_path / "ledgers"
    monkeypatch.setenv("QHW_LEDGER_URL", "sqlite:///~/mine/l.db")
    Ledger.open().close()
    assert (tmp_path / "mine" / "l.db").exists()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:///ledger.db", "must be an absolute path"),
        ("sqlite:///../ledger.db", "must be an absolute path"),
        ("sqlite:///~nobody-of-this-name/l.db", "must be an absolute path"),
        ("sqlite:////tmp/a?b.db", "more than a path"),
        ("sqlite:////tmp/a.db?mode=ro&uri=true", "more than a path"),
    ],
)
def test_ledger_urls_that_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QHW_LEDGER_URL", url)
    with pytest.raises(LedgerError, match=words) as caught:
        Ledger.open()
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me@/x?host={0}&password=" + HUSH,
        "postgresql://me:" + HUSH + "@/x?host={0}",
        "postgresql://me@/x?host={0}&sslpassword=" + HUSH + "&pasword=" + HUSH,
        "postgresql:/me:" + HUSH + "@host/x",
        "postgresql://me:" + HUSH + "@host:" + HUSH + "/x",
        "postgresql://me@host:5432:" + HUSH + "/x",
        "mysql://me:" + HUSH + "@host/x?password=" + HUSH,
        "sqlite:////tmp/x.db?password=" + HUSH,
    ],
)
def test_no_secret_of_a_url_is_said(tmp_path: Path, url: str) -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger.open(url.format(tmp_path))
    seen: BaseException | None = caught.value
    assert HUSH not in str(seen) and "\n" not in str(seen)


def test_where_a_ledger_is_holds_no_secret() -> None:
    from qhw.jobs.ledger import _engine

    url = f"postgresql://me:{HUSH}@host/x?password={HUSH}&sslmode=require&apitoken={HUSH}"
    where = Ledger(_engine(url)).where
    assert HUSH not in where and "sslmode=require" in where and "password=***" in where


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_ledger_is_its_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0o022)
    try:
        with Ledger.open() as ledger, ledger.read() as connection:
            connection.exec_driver_sql("SELECT 1 FROM run")
            folder = data_folder()
            assert mode(folder) == 0o700
            files = {path.name: mode(path) for path in folder.iterdir()}
        assert set(files) >= {"ledger.db", "ledger.db-wal", "ledger.db-shm"}
        assert set(files.values()) == {0o600}
        folder.chmod(0o755)
        (folder / "ledger.db").chmod(0o644)
        Ledger.open().close()
        assert (mode(folder), mode(folder / "ledger.db")) == (0o700, 0o600)
        # a folder that is only passed through stays as it is
        tmp_path.chmod(0o755)
        Ledger.open(f"sqlite:///{tmp_path / 'other.db'}").close()
        assert (mode(tmp_path), mode(tmp_path / "other.db")) == (0o755, 0o600)
    finally:
        os.umask(before)
