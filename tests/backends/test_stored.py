"""What is kept of a compiled template is all of it, and what was kept before still opens."""

from __future__ import annotations

import base64
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Delay, Parameter

from backends.aer import AerBackend
from backends.base import CompiledTemplate
from backends.stored import StoredError, pack, unpack
from calibration.catalog import load_snapshot
from tests.calibration.factory import line_device

GOLDEN = Path(__file__).parent / "golden" / "template-v1.json"


def template() -> CompiledTemplate:
    """Every field other than its default, every kind of delay, numpy numbers among the facts."""
    a = Parameter("a[0]")
    circuit = QuantumCircuit(2, 2, name="kept", global_phase=0.25, metadata={"what": [1.5]})
    circuit.rz(a + 0.5, 0)
    for length, unit in ((1.2345678e-7, "s"), (250, "dt"), (333.25, "ns"), (2.5, "us")):
        circuit.append(Delay(length, unit), [1])
    circuit.cz(0, 1)
    circuit.measure([0, 1], [1, 0])
    return CompiledTemplate(
        circuit=circuit,
        parameter_names=("b", "a[0]"),
        n_measured=2,
        physical_qubits=(2, 1),
        two_qubit_gates=1,
        two_qubit_depth=1,
        depth=3,
        duration_s=np.float64(1.5e-6),  # type: ignore[arg-type]
        seed=np.int64(7),  # type: ignore[arg-type]
        snapshot=line_device(3),
        predicted_success=0.75,
        scheduled=True,
    )


def test_every_field_comes_back_through_json() -> None:
    """Of all fields there are: one that is added and forgotten fails here."""
    kept = template()
    fields = dataclasses.fields(CompiledTemplate)
    defaults = {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}
    assert all(getattr(kept, name) != default for name, default in defaults.items())
    data, facts = pack(kept, dataclasses.replace(kept, depth=4))
    found, other = unpack(data, json.loads(json.dumps(facts)), kept.snapshot)
    assert other.depth == 4
    for field in fields:
        assert getattr(found, field.name) == getattr(kept, field.name), field.name
        assert type(getattr(found, field.name)) is not np.ndarray
    waits = [(i.operation.duration, i.operation.unit) for i in found.circuit.data[1:5]]
    assert waits == [(1.2345678e-7, "s"), (250, "dt"), (333.25, "ns"), (2.5, "us")]
    assert found.circuit.metadata == kept.circuit.metadata
    assert found.circuit.name == "kept"


def test_templates_of_the_first_version_open_and_give_the_same_numbers() -> None:
    """A circuit, a folded and a decoupled one, as ledgers hold them since 0.1.0."""
    document = json.loads(GOLDEN.read_text(encoding="utf-8"))
    facts = json.loads(document["facts"])
    more = facts.pop("more")
    assert [told.pop("row") for told in more] == [2, 4]
    snapshot = load_snapshot(document["device"])
    found = unpack(base64.b64decode(document["qpy"]), [facts, *more], snapshot)
    assert [one.scheduled for one in found] == [True] * 3
    backend, angles = AerBackend(snapshot), np.array(document["angles"])
    for one, delays, wanted in zip(
        found, document["delays"], document["probabilities"], strict=True
    ):
        assert one.circuit.count_ops().get("delay", 0) == delays
        assert np.allclose(backend.probabilities(one, angles), wanted, atol=1e-9)


def test_what_cannot_be_read_is_one_line() -> None:
    kept = template()
    data, (facts,) = pack(kept)
    missing = {name: value for name, value in facts.items() if name != "seed"}
    for wrong, words in (
        ({**facts, "format": 99}, "format 1 or 2, but is of 99"),
        (missing, "see seed"),
        ({**facts, "surprise": 1}, "see surprise"),
    ):
        with pytest.raises(StoredError, match=words):
            unpack(data, [wrong], kept.snapshot)
    with pytest.raises(StoredError, match="QPY cannot be read"):
        unpack(data[:40], [facts], kept.snapshot)
    with pytest.raises(StoredError, match="must hold 2 circuits, but holds 1"):
        unpack(data, [facts, facts], kept.snapshot)
