"""``braket:<device>``: Amazon Braket's QPUs and simulators, in native gates through one client.

A task is one row of angles, or a program set of rows where the device takes those. Angles are
bound in Qiskit, rows are written in native gates by the house's compiler, and sent verbatim.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from qiskit import QuantumCircuit

from backends.answer_values import moment, place, shown, task_arn
from backends.base import CompiledTemplate, CostEstimate
from backends.bounded_http import MOST_PAGES
from backends.braket.checks import (
    check_device,
    check_early,
    check_limits,
    check_native,
    rows_a_task,
)
from backends.braket.client import BraketClient, BraketRefusal
from backends.braket.compile import compile_for, labels_of, rows_of, wires_of
from backends.braket.cost import Rate, simulation_seconds
from backends.braket.devices import BraketDevice, arn_of, name_of, read_device, region_of_arn
from backends.braket.program import KEY_TAG, Destination, openqasm, task_parameters
from backends.braket.results import Asked, read_rows, simulated_seconds
from backends.checks import check_angles
from backends.outcomes import none_seen
from backends.prices import PriceEntry
from backends.vendor import (
    JobCounts,
    JobHandle,
    JobState,
    JobStatus,
    Submission,
    SubmissionRefused,
    SubmissionUncertain,
    UnknownJob,
    Usage,
    VendorError,
    VendorUnavailable,
)
from backends.vendor_text import clean_text
from calibration.snapshot import DeviceSnapshot

DESTINATION = "QHW_BRAKET_S3"
"""Environment variable naming where results go, ``s3://amazon-braket-.../prefix``."""
_STATES = {
    "CREATED": JobState.QUEUED,
    "QUEUED": JobState.QUEUED,
    "RUNNING": JobState.RUNNING,
    "CANCELLING": JobState.RUNNING,
    "COMPLETED": JobState.DONE,
    "FAILED": JobState.FAILED,
    "CANCELLED": JobState.CANCELLED,
}
_DENSITY = "dm1"
_FRESH = timedelta(seconds=30)
_CLOCK_SKEW = timedelta(minutes=15)
_PAGE = 100


class UnknownTask(BraketRefusal, UnknownJob):
    """Amazon has no task of that ARN."""


class BraketBackend:
    """One Braket device. Nothing is asked of the network before it is needed.

    Args:
        device: house name such as ``iqm_garnet``, ``sv1``, or an ARN.
        client: connection; one with the credentials of Amazon's own chain by default.
        destination: where results go; by default what ``QHW_BRAKET_S3`` names, else the bucket
            Braket itself uses for the account.
        debias: IonQ's debiasing.
        queue_when_closed: let tasks wait for the device's next opening; refused by default.
        price: by default that of the price table, the shot's as Amazon publishes it.
        clock: the present moment, UTC.
    """

    joins_templates: Literal[True] = True

    def __init__(
        self,
        device: str,
        *,
        client: BraketClient | None = None,
        destination: str | None = None,
        debias: bool = False,
        queue_when_closed: bool = False,
        price: PriceEntry | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._arn = arn_of(device)
        self._device_name = name_of(device)
        self._client = client or BraketClient(region_of_arn(self._arn))
        asked = destination or os.environ.get(DESTINATION)
        self._destination = Destination.parse(asked) if asked else None
        self._debias = debias
        self._queue_when_closed = queue_when_closed
        self._price = price
        self._clock = clock
        self._known: BraketDevice | None = None
        self._written: tuple[Submission, list[QuantumCircuit]] | None = None

    @property
    def name(self) -> str:
        """``braket:`` and the device's name, ``+debias`` where that was asked for."""
        return f"braket:{self._device_name}{'+debias' if self._debias else ''}"

    @property
    def snapshot(self) -> DeviceSnapshot | None:
        """The device's calibration when it was last asked for; ``None`` for a simulator.

        Raises:
            VendorError: as :meth:`BraketClient.ask`.
        """
        return (self._known or self.device()).snapshot

    @property
    def rehearsal(self) -> bool:
        """Whether Braket is simulated on this machine; raises as :attr:`BraketClient.local`."""
        return self._client.local

    @property
    def vendor_mitigation(self) -> str | None:
        """IonQ's debiasing, where it is on."""
        return "IonQ debiasing" if self._debias else None

    def device(self) -> BraketDevice:
        """The device as Amazon describes it now, at most half a minute old.

        Raises:
            VendorError: as :meth:`BraketClient.ask`.
        """
        now = self._clock()
        if self._known is None or now - self._known.read > _FRESH:
            needs = ("deviceArn", "deviceStatus", "deviceCapabilities")
            answer = self._client.ask(
                f"description of {self.name}", "get_device", needs, deviceArn=self._arn
            )
            try:
                self._known = read_device(self._device_name, answer, now)
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
                raise VendorError(
                    f"Braket's description of {self.name} is malformed: {error!r}"
                ) from error
        return self._known

    # -- before anything is sent -----------------------------------------------------------------
    def check_early(self, shots: int, *, whole: bool) -> None:
        """Refuse a device that takes no tasks now, and shots that it does not take.

        Raises:
            BackendError: the device is offline or closed, or has other limits.
            VendorError: as :meth:`BraketClient.ask`.
        """
        device = self.device()
        check_early(shots, device, whole=whole, debias=self._debias)
        check_device(device, self._clock(), queue_when_closed=self._queue_when_closed)

    def compile(self, circuit: QuantumCircuit, *, seed: int = 0) -> CompiledTemplate:
        """Place and route; a simulator gets the circuit in rotations and CZ.

        The template's circuit is in canonical gates: each row's native pulses depend on its
        numbers and are written when it is bound, without moving anything.

        Raises:
            BackendError: the circuit does not fit the device.
        """
        return compile_for(circuit, self.snapshot, seed=seed)

    def split(self, submission: Submission) -> tuple[Submission, ...]:
        """As few program sets as the device's limits allow, or one task a row.

        Raises:
            BackendError: angles of the wrong shape, or more shots than a task takes.
        """
        rows = len(check_angles(submission.compiled, submission.angles))
        size = rows_a_task(self._known or self.device(), submission.shots)
        return tuple(submission.rows(i, min(i + size, rows)) for i in range(0, rows, size))

    def validate(self, submission: Submission) -> None:
        """Check limits, opening hours, and every gate and angle of every row.

        Raises:
            BackendError: the first thing the device would refuse.
        """
        device = self.device()
        check_limits(submission, device, debias=self._debias)
        check_device(device, self._clock(), queue_when_closed=self._queue_when_closed)
        if device.snapshot is not None:
            qubits = submission.compiled.physical_qubits
            check_native(self._rows(submission), device.snapshot, qubits)

    def payload(self, submission: Submission, key: str) -> bytes:
        """The parameters of CreateQuantumTask as JSON; Amazon's client posts them unchanged."""
        return json.dumps(self._parameters(submission, key), indent=1).encode()

    def estimate(self, submission: Submission) -> CostEstimate:
        """Fee of each task and price of each shot; a simulator's time of each task.

        Raises:
            PriceError: the device's price is not known.
        """
        tasks = len(self.split(submission))
        circuit = submission.compiled.circuit
        task_s = simulation_seconds(
            circuit.size(),
            circuit.num_qubits,
            submission.shots,
            density=self._device_name == _DENSITY,
        )
        return self._rate().estimate(tasks, len(submission.angles), submission.shots, task_s=task_s)

    # -- jobs ------------------------------------------------------------------------------------
    def submit(self, submission: Submission, key: str) -> JobHandle:
        """Create the task, the key as its client token and tag.

        Raises:
            SubmissionRefused: certainly not accepted.
            SubmissionUncertain: may have been accepted.
        """
        try:
            params = self._parameters(submission, key)
        except VendorError as error:
            raise SubmissionRefused(f"Not sent: {error}") from error
        try:
            arn = task_arn(self._client.order(params))
        except ValueError as error:
            raise SubmissionUncertain(f"Braket may have the task: {error}.") from error
        return JobHandle(self.name, arn, key, self._clock())

    def find(self, key: str, since: datetime) -> tuple[JobHandle, ...]:
        """Every task of the device, from a quarter of an hour before ``since``, with the key's tag.

        Raises:
            VendorUnavailable: nothing is known.
        """
        begin = (since.astimezone(UTC) - _CLOCK_SKEW).isoformat(timespec="seconds")
        filters = [
            {"name": "deviceArn", "operator": "EQUAL", "values": [self._arn]},
            {"name": "createdAt", "operator": "GTE", "values": [begin.replace("+00:00", "Z")]},
        ]
        found: dict[str, JobHandle] = {}
        page: dict[str, Any] = {}
        for _ in range(MOST_PAGES):
            answer = self._client.ask(
                f"tasks of {key}",
                "search_quantum_tasks",
                ("quantumTasks",),
                filters=filters,
                maxResults=_PAGE,
                **page,
            )
            for task in answer["quantumTasks"]:
                if _key_of(task) == key:
                    handle = self._handle(task, key)
                    found[handle.vendor_id] = handle
            token = answer.get("nextToken")
            if not token:
                return tuple(sorted(found.values(), key=lambda handle: handle.created))
            if page.get("nextToken") == token:
                break
            page = {"nextToken": token}
        raise VendorUnavailable(
            f"Braket's list of the tasks of {self.name} does not end: at most {MOST_PAGES} pages "
            "are read."
        )

    def status(self, handle: JobHandle) -> JobStatus:
        """State of a task.

        Raises:
            UnknownJob: there is none of that ARN, or it is not the one with the handle's key.
        """
        return _status(self._task(handle))

    def fetch(self, handle: JobHandle, submission: Submission) -> JobCounts:
        """Counts of a finished task; rows that failed, or all of a failed task, with its text.

        Raises:
            VendorUnavailable: not finished, results not there yet, or no proper answer.
            VendorError: results that do not belong to the submission.
        """
        task = self._task(handle)
        status = _status(task)
        if not status.state.final:
            raise VendorUnavailable(
                f"Task {handle.vendor_id} is not finished: {status.vendor_text}"
            )
        rows, shots = len(submission.angles), submission.shots
        if task.get("shots") != rows * shots or isinstance(task.get("shots"), bool):
            raise VendorError(
                f"Task {handle.vendor_id} must have {rows * shots} shots, but has "
                f"{shown(task.get('shots'))}."
            )
        finished = self._ended(task)
        bucket, folder = task["outputS3Bucket"], task["outputS3Directory"]
        wires = wires_of(submission.compiled)
        asked = Asked(rows, shots, wires, handle.vendor_id, self._arn)
        try:
            found = read_rows(bucket, f"{folder}/results.json", self._client.read_document, asked)
        except BraketRefusal as error:
            if status.state is JobState.DONE:
                raise VendorUnavailable(
                    f"Task {handle.vendor_id} is complete, but: {error}"
                ) from error
            none, outcomes = none_seen(rows, submission.compiled.n_measured)
            errors = dict.fromkeys(range(rows), status.vendor_text)
            return JobCounts(none, errors, b"", finished, outcomes=outcomes)
        return JobCounts(found.counts, found.errors, found.raw, finished, outcomes=found.outcomes)

    def cancel(self, handle: JobHandle) -> JobStatus:
        """Ask for cancellation; a task already final is no error."""
        try:
            self._client.ask(
                f"cancellation of {handle.vendor_id}",
                "cancel_quantum_task",
                quantumTaskArn=handle.vendor_id,
                clientToken=f"cancel-{handle.vendor_id.rpartition('/')[2]}"[:64],
            )
        except BraketRefusal as error:
            if error.status != 409:
                raise
        return self.status(handle)

    def usage(self, handle: JobHandle) -> Usage:
        """Cost from the shots Amazon says succeeded, or from a simulator's own seconds."""
        task = self._task(handle)
        status = _status(task)
        if not status.state.final:
            return Usage(None, None, "not finished")
        rate = self._rate()
        if not rate.by_time:
            return rate.of_shots(task, status.state)
        if status.state is not JobState.DONE:
            return Usage(0.0, 0.0, "a simulation that did not complete is taken as free")
        key = f"{task['outputS3Directory']}/results.json"
        _, document = self._client.read_document(task["outputS3Bucket"], key)
        try:
            seconds = simulated_seconds(document)
        except (ValueError, AttributeError) as error:
            words = "the result's execution time"
            return Usage(None, None, f"{words} is not believed", f"{words}: {error}")
        return rate.of_seconds(seconds)

    # -- parts -----------------------------------------------------------------------------------
    def _handle(self, task: dict[str, Any], key: str) -> JobHandle:
        try:
            arn = task_arn(task.get("quantumTaskArn"))
            created = moment(task.get("createdAt"), "createdAt")
        except ValueError as error:
            raise VendorUnavailable(
                f"Braket lists a task of {key} without its ARN or time: {error}"
            ) from error
        return JobHandle(self.name, arn, key, created)

    def _task(self, handle: JobHandle) -> dict[str, Any]:
        """Amazon's record of a task, once it is sure to be the task's own.

        Raises:
            UnknownJob: there is none, or it is not the one with the handle's key.
            VendorUnavailable: no proper answer.
        """
        needs = ("quantumTaskArn", "status", "outputS3Bucket", "outputS3Directory")
        try:
            task = self._client.ask(
                f"state of {handle.vendor_id}",
                "get_quantum_task",
                needs,
                quantumTaskArn=handle.vendor_id,
            )
        except BraketRefusal as error:
            if error.status != 404:
                raise
            raise UnknownTask(str(error), error.status, error.code) from error
        if task["quantumTaskArn"] != handle.vendor_id:
            raise VendorUnavailable(
                f"Braket was asked for task {handle.vendor_id}, but answers with "
                f"{shown(task['quantumTaskArn'])}."
            )
        self._check_whose(task, handle)
        texts = (task["status"], task["outputS3Bucket"], task["outputS3Directory"])
        if not all(isinstance(text, str) for text in texts):
            raise VendorUnavailable(f"Braket's record of {handle.vendor_id} is malformed.")
        if task["status"] not in _STATES:
            raise VendorUnavailable(f"Braket names an unknown state: {shown(task['status'])}.")
        return task

    def _check_whose(self, task: dict[str, Any], handle: JobHandle) -> None:
        """Compare key and device of a task with what was ordered."""
        told = _key_of(task)
        if told is None:  # tags can be taken off a task, its folder cannot be changed
            folders = str(task["outputS3Directory"]).split("/")
            told = handle.key if handle.key in folders else None
        if told != handle.key:
            raise UnknownJob(
                f"Braket's task {handle.vendor_id} must carry the key {handle.key}, but carries "
                f"{shown(told)}: it is not this job."
            )
        if task.get("deviceArn", self._arn) != self._arn:
            raise UnknownJob(
                f"Braket's task {handle.vendor_id} must be of {self._arn}, but is of "
                f"{shown(task['deviceArn'])}."
            )

    def _ended(self, task: dict[str, Any]) -> datetime:
        """When a task ended; now, where Amazon's own time cannot be."""
        try:
            return moment(task.get("endedAt"), "endedAt")
        except ValueError:
            return self._clock()

    def _rate(self) -> Rate:
        if self._price is not None:
            rate = Rate(self._price.usd_per_shot, self._price)
        else:
            rate = Rate.of(self.name, (self._known or self.device()).usd_per_shot)
        return replace(rate, rehearsal=self.rehearsal)

    def _parameters(self, submission: Submission, key: str) -> dict[str, Any]:
        device = self._known or self.device()
        check_limits(submission, device, debias=self._debias)
        labels = labels_of(submission.compiled)
        return task_parameters(
            [openqasm(circuit, labels) for circuit in self._rows(submission)],
            submission.shots,
            device,
            key,
            self._where(),
            qubits=submission.compiled.circuit.num_qubits,
            debias=self._debias,
        )

    def _rows(self, submission: Submission) -> list[QuantumCircuit]:
        """Bound circuits of a submission; those of the last one are kept."""
        if self._written is None or self._written[0] is not submission:
            parts = submission.parts()
            circuits = [c for part in parts for c in rows_of(part.compiled, part.angles)]
            self._written = (submission, circuits)
        return self._written[1]

    def _where(self) -> Destination:
        if self._destination is None:
            account = self._client.account()
            self._destination = Destination(f"amazon-braket-{self._client.region}-{account}", "qhw")
        return self._destination


def _status(task: dict[str, Any]) -> JobStatus:
    state = _STATES[task["status"]]
    reason = task.get("failureReason")
    text = f"{task['status']}: {clean_text(reason)}" if reason else str(task["status"])
    queue = task.get("queueInfo")
    return JobStatus(state, text, place(queue.get("position")) if isinstance(queue, dict) else None)


def _key_of(task: dict[str, Any]) -> object:
    """The key that a task carries as its tag, ``None`` for none."""
    tags = task.get("tags")
    return tags.get(KEY_TAG) if isinstance(tags, dict) else None
