"""Where AWS requests may go: an address of Amazon or of the user's, by TLS, or this machine.

AWS's variables and files may name any endpoint, also one to which the session token, the keys of
an assumed role and the circuits would travel in clear.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest
from botocore.session import Session

from backends.bounded_http import on_this_machine
from backends.vendor import CredentialsError

_VARIABLE = "AWS_ENDPOINT_URL"
_SERVICES = ("braket", "s3", "sts", "sso", "sso_oidc", "signin")
"""What is asked here, and what botocore asks for credentials."""


def guard_endpoints(session: Session) -> None:
    """Refuse endpoints that are not safe, now and, wherever they come from, with every request.

    Args:
        session: whose clients, also those that fetch credentials, are guarded from now on.

    Raises:
        CredentialsError: a variable or a file names such an endpoint.
    """
    if not session.get_config_variable("ignore_configured_endpoint_urls"):
        for place, url in _configured(session):
            _check(place, url)
    session.get_component("event_emitter").register_first("before-send", _before_send)


def _configured(session: Session) -> Iterator[tuple[str, str]]:
    for name in (_VARIABLE, *(f"{_VARIABLE}_{service.upper()}" for service in _SERVICES)):
        if os.environ.get(name):
            yield name, os.environ[name]
    profile = session.get_scoped_config()
    where = f"of profile {session.profile or 'default'} in AWS's files"
    if profile.get("endpoint_url"):
        yield f"endpoint_url {where}", profile["endpoint_url"]
    services = session.full_config.get("services", {}).get(profile.get("services"), {})
    for service in _SERVICES:
        settings = services.get(service)
        if isinstance(settings, dict) and settings.get("endpoint_url"):
            yield f"{service} endpoint_url {where}", settings["endpoint_url"]


def _before_send(request: AWSPreparedRequest, **_: Any) -> None:
    _check("The address of AWS", request.url)


def _check(place: str, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not on_this_machine(url):
        raise CredentialsError(
            f"{place} must begin with https:// or be on this machine, but leads to "
            f"{parts.scheme}://{parts.hostname}: credentials would travel in clear."
        )
