"""All extras together: what each brings agrees with what the others need.

Read from the metadata of what is installed, so nothing is downloaded. An extra that is not
installed is checked as far as its own line goes; the names of those are told where a check fails.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
UNPINNED = {"bench"}
"""Extras that constraints.txt leaves open: rivals that are measured at their newest."""


@dataclass
class Needs:
    """What everything needs of everything.

    Attributes:
        of: package -> what needs it -> the versions that suit.
        absent: packages that are not installed, whose own needs are unknown.
    """

    of: dict[str, dict[str, SpecifierSet]] = field(default_factory=lambda: defaultdict(dict))
    absent: set[str] = field(default_factory=set)

    def add(self, lines: Iterable[str], whose: str, extras: Iterable[str] = ()) -> None:
        for line in lines:
            need = Requirement(line)
            if need.marker and not any(
                need.marker.evaluate({"extra": extra}) for extra in ("", *extras)
            ):
                continue
            name = canonicalize_name(need.name)
            known = self.of[name].get(whose)
            self.of[name][whose] = need.specifier if known is None else known & need.specifier
            if known is None:
                self._follow(name, need.extras)

    def _follow(self, name: str, extras: Iterable[str]) -> None:
        try:
            self.add(metadata.requires(name) or (), name, extras)
        except metadata.PackageNotFoundError:
            self.absent.add(name)


def conflicts(needs: Mapping[str, Mapping[str, SpecifierSet]], pins: Mapping[str, str]) -> set[str]:
    """Needs that the pinned version does not meet."""
    return {
        f"{whose} needs {name}{suits}, but constraints.txt has {pins[name]}"
        for name, by in needs.items()
        if name in pins
        for whose, suits in by.items()
        if not suits.contains(pins[name], prereleases=True)
    }


def loosened(
    needs: Mapping[str, Mapping[str, SpecifierSet]],
    own: Mapping[str, SpecifierSet],
    pins: Mapping[str, str],
) -> set[str]:
    """Our requirements whose later versions may break what another package pins exactly.

    Where one package wants exactly one version, a package that wants any later one as well is known
    to do with it only as far as it was read: the next release may want more, and pip, asked for
    that extra alone, installs it over the other.
    """
    found = set()
    for name, by in needs.items():
        exact = {whose for whose, suits in by.items() if any(s.operator == "==" for s in suits)}
        for whose in by.keys() - exact:
            floor_only = all(s.operator in (">=", ">") for s in by[whose])
            if exact and floor_only and whose in own and own[whose].contains(_next(pins[whose])):
                found.add(f"{whose}{own[whose]} beside {name} of {', '.join(sorted(exact))}")
    return found


def _next(version: str) -> str:
    *first, last = Version(version).release
    return ".".join(map(str, (*first, last + 1)))


def project() -> dict[str, list[str]]:
    found = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {"": found["dependencies"], **found["optional-dependencies"]}


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    parts = [line.partition("==") for line in lines]
    return {canonicalize_name(name): version for name, _, version in parts}


@pytest.fixture(scope="module")
def needs() -> Needs:
    found = Needs()
    for extra, lines in project().items():
        found.add(lines, f"qhw[{extra}]")
    return found


def test_all_extras_live_together(needs: Needs, pins: dict[str, str]) -> None:
    assert conflicts(needs.of, pins) == set(), f"not installed: {sorted(needs.absent)}"


def test_every_extra_is_pinned(pins: dict[str, str]) -> None:
    named = {
        canonicalize_name(Requirement(line).name)
        for extra, lines in project().items()
        if extra not in UNPINNED
        for line in lines
    }
    assert named <= pins.keys()


def test_no_extra_installed_later_breaks_another(needs: Needs, pins: dict[str, str]) -> None:
    own: dict[str, SpecifierSet] = {}
    for lines in project().values():
        for need in map(Requirement, lines):
            name = canonicalize_name(need.name)
            own[name] = own.get(name, SpecifierSet()) & need.specifier
    assert loosened(needs.of, own, pins) == set()


def test_what_would_be_found() -> None:
    needs = {"pickle": {"sdk": SpecifierSet("==2.2"), "cluster": SpecifierSet(">=1.5")}}
    pins = {"pickle": "3.0", "cluster": "2024.8.0", "sdk": "1.0"}
    assert conflicts(needs, pins) == {"sdk needs pickle==2.2, but constraints.txt has 3.0"}
    assert loosened(needs, {"cluster": SpecifierSet(">=2024.8")}, pins) == {
        "cluster>=2024.8 beside pickle of sdk"
    }
    assert not loosened(needs, {"cluster": SpecifierSet(">=2024.8,<2024.8.1")}, pins)
