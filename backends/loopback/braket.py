"""Amazon Braket, S3 and STS on this machine, for the real client.

boto3 is sent here by ``AWS_ENDPOINT_URL_*``; :meth:`BraketService.environment` gives every
variable. The shapes of answers are those of Amazon's published service model; how the service
behaves where that is silent (client tokens, searches) is assumed, and can be changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from backends.loopback.braket_devices import LoopbackDevice
from backends.loopback.braket_tasks import Task, TaskQueue
from backends.loopback.messages import Request, Response
from calibration.noise import NoiseOptions

ACCESS_KEY = "AKIALOOPBACK00000000"  # these open nothing but this server
SECRET_KEY = "loopback-secret-0123456789-abcdefghijklmn"
SESSION_TOKEN = "loopback-session-token-0123456789"
BUCKET = "amazon-braket-loopback"
ACCOUNT = "000000000000"
_PAGE = 100

Handler = Callable[[Request, str], Response]


class BraketService:
    """The application that a :class:`~backends.loopback.server.LoopbackServer` serves.

    Args:
        devices: house names of the devices offered.
        noise: strength of their noise; ``None`` for perfect devices.
        seed: of shots.
        windows: opening hours of every device as Amazon writes them; always open by default.
    """

    def __init__(
        self,
        devices: Sequence[str] = ("iqm_garnet",),
        *,
        noise: NoiseOptions | None = None,
        seed: int = 0,
        windows: list[dict[str, str]] | None = None,
    ) -> None:
        self.devices = {name: LoopbackDevice(name, windows) for name in devices}
        by_arn = {device.arn: device for device in self.devices.values()}
        self.queue = TaskQueue(by_arn, noise, seed)
        self.page_size = _PAGE
        self.expired = False
        self._by_arn = by_arn
        self._reported: list[str] = []
        self._routes: tuple[tuple[str, str, Handler], ...] = (
            ("GET", r"/device/(.+)", self._device),
            ("POST", r"/devices", self._search_devices),
            ("POST", r"/quantum-task", self._create),
            ("PUT", r"/quantum-task/(.+)/cancel", self._cancel),
            ("GET", r"/quantum-task/(.+)", self._task),
            ("POST", r"/quantum-tasks", self._search),
            ("POST", r"/", self._identity),
            ("GET", r"/(.+)", self._object),
            ("PUT", r"/(.+)", self._store),
        )

    @staticmethod
    def environment(url: str) -> dict[str, str]:
        """Variables that send Amazon's own client, and ours, to a server at ``url``."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_SESSION_TOKEN": SESSION_TOKEN,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_BRAKET": url,
            "AWS_ENDPOINT_URL_S3": url,
            "AWS_ENDPOINT_URL_STS": url,
            "BRAKET_ENDPOINT": url,
            "QHW_BRAKET_S3": f"s3://{BUCKET}/qhw",
        }

    @property
    def vendor(self) -> str:
        """Name of the vendor in registry names."""
        return "braket"

    @property
    def endpoints(self) -> dict[str, tuple[str, str]]:
        """HTTP method and path of each kind of request."""
        task = "/quantum-task/.+"
        return {
            "login": ("POST", "/"),
            "device": ("GET", "/device/.+"),
            "post": ("POST", "/quantum-task"),
            "find": ("POST", "/quantum-tasks"),
            "job": ("GET", task),
            "results": ("GET", f"/{BUCKET}/.+"),
            "usage": ("GET", task),
            "cancel": ("PUT", f"{task}/cancel"),
            "any": ("*", ".*"),
        }

    @property
    def job_ids(self) -> tuple[str, ...]:
        """ARNs of every task accepted so far, oldest first."""
        return tuple(task.arn for task in self.queue.tasks)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The credentials that open this service."""
        return (ACCESS_KEY, SECRET_KEY, SESSION_TOKEN)

    def refusal(self, status: int, message: str) -> Response:
        """An error in Amazon's form."""
        code = "ResourceNotFoundException" if status == 404 else "ValidationException"
        return _error(status, code, message)

    def report_states(self, *states: str) -> None:
        """Answer the next questions for a task with these states, whatever it is in."""
        self._reported.extend(states)

    def handle(self, request: Request) -> Response:
        """Carry a request out."""
        path = unquote(request.path)
        if f"Credential={ACCESS_KEY}/" not in request.headers.get("authorization", ""):
            return _error(403, "UnrecognizedClientException", "The security token is invalid.")
        if self.expired:
            return _error(403, "ExpiredTokenException", "The security token is expired.")
        for method, pattern, handler in self._routes:
            found = re.fullmatch(pattern, path)
            if method == request.method and found:
                return handler(request, found[1] if found.groups() else "")
        return _error(404, "ResourceNotFoundException", f"no {request.method} {path}")

    # -- devices ---------------------------------------------------------------------------------
    def _device(self, request: Request, arn: str) -> Response:
        del request
        device = self._by_arn.get(arn)
        if device is None:
            return _error(404, "ResourceNotFoundException", f"device {arn} not found")
        return Response.json(device.description())

    def _search_devices(self, request: Request, _: str) -> Response:
        del request
        keys = ("deviceArn", "deviceName", "providerName", "deviceType", "deviceStatus")
        described = [device.description() for device in self.devices.values()]
        return Response.json({"devices": [{key: d[key] for key in keys} for d in described]})

    # -- tasks -----------------------------------------------------------------------------------
    def _create(self, request: Request, _: str) -> Response:
        body = json.loads(request.body)
        device = self._by_arn.get(body.get("deviceArn", ""))
        if device is None:
            return _error(400, "ValidationException", "unknown device")
        if device.status != "ONLINE":
            return _error(424, "DeviceOfflineException", f"{device.name} is {device.status}")
        refusal = _refusal(body, device)
        if refusal:
            return _error(400, "ValidationException", refusal)
        task = self.queue.accept(body)
        return Response.json({"quantumTaskArn": task.arn}, status=201)

    def _task(self, request: Request, arn: str) -> Response:
        del request
        task = self.queue.get(arn)
        if task is None:
            return _error(404, "ResourceNotFoundException", f"task {arn} not found")
        told = task.document()
        if self._reported:
            told["status"] = self._reported.pop(0)
        return Response.json(told)

    def _cancel(self, request: Request, arn: str) -> Response:
        del request
        task = self.queue.get(arn)
        if task is None:
            return _error(404, "ResourceNotFoundException", f"task {arn} not found")
        if not self.queue.cancel(task):
            return _error(409, "ConflictException", f"task is {task.status}")
        return Response.json({"quantumTaskArn": arn, "cancellationStatus": "CANCELLING"})

    def _search(self, request: Request, _: str) -> Response:
        body = json.loads(request.body)
        seen = datetime.now(UTC) - timedelta(seconds=self.queue.behaviour.hidden_s)
        tasks = [
            task
            for task in self.queue.tasks
            if task.created <= seen and all(_passes(task, f) for f in body["filters"])
        ]
        token = str(body.get("nextToken") or 0)
        if not token.isdecimal():
            return _error(400, "ValidationException", "nextToken is none of ours")
        start = int(token)
        size = min(int(body.get("maxResults") or _PAGE), self.page_size)
        told: dict[str, Any] = {
            "quantumTasks": [task.summary() for task in tasks[start : start + size]]
        }
        if start + size < len(tasks):
            told["nextToken"] = str(start + size)
        return Response.json(told)

    # -- STS and S3 ------------------------------------------------------------------------------
    def _identity(self, request: Request, _: str) -> Response:
        del request
        body = (
            '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:user/loopback</Arn>"
            f"<UserId>loopback</UserId><Account>{ACCOUNT}</Account></GetCallerIdentityResult>"
            "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>"
            "</GetCallerIdentityResponse>"
        )
        return Response(200, body.encode(), {"Content-Type": "text/xml"})

    def _object(self, request: Request, key: str) -> Response:
        del request
        data = self.queue.objects.get(key)
        if data is None:
            body = "<Error><Code>NoSuchKey</Code><Message>The key does not exist.</Message></Error>"
            return Response(404, body.encode(), {"Content-Type": "application/xml"})
        return Response(200, data, {"Content-Type": "binary/octet-stream"})

    def _store(self, request: Request, key: str) -> Response:
        self.queue.objects[key] = request.body
        return Response(200)


def _refusal(body: dict[str, Any], device: LoopbackDevice) -> str:
    """Why the order is not taken; empty when it is."""
    told = device.capabilities()
    least, most = told["service"]["shotsRange"]
    limits = told["action"].get("braket.ir.openqasm.program_set")
    try:
        action = json.loads(body["action"])
        kind, shots = action["braketSchemaHeader"]["name"], int(body["shots"])
    except (KeyError, TypeError, ValueError) as error:
        return f"malformed order: {error!r}"
    if kind.endswith("program_set"):
        rows = len(action["programs"])
        if limits is None:
            return "program sets are not supported"
        if rows > limits["maximumExecutables"] or shots > limits["maximumTotalShots"]:
            return f"{rows} executables with {shots} shots pass the limits"
        if shots % rows:
            return "shots must be a multiple of the executables"
        shots //= rows
    if not max(1, least) <= shots <= most:
        return f"shots must be from {least} to {most}"
    return "" if len(body.get("outputS3Bucket", "")) >= 3 else "outputS3Bucket is too short"


def _passes(task: Task, wanted: dict[str, Any]) -> bool:
    values = wanted["values"]
    if wanted["name"] == "createdAt":
        moment = datetime.fromisoformat(values[0])
        return {"GTE": task.created >= moment, "LTE": task.created <= moment}[wanted["operator"]]
    own = {"deviceArn": task.body["deviceArn"], "status": task.status, "quantumTaskArn": task.arn}
    return own[wanted["name"]] in values


def _error(status: int, code: str, message: str) -> Response:
    body = json.dumps({"message": message}).encode()
    headers = {"Content-Type": "application/json", "x-amzn-errortype": code}
    return Response(status, body, headers)
