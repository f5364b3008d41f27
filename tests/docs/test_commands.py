"""Every command that the documentation shows can be typed: it parses, and it runs as written."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from qiskit import QuantumCircuit, qasm3, qpy
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import Statevector
from typer.testing import CliRunner

from qhw.chem.qm9 import sample_molecules
from qhw.cli.app import app
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import latest_runs
from tests.docs.pages import ROOT, Line, command_lines, mentions

LINES = list({line.text: line for line in command_lines()}.values())
NAMES = ("alpha", "beta", "gamma")
IBM_DEVICE = "ibm_boston"
NOT_RUN = {
    r"qhw dashboard": "runs until it is interrupted; the tests of `dashboard` do",
    r"qhw runs compare": "needs two runs; the tests of `runs` do",
    r"qhw vendors serve": "runs until it is interrupted; the tests of `vendors` do",
    r"qhw verify ": "needs a bundle and its hash; the tests of bundles do",
    r"qhw train ": "needs QM9 and minutes; the tests of `train` do",
    r"qhw lmdm sample --model training/": "needs a trained model; the tests of `lmdm` make one",
    r"qhw import-checkpoint ": "needs the released file; the tests of `import-checkpoint` do",
    r"qhw snapshot import ": "needs a vendor's files; the tests of `snapshot` do",
    r"qhw noise-study ": "hours; the tests of `noise-study` do",
    r"qhw mitigate bench ": "minutes for each device; the tests of `mitigate` do",
    r"qhw depth-report --model": "minutes on 54 devices; the tests of `depth-report` do",
}
PAID = r"--live|ibm:|braket:|jobs|qhw runs"
SLOW = (
    r"lmdm|force-field|mitigate advise|validate-models ibm_fez|demo|--probe|"
    r"depth-report|--circuit|--task|--device aer:|--device engine:ibm_boston|" + PAID
)


def command(words: list[str]) -> tuple[Any, Any, list[str]]:
    """The command that words name, a context for it, and the words that follow."""
    found: Any = typer.main.get_command(app)
    context = found.context_class(found, info_name="qhw")
    while hasattr(found, "list_commands"):
        if found.invoke_without_command and (not words or words[0].startswith("-")):
            break
        name, *words = words
        found = found.get_command(context, name)
        assert found is not None, f"there is no command {name}"
        context = found.context_class(found, parent=context, info_name=name)
    return found, context, words


def template() -> QuantumCircuit:
    circuit = QuantumCircuit(3)
    for qubit, name in enumerate(NAMES):
        circuit.ry(Parameter(name), qubit)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    return circuit


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the pages name, as their owner would have them."""
    from rdkit import Chem

    angles = np.array([[0.3, 1.1, 2.0], [1.9, 0.2, 0.7], [2.5, 1.3, 0.4]])
    circuit = template()
    (tmp_path / "mine.qasm").write_text(qasm3.dumps(circuit))
    with (tmp_path / "mine.qpy").open("wb") as file:
        qpy.dump(circuit, file)
    for number, row in enumerate(angles):
        bound = qasm3.dumps(circuit.assign_parameters(row))
        (tmp_path / f"point-{number}.qasm").write_text(bound)
    (tmp_path / "mine-bound.qasm").write_text(bound)
    seen = [Statevector(circuit.assign_parameters(row)).probabilities() for row in angles]
    rows = [{f"{k:03b}": round(1000 * p) for k, p in enumerate(row)} for row in seen]
    (tmp_path / "counts.json").write_text(json.dumps(rows))
    own = {
        "id": "mine-1",
        "device": "ibm_boston",
        "vendor": "IBM",
        "date": "2025-12-08",
        "benchmark": "qml_kernel",
        "circuit": {"name": "qml_kernel", "n": 4, "seed": 0},
        "score": "P(0...0)",
        "exact": 1.0,
        "floor": 0.0625,
        "shots": 1000,
        "measured": 0.95,
        "uncertainty": 0.007,
    }
    (tmp_path / "mine.jsonl").write_text(json.dumps(own))
    ring = ParameterVector("theta", 4)
    wide = QuantumCircuit(4)
    for qubit in range(4):
        wide.ry(ring[qubit], qubit)
        wide.cx(qubit, (qubit + 1) % 4)
    (tmp_path / "ring.qasm").write_text(qasm3.dumps(wide))
    np.save(tmp_path / "angles.npy", np.tile(angles[:, :1], (1, 4)))
    np.savez(tmp_path / "angles.npz", angles=angles)
    with (tmp_path / "angles.csv").open("w", newline="") as file:
        csv.writer(file).writerows([NAMES, *angles.tolist()])
    with Chem.SDWriter(str(tmp_path / "my_molecules.sdf")) as writer:
        for one in sample_molecules().molecules[:5].to_rdkit():
            writer.write(one)
    atoms = molecule("CH3CH2OH")
    pulls = np.random.default_rng(0).normal(0, 0.5, (9, 3))
    pulls -= pulls.mean(axis=0)
    atoms.calc = SinglePointCalculator(atoms, energy=-4209.8, forces=pulls)
    for name in ("ethanol", "minimum", "frames"):
        atoms.write(tmp_path / f"{name}.xyz")
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QHW_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def threads() -> Iterator[None]:
    """Commands set torch's."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.text[:70])
@pytest.mark.usefixtures("scratch")
def test_a_command_shown_in_full_parses(line: Line) -> None:
    found, context, words = command(line.words)
    found.parse_args(context, words)


@pytest.mark.parametrize(
    "line", {line.text: line for line in mentions()}.values(), ids=lambda line: line.text[:70]
)
def test_a_command_named_in_a_sentence_exists_with_its_options(line: Line) -> None:
    root: Any = typer.main.get_command(app)
    if not hasattr(root.get_command(None, line.words[0]), "list_commands") or line.words[1:]:
        found, _, _ = command(line.words)
        known = {name for option in found.params for name in (*option.opts, *option.secondary_opts)}
        asked = set(re.findall(r"--[a-z-]+", line.text))
        assert asked <= known | {"--help", "--debug"}


def ran(line: Line) -> None:
    words = list(line.words)
    with Ledger.open() as ledger, ledger.read() as connection:
        newest = [record.id for record in latest_runs(connection, 1)]
    words = [newest[0] if word == "RUN" and newest else word for word in words]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, f"{line.text}\n{result.output}"


def runnable(line: Line) -> bool:
    return not any(re.match(start, line.text) for start in NOT_RUN)


QUICK = [line for line in LINES if runnable(line) and not re.search(SLOW, line.text)]
LONG = [line for line in LINES if runnable(line) and line not in QUICK]


@pytest.mark.usefixtures("own_home", "scratch", "threads")
def test_quick_commands_run_as_written() -> None:
    assert QUICK
    for line in QUICK:
        ran(line)


@pytest.mark.slow
@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.usefixtures("own_home", "scratch", "threads", "ibm", "braket")
def test_long_and_paid_commands_run_as_written() -> None:
    """Against vendors on this machine; runs are told of once something ran."""
    for line in sorted(LONG, key=lambda line: "jobs" in line.text):
        ran(line)


def test_what_is_not_run_is_shown_somewhere() -> None:
    assert all(any(re.match(start, line.text) for line in LINES) for start in NOT_RUN)
