"""``qhw vendors serve``: a vendor on this machine, to rehearse with the real clients."""

from __future__ import annotations

import shlex
import signal
import threading
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from qhw.cli.console import emit_json, err, out
from qhw.cli.options import Json, Seed

if TYPE_CHECKING:
    from backends.loopback.braket import BraketService
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
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Serve until interrupted; prints the environment that leads clients here.

    The server speaks the vendor's wire protocol on 127.0.0.1, runs what it is
    sent on Aer and keeps its own account. Run the printed lines in another
    shell, then use ibm:<device> or braket:<device> as usual: nothing leaves
    this machine and nothing is charged.
    """
    from backends.loopback.server import LoopbackServer
    from calibration.noise import NoiseOptions

    strength = NoiseOptions() if noise else None
    # Each vendor's packages are needed for that vendor only.
    service: BraketService | IBMPlatform
    if vendor == "ibm":
        from backends.loopback.ibm import IBMPlatform

        service = IBMPlatform(device or ("ibm_boston",), noise=strength, seed=seed)
    else:
        from backends.loopback.braket import BraketService

        service = BraketService(device or ("iqm_garnet",), noise=strength, seed=seed)
    ended = threading.Event()
    with LoopbackServer(service, port=port) as server:
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
