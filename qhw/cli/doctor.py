"""``qhw doctor``: is this installation able to work?"""

from __future__ import annotations

import importlib.util
from typing import Any

from qhw.cli.console import emit_json, out
from qhw.cli.options import Json

_EXTRAS = {"train": "qm9pack", "bench": "pennylane", "braket": "braket", "mitiq": "mitiq"}


def doctor(as_json: Json = False) -> None:
    """Versions, extras, shipped models, devices, and which vendors have credentials here."""
    from backends.credentials import credential_states
    from backends.registry import backend_names
    from qhw.analysis.provenance import versions
    from qhw.models.checkpoint import code_version, shipped

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
        "credentials": {
            vendor: {"configured": state.configured, "where": state.where}
            for vendor, state in credential_states().items()
        },
    }
    if as_json:
        emit_json(found)
        return
    credentials = found.pop("credentials")
    for name, value in found.items():
        shown = value
        if isinstance(value, dict):
            shown = ", ".join(f"{k} {v}" for k, v in value.items())
        elif isinstance(value, list):
            shown = ", ".join(value)
        out.print(f"{name}: {shown}", soft_wrap=True)
    for vendor, state in credentials.items():
        word = "configured" if state["configured"] else "not configured"
        out.print(f"credentials {vendor}: {word} ({state['where']})", soft_wrap=True)
