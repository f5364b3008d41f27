"""Who may read the dashboard: whoever has its address, from this machine, and nobody's page.

A server on 127.0.0.1 is within reach of every page that is open in the browser (by forms, images
and names that resolve to 127.0.0.1) and of every user of the machine. So: the ``Host`` header must
be ours, the address holds a secret that changes with every start, which is then kept as a cookie
that neither scripts nor other sites can use, only GET is answered, and no header lets another
origin read.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from html import escape
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"
TOKEN = "token"
_BYTES = 32
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def _secret() -> str:
    return secrets.token_urlsafe(_BYTES)


@dataclass(frozen=True)
class Door:
    """The way in.

    Attributes:
        port: of 127.0.0.1.
        token: in the address.
        session: in the cookie.
    """

    port: int
    token: str = field(default_factory=_secret, repr=False)
    session: str = field(default_factory=_secret, repr=False)

    @property
    def address(self) -> str:
        """To be opened in a browser."""
        return f"http://{HOST}:{self.port}/?{TOKEN}={self.token}"

    @property
    def cookie(self) -> str:
        """Its name; browsers share cookies between the ports of a host."""
        return f"qhw-{self.port}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """What a ``Host`` header may say."""
        return f"{HOST}:{self.port}", f"localhost:{self.port}"


class Guard:
    """Lets nobody through to the application who may not read it.

    Args:
        application: what is guarded.
        door: the way in.
    """

    def __init__(self, application: ASGIApp, door: Door) -> None:
        self._application = application
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        if scope["type"] != "http":  # a web socket: closed before it is opened
            await send({"type": "websocket.close", "code": 1008})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refused(Request(scope))
        await (refused or self._application)(scope, receive, with_headers)

    def _refused(self, request: Request) -> Response | None:
        """What is answered in place of the page; ``None`` for whoever may read it."""
        if request.headers.getlist("host") not in [[host] for host in self._door.hosts]:
            return PlainTextResponse("This host is not served here.\n", 421)
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("Only reading is possible.\n", 405, {"allow": "GET, HEAD"})
        given = request.query_params.get(TOKEN)
        if given is not None and _same(given, self._door.token):
            return self._welcome(request)
        if _same(request.cookies.get(self._door.cookie, ""), self._door.session):
            return None
        return PlainTextResponse("Open the address that `qhw dashboard` printed.\n", 403)

    def _welcome(self, request: Request) -> Response:
        # A page that leads on, not a redirect: of a redirect from elsewhere (a link in a message,
        # a file) browsers would not send a cookie that is for this site alone.
        target = escape(quote(request.url.path))
        page = HTMLResponse(
            f'<!doctype html><meta charset="utf-8"><title>qhw</title>'
            f'<meta http-equiv="refresh" content="0; url={target}"><a href="{target}">qhw</a>'
        )
        page.set_cookie(
            self._door.cookie, self._door.session, httponly=True, samesite="strict", path="/"
        )
        return page


def _same(given: str, secret: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "replace"), secret.encode())
