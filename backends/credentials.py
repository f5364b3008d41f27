"""Which vendors' credentials are configured here: asked of no network, and never shown."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backends.vendor import CredentialsError

_BY_NETWORK = {
    "role_arn": "a role to assume",
    "web_identity_token_file": "a web identity",
    "sso_session": "single sign-on",
    "sso_start_url": "single sign-on",
    "login_session": "a console login",
    "credential_process": "a credential process",
}
"""Keys of an AWS profile whose credentials only the network, or a program, can give."""
_OWN_FILES = ("shared-credentials-file", "config-file")
_CONTAINER = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
_WEB_IDENTITY = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN")


@dataclass(frozen=True)
class CredentialState:
    """Whether a vendor's credentials are configured; not whether the vendor takes them.

    Attributes:
        configured: there are some.
        where: one line for people: where they are, or where they were looked for. Holds no part
            of them.
    """

    configured: bool
    where: str


def credential_states() -> dict[str, CredentialState]:
    """State of each vendor, by registry prefix."""
    return {"ibm": ibm_credentials(), "braket": braket_credentials()}


def ibm_credentials() -> CredentialState:
    """IBM's account, from the environment or the file of saved accounts."""
    from backends.ibm.account import ACCOUNT_FILE, find_account

    try:
        account = find_account()
    except CredentialsError as error:
        return CredentialState(False, str(error))
    place = (
        "QISKIT_IBM_TOKEN"
        if os.environ.get("QISKIT_IBM_TOKEN")
        else f"~/.qiskit/{ACCOUNT_FILE.name}"
    )
    instance = "an instance" if account.instance else "no instance"
    return CredentialState(True, f"API key in {place}, {instance} named")


def braket_credentials() -> CredentialState:
    """AWS's chain as far as it goes without the network; instance metadata is not asked."""
    if importlib.util.find_spec("botocore") is None:
        return CredentialState(False, "not installed: pip install 'qhw[braket]'")
    from botocore.exceptions import BotoCoreError, PartialCredentialsError, ProfileNotFound
    from botocore.session import Session

    from backends.braket.client import WHERE
    from backends.braket.endpoints import guard_endpoints

    try:
        session = Session()
        guard_endpoints(session)
        found = _aws_place(session)
    except ProfileNotFound:
        return CredentialState(False, f"AWS_PROFILE names no profile: needs {WHERE}.")
    except PartialCredentialsError:
        return CredentialState(False, f"AWS credentials are incomplete: needs {WHERE}.")
    except CredentialsError as error:
        return CredentialState(False, str(error))
    except (BotoCoreError, UnicodeDecodeError):  # the parser's own message may quote the file
        return CredentialState(False, f"AWS's files cannot be read: needs {WHERE}.")
    if found is None:
        return CredentialState(False, f"No AWS credentials: needs {WHERE}.")
    return CredentialState(True, found)


def _aws_place(session: Any) -> str | None:
    """Where the first credentials of botocore's chain are, in its order."""
    chain = session.get_component("credential_provider")
    if chain.get_provider("env").load() is not None:
        return "access key in AWS_ACCESS_KEY_ID"
    profile: Mapping[str, Any] = session.get_scoped_config()
    name = session.profile or "default"
    for key, words in _BY_NETWORK.items():
        if profile.get(key):
            return f"{words} in AWS profile {name}, not tried"
    if all(os.environ.get(key) for key in _WEB_IDENTITY):
        return "a web identity in AWS_WEB_IDENTITY_TOKEN_FILE, not tried"
    if any(chain.get_provider(file).load() is not None for file in _OWN_FILES):
        return f"access key in AWS profile {name}"
    if any(os.environ.get(key) for key in _CONTAINER):
        return "this container's role, not tried"
    return None
