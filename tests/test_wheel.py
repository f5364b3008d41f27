"""The wheel alone, in an empty environment outside the repository, used from an empty folder.

What it depends on is lent by a ``.pth`` file from the interpreter that it is tried with; nothing
is downloaded. Tried with this interpreter and with every other supported one that is found: in
``PATH``, among pyenv's, and in ``QHW_WHEEL_PYTHONS`` (paths with colons between, such as the
``bin/python`` of a virtual environment that has the packages of ``constraints.txt``).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("qhw", "backends", "calibration")
BELL = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[2];
creg c[2];
h q[0];
cx q[0],q[1];
measure q -> c;
"""

OLDEST, NEWEST = 11, 14
"""Of Python 3, looked for."""
ASKED = """
import importlib.metadata, json, sys
from pathlib import Path
missing = []
for name in sys.argv[1:]:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        missing.append(name)
lent = [path for path in sys.path if Path(path).name == "site-packages"]
print(json.dumps([sys.version.split()[0], missing, lent]))
"""
"""Tells version, packages that are not there, and folders to lend."""

pytestmark = pytest.mark.slow
pytest.importorskip("setuptools", minversion="77", reason="the wheel is built with setuptools>=77")
pytest.importorskip("pip", reason="the wheel is built and installed with pip")


def _done(*words: object, **options: object) -> str:
    done = subprocess.run(  # type: ignore[call-overload]
        list(map(str, words)), capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def _pythons() -> list[str]:
    """Interpreters: this one, those that were named, and what else is found of other versions."""
    named = [path for path in os.environ.get("QHW_WHEEL_PYTHONS", "").split(os.pathsep) if path]
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = []
    for minor in range(OLDEST, NEWEST + 1):
        if minor == sys.version_info.minor:
            continue
        installed = sorted(root.glob(f"3.{minor}.*/bin/python"))
        in_path = shutil.which(f"python3.{minor}")
        found += [str(installed[-1])] if installed else [in_path] if in_path else []
    return [sys.executable, *named, *found]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:  # a copy: an old build folder in the repository would go in as well
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    options = ("--no-deps", "--no-build-isolation", "--no-index", "-q", "-w", made)
    _done(sys.executable, "-m", "pip", "wheel", *options, source)
    (found,) = made.glob("*.whl")
    return found


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and a folder to use it in."""

    programs: Path
    folder: Path
    variables: dict[str, str]

    def run(self, program: str, *words: object, **more: str) -> str:
        """What a program prints."""
        variables = {**self.variables, **more}
        return _done(self.programs / program, *words, cwd=self.folder, env=variables)

    @contextmanager
    def vendor(self, name: str) -> Iterator[dict[str, str]]:
        """A vendor on this machine: the variables that lead clients to it."""
        served = subprocess.Popen(
            [self.programs / "qhw", "vendors", "serve", name, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env=self.variables,
        )
        assert served.stdout is not None
        try:
            text = b""
            while not text.endswith(b"\n}\n") and (line := served.stdout.readline()):
                text += line
            yield json.loads(text)["environment"]
        finally:
            served.terminate()
            served.communicate()


@pytest.fixture(scope="module", params=_pythons())
def installed(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = [re.split(r"[^A-Za-z0-9_-]", need, maxsplit=1)[0] for need in wanted]
    version, missing, lent = json.loads(_done(request.param, "-c", ASKED, *names))
    if missing:
        pytest.skip(f"{request.param} ({version}) lacks {', '.join(missing)}: nothing to lend")
    environment, home = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("home")
    _done(request.param, "-m", "venv", "--without-pip", environment)
    python = environment / "bin" / "python"
    options = ("--no-deps", "--no-index", "-q")
    _done(sys.executable, "-m", "pip", "--python", python, "install", *options, wheel)
    (packages,) = environment.glob("lib/*/site-packages")
    # a .pth inside what is lent, such as that of an editable install, is not read
    (packages / "lent.pth").write_text("\n".join(lent) + "\n")
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    variables = {**kept, "HOME": str(home), "OMP_NUM_THREADS": "1"}
    folder = tmp_path_factory.mktemp("empty")
    (folder / "bell.qasm").write_text(BELL)
    return Installed(environment / "bin", folder, variables)


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    wanted = {
        str(path.relative_to(ROOT))
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as opened:
        found = {name for name in opened.namelist() if ".dist-info/" not in name}
    assert found == wanted
    assert {Path(name).suffix for name in wanted} > {".py", ".json", ".safetensors", ".mako"}


def test_what_runs_is_the_wheel(installed: Installed) -> None:
    for name in PACKAGES:
        where = installed.run("python", "-c", f"import {name}; print({name}.__file__)")
        assert Path(where).is_relative_to(installed.programs.parent)


def test_demo(installed: Installed) -> None:
    found = json.loads(installed.run("qhw", "demo", "--json"))
    written = {path.name for path in (installed.folder / found["run"]).iterdir()}
    assert {"report.html", "result.json", "molecules.sdf"} <= written
    assert found["verdict"]["level"] == "better"


def test_own_circuit(installed: Installed) -> None:
    words = ("bell.qasm", "--device", "engine:ibm_fez", "--shots", "2000", "--json")
    found = json.loads(installed.run("qhw", "compare", *words))
    assert found["settings"]["circuit"] == "bell"
    assert found["device"]["snapshot"] == "ibm_fez"


def test_emulated(installed: Installed) -> None:
    words = ("bell.qasm", "--device", "emulator:ibm_boston", "--shots", "100")
    name = installed.run("qhw", "submit", *words).split()[1]
    found = json.loads(installed.run("qhw", "jobs", "watch", name, "--json"))
    assert found["settings"]["device"] == "emulator:ibm_boston"


def test_rehearsal(installed: Installed) -> None:
    words = ("bell.qasm", "--device", "ibm:ibm_boston", "--shots", "100", "--budget", "20usd")
    with installed.vendor("ibm") as variables:
        found = json.loads(installed.run("qhw", "run", *words, "--json", **variables))
    assert found["rehearsal"] is True
    assert found["circuits"][0]["usd"] > 0
