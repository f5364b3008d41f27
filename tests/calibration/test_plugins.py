"""The table of names: who offers what, and what is refused."""

from __future__ import annotations

import doctest
import sys
from pathlib import Path

import pytest

from calibration import closest, plugins
from calibration.closest import quoted
from calibration.plugins import PluginError, Table


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing but what a test installs."""
    monkeypatch.setattr(sys, "path", [str(tmp_path / "one"), str(tmp_path / "two")])
    return tmp_path


def offer(site: Path, package: str, entries: str | bytes, metadata: str | None = "") -> None:
    info = site / f"{package}-1.dist-info"
    info.mkdir(parents=True)
    if metadata is not None:
        (info / "METADATA").write_text(metadata or f"Name: {package}\nVersion: 1\n")
    text = entries if isinstance(entries, bytes) else entries.encode()
    (info / "entry_points.txt").write_bytes(text)


def table() -> Table:
    return Table("priors", "prior", {"own": "os.path:join"}, reserved=("none",))


def test_the_first_copy_of_a_package_is_the_one(path: Path) -> None:
    offer(path / "one", "mine", "[qhw.priors]\nx = os.path:split\n")
    offer(path / "two", "mine", "[qhw.priors]\nx = os.path:dirname\n")
    found = table()
    assert found.names() == ("own", "x") == tuple(found)
    assert found.get("x").__name__ == "split"
    assert found.is_own("own") and not found.is_own("x") and "y" not in found


def test_two_packages_and_the_house(path: Path) -> None:
    offer(path / "one", "mine", "[qhw.priors]\nx = os.path:split\nown = os.path:split\n")
    offer(path / "one", "yours", "[qhw.priors]\nx = os.path:split\nfree = os.path:split\n")
    found = table()
    with pytest.raises(PluginError, match=r"prior 'x' is taken twice: by package (mine|yours)"):
        found.get("x")
    with pytest.raises(PluginError, match=r"by package qhw itself and by package mine \(entry"):
        found.get("own")
    with pytest.raises(
        ValueError, match=r"must be new, but .* by package yours .* by tests \(tests"
    ):
        found.register("free", offer)
    assert found.get("free").__name__ == "split"


@pytest.mark.parametrize(
    "entries", ["[qhw.priors]\nno sense at all\n", b"[qhw.priors]\nx = \xff\xfe\n"]
)
def test_a_list_that_cannot_be_read_hides_nothing_else(path: Path, entries: str | bytes) -> None:
    offer(path / "one", "broken", entries)
    offer(path / "two", "good", "[qhw.priors]\nx = os.path:split\n")
    assert table().get("x").__name__ == "split"
    (fault,) = plugins.faults()
    assert "entry points cannot be read" in fault and fault.isprintable()


def test_a_package_without_metadata_is_named_by_its_module(path: Path) -> None:
    offer(path / "one", "nameless", "[qhw.priors]\nx = nothing_there:x\n", metadata=None)
    with pytest.raises(PluginError, match=r"'x' of package (nothing_there|nameless) .* cannot be"):
        table().get("x")


@pytest.mark.parametrize(
    "place", ["os.path:nothing", "os.path", "os..path:join", "", "os.path:sep", "not a place"]
)
def test_entry_points_that_lead_nowhere(path: Path, place: str) -> None:
    offer(path / "one", "mine", f"[qhw.priors]\nx = {place}\n")
    with pytest.raises(PluginError, match=r"'x' of package .* cannot be (loaded|used)") as error:
        table().get("x")
    assert len(str(error.value)) < 500


def test_the_houses_errors_pass_and_others_name_their_package(path: Path) -> None:
    offer(path / "one", "mine", "[qhw.priors]\nx = os.path:split\n")
    found = table()

    def fails(error: Exception) -> None:
        raise error

    with pytest.raises(PluginError, match=r"'x' of package mine .* KeyError: 'k'"):
        found.call("x", fails, KeyError("k"))
    with pytest.raises(PluginError, match=r"^as it is$"):
        found.call("x", fails, PluginError("as it is"))
    with pytest.raises(KeyError):  # a fault of the house's keeps its traceback
        found.call("own", fails, KeyError("k"))


def test_wrong_names_are_bounded_and_plain() -> None:
    assert quoted("x" * 10_000) == "'" + "x" * 100 + "...'"
    assert quoted("a\x1b[2J\n").isprintable()
    assert closest.closest("z", ["a", "b"], "qhw doctor") == "all: a, b"
    assert closest.closest("z", [], "qhw doctor") == "there is none"
    assert doctest.testmod(closest).failed == 0
