"""The site builds without a warning, and nothing that it or the README points to is missing."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import qhw
from docs import generate
from tests.docs.pages import DOCS, PAGES, ROOT

WRITTEN = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES)


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert "generated/" in target or (page.parent / target).exists(), target


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    named = set(re.findall(r": ([\w/-]+\.md)$", text, re.MULTILINE))
    pages = {str(page.relative_to(DOCS)) for page in PAGES}
    assert {name for name in named if not name.startswith("generated/")} == pages


def test_every_command_and_every_public_name_has_its_place() -> None:
    commands = generate.commands_page()
    for name in ("qhw compare", "qhw jobs give-up", "qhw snapshot import", "qhw mitigate bench"):
        assert f"\n## {name}\n" in commands
    assert "| `--budget AMOUNT` | Most this run may cost, such as 20usd. |" in commands
    assert re.findall(r"heading: qhw\.(\w+)", generate.python_page()) == qhw.__all__


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (citation["title"], citation["version"]) == (project["name"], project["version"])
    assert {"title", "authors", "year"} <= citation["references"][0].keys()


def test_the_container_keeps_the_torch_that_it_installs_first() -> None:
    (version,) = re.findall(r"torch==(\S+) --index-url", (ROOT / "Dockerfile").read_text())
    assert f"\ntorch=={version}\n" in (ROOT / "constraints.txt").read_text()


def test_the_site_builds_without_a_warning_or_a_stranger(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="install the extra docs")
    for name in ("qhw", "backends", "calibration"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("generated"))
    generate.main(tmp_path / "docs" / "generated")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    pages = list((tmp_path / "build" / "site").rglob("*.html"))
    assert len(pages) > len(PAGES)
    for page in pages:  # what a browser would fetch from elsewhere
        assert not re.findall(r'(?:src|<link[^>]+href)="https?:', page.read_text()), page.name
    assert (
        "shots of each row" in (tmp_path / "build/site/generated/python.html").read_text().lower()
    )
