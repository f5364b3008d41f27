"""Everything a Braket device would refuse, found before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from qiskit import QuantumCircuit

from backends.base import BackendError
from backends.braket.devices import BraketDevice
from backends.checks import check_angles, check_shots
from backends.vendor import Submission
from calibration.snapshot import DeviceSnapshot


def check_limits(submission: Submission, device: BraketDevice, *, debias: bool = False) -> None:
    """Check rows, shots and width against the device's limits.

    Raises:
        BackendError: the first that is passed, or a template of another device.
    """
    made_for = submission.compiled.snapshot.name if submission.compiled.snapshot else "a simulator"
    if made_for != (device.name if device.verbatim else "a simulator"):
        raise BackendError(
            f"Argument `submission` must be compiled for {device.name}, but is for {made_for}."
        )
    rows = len(check_angles(submission.compiled, submission.angles))
    shots = submission.shots
    check_task_shots(shots, device, debias=debias)
    if not rows:
        raise BackendError("Argument `angles` must have at least one row, but has none.")
    width = submission.compiled.circuit.num_qubits
    if width > device.qubits:
        raise BackendError(
            f"Argument `submission` must use at most {device.qubits} qubits on {device.name}, but "
            f"uses {width}."
        )
    allowed = rows_a_task(device, shots)
    if rows > allowed:
        raise BackendError(
            f"Argument `angles` must have at most {allowed} rows a task of {shots} shots on "
            f"{device.name}, but has {rows}; `split` cuts it."
        )


def check_task_shots(shots: int, device: BraketDevice, *, debias: bool) -> None:
    """Check the shots of a circuit, and that debiasing is possible where it is asked for.

    Raises:
        BackendError: the device does not take them, or offers no debiasing.
    """
    least, most = device.shots
    check_shots(shots, least=least, most=most)
    if debias and device.debias_shots is None:
        raise BackendError(
            f"Argument `debias` must be off on {device.name}, which does not offer it."
        )
    if debias and shots < (device.debias_shots or 0):
        raise BackendError(
            f"Argument `shots` must be at least {device.debias_shots} with debiasing on "
            f"{device.name}, but is {shots}."
        )


def check_early(shots: int, device: BraketDevice, *, whole: bool, debias: bool = False) -> None:
    """Check shots of a row, see :class:`backends.vendor.ChecksEarly`.

    Raises:
        BackendError: as :func:`check_task_shots`.
    """
    _, most = device.shots
    check_task_shots(shots if whole else min(shots, most), device, debias=debias)


def rows_a_task(device: BraketDevice, shots: int) -> int:
    """Rows that one task takes.

    Raises:
        BackendError: a single row has more shots than a whole program set may.
    """
    limits = device.program_sets
    if limits is None:
        return 1
    if limits.total_shots is not None and shots > limits.total_shots:
        raise BackendError(
            f"Argument `shots` must be at most {limits.total_shots} a program set on "
            f"{device.name}, but is {shots}."
        )
    by_shots = (limits.total_shots // shots) if limits.total_shots is not None else None
    named = [n for n in (limits.executables, by_shots) if n is not None]
    return max(1, min(named)) if named else 100


def check_device(device: BraketDevice, now: datetime, *, queue_when_closed: bool) -> None:
    """Check that the device takes tasks, and that it executes now.

    Args:
        device: as just described by Amazon.
        now: UTC.
        queue_when_closed: let tasks wait for the next opening.

    Raises:
        BackendError: offline, retired, or closed.
    """
    if device.status != "ONLINE":
        raise BackendError(
            f"Argument `device` must be ONLINE, but {device.name} is {device.status}."
        )
    if not queue_when_closed and not device.is_open(now):
        opens = device.next_opening(now)
        when = f"it opens {opens:%A %Y-%m-%d %H:%M} UTC" if opens else "no opening is announced"
        raise BackendError(
            f"Argument `device` must be open, but {device.name} is closed at {now:%A %H:%M} UTC; "
            f"{when}."
        )


def check_native(
    circuits: Iterable[QuantumCircuit], snapshot: DeviceSnapshot, qubits: tuple[int, ...]
) -> None:
    """Check every gate of native circuits against a device as it is now.

    Args:
        circuits: native gates on circuit qubits.
        snapshot: the device.
        qubits: device qubit of each circuit qubit.

    Raises:
        BackendError: a gate where there is none, or an angle that is not accepted.
    """
    for row, circuit in enumerate(circuits):
        index = dict(zip(circuit.qubits, qubits, strict=True))
        for item in circuit.data:
            name = item.operation.name
            if name in ("measure", "barrier"):
                continue
            places = tuple(index[q] for q in item.qubits)
            gate = snapshot.gate(name, places) if max(places) < snapshot.n_qubits else None
            if gate is None or not gate.usable:
                labels = [snapshot.labels[q] for q in places if q < snapshot.n_qubits]
                raise BackendError(
                    f"Row {row}: {snapshot.name} has no usable {name} on qubits {labels} now; "
                    f"compile again."
                )
            limit = snapshot.limit(name)
            if limit is not None and not limit.permits(float(item.operation.params[0])):
                raise BackendError(
                    f"Row {row}: {snapshot.name} does not take {name} by "
                    f"{float(item.operation.params[0]):.6g} rad."
                )
