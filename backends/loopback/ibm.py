"""IBM Quantum Platform on this machine, for the real client: API, login and instance search.

The API answers under ``/experimental/api/v1``, an address that IBM's client takes as it is
(``QISKIT_IBM_URL``); :meth:`IBMPlatform.environment` gives every variable a client needs. The
shapes of answers are inferred from the client, so this proves the client, not IBM's service.
"""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs

from backends.loopback.ibm_devices import load_device
from backends.loopback.ibm_jobs import JobQueue
from backends.loopback.messages import Request, Response
from calibration.noise import NoiseOptions

API = "/experimental/api/v1"
CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/loopback:loopback-instance::"
API_KEY = "loopback-key-0123456789-abcdefghijklmnopqrstuvwxyz"  # opens nothing but this server
_SEARCH = "/v3/resources/search"

Handler = Callable[[Request, str], Response]


class IBMPlatform:
    """The application that a :class:`~backends.loopback.server.LoopbackServer` serves.

    Args:
        devices: names of the devices offered.
        noise: strength of their noise; ``None`` for perfect devices.
        seed: of shots and twirling.
        token_life_s: how long a login lasts.

    Attributes:
        offline: devices under maintenance.
        tells_places: whether a waiting job's metrics name its place, as for some accounts only.
    """

    def __init__(
        self,
        devices: Sequence[str] = ("ibm_boston",),
        *,
        noise: NoiseOptions | None = None,
        seed: int = 0,
        token_life_s: float = 3600.0,
    ) -> None:
        self.devices = {name: load_device(name) for name in devices}
        rep_delay_s = max(device.rep_delay_s for device in self.devices.values())
        self.queue = JobQueue(
            {name: device.snapshot for name, device in self.devices.items()},
            noise,
            rep_delay_s,
            seed,
        )
        self.offline: set[str] = set()
        self.tells_places = True
        self.token_life_s = token_life_s
        self._tokens: dict[str, float] = {}
        self._reported: list[str] = []
        self._sessions: dict[str, dict[str, Any]] = {}

    @staticmethod
    def environment(url: str) -> dict[str, str]:
        """Variables that send IBM's own client, and ours, to a server at ``url``."""
        return {
            "IAM_URL": url,
            "GLOBAL_SEARCH_URL": url,
            "QISKIT_IBM_CHANNEL": "ibm_quantum_platform",
            "QISKIT_IBM_TOKEN": API_KEY,
            "QISKIT_IBM_INSTANCE": CRN,
            "QISKIT_IBM_URL": f"{url}{API}",
            # IBM's client then asks no instance search; ours ignores it
            "QISKIT_FUNCTIONS_EXPERIMENTAL": "1",
        }

    @property
    def vendor(self) -> str:
        """Name of the vendor in registry names."""
        return "ibm"

    @property
    def endpoints(self) -> dict[str, tuple[str, str]]:
        """HTTP method and path of each kind of request."""
        job = f"{API}/jobs/[^/]+"
        return {
            "login": ("POST", "/identity/token"),
            "device": ("GET", f"{API}/backends.*"),
            "post": ("POST", f"{API}/jobs"),
            "find": ("GET", f"{API}/jobs"),
            "job": ("GET", job),
            "results": ("GET", f"{job}/results"),
            "usage": ("GET", f"{job}/metrics"),
            "cancel": ("POST", f"{job}/cancel"),
            "any": ("*", ".*"),
        }

    @property
    def job_ids(self) -> tuple[str, ...]:
        """Ids of every job accepted so far, oldest first."""
        return tuple(job.id for job in self.queue.jobs)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The API key and every login's token."""
        return (API_KEY, *self._tokens)

    def refusal(self, status: int, message: str) -> Response:
        """An error in IBM's form."""
        return _error(status, 1291, message)

    def expire_tokens(self) -> None:
        """End every login."""
        self._tokens.clear()

    def report_states(self, *states: str) -> None:
        """States that the next questions about any job are answered with, true or not."""
        self._reported.extend(states)

    def stop(self) -> None:
        """End the devices."""
        self.queue.stop()

    # -- routing ---------------------------------------------------------------------------------
    def handle(self, request: Request) -> Response:
        """Carry a request out."""
        if (request.method, request.path) == ("POST", "/identity/token"):
            return self._login(request)
        login = request.headers.get("authorization", "")
        if self._tokens.get(login.removeprefix("Bearer "), 0.0) < time.time():
            return _error(401, 1201, "invalid or expired token")
        if request.path == _SEARCH:
            return self._search(request)
        path = request.path.removeprefix(API)
        for method, pattern, handler in self._routes():
            match = re.fullmatch(pattern, path)
            if match and method == request.method and request.path.startswith(API):
                return handler(request, match.group(1) if match.groups() else "")
        return _error(404, 1204, f"no {request.method} {request.path}")

    def _routes(self) -> tuple[tuple[str, str, Handler], ...]:
        one_job, one_backend = r"/jobs/([^/]+)", r"/backends/([^/]+)"
        return (
            ("GET", r"/backends", self._backends),
            ("GET", f"{one_backend}/configuration", self._configuration),
            ("GET", f"{one_backend}/properties", self._properties),
            ("GET", f"{one_backend}/status", self._status),
            ("GET", r"/instances/usage", self._usage),
            ("POST", r"/jobs", self._submit),
            ("GET", r"/jobs", self._list),
            ("GET", one_job, self._job),
            ("DELETE", one_job, self._delete),
            ("GET", f"{one_job}/results", self._results),
            ("GET", f"{one_job}/metrics", self._metrics),
            ("GET", f"{one_job}/logs", self._logs),
            ("PUT", f"{one_job}/tags", self._tag),
            ("POST", f"{one_job}/cancel", self._cancel),
            ("POST", r"/sessions", self._open_session),
            ("GET", r"/sessions/([^/]+)", self._session),
            ("PATCH", r"/sessions/([^/]+)", self._close_session),
            ("DELETE", r"/sessions/([^/]+)/close", self._close_session),
        )

    # -- login -----------------------------------------------------------------------------------
    def _login(self, request: Request) -> Response:
        form = parse_qs(request.body.decode())
        if form.get("apikey") != [API_KEY]:
            message = "Provided API key could not be found."
            return Response.json({"errorCode": "BXNIM0415E", "errorMessage": message}, status=400)
        now = time.time()
        token = _jwt({"iat": int(now), "exp": int(now + self.token_life_s), "id": uuid.uuid4().hex})
        self._tokens[token] = now + self.token_life_s
        return Response.json(
            {
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": int(self.token_life_s),
                "expiration": int(now + self.token_life_s),
            }
        )

    def _search(self, request: Request) -> Response:
        del request
        item = {
            "crn": CRN,
            "name": "loopback",
            "service_plan_unique_id": "plan",
            "tags": [],
            "doc": {"extensions": {"backends": sorted(self.devices)}},
        }
        return Response.json({"items": [item], "limit": 100})

    # -- devices ---------------------------------------------------------------------------------
    def _backends(self, request: Request, _: str) -> Response:
        del request
        waiting = sum(job.status == "Queued" for job in self.queue.jobs)
        rows = [
            {
                "name": name,
                "qubits": device.snapshot.n_qubits,
                "status": {"name": "offline" if name in self.offline else "online"},
                "queue_length": waiting,
            }
            for name, device in self.devices.items()
        ]
        return Response.json({"devices": rows})

    def _configuration(self, request: Request, name: str) -> Response:
        del request
        device = self.devices.get(name)
        return Response.json(device.configuration) if device else _no_backend(name)

    def _properties(self, request: Request, name: str) -> Response:
        del request
        device = self.devices.get(name)
        return Response.json(device.properties) if device else _no_backend(name)

    def _status(self, request: Request, name: str) -> Response:
        del request
        if name not in self.devices:
            return _no_backend(name)
        up = name not in self.offline
        waiting = sum(job.status == "Queued" for job in self.queue.jobs)
        return Response.json(
            {
                "state": up,
                "status": "active" if up else "maintenance",
                "length_queue": waiting,
                "backend_version": "1.0.0",
            }
        )

    def _usage(self, request: Request, _: str) -> Response:
        del request
        return Response.json(
            {"instance_id": CRN, "usage_consumed_seconds": round(self.queue.billed_s)}
        )

    # -- jobs ------------------------------------------------------------------------------------
    def _submit(self, request: Request, _: str) -> Response:
        try:
            body = json.loads(request.body)
            name, program = body["backend"], body["program_id"]
        except (ValueError, KeyError, TypeError):
            return _error(400, 1210, "malformed body")
        if name not in self.devices:
            return _no_backend(name)
        if program != "executor" or not isinstance(body.get("params"), dict):
            return _error(404, 1216, f"no program {program}")
        if name in self.offline:
            return _error(409, 1311, f"backend {name} is offline")
        job = self.queue.accept(body)
        return Response.json({"id": job.id, "backend": job.backend})

    def _list(self, request: Request, _: str) -> Response:
        query = request.query
        jobs = list(self.queue.of_tags(query.get("tags", [])))
        if query.get("sort") != ["ASC"]:
            jobs.reverse()
        if "backend" in query:
            jobs = [job for job in jobs if job.backend == query["backend"][0]]
        start = int(query.get("offset", ["0"])[0])
        page = jobs[start : start + int(query.get("limit", ["200"])[0])]
        documents = [job.document() for job in page]
        return Response.json({"jobs": documents, "count": len(jobs), "offset": start})

    def _job(self, request: Request, job_id: str) -> Response:
        del request
        job = self.queue.get(job_id)
        if job is None:
            return _no_job(job_id)
        document = job.document()
        if self._reported:
            document["state"] = {"status": self._reported.pop(0)}
        return Response.json(document)

    def _results(self, request: Request, job_id: str) -> Response:
        del request
        job = self.queue.get(job_id)
        if job is None:
            return _no_job(job_id)
        return Response(204) if job.result is None else Response.json(job.result)

    def _metrics(self, request: Request, job_id: str) -> Response:
        del request
        job = self.queue.get(job_id)
        if job is None:
            return _no_job(job_id)
        place = self.queue.place(job) if self.tells_places else None
        told = {} if place is None else {"position_in_queue": place}
        return Response.json(job.metrics() | told)

    def _logs(self, request: Request, job_id: str) -> Response:
        del request
        return _no_job(job_id) if self.queue.get(job_id) is None else Response(200)

    def _tag(self, request: Request, job_id: str) -> Response:
        job = self.queue.get(job_id)
        if job is None:
            return _no_job(job_id)
        job.tags[:] = json.loads(request.body)["tags"]
        return Response(204)

    def _cancel(self, request: Request, job_id: str) -> Response:
        del request
        job = self.queue.get(job_id)
        if job is None:
            return _no_job(job_id)
        done = self.queue.cancel(job)
        return Response(204) if done else _error(409, 1302, f"job {job_id} is {job.status}")

    def _delete(self, request: Request, job_id: str) -> Response:
        del request
        job = self.queue.get(job_id)
        if job is None:
            return _no_job(job_id)
        self.queue.delete(job)
        return Response(204)

    # -- sessions --------------------------------------------------------------------------------
    def _open_session(self, request: Request, _: str) -> Response:
        body = json.loads(request.body)
        session = {
            "id": f"s{uuid.uuid4().hex[:12]}",
            "mode": body.get("mode", "dedicated"),
            "backend_name": body.get("backend"),
            "max_ttl": body.get("max_ttl"),
            "state": "open",
            "accepting_jobs": True,
        }
        self._sessions[session["id"]] = session
        return Response.json(session)

    def _session(self, request: Request, session_id: str) -> Response:
        del request
        session = self._sessions.get(session_id)
        return Response.json(session) if session else _error(404, 1250, "no such session")

    def _close_session(self, request: Request, session_id: str) -> Response:
        del request
        if session_id not in self._sessions:
            return _error(404, 1250, "no such session")
        self._sessions[session_id] |= {"state": "closed", "accepting_jobs": False}
        return Response(204)


def _jwt(claims: dict[str, Any]) -> str:
    parts = ({"alg": "none", "typ": "JWT"}, claims, "loopback")
    texts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts)
    return ".".join(text.rstrip("=") for text in texts)


def _error(status: int, code: int, message: str) -> Response:
    return Response.json({"error": {"code": code, "message": message}}, status=status)


def _no_job(job_id: str) -> Response:
    return _error(404, 1291, f"job {job_id} not found")


def _no_backend(name: str) -> Response:
    return _error(404, 1212, f"backend {name} not found")
