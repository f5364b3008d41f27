"""What is sent to Braket: OpenQASM 3 text of bound circuits, and the parameters of a task.

Only plain gates are written, never a control or power modifier: Braket's own binding drops those
(reference: regression tests in ``tests/vendors/braket``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from braket.device_schema import GateModelParameters
from braket.device_schema.error_mitigation.debias import Debias
from braket.device_schema.ionq import IonqDeviceParameters
from braket.device_schema.rigetti import RigettiDeviceParameters
from braket.device_schema.simulators import GateModelSimulatorDeviceParameters
from braket.ir.openqasm import Program, ProgramSet
from qiskit import QuantumCircuit

from backends.base import BackendError
from backends.braket.devices import BraketDevice
from backends.checks import measured_qubits

KEY_TAG = "qhw-key"
"""Tag that carries the unique key of a task."""
BRAKET_NAMES = {
    "r": "prx",
    "rx": "rx",
    "ry": "ry",
    "rz": "rz",
    "gpi": "gpi",
    "gpi2": "gpi2",
    "cz": "cz",
    "iswap": "iswap",
    "cp": "cphaseshift",
    "rzz": "zz",
    "rxx": "xx",
}
"""Braket's name of each Qiskit gate that is written; angles and their order are the same."""
_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True)
class Destination:
    """Where Braket writes results.

    Attributes:
        bucket: in S3, its name begins with ``amazon-braket-``.
        prefix: of every object, without slash at its end.
    """

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, text: str) -> Destination:
        """From ``s3://bucket/prefix`` or ``bucket/prefix``.

        Raises:
            BackendError: no bucket.
        """
        bucket, _, prefix = text.removeprefix("s3://").partition("/")
        if len(bucket) < 3:
            raise BackendError(
                f"Argument `destination` must be s3://bucket/prefix, but is {text!r}."
            )
        return cls(bucket, prefix.strip("/") or "qhw")


def openqasm(circuit: QuantumCircuit, labels: Sequence[int] | None) -> str:
    """OpenQASM 3 of a bound, measured circuit.

    Args:
        circuit: gates of :data:`BRAKET_NAMES`, then measurements.
        labels: the vendor's number of each circuit qubit, for native gates that run as they are
            (a verbatim box); ``None`` leaves the choice to Braket.

    Returns:
        Text whose bit 0 is the most significant measured wire, as Braket reads results.

    Raises:
        BackendError: a gate Braket has no name for, or a free parameter.
    """
    index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
    names = [f"${q}" for q in labels] if labels else [f"q[{i}]" for i in range(len(index))]
    body = []
    for item in circuit.data:
        name = item.operation.name
        if name in ("measure", "barrier"):  # a box is not reordered; measurements come last
            continue
        if name not in BRAKET_NAMES:
            raise BackendError(
                f"Argument `circuit` must hold only {', '.join(BRAKET_NAMES)}, but holds {name}."
            )
        try:
            angles = ", ".join(repr(float(angle)) for angle in item.operation.params)
        except TypeError as error:
            raise BackendError(f"Argument `circuit` must be bound, but {error}") from error
        places = ", ".join(names[index[q]] for q in item.qubits)
        body.append(f"{BRAKET_NAMES[name]}{f'({angles})' if angles else ''} {places};")
    measured = measured_qubits(circuit)
    head = ["OPENQASM 3.0;", f"bit[{len(measured)}] b;"]
    if labels:
        body = ["#pragma braket verbatim", "box{", *body, "}"]
    else:
        head.append(f"qubit[{len(index)}] q;")
    reads = [f"b[{bit}] = measure {names[q]};" for bit, q in enumerate(measured)]
    return "\n".join([*head, *body, *reads])


def task_parameters(
    sources: Sequence[str],
    shots: int,
    device: BraketDevice,
    key: str,
    destination: Destination,
    *,
    qubits: int,
    debias: bool = False,
) -> dict[str, Any]:
    """Parameters of CreateQuantumTask: one program, or a program set where there are several.

    Args:
        sources: OpenQASM of each row.
        shots: of each row.
        device: where.
        key: unique key, sent as client token and as tag.
        destination: of the results.
        qubits: number of qubits a program uses.
        debias: IonQ's debiasing.

    Raises:
        BackendError: a key that cannot be a client token.
    """
    if not _KEY.fullmatch(key):
        raise BackendError(
            f"Argument `key` must be 8 to 64 letters, digits, - or _, but is {key!r}."
        )
    programs = [Program(source=source) for source in sources]
    params: dict[str, Any] = {
        "clientToken": key,
        "deviceArn": device.arn,
        "shots": shots * len(programs),
        "outputS3Bucket": destination.bucket,
        "outputS3KeyPrefix": f"{destination.prefix}/{key}",
        "tags": {KEY_TAG: key},
    }
    if device.program_sets is not None:
        return params | {"action": ProgramSet(programs=programs).json(exclude_none=True)}
    if len(programs) != 1:
        raise BackendError(
            f"Argument `submission` must have one row on {device.name}, which has no program sets, "
            f"but has {len(programs)}."
        )
    return params | {
        "action": programs[0].json(exclude_none=True),
        "deviceParameters": _device_parameters(device, qubits, debias),
    }


def _device_parameters(device: BraketDevice, qubits: int, debias: bool) -> str:
    paradigm = GateModelParameters(qubitCount=qubits, disableQubitRewiring=device.verbatim)
    vendor = device.snapshot.vendor if device.snapshot else ""
    if vendor == "ionq":
        chosen: Any = IonqDeviceParameters(
            paradigmParameters=paradigm, errorMitigation=[Debias()] if debias else None
        )
    elif vendor == "rigetti":
        chosen = RigettiDeviceParameters(paradigmParameters=paradigm)
    else:
        chosen = GateModelSimulatorDeviceParameters(paradigmParameters=paradigm)
    return str(chosen.json(exclude_none=True))
