"""Who we are at IBM: the account of IBM's own store or environment, and a login that keeps the key.

IBM's client sends the API key itself to the API when login fails, and waits minutes before that.
Here the key goes to the login service only, in bounded time, and never into a message.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from qiskit_ibm_runtime.accounts import Account, AccountManager
from qiskit_ibm_runtime.accounts.exceptions import AccountsError
from qiskit_ibm_runtime.accounts.management import _DEFAULT_ACCOUNT_CONFIG_JSON_FILE
from qiskit_ibm_runtime.api.auth import CloudAuth

from backends.bounded_http import Patience, bounded_session, on_this_machine, undecodable
from backends.secrets import remember_secret, without_secrets
from backends.vendor import CredentialsError, VendorUnavailable

ACCOUNT_FILE = Path(_DEFAULT_ACCOUNT_CONFIG_JSON_FILE)
"""Where IBM's client keeps saved accounts."""
WHERE = (
    f"QISKIT_IBM_TOKEN (with QISKIT_IBM_INSTANCE) in the environment, or an account saved by "
    f"QiskitRuntimeService.save_account in {Path('~') / '.qiskit' / ACCOUNT_FILE.name}"
)
_GRANT = "urn:ibm:params:oauth:grant-type:apikey"
_EARLY_S = 60.0
_LOGIN_TRIES = 3


def find_account(file: Path | None = None) -> Account:
    """The account that IBM's own client would use; nothing is asked of the network.

    Args:
        file: of saved accounts; :data:`ACCOUNT_FILE` by default.

    Raises:
        CredentialsError: there is none, or it cannot be read; names where it is looked for.
    """
    try:
        account = AccountManager.get(filename=str(file or ACCOUNT_FILE))
    except AccountsError as error:
        raise CredentialsError(f"No IBM Quantum account: needs {WHERE}.") from error
    except (OSError, ValueError, TypeError, AttributeError):
        # the parser's own message may quote the file
        raise CredentialsError(f"The saved IBM account cannot be read: needs {WHERE}.") from None
    if not isinstance(account.token, str) or not account.token.strip():
        raise CredentialsError(f"The IBM account has no API key: needs {WHERE}.")
    check_address(account.url)
    return account


def check_address(url: str) -> str:
    """The address, if a login may be sent there: TLS, or this machine.

    Raises:
        CredentialsError: it may not.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not on_this_machine(url):
        raise CredentialsError(
            f"The address of IBM must begin with https://, but is {parts.scheme}://"
            f"{parts.hostname}: check QISKIT_IBM_URL, IAM_URL and GLOBAL_SEARCH_URL."
        )
    return url


class Login(CloudAuth):
    """Adds a bearer token to requests; the API key is sent to the login service only.

    Args:
        account: with the API key.
        crn: instance that the requests are for.
        patience: bounds of the login's requests.
    """

    def __init__(self, account: Account, crn: str | None, patience: Patience) -> None:
        super().__init__(
            account.token,
            crn or "",
            account.private_endpoint or False,
            account.proxies,
            bool(account.verify),
        )
        self._url = check_address(self.tm.url.rstrip("/"))
        self._patience = patience
        self._session = bounded_session(patience)
        self._session.verify = bool(account.verify)
        if account.proxies:
            self._session.proxies = account.proxies.to_request_params().get("proxies", {})
        self._guard = threading.Lock()
        self._token = ""
        self._ends = 0.0
        remember_secret(account.token)

    def get_headers(self) -> dict[str, str]:
        """Headers of a request to the API.

        Raises:
            CredentialsError: the login service does not take the key.
            VendorUnavailable: the login service does not answer.
        """
        return {"Service-CRN": self.crn, "Authorization": f"Bearer {self.token()}"}

    def token(self) -> str:
        """A token that is good for another minute at least; raises as :meth:`get_headers`."""
        with self._guard:
            if time.time() > self._ends - _EARLY_S:
                self._token, self._ends = self._log_in()
                remember_secret(self._token)
            return self._token

    def forget(self) -> None:
        """Log in afresh with the next request."""
        with self._guard:
            self._ends = 0.0

    def scrub(self, text: object) -> str:
        """The text without this account's key and tokens, or anything that looks like one."""
        return without_secrets(str(text))

    def _log_in(self) -> tuple[str, float]:
        problem = ""
        for attempt in range(_LOGIN_TRIES):
            time.sleep(self._patience.pause_s * attempt)
            try:
                # a redirect would carry the key elsewhere
                answer = self._session.post(
                    f"{self._url}/identity/token",
                    data={"grant_type": _GRANT, "apikey": self.api_key},
                    headers={"Accept": "application/json"},
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                problem = type(error).__name__
                if undecodable(error):
                    break
                continue
            if answer.status_code in (400, 401, 403):
                raise CredentialsError(
                    f"IBM's login refused the API key ({answer.status_code} "
                    f"{self.scrub(_message(answer))}): needs {WHERE}."
                )
            try:
                data = answer.json()
                return str(data["access_token"]), time.time() + float(data["expires_in"])
            except (ValueError, KeyError, TypeError):
                problem = f"status {answer.status_code}"
        raise VendorUnavailable(
            f"IBM's login at {urlsplit(self._url).hostname} did not answer properly ({problem}, "
            f"{attempt + 1} of {_LOGIN_TRIES} tries)."
        )


def resolve_instance(account: Account, login: Login, patience: Patience) -> str:
    """The instance's CRN, asked of IBM's search where the account only has a name or nothing.

    Raises:
        CredentialsError: no such instance, or several and none is named: guessing could choose a
            plan that costs money.
        VendorUnavailable: the search does not answer.
    """
    if isinstance(account.instance, str) and account.instance.startswith("crn:"):
        return account.instance
    host = urlsplit(account.url).hostname
    base = os.environ.get("GLOBAL_SEARCH_URL") or f"https://api.global-search-tagging.{host}"
    session = bounded_session(patience)
    session.verify = bool(account.verify)
    try:
        answer = session.post(
            f"{check_address(base.rstrip('/'))}/v3/resources/search",
            params={"limit": "100"},
            json={"query": "service_name:quantum-computing", "fields": ["crn", "name", "doc"]},
            headers={"Authorization": f"Bearer {login.token()}"},
            allow_redirects=False,
        )
        answer.raise_for_status()
        items = [item for item in answer.json()["items"] if item.get("doc", {}).get("extensions")]
        crn_of = {str(item["crn"]): str(item.get("name")) for item in items}
    except (
        requests.RequestException,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:
        text = login.scrub(f"{type(error).__name__}: {error}")
        raise VendorUnavailable(f"IBM's instance search did not answer properly: {text}") from None
    wanted = None if account.instance in (None, "", "auto") else account.instance
    found = [crn for crn, name in crn_of.items() if wanted in (None, name)]
    if len(found) != 1:
        raise CredentialsError(
            f"QISKIT_IBM_INSTANCE must name one instance, but is {wanted or 'not set'}: the "
            f"account has {', '.join(sorted(set(crn_of.values()))) or 'none'}."
        )
    return found[0]


def _message(answer: requests.Response) -> str:
    try:
        data: Any = answer.json()
        return str(data.get("errorMessage") or data)
    except (ValueError, AttributeError):
        return answer.reason or ""
