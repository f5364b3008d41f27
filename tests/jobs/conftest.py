from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import sqlalchemy as sa
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

from backends.vendor import Submission
from benchmarks.chaos.local import LocalVendor
from qhw.jobs.config import Patience
from qhw.jobs.ledger import Ledger

QUICK = Patience(visibility_s=0.05, lease_s=30.0, attempts=3, backoff_s=0.01)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the user's ledger, caps or prices."""
    monkeypatch.setenv("QHW_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("QHW_LEDGER_URL", "QHW_CONFIG", "QHW_PRICES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a PostgreSQL server of our own, on a socket in a temporary folder."""
    found = [Path(p) for p in (shutil.which("initdb"),) if p]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        _absent("initdb is neither on PATH nor in /usr/lib/postgresql")
    programs = found[-1].resolve().parent
    # not below pytest's own folders: only their owner may enter those, and it may be root
    folder = Path(tempfile.mkdtemp(prefix="qhw-pg-"))
    as_user: list[str] = []
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        if shutil.which("runuser") is None:
            _absent("it refuses to run as root and there is no runuser")
        as_user = ["runuser", "-u", "postgres", "--"]
        shutil.chown(folder, "postgres")

    def call(*command: str) -> None:
        subprocess.run([*as_user, *command], check=True, capture_output=True, text=True, cwd=folder)

    data = folder / "data"
    call(str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "qhw", "--no-sync")
    control = str(programs / "pg_ctl")
    options = f"-k {folder} -h '' -c fsync=off"
    call(control, "-D", str(data), "-o", options, "-w", "-l", str(folder / "log"), "start")
    try:
        yield f"postgresql://qhw@/postgres?host={folder}"
    finally:
        call(control, "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder)


def _absent(why: str) -> NoReturn:
    """Skip, except where the continuous integration says that PostgreSQL is there."""
    if os.environ.get("QHW_TEST_POSTGRES") == "required":
        pytest.fail(f"PostgreSQL is required but {why}")
    pytest.skip(f"no PostgreSQL here: {why}")


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    name = f"t{abs(hash(request.node.nodeid)):x}"
    admin = sa.create_engine(
        server.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield server.replace("/postgres?", f"/{name}?")
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        admin.dispose()


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as opened:
        yield opened


@pytest.fixture
def vendor(tmp_path: Path) -> LocalVendor:
    return LocalVendor(tmp_path / "vendor.db")


def small_circuit() -> QuantumCircuit:
    """RY on each of two qubits, not symmetric in them."""
    circuit = QuantumCircuit(QuantumRegister(2, "q"), ClassicalRegister(2, "c"))
    circuit.ry(Parameter("a"), 1)
    circuit.ry(Parameter("b"), 0)
    circuit.cx(1, 0)
    circuit.measure([0, 1], [0, 1])
    return circuit


def small_submission(vendor: LocalVendor, rows: int = 3, shots: int = 100) -> Submission:
    angles = np.random.default_rng(rows).uniform(0, 3, (rows, 2))
    return Submission(vendor.compile(small_circuit()), angles, shots)
