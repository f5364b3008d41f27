"""Amazon's own client with what it lacks: an order is sent once, and nothing waits for ever.

botocore repeats requests by itself and limits only the silence between packets. Here botocore
signs and reads, a bounded session sends (its ``before-send`` event), and repeats are ours.
"""

from __future__ import annotations

import io
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import boto3
import requests
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from backends.bounded_http import (
    Patience,
    bounded_session,
    never_sent,
    on_this_machine,
    retry_after,
    undecodable,
)
from backends.braket.endpoints import guard_endpoints
from backends.deadline import question_seconds
from backends.secrets import remember_secret, without_secrets
from backends.vendor import (
    CredentialsError,
    SubmissionRefused,
    SubmissionUncertain,
    VendorError,
    VendorUnavailable,
)

T = TypeVar("T")

WHERE = (
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE in the environment, or the files "
    "of `aws configure` in ~/.aws"
)
_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    ProfileNotFound,
    TokenRetrievalError,
    SSOError,
)
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_THROTTLED = ("ThrottlingException", "Throttling", "TooManyRequestsException", "SlowDown")
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_LONGEST_PAUSE_S = 8.0


class BraketRefusal(VendorError):  # noqa: N818 - an answer
    """Amazon answered no; :attr:`status` is the HTTP status, :attr:`code` Amazon's name for it."""

    def __init__(self, message: str, status: int, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class MalformedAnswerError(Exception):
    """An answer lacks what it must hold."""


class BraketClient:
    """Braket, S3 and STS of one region, with the credentials of Amazon's own chain.

    Args:
        region: of the device.
        patience: how long to wait.
    """

    def __init__(self, region: str, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self.region = region
        self._http = bounded_session(self._patience)
        self._session: boto3.Session | None = None
        self._clients: dict[str, Any] = {}

    @property
    def local(self) -> bool:
        """Whether Braket is simulated on this machine: botocore's address of it leads here.

        Raises:
            CredentialsError: no credentials.
        """
        self._prepare("braket")
        return on_this_machine(self._client("braket").meta.endpoint_url)

    # -- questions -------------------------------------------------------------------------------
    def ask(
        self, question: str, operation: str, needs: Sequence[str] = (), **params: Any
    ) -> dict[str, Any]:
        """Put a question to Braket, again where an answer may yet come.

        Args:
            question: for messages.
            operation: method of Amazon's client.
            needs: keys that a proper answer holds.
            params: of the operation.

        Raises:
            BraketRefusal: a final no, with Amazon's own text.
            CredentialsError: no credentials, or not taken.
            VendorUnavailable: no proper answer in bounded time.
        """
        return self._patiently(
            "braket", question, lambda client: _with(needs, getattr(client, operation)(**params))
        )

    def read_document(self, bucket: str, key: str) -> tuple[bytes, dict[str, Any]]:
        """A JSON object in S3: its bytes unchanged, and parsed.

        Raises:
            BraketRefusal: there is none; else as :meth:`ask`.
        """

        def read(client: Any) -> tuple[bytes, dict[str, Any]]:
            answer = _with(("Body",), client.get_object(Bucket=bucket, Key=key))
            data = bytes(answer["Body"].read())
            return data, _with((), json.loads(data))

        return self._patiently("s3", f"result s3://{bucket}/{key}", read)

    def account(self) -> str:
        """Number of the account; raises as :meth:`ask`."""
        return self._patiently(
            "sts",
            "number of the account",
            lambda client: str(_with(("Account",), client.get_caller_identity())["Account"]),
        )

    def _patiently(self, service: str, question: str, call: Callable[[Any], T]) -> T:
        self._prepare(service)  # takes a second the first time, which is not the vendor's
        ends = time.monotonic() + question_seconds(self._patience.question_s)
        pause, renewed = self._patience.pause_s, False
        while True:
            try:
                return call(self._client(service))
            except _NO_CREDENTIALS as error:
                raise self._no_credentials(error) from None
            except ClientError as error:
                status, code, text = self._said(error)
                if code in _EXPIRED and not renewed:
                    renewed = True
                    self._forget()
                    continue
                if status not in _PASSING and code not in _THROTTLED:
                    raise self._refusal(question, status, code, text) from None
                wait = _retry_after(error) or pause
            except (
                requests.RequestException,
                BotoCoreError,
                MalformedAnswerError,
                *_MALFORMED,
            ) as error:
                text = self.scrub(repr(error))
                wait = math.inf if undecodable(error) else pause
            if time.monotonic() + wait > ends:
                raise VendorUnavailable(f"Braket did not answer properly ({question}): {text}")
            time.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    # -- orders ----------------------------------------------------------------------------------
    def order(self, params: Mapping[str, Any]) -> str:
        """Create a quantum task and return its ARN.

        The order is sent again only after an answer that says it was not even read (throttled,
        credentials expired), with the same client token.

        Raises:
            SubmissionRefused: certainly not accepted.
            SubmissionUncertain: may have been accepted.
        """
        try:
            self._prepare("braket")
        except CredentialsError as error:
            raise SubmissionRefused(f"Not sent: {error}") from error
        ends = time.monotonic() + self._patience.question_s
        pause, renewed = self._patience.pause_s, False
        while True:
            try:
                client = self._client("braket")
                answer = client.create_quantum_task(**params)
                return str(_with(("quantumTaskArn",), answer)["quantumTaskArn"])
            except _NO_CREDENTIALS as error:
                raise SubmissionRefused(f"Not sent: {self._no_credentials(error)}") from None
            except CredentialsError as error:  # an endpoint that nothing is sent to
                raise SubmissionRefused(f"Not sent: {error}") from error
            except ClientError as error:
                status, code, text = self._said(error)
                if code in _EXPIRED and not renewed:
                    renewed = True
                    self._forget()
                    continue
                throttled = status == 429 or code in _THROTTLED
                wait = _retry_after(error) or pause
                if throttled and time.monotonic() + wait <= ends:
                    time.sleep(wait)
                    pause = min(2 * pause, _LONGEST_PAUSE_S)
                    continue
                if throttled or (400 <= status < 500 and status not in (408, 409)):
                    raise SubmissionRefused(f"Braket refused the task: {text}") from None
                raise SubmissionUncertain(f"Braket may have the task: {text}") from None
            except (
                requests.RequestException,
                BotoCoreError,
                MalformedAnswerError,
                *_MALFORMED,
            ) as error:
                text = self.scrub(repr(error))
                if never_sent(error):
                    raise SubmissionRefused(f"Braket could not be reached: {text}") from None
                raise SubmissionUncertain(f"Braket may have the task: {text}") from None

    # -- parts -----------------------------------------------------------------------------------
    def scrub(self, text: str) -> str:
        """A text without this session's credentials."""
        return without_secrets(text)

    def _open(self) -> boto3.Session:
        if self._session is None:
            session = boto3.Session()
            guard_endpoints(session._session)  # boto3 has no other way to botocore's events
            self._session = session
        return self._session

    def _forget(self) -> None:
        """Read the credentials afresh at the next request."""
        self._session = None
        self._clients.clear()

    def _prepare(self, service: str) -> None:
        try:
            self._client(service)
        except _NO_CREDENTIALS as error:
            raise self._no_credentials(error) from None

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            patience = self._patience
            config = Config(
                region_name=self.region,
                connect_timeout=patience.connect_s,
                read_timeout=patience.silence_s,
                retries={"total_max_attempts": 1, "mode": "standard"},
            )
            session = self._open()
            credentials = session.get_credentials()
            if credentials is None:
                raise NoCredentialsError
            for secret in credentials.get_frozen_credentials():
                remember_secret(secret)
            client = session.client(service, config=config)
            client.meta.events.register(f"before-send.{service}", self._send)
            self._clients[service] = client
        return self._clients[service]

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        """Send what botocore has signed, in bounded time."""
        token = request.headers.get("X-Amz-Security-Token")  # credentials renew themselves
        if token:
            remember_secret(token.decode() if isinstance(token, bytes) else str(token))
        body = request.body
        prepared = requests.PreparedRequest()
        prepared.method, prepared.url = request.method, request.url
        prepared.headers = requests.structures.CaseInsensitiveDict(
            {k: v.decode() if isinstance(v, bytes) else v for k, v in request.headers.items()}
        )
        prepared.body = body.read() if hasattr(body, "read") else body
        if prepared.body is not None and "Content-Length" not in prepared.headers:
            prepared.prepare_content_length(prepared.body)
        prepared.prepare_cookies({})  # none, but requests needs a jar where it meets a redirect
        trusted = os.environ.get("AWS_CA_BUNDLE")  # as botocore itself would
        around = self._http.merge_environment_settings(request.url, {}, None, trusted, None)
        answer = self._http.send(prepared, allow_redirects=False, **around)
        return AWSResponse(request.url, answer.status_code, answer.headers, _Raw(answer.content))

    def _said(self, error: ClientError) -> tuple[int, str, str]:
        """HTTP status, Amazon's code, and its text without secrets."""
        told, about = (error.response.get(part, {}) for part in ("Error", "ResponseMetadata"))
        status, code = int(about.get("HTTPStatusCode", 0)), str(told.get("Code", ""))
        if 300 <= status < 400:
            host = urlsplit(str(about.get("HTTPHeaders", {}).get("location", ""))).hostname
            told = {"Message": f"it answered {status}, a redirect to {host}, which is not followed"}
        return status, code, self.scrub(f"{code}: {told.get('Message') or error}")

    def _refusal(self, question: str, status: int, code: str, text: str) -> VendorError:
        if status in (401, 403):
            return CredentialsError(
                f"Amazon does not take these credentials ({question}: {text}): needs {WHERE}."
            )
        return BraketRefusal(f"Braket refused ({question}): {text}", status, code)

    def _no_credentials(self, error: Exception) -> CredentialsError:
        return CredentialsError(f"No AWS credentials ({self.scrub(str(error))}): needs {WHERE}.")


_MALFORMED = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""What botocore's parsers raise on bodies of the wrong shape."""


class _Raw(io.BytesIO):
    """A body that was read whole, in the form botocore reads."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _with(needs: Sequence[str], answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise MalformedAnswerError("the answer is no object")
    missing = [key for key in needs if answer.get(key) in (None, "")]
    if missing:
        raise MalformedAnswerError(f"the answer lacks {', '.join(missing)}")
    return dict(answer)


def _retry_after(error: ClientError) -> float | None:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return retry_after(headers.get("retry-after"))
