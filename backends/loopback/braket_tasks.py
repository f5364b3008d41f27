"""Tasks of the loopback Braket: a queue, one worker, results in S3, and an account to trust."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.braket.execute import (
    Executable,
    IllegalActionError,
    check,
    decode,
    run_native,
    run_simulator,
)
from backends.loopback.braket_devices import LoopbackDevice
from backends.loopback.queue import WorkQueue
from calibration.noise import NoiseOptions

FINAL = ("COMPLETED", "FAILED", "CANCELLED")
USD_PER_TASK = 0.30
_SIMULATOR_LEAST_S = 3.0
_USD_PER_SIMULATED_S = 0.075 / 60


@dataclass
class Task:
    """One accepted task; times are UTC, billed dollars 0 until it has run.

    ``measured`` is the truth about it where a QPU ran it: counts ``(2**bits,)`` of each executable,
    the bit measured first most significant.
    """

    arn: str
    number: int
    token: str
    body: dict[str, Any] = field(repr=False)
    created: datetime
    status: str = "QUEUED"
    reason: str = ""
    ended: datetime | None = None
    successful_shots: int | None = None
    billed_usd: float = 0.0
    measured: list[NDArray[np.int64]] = field(default_factory=list, repr=False)

    @property
    def tags(self) -> dict[str, str]:
        """Tags it was created with."""
        return dict(self.body.get("tags") or {})

    @property
    def folder(self) -> str:
        """Where its results lie in the bucket."""
        return f"{self.body['outputS3KeyPrefix']}/{self.arn.rpartition('/')[2]}"

    def summary(self) -> dict[str, Any]:
        """What SearchQuantumTasks says of it."""
        told = {
            "quantumTaskArn": self.arn,
            "status": self.status,
            "deviceArn": self.body["deviceArn"],
            "shots": self.body["shots"],
            "outputS3Bucket": self.body["outputS3Bucket"],
            "outputS3Directory": self.folder,
            "createdAt": _text(self.created),
            "tags": self.tags,
        }
        return told | ({"endedAt": _text(self.ended)} if self.ended else {})

    def document(self) -> dict[str, Any]:
        """What GetQuantumTask answers."""
        told = self.summary() | {"deviceParameters": self.body.get("deviceParameters", "{}")}
        if self.reason:
            told["failureReason"] = self.reason
        if self.status == "QUEUED":
            told["queueInfo"] = {"queue": "QUANTUM_TASKS_QUEUE", "position": "1"}
        if self.successful_shots is not None:
            told["numSuccessfulShots"] = self.successful_shots
        return told


@dataclass
class Behaviour:
    """How the service behaves where Amazon leaves it open, or where a device goes wrong.

    Attributes:
        dedupe: a client token seen before gives the task it made.
        spread: results of program sets lie in several files.
        probabilities: results are probabilities, as IonQ's are, not shots.
        failing_rows: executables of every program set that fail.
        failing_tasks: reason with which tasks fail; none by default.
        failing_numbers: which tasks fail, the first accepted is 0; all by default.
        hidden_s: seconds until a new task appears in a search.
    """

    dedupe: bool = True
    spread: bool = False
    probabilities: bool = False
    failing_rows: frozenset[int] = frozenset()
    failing_tasks: str = ""
    failing_numbers: frozenset[int] | None = None
    hidden_s: float = 0.0


class TaskQueue(WorkQueue[Task]):
    """Accepts tasks and runs them one after another.

    Args:
        devices: by ARN.
        noise: strength of the devices' noise, ``None`` for perfect devices.
        seed: of shots.
    """

    def __init__(
        self, devices: dict[str, LoopbackDevice], noise: NoiseOptions | None, seed: int
    ) -> None:
        self.behaviour = Behaviour()
        self.objects: dict[str, bytes] = {}
        self._devices = devices
        self._noise = noise
        self._seed = seed
        super().__init__("QUEUED", FINAL)

    # -- what a vendor's account shows -----------------------------------------------------------
    @property
    def tasks(self) -> tuple[Task, ...]:
        """Every task ever accepted, oldest first."""
        return self._all()

    @property
    def billed_usd(self) -> float:
        """Dollars billed, all tasks together."""
        return sum(task.billed_usd for task in self.tasks)

    def tagged(self, key: str, value: str) -> tuple[Task, ...]:
        """Tasks with a tag, oldest first."""
        return tuple(task for task in self.tasks if task.tags.get(key) == value)

    # -- what the API does -----------------------------------------------------------------------
    def accept(self, body: dict[str, Any]) -> Task:
        """Put a task into the queue, or return the one its client token has made."""
        with self._changed:
            token = str(body["clientToken"])
            if self.behaviour.dedupe:
                for known in self._items.values():
                    if known.token == token:
                        return known
            region = str(body["deviceArn"]).split(":")[3] or "us-east-1"
            arn = f"arn:aws:braket:{region}:000000000000:quantum-task/{uuid.uuid4()}"
            task = Task(arn, len(self._items), token, body, datetime.now(UTC))
            self._items[arn] = task
            self._changed.notify_all()
            return task

    def cancel(self, task: Task) -> bool:
        """Cancel unless it is final."""
        with self._changed:
            if task.status in FINAL:
                return False
            task.status, task.ended, task.successful_shots = "CANCELLED", datetime.now(UTC), 0
            self._changed.notify_all()
            return True

    # -- the device ------------------------------------------------------------------------------
    def _begin(self, task: Task) -> None:
        task.status = "RUNNING"

    def _run(self, task: Task) -> None:
        device = self._devices[task.body["deviceArn"]]
        try:
            reason, numbers = self.behaviour.failing_tasks, self.behaviour.failing_numbers
            if reason and (numbers is None or task.number in numbers):
                raise IllegalActionError(reason)
            executables, is_set = decode(task.body["action"])
            shots = int(task.body["shots"]) // len(executables)
            entries = self._entries(task, device, executables, shots)
        except IllegalActionError as error:
            self._finish(task, "FAILED", str(error), 0, 0.0)
            return
        failed = self.behaviour.failing_rows & set(range(len(entries))) if is_set else frozenset()
        writer = _Writer(task, shots, self.behaviour, executables)
        files = writer.program_set(entries, failed) if is_set else writer.program(entries[0])
        good = (len(entries) - len(failed)) * shots
        usd = USD_PER_TASK + good * device.usd_per_shot
        if device.simulator:
            usd = _SIMULATOR_LEAST_S * _USD_PER_SIMULATED_S
        self._finish(task, "COMPLETED", "", good, usd, files)

    def _entries(
        self, task: Task, device: LoopbackDevice, executables: tuple[Executable, ...], shots: int
    ) -> list[dict[str, Any]]:
        if device.snapshot is None:
            kind = device.name
            return [run_simulator(executable, shots, kind) for executable in executables]
        check(executables, device.snapshot)
        seed = self._seed + task.number
        bits = run_native(executables, device.snapshot, shots, seed, self._noise)
        task.measured = [_outcomes(found) for found in bits]
        return [
            _entry(found, executable.measured, self.behaviour.probabilities)
            for found, executable in zip(bits, executables, strict=True)
        ]

    def _finish(
        self,
        task: Task,
        status: str,
        reason: str,
        shots: int,
        usd: float,
        files: dict[str, bytes] | None = None,
    ) -> None:
        with self._changed:
            # Cancelled while running: the shots are spent all the same.
            task.billed_usd, task.successful_shots = usd, shots
            if task.status == "CANCELLED":
                return
            self.objects |= files or {}
            task.reason, task.ended, task.status = reason, datetime.now(UTC), status


@dataclass(frozen=True)
class _Writer:
    """Result files of a task in Amazon's schemas, by bucket and key."""

    task: Task
    shots: int
    behaviour: Behaviour
    executables: tuple[Executable, ...]

    def program(self, entry: dict[str, Any]) -> dict[str, bytes]:
        simulated = "quantum-simulator" in self.task.body["deviceArn"]
        extra = {"simulatorMetadata": {**_header("simulator_metadata"), "executionDuration": 7}}
        document = {
            **_header("gate_model_task_result"),
            **entry,
            "taskMetadata": {
                **_header("task_metadata"),
                "id": self.task.arn,
                "shots": self.shots,
                "deviceId": self.task.body["deviceArn"],
            },
            "additionalMetadata": {
                "action": json.loads(self.task.body["action"]),
                **(extra if simulated else {}),
            },
        }
        return {self._key("results.json"): json.dumps(document).encode()}

    def program_set(
        self, entries: list[dict[str, Any]], failed: frozenset[int] | set[int]
    ) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        programs: list[Any] = []
        for row, entry in enumerate(entries):
            result = self._executable(row, entry, failed)
            source = {
                **_header("program", "ir.openqasm"),
                "source": self.executables[row].source,
            }
            program = {**_header("program_result"), "additionalMetadata": {}}
            if self.behaviour.spread:
                home = f"programs/{row}"
                files[self._key(f"{home}/executables/0.json")] = json.dumps(result).encode()
                files[self._key(f"{home}/program.json")] = json.dumps(source).encode()
                program |= {
                    "executableResults": ["executables/0.json"],
                    "source": "program.json",
                }
                files[self._key(f"{home}/results.json")] = json.dumps(program).encode()
                programs.append(f"{home}/results.json")
            else:
                programs.append({**program, "executableResults": [result], "source": source})
        document = {
            **_header("program_set_task_result"),
            "programResults": programs,
            "taskMetadata": self._metadata(len(entries), failed),
        }
        if self.behaviour.spread:
            files[self._key("metadata.json")] = json.dumps(document["taskMetadata"]).encode()
            document["taskMetadata"] = "metadata.json"
            document["s3Location"] = [self.task.body["outputS3Bucket"], self.task.folder]
        files[self._key("results.json")] = json.dumps(document).encode()
        return files

    def _executable(
        self, row: int, entry: dict[str, Any], failed: frozenset[int] | set[int]
    ) -> dict[str, Any]:
        if row not in failed:
            return {**_header("program_set_executable_result"), "inputsIndex": 0, **entry}
        return {
            **_header("program_set_executable_failure"),
            "inputsIndex": 0,
            "failureMetadata": {
                "failureReason": f"executable {row} could not be run",
                "retryable": True,
                "category": "DEVICE",
            },
        }

    def _metadata(self, rows: int, failed: frozenset[int] | set[int]) -> dict[str, Any]:
        return {
            **_header("program_set_task_metadata"),
            "id": self.task.arn,
            "deviceId": self.task.body["deviceArn"],
            "requestedShots": self.shots * rows,
            "successfulShots": self.shots * (rows - len(failed)),
            "programMetadata": [{"executables": [{}]} for _ in range(rows)],
            "totalFailedExecutables": len(failed),
        }

    def _key(self, name: str) -> str:
        return f"{self.task.body['outputS3Bucket']}/{self.task.folder}/{name}"


def _outcomes(bits: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each outcome came, the bit measured first most significant."""
    width = bits.shape[1]
    return np.bincount(bits @ (1 << np.arange(width)[::-1]), minlength=1 << width)


def _entry(
    bits: NDArray[np.int64], measured: tuple[int, ...], probabilities: bool
) -> dict[str, Any]:
    told: dict[str, Any] = {"measuredQubits": list(measured)}
    if not probabilities:
        return told | {"measurements": bits.tolist()}
    patterns, counts = np.unique(bits, axis=0, return_counts=True)
    shares = (counts / len(bits)).tolist()
    texts = ["".join(map(str, pattern)) for pattern in patterns]
    return told | {"measurementProbabilities": dict(zip(texts, shares, strict=True))}


def _header(name: str, family: str = "task_result") -> dict[str, Any]:
    return {"braketSchemaHeader": {"name": f"braket.{family}.{name}", "version": "1"}}


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
