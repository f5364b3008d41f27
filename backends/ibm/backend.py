"""``ibm:<backend>``: IBM's quantum computers through the executor-based Sampler program."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any, Literal

from qiskit import QuantumCircuit
from qiskit_ibm_runtime import IBMBackend as QiskitIBMBackend
from qiskit_ibm_runtime.api.rest.runtime import Runtime
from qiskit_ibm_runtime.exceptions import IBMError
from samplomatic.exceptions import BuildError, SamplexError

from backends.answer_values import ibm_id
from backends.base import BackendError, CompiledTemplate, CostEstimate, UnknownBackendError
from backends.bounded_http import MOST_PAGES
from backends.ibm.answers import (
    WrongFigureError,
    charged_seconds,
    configuration,
    device_names,
    job_status,
    results,
    standing,
    tagged_jobs,
)
from backends.ibm.client import IBMClient, IBMRefusal
from backends.ibm.program import (
    LONGEST_JOB_S,
    IBMOptions,
    check,
    check_delays,
    check_early,
    check_units,
    device_seconds,
    encode,
    longest_seconds,
    split,
)
from backends.ibm.results import check_counts
from backends.native.compile import compile_template
from backends.outcomes import none_seen
from backends.prices import PriceEntry, price_of
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
    VendorUnavailable,
)
from calibration.closest import closest, quoted
from calibration.readers.ibm import read_ibm_backend
from calibration.snapshot import DeviceSnapshot

_NO_DEVICES = "it has none: check the instance"


class IBMBackend:
    """One IBM device. Nothing is asked of the network before it is needed.

    Args:
        device: for example ``ibm_fez``.
        client: connection; one with the account of IBM's own store by default.
        options: how circuits are run.
        price: of a device second; from the price table by default.
    """

    joins_templates: Literal[True] = True

    def __init__(
        self,
        device: str,
        *,
        client: IBMClient | None = None,
        options: IBMOptions | None = None,
        price: PriceEntry | None = None,
    ) -> None:
        self._device = device
        self._client = client or IBMClient()
        self._options = options or IBMOptions()
        self._price = price or price_of(self.name)
        self._session_id: str | None = None

    @property
    def name(self) -> str:
        """``ibm:`` and the device's name, ``+fractional`` where that was asked for."""
        return f"ibm:{self._device}{'+fractional' if self._options.fractional else ''}"

    @property
    def rehearsal(self) -> bool:
        """Whether IBM is simulated on this machine."""
        return self._client.local

    @cached_property
    def snapshot(self) -> DeviceSnapshot:
        """The device's calibration when it was first asked for.

        Raises:
            UnknownBackendError: the account has no such device; the line has the closest.
            VendorError: as :meth:`IBMClient.ask`.
        """
        backend = self._qiskit
        return self._client.ask(
            f"calibration of {self._device}", lambda _: read_ibm_backend(backend)
        )

    @cached_property
    def _qiskit(self) -> Any:
        names = self._client.ask("list of devices", device_names)
        if self._device not in names:
            near = closest(self._device, names, "qhw devices --live") if names else _NO_DEVICES
            raise UnknownBackendError(
                f"Argument `device` must be one of this account's IBM devices ({near}), but is "
                f"{quoted(self._device)}."
            )
        found, client = self._client.ask(
            f"configuration of {self._device}", lambda c: (configuration(c, self._device), c)
        )
        return QiskitIBMBackend(
            configuration=found, service=None, api_client=client, instance=self._client.crn
        )

    # -- before anything is sent -----------------------------------------------------------------
    def check_early(self, shots: int, *, whole: bool) -> None:
        """Refuse a device that the account has not, and shots that it does not take.

        Raises:
            UnknownBackendError: the account has no such device; the line has the closest.
            BackendError: shots out of range.
            VendorError: as :meth:`IBMClient.ask`.
        """
        check_early(shots, self.snapshot, whole=whole)

    def compile(self, circuit: QuantumCircuit, *, seed: int = 0) -> CompiledTemplate:
        """Compile as ``aer:`` does; waits, not delays, are left to the device's own scheduler.

        Raises:
            BackendError: the circuit does not fit the device.
        """
        return compile_template(
            circuit, self.snapshot, seed=seed, fractional=self._options.fractional
        )

    def split(self, submission: Submission) -> tuple[Submission, ...]:
        """Cut at IBM's limit of executions a job; rows kept in order."""
        return split(submission)

    def validate(self, submission: Submission) -> None:
        """Check gates, places, angles, shots and rows, and that the device is up.

        Raises:
            BackendError: the first thing the device would refuse.
        """
        self._check(submission)
        seconds = self._seconds(submission)
        if seconds > LONGEST_JOB_S:
            raise BackendError(
                f"Argument `submission` must take at most {LONGEST_JOB_S} s, where IBM stops a "
                f"job, but takes about {seconds:.0f} s."
            )
        up, word, _ = self._client.ask(
            f"status of {self._device}", lambda c: standing(c, self._device)
        )
        if not up:
            raise BackendError(
                f"Argument `device` must be in operation, but {self._device} is "
                f"{word or 'offline'}."
            )

    def payload(self, submission: Submission, key: str) -> bytes:
        """The body of the POST, byte for byte, made by IBM's client."""
        recorder = _Recorder()
        Runtime(recorder).program_run(**self._request(submission, key))
        return recorder.body

    def estimate(self, submission: Submission) -> CostEstimate:
        """Schedule, readout and repetition delay of every shot, at the plan's rate."""
        jobs = self.split(submission)
        seconds = sum(self._seconds(job) for job in jobs)
        most = sum(longest_seconds(self._seconds(job)) for job in jobs)
        return CostEstimate(
            usd=self._usd(seconds),
            qpu_seconds=seconds,
            basis=(
                f"{len(jobs)} job(s) of 2 s + rows x shots x (circuit + readout + repetition "
                f"delay), stopped at {most} s; {self._price.basis()}"
            ),
            most_usd=self._usd(most),
        )

    # -- jobs ------------------------------------------------------------------------------------
    def submit(self, submission: Submission, key: str) -> JobHandle:
        """Post once, the key as the job's tag.

        Raises:
            SubmissionRefused: certainly not accepted.
            SubmissionUncertain: may have been accepted.
        """
        try:
            request = self._request(submission, key)
        except (BackendError, IBMError, BuildError, SamplexError) as error:
            raise SubmissionRefused(f"Not sent: {error}") from error
        answer: Any = self._client.submit(lambda c: c.program_run(**request))
        try:
            job_id = ibm_id(answer.get("id") if isinstance(answer, dict) else None)
        except ValueError as error:
            raise SubmissionUncertain(
                f"IBM may have the job: its answer holds no job id ({error})."
            ) from error
        # The answer holds no time; the job's own is asked for by `find`.
        return JobHandle(self.name, job_id, key, datetime.now(UTC))

    def find(self, key: str, since: datetime) -> tuple[JobHandle, ...]:
        """Every job that carries the key as a tag, oldest first.

        The key is unique, so ``since`` is not used: clocks that differ could hide a job.

        Raises:
            VendorUnavailable: nothing is known.
        """
        del since
        found: dict[str, JobHandle] = {}
        seen = 0
        for _ in range(MOST_PAGES):
            page = partial(tagged_jobs, backend=self.name, key=key, skip=seen)
            handles, size, count = self._client.ask(f"jobs of {key}", page)
            seen += size
            found |= {handle.vendor_id: handle for handle in handles}
            if not size or seen >= count:
                return tuple(sorted(found.values(), key=lambda handle: handle.created))
        raise VendorUnavailable(
            f"IBM's list of the jobs of {key} does not end: {MOST_PAGES} pages were read."
        )

    def status(self, handle: JobHandle) -> JobStatus:
        """State of a job; one that IBM stopped for its length has failed.

        Raises:
            UnknownJob: there is none of that id, or it is not the one with the handle's key.
        """
        try:
            return self._client.ask(
                f"state of job {handle.vendor_id}", lambda c: job_status(c, handle, self._device)
            )
        except IBMRefusal as error:
            if error.status != 404:
                raise
            raise UnknownJob(str(error)) from error

    def fetch(self, handle: JobHandle, submission: Submission) -> JobCounts:
        """Counts of a finished job; of a failed or cancelled one, its text for every row.

        Raises:
            VendorUnavailable: not finished, or no proper answer.
            VendorError: results that do not belong to the submission.
        """
        status = self.status(handle)
        if not status.state.final:
            raise VendorUnavailable(f"Job {handle.vendor_id} is not finished: {status.vendor_text}")
        if status.state is not JobState.DONE:
            rows = len(submission.angles)
            none, outcomes = none_seen(rows, submission.compiled.n_measured)
            errors = dict.fromkeys(range(rows), status.vendor_text)
            return JobCounts(none, errors, b"", datetime.now(UTC), outcomes=outcomes)
        bits = submission.compiled.n_measured
        raw, found = self._client.ask(
            f"results of job {handle.vendor_id}", lambda c: results(c, handle, bits)
        )
        check_counts(found.counts, found.outcomes, submission)
        return JobCounts(
            found.counts, {}, raw, found.finished, found.unproven, outcomes=found.outcomes
        )

    def cancel(self, handle: JobHandle) -> JobStatus:
        """Ask for cancellation; a job already final is no error."""
        try:
            self._client.ask(
                f"cancellation of job {handle.vendor_id}", lambda c: c.job_cancel(handle.vendor_id)
            )
        except IBMRefusal as error:
            if error.status != 409:
                raise
        return self.status(handle)

    def usage(self, handle: JobHandle) -> Usage:
        """Seconds IBM charged, at the plan's rate; unknown until IBM has them."""
        try:
            seconds = self._client.ask(
                f"usage of job {handle.vendor_id}", lambda c: charged_seconds(c, handle.vendor_id)
            )
        except WrongFigureError as error:
            return Usage(None, None, "IBM's figure is not believed", f"IBM's charge: {error}")
        if seconds is None:
            return Usage(None, None, "IBM has not yet said")
        whose = "the simulated vendor's" if self.rehearsal else "IBM's own"
        basis = f"{whose} record, seconds; {self._price.basis()}"
        return Usage(self._usd(seconds), seconds, basis)

    # -- sessions, only where asked for ----------------------------------------------------------
    def open_session(self, mode: Literal["batch", "dedicated"], max_seconds: int) -> str:
        """Run what is submitted from now on as one batch, or alone on the device.

        A dedicated session is charged while it is open. Returns its id.

        Raises:
            SubmissionRefused: certainly not opened.
            SubmissionUncertain: may be open, until ``max_seconds`` at the latest.
        """
        if mode not in ("batch", "dedicated"):
            raise ValueError(f"Argument `mode` must be batch or dedicated, but is {mode!r}.")
        answer: Any = self._client.submit(
            lambda c: c.create_session(self._device, self._client.crn, max_seconds, mode)
        )
        if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
            raise SubmissionUncertain("IBM may have opened the session: its answer holds no id.")
        self._session_id = answer["id"]
        return self._session_id

    def close_session(self) -> None:
        """Let queued jobs finish, and take no more."""
        if self._session_id is not None:
            session_id, self._session_id = self._session_id, None
            self._client.ask(f"end of session {session_id}", lambda c: c.close_session(session_id))

    # -- parts -----------------------------------------------------------------------------------
    def _check(self, submission: Submission) -> None:
        check(submission, self.snapshot, self._options)
        pulses = self._options.decoupling is not None
        check_delays(submission, twirled=self._options.twirled, decoupling=pulses)
        check_units(submission)

    def _request(self, submission: Submission, key: str) -> dict[str, Any]:
        self._check(submission)
        return {
            "program_id": "executor",
            "backend_name": self._device,
            "params": self._params(submission, key),
            "image": None,
            "log_level": "WARNING",
            "session_id": self._session_id,
            "job_tags": [key],
            "max_execution_time": longest_seconds(self._seconds(submission)),
        }

    def _params(self, submission: Submission, key: str) -> dict[str, Any]:
        n_qubits = self.snapshot.n_qubits
        return encode(submission, n_qubits, self._options, self._qiskit, key=key)

    def _usd(self, seconds: float) -> float:
        # without the product's last bits: they would count as a millionth of a dollar more
        return round(seconds * self._price.usd_per_second, 9)

    def _seconds(self, submission: Submission) -> float:
        return device_seconds(submission, self.snapshot, self._rep_delay_s)

    @property
    def _rep_delay_s(self) -> float:
        asked = self._options.rep_delay_s
        default = self._qiskit.configuration().default_rep_delay or 0.0
        return default if asked is None else asked


class _Recorder:
    """Stands where IBM's REST layer expects a session, and keeps what it would post."""

    headers: Any = None
    body = b""

    def post(self, _url: str, *, data: str, **_: Any) -> _Recorder:
        self.body = data.encode()
        return self

    def json(self) -> dict[str, Any]:
        return {}
