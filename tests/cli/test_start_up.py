"""A mistake on the command line is told before torch and Qiskit are loaded, which takes seconds."""

import json
import subprocess
import sys

LINES = (
    ["--help"],
    ["compare", "--help"],
    ["jobs", "--help"],
    ["devices"],
    ["compare", "--task", "nothing"],
    ["compare", "--device", "aer:nothing"],
    ["compare", "--device", "ibm:ibm_fez"],
    ["compare", "--molecules", "1"],
    ["compare", "--mitigation", "nothing(2)"],
    ["run", "--device", "ibm:"],
    ["estimate", "--device", "aer:ibm_fez"],
    ["expect", "x.qasm", "--observable", "Z0", "--device", "aer:nothing"],
    ["expect", "x.qasm", "--observable", "Z0", "--mitigation", "nothing"],
    ["depth-report", "x.qasm", "--levels", "7"],
    ["depth-report", "--levels", "1"],
)
SCRIPT = """
import contextlib, io, json, sys
from qhw.cli.app import main
told = []
for line in json.loads(sys.argv[1]):
    sys.argv = ["qhw", *line]
    said = io.StringIO()
    code = 0
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main()
        except SystemExit as end:
            code = end.code
    told.append([code, [m for m in ("torch", "qiskit", "rdkit", "scipy") if m in sys.modules]])
print(json.dumps(told))
"""


def test_nothing_heavy_is_loaded() -> None:
    command = [sys.executable, "-c", SCRIPT, json.dumps(LINES)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    good = [0, []]
    assert told == [good if i < 4 else [2, []] for i in range(len(LINES))]
