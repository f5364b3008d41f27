"""``qhw doctor``: is this installation able to work, and what do other packages add to it?"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from qhw.cli.console import emit_json, out
from qhw.cli.options import Json

if TYPE_CHECKING:
    from calibration.plugins import Offer, Table

_EXTRAS = {"train": "qm9pack", "bench": "pennylane", "braket": "braket", "mitiq": "mitiq"}


def doctor(as_json: Json = False) -> None:
    """Versions, extras, shipped models, devices, and which vendors have credentials here."""
    from backends.credentials import credential_states
    from backends.registry import backend_names
    from qhw.models.checkpoint import code_version, shipped
    from qhw.provenance import versions

    code = code_version()
    found: dict[str, Any] = {
        "versions": versions(),
        "git_revision": code.revision,
        "git_dirty": code.modified,
        "extras": {
            extra: importlib.util.find_spec(module) is not None for extra, module in _EXTRAS.items()
        },
        "models": list(shipped()),
        "backends": len(backend_names()),
        **{table.noun + "s": list(table.names()) for table in _listed()},
        "plugins": _plugins(),
        "credentials": {
            vendor: {"configured": state.configured, "where": state.where}
            for vendor, state in credential_states().items()
        },
    }
    if as_json:
        emit_json(found)
        return
    credentials, plugins = found.pop("credentials"), found.pop("plugins")
    for name, value in found.items():
        shown = value
        if isinstance(value, dict):
            shown = ", ".join(f"{k} {v}" for k, v in value.items())
        elif isinstance(value, list):
            shown = ", ".join(value)
        out.print(f"{name}: {shown}", soft_wrap=True)
    for plugin in plugins:
        out.print(f"plug-in {_words(plugin)}", soft_wrap=True)
    for vendor, state in credentials.items():
        word = "configured" if state["configured"] else "not configured"
        out.print(f"credentials {vendor}: {word} ({state['where']})", soft_wrap=True)


def _listed() -> tuple[Table, ...]:
    from qhw.api.plugins import tables

    return tuple(table for table in tables() if table.command == "qhw doctor")


def _plugins() -> list[dict[str, str | None]]:
    """What other packages offer, each loaded once to see whether it can be used."""
    from calibration.plugins import PluginError, faults, strays
    from qhw.api.plugins import tables

    found: list[dict[str, str | None]] = []
    for table in tables():
        for offer in table.offers():
            fault = None
            try:
                table.get(offer.name)
            except PluginError as error:
                fault = str(error)
            found.append(_row(offer, fault))
    groups = ", ".join(table.group for table in tables())
    found += [_row(offer, f"there is no such group ({groups})") for offer in strays(tables())]
    return found + [_row(None, fault) for fault in faults()]


def _row(offer: Offer | None, fault: str | None) -> dict[str, str | None]:
    names = ("group", "name", "package", "version", "place")
    return {name: getattr(offer, name, None) for name in names} | {"fault": fault}


def _words(plugin: dict[str, str | None]) -> str:
    said = plugin["fault"] or "usable"
    if plugin["name"] is None:
        return said
    return "{group} {name} of {package} {version} ({place}): ".format(**plugin) + said
