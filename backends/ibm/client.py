"""IBM's own REST client with what it lacks: one POST is one POST, and every error says what it is.

Measured against the loopback server: IBM's client answers an accepted POST whose answer was 504
with a second job, and asks its questions without a time limit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from qiskit_ibm_runtime.accounts import Account
from qiskit_ibm_runtime.api.client import RuntimeClient
from qiskit_ibm_runtime.api.client_parameters import ClientParameters
from qiskit_ibm_runtime.api.exceptions import RequestsApiError
from qiskit_ibm_runtime.exceptions import IBMError, IBMNotAuthorizedError

from backends.bounded_http import (
    Patience,
    bound,
    never_sent,
    on_this_machine,
    retry_after,
    undecodable,
)
from backends.deadline import question_seconds
from backends.ibm.account import WHERE, Login, check_address, find_account, resolve_instance
from backends.secrets import remember_secret
from backends.vendor import (
    CredentialsError,
    SubmissionRefused,
    SubmissionUncertain,
    VendorError,
    VendorUnavailable,
)

T = TypeVar("T")

_PASSING = (-1, 408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 524)
"""Status codes after which the same question may be answered; -1 is no answer."""
_MALFORMED_TRIES = 3
_MALFORMED = (
    requests.RequestException,
    IBMError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""What IBM's client and our readers raise on an answer of the wrong form."""


class IBMRefusal(VendorError):  # noqa: N818 - an answer
    """IBM answered no; :attr:`status` is the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _Parameters(ClientParameters):
    """Connection parameters with our login and without repeats."""

    def __init__(self, account: Account, crn: str, login: Login) -> None:
        super().__init__(
            channel=account.channel,
            token=account.token,
            url=account.url,
            instance=crn,
            proxies=account.proxies,
            verify=bool(account.verify),
            private_endpoint=account.private_endpoint,
        )
        self._login = login

    def get_auth_handler(self) -> Login:
        return self._login

    def connection_parameters(self) -> dict[str, Any]:
        return {**super().connection_parameters(), "retries_total": 0, "retries_connect": 0}


class IBMClient:
    """A connection to IBM Quantum Platform; logs in when first asked something.

    Args:
        account: from IBM's own store or environment by default.
        patience: how long to wait.
    """

    def __init__(self, account: Account | None = None, patience: Patience | None = None) -> None:
        self._account = account or find_account()
        self._patience = patience or Patience()
        self._login = Login(self._account, None, self._patience)
        self._opened: tuple[str, RuntimeClient] | None = None

    @property
    def crn(self) -> str:
        """The instance that is used; raises as :func:`~backends.ibm.account.resolve_instance`."""
        return self._open()[0]

    @property
    def local(self) -> bool:
        """Whether IBM is simulated on this machine: the account's address leads here."""
        return on_this_machine(self._account.url)

    def ask(self, question: str, call: Callable[[RuntimeClient], T]) -> T:
        """Put a question that changes nothing, again where an answer may yet come.

        Args:
            question: for messages, for example ``state of job d1``.
            call: what to ask.

        Raises:
            IBMRefusal: a final no, with IBM's own text.
            CredentialsError: the login is not taken.
            VendorUnavailable: no proper answer in bounded time.
        """
        ends = time.monotonic() + question_seconds(self._patience.question_s)
        pause, renewed, malformed = self._patience.pause_s, False, 0
        while True:
            try:
                return call(self._open()[1])
            except IBMNotAuthorizedError as error:
                if renewed:
                    raise self._not_authorised(question, error) from None
                renewed = True
                self._login.forget()
                continue
            except RequestsApiError as error:
                status, text = _status_of(error), self._text_of(error)
                if status not in _PASSING:
                    raise self._refusal(question, text, status) from None
                wait = math.inf if undecodable(error) else _retry_after(error) or pause
            except _MALFORMED as error:
                malformed += 1
                text = self._login.scrub(f"malformed answer: {error!r}")
                wait = pause if malformed < _MALFORMED_TRIES else math.inf
            if time.monotonic() + wait > ends:
                raise VendorUnavailable(f"IBM did not answer properly ({question}): {text}")
            time.sleep(wait)
            pause = min(2 * pause, 8.0)

    def submit(self, call: Callable[[RuntimeClient], T]) -> T:
        """Send an order, once.

        It is sent a second time only after 401, which says that the first was not even read.

        Raises:
            SubmissionRefused: certainly not accepted.
            SubmissionUncertain: may have been accepted.
        """
        try:
            client = self._open()[1]
            self._login.token()
        except VendorError as error:
            raise SubmissionRefused(f"Not sent: {error}") from error
        try:
            try:
                return call(client)
            except IBMNotAuthorizedError:
                self._login.forget()
                return call(client)
        except IBMNotAuthorizedError as error:
            text = f"IBM refused the login ({self._login.scrub(error)}): needs {WHERE}."
            raise SubmissionRefused(text) from None
        except VendorError as error:  # the login, before anything was sent
            raise SubmissionRefused(f"Not sent: {error}") from error
        except RequestsApiError as error:
            text, status = self._text_of(error), _status_of(error)
            if never_sent(error):
                raise SubmissionRefused(f"IBM could not be reached: {text}") from None
            if 400 <= status < 500 and status != 408:
                raise SubmissionRefused(f"IBM refused the job: {text}") from None
            raise SubmissionUncertain(f"IBM may have the job: {text}") from None
        except _MALFORMED as error:
            text = self._login.scrub(f"malformed answer: {error!r}")
            raise SubmissionUncertain(f"IBM may have the job: {text}") from None

    def _open(self) -> tuple[str, RuntimeClient]:
        if self._opened is None:
            crn = resolve_instance(self._account, self._login, self._patience)
            self._login.crn = crn
            remember_secret(crn)
            parameters = _Parameters(self._account, crn, self._login)
            check_address(parameters.get_runtime_api_base_url())
            client = RuntimeClient(parameters)
            bound(client._session, self._patience)  # IBM offers no other way to its adapters
            # followed, a redirect would send an order twice, or login and circuits elsewhere
            client._session.max_redirects = 0
            self._opened = (crn, client)
        return self._opened

    def _text_of(self, error: RequestsApiError) -> str:
        response = _response_of(error)
        if response is None or not response.is_redirect:
            return self._login.scrub(error)
        host = urlsplit(urljoin(response.url, response.headers["location"])).hostname
        return self._login.scrub(
            f"it answered {response.status_code}, a redirect to {host}, which is not followed"
        )

    def _not_authorised(self, question: str, error: Exception) -> CredentialsError:
        text = self._login.scrub(error)
        return CredentialsError(f"IBM refused the login ({question}: {text}): needs {WHERE}.")

    def _refusal(self, question: str, text: str, status: int) -> VendorError:
        if status == 403:
            return CredentialsError(
                f"IBM does not allow this account that ({question}: {text}): needs {WHERE}."
            )
        return IBMRefusal(f"IBM refused ({question}): {text}", status)


def _response_of(error: BaseException) -> requests.Response | None:
    # IBM's client keeps requests' error as the cause, for 503 as the context only
    found = getattr(error.__cause__ or error.__context__, "response", None)
    return found if isinstance(found, requests.Response) else None


def _status_of(error: RequestsApiError) -> int:
    response = _response_of(error)
    return int(response.status_code if response is not None else error.status_code)


def _retry_after(error: RequestsApiError) -> float | None:
    response = _response_of(error)
    return None if response is None else retry_after(response.headers.get("Retry-After"))
