"""``qhw vendors serve``: a vendor on this machine, to rehearse with the real clients."""

from __future__ import annotations

import shlex
import signal
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from qhw.cli.console import emit_json, err, out
from qhw.cli.options import Json, Seed

if TYPE_CHECKING:
    from backends.loopback.braket import BraketService
    from backends.loopback.catalog import NamedFault
    from backends.loopback.ibm import IBMPlatform

app = typer.Typer(no_args_is_help=True, help="Vendors on this machine, to rehearse for free.")

Vendor = Literal["ibm", "braket"]


@app.command("serve")
def serve(
    vendor: Annotated[Vendor, typer.Argument(help="ibm or braket.")],
    device: Annotated[
        list[str] | None, typer.Option("--device", help="Device offered; may be repeated.")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0: a free one.")] = 0,
    noise: Annotated[
        bool, typer.Option("--noise/--perfect", help="With the device's noise, or without.")
    ] = True,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="NAME[@ENDPOINT][,value=V][,times=N][,skip=N]",
            help="What goes wrong, as often as named; may be repeated. `list` shows every fault.",
        ),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Serve until interrupted; prints the environment that leads clients here.

    The server speaks the vendor's wire protocol on 127.0.0.1, runs what it is
    sent on Aer and keeps its own account. Run the printed lines in another
    shell, then use ibm:<device> or braket:<device> as usual: nothing leaves
    this machine and nothing is charged.
    """
    from backends.loopback.catalog import CATALOG, parse
    from backends.loopback.faults import FaultPlan
    from backends.loopback.server import LoopbackServer
    from calibration.noise import NoiseOptions

    if fault == ["list"]:
        _list_faults({k: v for k, v in CATALOG.items() if vendor in v.vendors}, as_json=as_json)
        return

    strength = NoiseOptions() if noise else None
    # Each vendor's packages are needed for that vendor only.
    service: BraketService | IBMPlatform
    if vendor == "ibm":
        from backends.loopback.ibm import IBMPlatform

        service = IBMPlatform(device or ("ibm_boston",), noise=strength, seed=seed)
    else:
        from backends.loopback.braket import BraketService

        service = BraketService(device or ("iqm_garnet",), noise=strength, seed=seed)
    plan = FaultPlan(parse(service, text) for text in fault or ())
    ended = threading.Event()
    with LoopbackServer(service, faults=plan, port=port) as server:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        environment = service.environment(server.url)
        if as_json:
            emit_json({"url": server.url, "environment": environment})
        else:
            for name, value in environment.items():
                out.print(f"export {name}={shlex.quote(value)}", soft_wrap=True)
        out.file.flush()
        devices = ", ".join(f"{vendor}:{name}" for name in service.devices)
        err.print(f"serving {devices} at {server.url}, until interrupted", soft_wrap=True)
        ended.wait()
    err.print(f"{service.queue.accepted} job(s) accepted", soft_wrap=True)


def _list_faults(faults: Mapping[str, NamedFault], *, as_json: bool) -> None:
    """Every fault in a line: name, kind of request, value, how often, what happens."""
    rows = {
        name: {
            "endpoint": fault.endpoint,
            "value": fault.value,
            "times": fault.times,
            "about": fault.about,
        }
        for name, fault in sorted(faults.items())
    }
    if as_json:
        emit_json({"faults": rows})
        return
    for name, row in rows.items():
        value = f",value={row['value']}" if row["value"] else ""
        times = "all" if row["times"] is None else row["times"]
        text = f"{name}@{row['endpoint']}{value},times={times}"
        out.print(f"{text:58} {row['about']}", markup=False, soft_wrap=True)
