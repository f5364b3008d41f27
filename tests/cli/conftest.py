from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.loopback.braket import BraketService
from backends.loopback.ibm import IBMPlatform
from backends.loopback.server import LoopbackServer


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the user's ledger, caps or prices."""
    monkeypatch.setenv("QHW_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("QHW_LEDGER_URL", "QHW_CONFIG", "QHW_PRICES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ibm(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[IBMPlatform, LoopbackServer]]:
    """With the module's ``IBM_DEVICE``; a small one, read in no time, where it names none."""
    platform = IBMPlatform((getattr(request.module, "IBM_DEVICE", "ibm_lagos"),))
    with LoopbackServer(platform) as server:
        for name, value in platform.environment(server.url).items():
            monkeypatch.setenv(name, value)
        yield platform, server
    platform.stop()


@pytest.fixture
def braket(monkeypatch: pytest.MonkeyPatch) -> Iterator[BraketService]:
    service = BraketService(("iqm_garnet", "ionq_forte_enterprise"))
    with LoopbackServer(service) as server:
        for name, value in service.environment(server.url).items():
            monkeypatch.setenv(name, value)
        yield service
    service.queue.stop()
