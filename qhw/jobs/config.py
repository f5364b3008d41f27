"""The user's configuration: spending caps, where the ledger is, how patient to be.

``$QHW_CONFIG``, else ``$XDG_CONFIG_HOME/qhw/config.toml``, else ``~/.config/qhw/config.toml``::

    [budget]
    per_day = "50usd"          # all submissions of a UTC day
    per_project = "200usd"     # each project, ever
    [budget.projects]
    qvae = "500usd"            # in place of per_project
    [jobs]
    visibility_s = 120         # until a job the vendor accepted is sure to be found by its key
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from backends.places import named_path, xdg_folder
from calibration.documents import read_bounded
from qhw.jobs.money import parse_money

CONFIG = "QHW_CONFIG"
DATA = "QHW_DATA"
LEDGER_URL = "QHW_LEDGER_URL"


class ConfigError(ValueError):
    """The configuration file cannot be used; one line says where and why."""


@dataclass(frozen=True)
class Caps:
    """Spending caps in millionths of a dollar; ``None`` where there is none.

    Attributes:
        per_day: of a UTC day.
        per_project: of each project.
        projects: of single projects, in place of ``per_project``.
    """

    per_day: int | None = None
    per_project: int | None = None
    projects: dict[str, int] = field(default_factory=dict)

    def of_project(self, name: str) -> int | None:
        """The cap of a project."""
        return self.projects.get(name, self.per_project)


@dataclass(frozen=True)
class Patience:
    """How long things may take, seconds, and how often they are tried.

    Attributes:
        visibility_s: until a job the vendor accepted is sure to be found by its key; only a
            lookup that started later than this may conclude that nothing was accepted.
        lease_s: how long a process may hold a job; longer than any one call to a vendor.
        attempts: posts of one job before it is given up.
        backoff_s: wait after a refusal, doubled each time.
    """

    visibility_s: float = 120.0
    lease_s: float = 300.0
    attempts: int = 4
    backoff_s: float = 2.0


@dataclass(frozen=True)
class Config:
    """The whole file."""

    caps: Caps = field(default_factory=Caps)
    patience: Patience = field(default_factory=Patience)


def config_path() -> Path:
    """Where the file is looked for; it need not exist.

    Raises:
        ValueError: the path would be relative.
    """
    return named_path(CONFIG) or xdg_folder("XDG_CONFIG_HOME", ".config") / "config.toml"


def data_folder() -> Path:
    """``$QHW_DATA``, else ``$XDG_DATA_HOME/qhw``, else ``~/.local/share/qhw``; not made here.

    Raises:
        ValueError: the path would be relative.
    """
    return named_path(DATA) or xdg_folder("XDG_DATA_HOME", ".local/share")


def ledger_url() -> str:
    """``$QHW_LEDGER_URL``, else SQLite in :func:`data_folder`; raises as that does."""
    named = os.environ.get(LEDGER_URL)
    if named:
        return named
    # a path may hold what means something in a URL
    url = sa.URL.create("sqlite", database=str(data_folder() / "ledger.db"))
    return url.render_as_string(hide_password=False)


def load_config(path: Path | None = None) -> Config:
    """Read the configuration; without a file, no caps and the default patience.

    Raises:
        ConfigError: not TOML, an unknown key, an amount that is none. A file named by
            ``QHW_CONFIG`` must exist: caps must not vanish with a typing error.
    """
    where = path or config_path()
    if not where.exists() and path is None and not os.environ.get(CONFIG):
        return Config()
    try:
        data = tomllib.loads(read_bounded(where).decode("utf-8"))
        _known(data, {"budget", "jobs"}, "")
        budget, jobs = _table(data, "budget"), _table(data, "jobs")
        _known(budget, {"per_day", "per_project", "projects"}, "budget.")
        projects = _table(budget, "projects")
        caps = Caps(
            per_day=_amount(budget, "per_day"),
            per_project=_amount(budget, "per_project"),
            projects={
                name: parse_money(str(value), f"budget.projects.{name}")
                for name, value in projects.items()
            },
        )
        return Config(caps, _patience(jobs))
    except (OSError, ValueError) as error:
        raise ConfigError(f"Configuration {where}: {error}") from error


def _patience(jobs: dict[str, object]) -> Patience:
    _known(jobs, {"visibility_s"}, "jobs.")
    value = jobs.get("visibility_s", Patience.visibility_s)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 86_400:
        raise ValueError(f"`jobs.visibility_s` must be seconds from 0 to 86400, but is {value!r}")
    return Patience(visibility_s=float(value))


def _amount(table: dict[str, object], key: str) -> int | None:
    value = table.get(key)
    return None if value is None else parse_money(str(value), f"budget.{key}")


def _table(data: dict[str, object], key: str) -> dict[str, object]:
    value = data.get(key, {})
    if not isinstance(value, dict):
        raise ValueError(f"`{key}` must be a table, but is {value!r}")
    return value


def _known(data: dict[str, object], known: set[str], where: str) -> None:
    for key in data:
        if key not in known:
            raise ValueError(f"unknown key `{where}{key}` (known: {', '.join(sorted(known))})")
