"""The dashboard's pages: runs, comparison, jobs and money, files of a run."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from jinja2 import Environment
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from qhw.dashboard import listing
from qhw.dashboard.books import PAGE as JOBS_PAGE
from qhw.dashboard.books import Asked, Bookkeeper
from qhw.dashboard.files import files_of, serve_file
from qhw.dashboard.guard import Door, Guard
from qhw.dashboard.thumbnail import thumbnail
from qhw.jobs.money import show_money
from qhw.jobs.states import OPEN, State
from qhw.report import runs_words as words
from qhw.report.page import asset, environment
from qhw.report.side_by_side import contents
from qhw.saved.shelf import REPORT, Shelf, ShelfError
from qhw.saved.side_by_side import MOST_RUNS, lay_side_by_side

_OWN = "qhw.dashboard"
_LONGEST = 100
_ASSETS = {"dashboard.css": "text/css", "dashboard.js": "text/javascript"}


def make_application(shelf: Shelf, door: Door, bookkeeper: Bookkeeper) -> ASGIApp:
    """The guarded application.

    Args:
        shelf: the folder of runs.
        door: the way in.
        bookkeeper: reads the ledger.
    """
    pages = _Pages(shelf, bookkeeper)
    routes = {
        "/": pages.runs,
        "/compare": pages.compare,
        "/jobs": pages.jobs,
        "/jobs/now": pages.jobs_now,
        "/run/{run}": pages.run,
        "/files/{run}/{path:path}": pages.file,
        "/assets/{name}": pages.asset,
        "/favicon.ico": pages.nothing,
    }
    application = Starlette(
        routes=[Route(path, answer) for path, answer in routes.items()],
        exception_handlers={HTTPException: pages.failed, ShelfError: pages.failed},
    )
    application.router.redirect_slashes = False
    return Guard(application, door)


class _Pages:
    """Everything is answered in a thread: files and databases are waited for."""

    def __init__(self, shelf: Shelf, bookkeeper: Bookkeeper) -> None:
        self._folder = shelf.folder
        self._shelf = shelf
        self._books = bookkeeper
        self._templates = _templates()
        # joined as text: beside a Markup, plain text would be escaped
        css = "".join((asset("report.css"), asset("runs.css"), _asset("dashboard.css")))
        self._assets = {"dashboard.css": css, "dashboard.js": _asset("dashboard.js")}

    def runs(self, request: Request) -> Response:
        """The list."""
        view = listing.View.of(request.query_params)
        found = self._shelf.runs(view.words)
        return self._page(
            "runs_list.html.j2",
            view=view,
            runs=view.cut(found),
            found=len(found),
            pages=listing.pages(len(found), listing.PAGE),
            most=MOST_RUNS,
            folder=str(self._folder),
        )

    def run(self, request: Request) -> Response:
        """One run: what the list says of it, and its files."""
        name = request.path_params["run"]
        run = next((run for run in self._shelf.runs() if run.name == name), None)
        if run is None:
            raise HTTPException(404)
        return self._page("run.html.j2", run=run, files=files_of(self._folder, name))

    def compare(self, request: Request) -> Response:
        """Chosen runs side by side."""
        names = request.query_params.getlist("run")
        compared = lay_side_by_side(self._shelf, names, elsewhere=False)
        return self._page("compare.html.j2", **contents(compared))

    def jobs(self, request: Request) -> Response:
        """Jobs and money."""
        return self._jobs(request, "jobs.html.j2")

    def jobs_now(self, request: Request) -> Response:
        """The part of that page which changes."""
        return self._jobs(request, "jobs_now.html.j2")

    def _jobs(self, request: Request, template: str) -> Response:
        query = request.query_params
        asked = Asked(
            query.get("state", "")[:_LONGEST],
            query.get("run", "")[:_LONGEST],
            listing.page_number(query.get("page", "")),
        )
        books = self._books.look(asked)
        return self._page(
            template,
            asked=asked,
            books=books,
            pages=listing.pages(books.found, JOBS_PAGE),
            states=list(State),
            open_states=OPEN,
            query=str(query),
        )

    def file(self, request: Request) -> Response:
        """A file of a run."""
        return serve_file(self._folder, request)

    def asset(self, request: Request) -> Response:
        """Style and script."""
        name = request.path_params["name"]
        if name not in _ASSETS:
            raise HTTPException(404)
        return Response(self._assets[name], media_type=_ASSETS[name])

    def nothing(self, request: Request) -> Response:
        """Browsers ask for an icon."""
        del request
        return Response(status_code=204)

    def failed(self, request: Request, error: Exception) -> Response:
        """A page that says what is wrong, in one line."""
        del request
        status = error.status_code if isinstance(error, HTTPException) else 400
        said = "There is no such page." if isinstance(error, HTTPException) else str(error)
        return self._page("failed.html.j2", status=status, said=said)

    def _page(self, template: str, status: int = 200, **values: Any) -> Response:
        text = self._templates.get_template(template).render(**values)
        return HTMLResponse(text.encode("utf-8", "replace"), status)


def _templates() -> Environment:
    made = environment(_OWN)
    shown: dict[str, Callable[..., Any]] = {
        name: getattr(words, name)
        for name in ("some", "task_words", "shots_words", "valid_words", "cost_words")
    }
    made.globals |= shown | {
        "thumbnail": thumbnail,
        "money": show_money,
        "link": _link,
        "run_link": _run_link,
        "file_link": _file_link,
    }
    return made


def _link(run: str) -> str | None:
    """Address of a run's report; ``None`` for a name that no address can hold."""
    return _file_link(run, REPORT)


def _run_link(run: str) -> str | None:
    return None if _unspeakable(run) else f"/run/{quote(run, safe='')}"


def _file_link(run: str, path: str) -> str | None:
    if _unspeakable(run) or _unspeakable(path):
        return None
    return f"/files/{quote(run, safe='')}/{quote(path)}"


def _unspeakable(name: str) -> bool:
    """Names of files may hold bytes that are no text."""
    return any("\ud800" <= letter <= "\udfff" for letter in name)


def _asset(name: str) -> str:
    return files(_OWN).joinpath("assets", name).read_text(encoding="utf-8")
