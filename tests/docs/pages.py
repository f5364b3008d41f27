"""What the documentation's pages hold that can be run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if p.parent.name != "generated")
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))
HOW_TOS = [ROOT / "README.md", DOCS / "index.md", *sorted((DOCS / "howto").glob("*.md"))]
NEW_PROCESS = "<!-- a new process -->"
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Line:
    """A command line that a page shows in full.

    Attributes:
        page: where.
        text: as written, without what is said beside it.
    """

    page: Path
    text: str

    @property
    def words(self) -> list[str]:
        """Arguments after ``qhw``."""
        return shlex.split(self.text)[1:]


def processes(page: Path) -> list[list[str]]:
    """Python blocks in order, those of each process that the page speaks of."""
    return [
        [block for language, block in _FENCED.findall(part) if language == "python"]
        for part in page.read_text().split(NEW_PROCESS)
    ]


def command_lines() -> Iterator[Line]:
    """Lines of README and CONTRIBUTING that are indented, of the site those after a ``$``."""
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        # words of explanation stand two spaces apart
        for text in re.findall(r"^    (qhw (?:.(?!  ))*.)", page.read_text(), re.MULTILINE):
            yield Line(page, text.strip())
    for page in PAGES:
        for language, block in _FENCED.findall(page.read_text()):
            if language == "console":
                found = re.findall(r"^\$ (qhw .*)$", block, re.MULTILINE)
                yield from (Line(page, text) for text in found)


def mentions() -> Iterator[Line]:
    """Commands within sentences: ``qhw jobs counts RUN`` and its like, in one line or two."""
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES):
        text = _FENCED.sub("", page.read_text())
        for found in re.findall(r"(?<!`)`(qhw [a-z][^`]*)`(?!`)", text):
            yield Line(page, " ".join(found.split()))
