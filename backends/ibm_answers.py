"""IBM's answers, read with suspicion: whatever is not as expected raises ``ValueError``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import requests
from numpy.typing import NDArray
from qiskit_ibm_runtime.api.client import RuntimeClient
from qiskit_ibm_runtime.exceptions import IBMError
from qiskit_ibm_runtime.utils.backend_decoder import configuration_from_server_data

from backends.ibm_program import decode
from backends.vendor import JobHandle, JobState, JobStatus

PAGE = 100
"""Jobs asked for at a time."""
_STATES = {
    "QUEUED": JobState.QUEUED,
    "RUNNING": JobState.RUNNING,
    "COMPLETED": JobState.DONE,
    "FAILED": JobState.FAILED,
    "CANCELLED": JobState.CANCELLED,
}
_RAN_TOO_LONG = 1305


def device_names(client: RuntimeClient) -> tuple[str, ...]:
    """Names of the instance's devices, sorted."""
    return tuple(sorted(str(row["name"]) for row in client.list_backends()))


def configuration(client: RuntimeClient, device: str) -> Any:
    """A device's configuration as Qiskit's object, without the gates that must be asked for."""
    raw = client.backend_configuration(device, refresh=True)
    if not isinstance(raw, dict) or raw.get("backend_name") != device:
        raise ValueError(f"no configuration of {device}")
    found = configuration_from_server_data(raw, use_fractional_gates=False)
    if found is None:
        raise ValueError(f"configuration of {device} cannot be read")
    return found


def standing(client: RuntimeClient, device: str) -> tuple[bool, str, int]:
    """Whether a device is in operation, IBM's word for it, and jobs that wait."""
    raw = client.backend_status(device)
    return bool(raw["operational"]), str(raw["status_msg"]), int(raw["pending_jobs"])


def tagged_jobs(
    client: RuntimeClient, backend: str, key: str, skip: int
) -> tuple[tuple[JobHandle, ...], int, int]:
    """Jobs of one page that carry a tag, how many the page holds, and how many there are."""
    answer = client.jobs_get(limit=PAGE, skip=skip, job_tags=[key], descending=False)
    jobs, count = answer["jobs"], answer["count"]
    if not isinstance(jobs, list) or not isinstance(count, int):
        raise ValueError("no list of jobs")
    # a service that ignores the filter sends every job
    handles = tuple(
        JobHandle(backend, str(job["id"]), key, moment(job["created"]))
        for job in jobs
        if key in job["tags"]
    )
    return handles, len(jobs), count


def moment(text: str) -> datetime:
    """A time of IBM's, UTC; one without a zone is UTC."""
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def job_status(client: RuntimeClient, job_id: str) -> JobStatus:
    """State of a job; one that IBM stopped for its length has failed.

    A state that is not known counts as queued: it is not final, so it is asked for again.
    """
    answer = client.job_get(job_id)
    if answer["id"] != job_id:
        raise ValueError(f"asked for job {job_id}, got {answer['id']}")
    state = answer["state"]
    text, code = str(state["status"]), state.get("reason_code") or state.get("reasonCode")
    found = _STATES.get(text.upper().partition(" ")[0], JobState.QUEUED)
    if found is JobState.CANCELLED and code == _RAN_TOO_LONG:
        found = JobState.FAILED
    parts = [text, f"error code {code}" if code else "", str(state.get("reason") or "")]
    place = _place(client, job_id) if found is JobState.QUEUED else None
    return JobStatus(found, ": ".join(part for part in parts if part), place)


def _place(client: RuntimeClient, job_id: str) -> int | None:
    """Place in the queue, which IBM tells some accounts; a state without it is good enough."""
    try:
        place = client.job_metadata(job_id).get("position_in_queue")
    except (IBMError, requests.RequestException, ValueError, AttributeError, TypeError):
        return None
    return place if isinstance(place, int) and place > 0 else None


def results(client: RuntimeClient, job_id: str) -> tuple[bytes, NDArray[np.int64], datetime]:
    """A job's result document, its counts, and when the device was done."""
    text = client.job_results(job_id)
    if not text:
        raise ValueError(f"job {job_id} has no results yet")
    counts, finished = decode(text)
    return text.encode(), counts, finished


def charged_seconds(client: RuntimeClient, job_id: str) -> float | None:
    """Device seconds that IBM charges; ``None`` while it does not say."""
    usage = client.job_metadata(job_id).get("usage") or {}
    if usage.get("status") == "pending":
        return None
    charged = usage.get("qpu_charge_time_seconds", usage.get("quantum_seconds"))
    return None if charged is None else float(charged)
