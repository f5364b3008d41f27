"""IBM's answers, read with suspicion: whatever is not as expected raises ``ValueError``."""

from __future__ import annotations

from typing import Any

import requests
from qiskit_ibm_runtime.api.client import RuntimeClient
from qiskit_ibm_runtime.exceptions import IBMError
from qiskit_ibm_runtime.utils.backend_decoder import configuration_from_server_data

from backends.answer_values import LARGEST, amount, ibm_id, moment, place, shown, whole
from backends.ibm.results import Results, decode
from backends.vendor import JobHandle, JobState, JobStatus, UnknownJob
from backends.vendor_text import clean_text

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


class WrongFigureError(Exception):
    """A charge that cannot be; asking again at once would bring the same."""


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
    up = raw["operational"]
    if not isinstance(up, bool):
        raise ValueError(f"`state` must be true or false, but is {shown(up)}")
    waiting = whole(raw["pending_jobs"], "length_queue")
    return up, clean_text(raw["status_msg"], 100), waiting


def tagged_jobs(
    client: RuntimeClient, backend: str, key: str, skip: int
) -> tuple[tuple[JobHandle, ...], int, int]:
    """Jobs of one page that carry a tag, how many the page holds, and how many there are."""
    answer = client.jobs_get(limit=PAGE, skip=skip, job_tags=[key], descending=False)
    jobs, count = answer["jobs"], whole(answer["count"], "count")
    if not isinstance(jobs, list):
        raise ValueError("no list of jobs")
    # a service that ignores the filter sends every job
    handles = tuple(
        JobHandle(backend, ibm_id(job["id"]), key, moment(job["created"], "created"))
        for job in jobs
        if key in _tags(job)
    )
    return handles, len(jobs), count


def _tags(job: dict[str, Any]) -> list[Any]:
    """Tags of a job; a text would hold parts of itself."""
    tags = job["tags"]
    if not isinstance(tags, list):
        raise ValueError(f"`tags` must be a list, but is {shown(tags)}")
    return tags


def job_status(client: RuntimeClient, handle: JobHandle, device: str) -> JobStatus:
    """State of a job; one that IBM stopped for its length has failed.

    A state that is not known counts as queued: it is not final, so it is asked for again.

    Raises:
        UnknownJob: the job carries another key, or ran on another device.
        ValueError: the answer is about something else, or malformed.
    """
    # not `client.job_get`: its decoder makes any object that an answer names
    answer = client._session.get(
        f"/jobs/{ibm_id(handle.vendor_id)}",
        params={"exclude_params": "true"},
        headers={"Accept": "application/json"},
    ).json()
    if answer["id"] != handle.vendor_id:
        raise ValueError(f"asked for job {handle.vendor_id}, got {shown(answer['id'])}")
    _check_whose(answer, handle, device)
    state = answer["state"]
    text, code = state["status"], state.get("reason_code") or state.get("reasonCode")
    if not isinstance(text, str):
        raise ValueError(f"`status` must be a text, but is {shown(text)}")
    found = _STATES.get(text.upper().partition(" ")[0], JobState.QUEUED)
    if found is JobState.CANCELLED and code == _RAN_TOO_LONG:
        found = JobState.FAILED
    known = f"error code {shown(code)}" if code else ""
    parts = [clean_text(text, 100), known, clean_text(state.get("reason") or "")]
    waits = _place(client, handle.vendor_id) if found is JobState.QUEUED else None
    return JobStatus(found, ": ".join(part for part in parts if part), waits)


def _check_whose(answer: dict[str, Any], handle: JobHandle, device: str) -> None:
    """Compare what a job says of itself with what was ordered."""
    if handle.key not in _tags(answer):
        raise UnknownJob(
            f"IBM's job {handle.vendor_id} does not carry the key {handle.key} as a tag: it is "
            f"not this job, or somebody has changed its tags."
        )
    if answer.get("backend", device) != device:
        raise UnknownJob(
            f"IBM's job {handle.vendor_id} must be of {device}, but is of "
            f"{shown(answer['backend'])}."
        )


def _place(client: RuntimeClient, job_id: str) -> int | None:
    """Place in the queue, which IBM tells some accounts; a state without it is good enough."""
    try:
        return place(client.job_metadata(job_id).get("position_in_queue"))
    except (IBMError, requests.RequestException, ValueError, AttributeError, TypeError):
        return None


def results(client: RuntimeClient, handle: JobHandle, bits: int) -> tuple[bytes, Results]:
    """A job's result document, and what it says.

    Args:
        client: to ask.
        handle: of the job.
        bits: measured bits of every row.
    """
    text = client.job_results(ibm_id(handle.vendor_id))
    if not text:
        raise ValueError(f"job {handle.vendor_id} has no results yet")
    return text.encode(), decode(text, handle.key, bits)


def charged_seconds(client: RuntimeClient, job_id: str) -> float | None:
    """Device seconds that IBM charges; ``None`` while it does not say.

    Raises:
        WrongFigureError: it says what cannot be.
    """
    usage = client.job_metadata(ibm_id(job_id)).get("usage") or {}
    if usage.get("status") == "pending":
        return None
    charged = usage.get("qpu_charge_time_seconds", usage.get("quantum_seconds"))
    if charged is None:
        return None
    try:
        seconds = amount(charged, "qpu_charge_time_seconds")
        if seconds > LARGEST:
            raise ValueError(f"`qpu_charge_time_seconds` cannot be {seconds:g}")
    except ValueError as error:
        raise WrongFigureError(str(error)) from error
    return seconds
