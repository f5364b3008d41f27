"""The main job through each vendor's real client on every native gate set, beside a simulator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from qiskit import qpy

from backends.loopback.braket import BraketService
from backends.loopback.ibm import IBMPlatform
from backends.loopback.server import LoopbackServer
from tests.cli.test_jobs_cli import document
from tests.cli.test_jobs_loopback import distance
from tests.small_model import save_small_qvae

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]

IBM = {
    "ibm:ibm_boston": "cz",
    "ibm:ibm_sherbrooke": "ecr",
    "ibm:ibm_boston+fractional": "rzz",
}
BRAKET = {
    "braket:iqm_garnet": {"prx(", "cz $"},
    "braket:ionq_forte_enterprise": {"gpi2(", "zz("},
    "braket:rigetti_cepheus_1_108q": {"rx(", "cz $"},
}


@pytest.fixture(scope="module")
def qvae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_qvae(tmp_path_factory.mktemp("qvae"))


@pytest.fixture
def vendor(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, IBMPlatform | BraketService]]:
    name: str = request.param
    prefix, _, device = name.partition(":")
    device = device.partition("+")[0]
    service = IBMPlatform((device,)) if prefix == "ibm" else BraketService((device,))
    with LoopbackServer(service) as server:
        for key, value in service.environment(server.url).items():
            monkeypatch.setenv(key, value)
        yield name, service
    service.stop() if isinstance(service, IBMPlatform) else service.queue.stop()


def options(model: Path, device: str, out: Path) -> tuple[object, ...]:
    sizes = ("--task", "generate", "--molecules", 3, "--shots", 2000)
    money = ("--budget", "900usd", "--out", out)
    return ("--model", model, "--device", device, *sizes, *money)


def _some_slow(names: Iterable[str]) -> list[object]:
    marks = {
        name: [pytest.mark.slow]
        for name in (
            "ibm:ibm_boston",
            "ibm:ibm_sherbrooke",
            "braket:ionq_forte_enterprise",
            "braket:rigetti_cepheus_1_108q",
        )
    }
    return [pytest.param(name, marks=marks.get(name, [])) for name in names]


@pytest.mark.parametrize("vendor", _some_slow(IBM), indirect=True)
def test_ibm(vendor: tuple[str, IBMPlatform], qvae: Path, tmp_path: Path) -> None:
    name, _ = vendor
    done = document("run", *options(qvae, name, tmp_path))
    assert distance(done, "device_raw") < 1.3 * distance(done, "shots_only")  # a perfect device
    (file,) = tmp_path.glob("*/circuits/decoder.qpy")
    with file.open("rb") as stream:
        (circuit,) = qpy.load(stream)
    assert IBM[name] in circuit.count_ops()


@pytest.mark.parametrize("vendor", _some_slow(BRAKET), indirect=True)
def test_braket(vendor: tuple[str, BraketService], qvae: Path, tmp_path: Path) -> None:
    name, service = vendor
    done = document("run", *options(qvae, name, tmp_path))
    assert distance(done, "device_raw") < 1.3 * distance(done, "shots_only")  # a perfect device
    sent = " ".join(str(task.body) for task in service.queue.tasks)
    assert all(gate in sent for gate in BRAKET[name])
