"""Bad circuits and angles: one and the same line from every command and from Python."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from backends.base import BackendError
from qhw.circuits.workload import Workload
from tests.cli.own_circuits import ROWS, write_files
from tests.cli.test_own_circuits import call

pytestmark = pytest.mark.usefixtures("own_home")

TEMPLATE = "mine.qasm --angles "
BAD = {
    f"{TEMPLATE}lacks.csv": "lacks.csv must name the circuit's 3 .*but lacks gamma",
    f"{TEMPLATE}more.csv": "more.csv must name .* but also has delta",
    f"{TEMPLATE}nan.csv": "nan.csv must be finite, but row 1 has nan for 'beta'",
    f"{TEMPLATE}complex.npy": "complex.npy must hold real numbers, but holds complex128",
    f"{TEMPLATE}words.csv": "column 'beta' must hold real numbers, but holds '1j'",
    f"{TEMPLATE}empty.csv": "empty.csv must have a header and at least one row",
    f"{TEMPLATE}none.npy": "none.npy must have at least one row",
    f"{TEMPLATE}wide.npy": r"have shape \(B, 3\), a column for each of alpha, beta, gamma",
    f"{TEMPLATE}gone.csv": "gone.csv cannot be read",
    f"{TEMPLATE}angles.csv --names who": "`names` must be a column .* has no such 'who'",
    "mine.qasm": "`angles` must be given for 3 free parameters .* of mine",
    "near.qasm other.qasm": "Circuits near and other must differ in their angles alone",
    "near.qasm far.qasm --angles angles.csv": "`angles` must be left out of several circuits",
    "angles.csv": "must end in .qasm",
}


@pytest.fixture
def bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)
    for name, text in {
        "lacks.csv": "alpha,beta\n1,2\n",
        "more.csv": "alpha,beta,gamma,delta\n1,2,3,4\n",
        "nan.csv": "alpha,beta,gamma\n1,2,3\n1,nan,3\n",
        "words.csv": "alpha,beta,gamma\n1,1j,3\n",
        "empty.csv": "",
        "other.qasm": 'OPENQASM 2.0; include "qelib1.inc"; qreg q[3]; h q[0];',
    }.items():
        (tmp_path / name).write_text(text)
    for name, matrix in (
        ("complex.npy", ROWS + 0j),
        ("none.npy", np.empty((0, 3))),
        ("wide.npy", np.zeros((2, 4))),
    ):
        np.save(tmp_path / name, matrix)
    return tmp_path


@pytest.mark.parametrize("line", BAD)
def test_the_line_is_the_same_everywhere(line: str, bad: Path) -> None:
    words = line.split()
    files = [word for word in words if Path(word).suffix == ".qasm"] or words[:1]
    options = dict(zip(words[len(files) :: 2], words[len(files) + 1 :: 2], strict=True))
    with pytest.raises((ValueError, BackendError), match=BAD[line]) as caught:
        Workload.of(
            files if len(files) > 1 else files[0],
            options.get("--angles"),
            names=options.get("--names"),
        )
    said = re.sub(r"^Argument `(\w+)`", r"Option `--\1`", str(caught.value))
    if "must end in" in said:
        said = str(caught.value)  # of a file's name, which no option gives
    paid = ("--device", "emulator:iqm_garnet")
    for command in (
        ("compare", "--device", "exact"),
        *((name, *paid) for name in ("estimate", "submit", "run")),
        ("mitigate", "bench"),
        ("mitigate", "advise"),
        ("noise-study", "--devices", "iqm_garnet"),
        ("expect", "--observable", "ZZZ", "--device", "exact"),
    ):
        assert call(*command, *words, code=2) == f"error: {said}\n", command
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("compare --angles angles.csv", "`--angles` must be left out without a circuit file"),
        ("compare --names label", "`--names` must be left out without a circuit file"),
        ("compare near.qasm --molecules 20", "`--molecules` must be left out of circuit files"),
        ("compare near.qasm --model nisq-chain5", "`--model` must be left out of circuit files"),
        ("compare near.qasm --draw", "`--draw` must be left out of circuit files"),
        ("mitigate bench near.qasm far.qasm --latents 3", "`--latents` must be left out"),
        ("mitigate advise near.qasm", "`--angles` must have two rows or more .* but has 1"),
        ("calibrate near.qasm --circuit encoder --out c.json", "`--circuit` must be left out of"),
        ("calibrate near.qasm --qubits 1 --out c.json", "`--qubits` must be left out beside"),
        ("calibrate --circuit both --out c.json", "`--circuit` must be decoder or encoder"),
        ("noise-study near.qasm far.qasm --devices ibm_fez", "three|3 rows or more .* has 2"),
        ("noise-study near.qasm", "`--devices` must be given for a circuit without CONFIG.yaml"),
        ("noise-study a.yaml b.yaml", "must have one study at most, but has 2: a.yaml, b.yaml"),
        ("submit --model nisq-chain5 --device emulator:ibm_fez --again", "`--again` must be left"),
        ("run near.qasm --device exact --again", "`--again` must be given for a device that"),
    ],
)
def test_what_does_not_go_together_is_named(line: str, said: str, bad: Path) -> None:
    told = call(*line.split(), code=2)
    assert re.search(said, told) and told.count("\n") == 1, told
    assert not Path("c.json").exists()
