"""Nobody reads the dashboard but whoever has its address; nothing but runs is served."""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest

from qhw.dashboard.guard import Door
from qhw.dashboard.serve import DashboardError, served
from tests.saved.conftest import ODD_NAMES

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


class Client:
    """Says over the wire exactly what it is told to."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.headers = {"Host": f"127.0.0.1:{door.port}"}

    def ask(
        self, path: str, method: str = "GET", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.door.port, timeout=60)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in (self.headers | headers).items():
            if value:
                connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, body

    def text(self, path: str) -> str:
        status, _, body = self.ask(path)
        assert status == 200, (path, body)
        return body.decode()


@pytest.fixture
def outsider(
    hostile_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Client]:
    """Knows the port and nothing else."""
    monkeypatch.setenv("QHW_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("QHW_LEDGER_URL", raising=False)
    with served(hostile_folder) as door:
        yield Client(door)


@pytest.fixture
def reader(outsider: Client) -> Client:
    """Has opened the address."""
    made = Client(outsider.door)
    made.headers["Cookie"] = f"{made.door.cookie}={made.door.session}"
    return made


def test_the_address_gives_a_cookie_for_this_site_alone(outsider: Client) -> None:
    path = outsider.door.address.partition(str(outsider.door.port))[2]
    status, headers, body = outsider.ask(path)
    assert status == 200
    name, _, rest = headers["set-cookie"].partition("=")
    assert name == outsider.door.cookie
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(rest.split("; "))
    assert "Domain" not in rest
    assert outsider.door.token not in headers["set-cookie"]
    assert outsider.door.token.encode() not in body
    assert outsider.door.session.encode() not in body
    cookie = f"{name}={rest.partition(';')[0]}"
    assert outsider.ask("/", Cookie=cookie)[0] == 200


def test_two_starts_have_nothing_in_common() -> None:
    doors = [Door(1), Door(1)]
    secrets = {secret for door in doors for secret in (door.token, door.session)}
    assert len(secrets) == 4 and all(len(secret) >= 43 for secret in secrets)
    assert not any(secret in repr(doors) for secret in secrets)


@pytest.mark.parametrize("path", ["/", "/jobs", "/jobs/now", "/files/result-v1/result.json", "/x"])
def test_without_the_secret_nothing_is_told(outsider: Client, path: str) -> None:
    token, session, name = outsider.door.token, outsider.door.session, outsider.door.cookie
    empty = outsider.ask(path)
    assert empty[0] == 403 and empty[2] == b"Open the address that `qhw dashboard` printed.\n"
    for tried in (
        outsider.ask(f"{path}?token="),
        outsider.ask(f"{path}?token={token[:-1]}"),
        outsider.ask(f"{path}?token={token}x"),
        outsider.ask(f"{path}?token={session}"),
        outsider.ask(f"{path}?token=%FF&token={token}x"),
        outsider.ask(path, Cookie=f"{name}={token}"),
        outsider.ask(path, Cookie=f"{name}="),
        outsider.ask(path, Cookie=f"qhw-1={session}"),
        outsider.ask(path, Authorization=f"Bearer {session}"),
    ):
        assert (tried[0], tried[2]) == (empty[0], empty[2])


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1.nip.io:{port}",
        "[::1]:{port}",
        "localhost.evil:{port}",
        "",
    ],
)
def test_a_name_that_was_bound_to_this_machine_is_refused(reader: Client, host: str) -> None:
    port = reader.door.port
    status, headers, _ = reader.ask("/", Host=host.format(port=port))
    assert status in (400, 421) and "set-cookie" not in headers
    path = f"/?token={reader.door.token}"
    status, headers, _ = reader.ask(path, Host=host.format(port=port))
    assert status in (400, 421) and "set-cookie" not in headers
    assert reader.ask("/", Host=f"localhost:{port}")[0] == 200


def test_two_hosts_are_no_host(reader: Client) -> None:
    with socket.create_connection(("127.0.0.1", reader.door.port)) as raw:
        host = f"127.0.0.1:{reader.door.port}"
        cookie = reader.headers["Cookie"]
        raw.sendall(
            f"GET / HTTP/1.1\r\nHost: {host}\r\nHost: evil\r\nCookie: {cookie}\r\n\r\n".encode()
        )
        assert raw.recv(100).split()[1] in (b"400", b"421")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "ANY"])
def test_only_reading_is_possible(reader: Client, method: str) -> None:
    assert reader.ask("/", method)[0] == 405


def test_no_page_may_be_read_framed_or_kept_by_another(reader: Client) -> None:
    for path in ("/", "/jobs", "/nothing", "/files/result-v1/result.json", "/assets/dashboard.js"):
        _, headers, _ = reader.ask(path, Origin="http://evil.example")
        assert not [name for name in headers if name.startswith("access-control")]
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
    policy = reader.ask("/")[1]["content-security-policy"]
    assert "unsafe" not in policy


def test_only_this_machine_can_connect(outsider: Client) -> None:
    table = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    port = f"{outsider.door.port:04X}"
    listening = [f[1] for line in table.splitlines() if (f := line.split())[3] == "0A"]
    assert [a for a in listening if a.endswith(f":{port}")] == [f"0100007F:{port}"]


@pytest.mark.parametrize(
    "path",
    [
        "/files/result-v1/../../secret/result.json",
        "/files/result-v1/..%2f..%2fsecret/result.json",
        "/files/..%2fsecret/result.json",
        "/files/../secret/result.json",
        "/files/%2e%2e/secret/result.json",
        "/files/%252e%252e/secret/result.json",
        "/files/result-v1//etc/passwd",
        "/files/result-v1/%2fetc%2fpasswd",
        "/files/link/result.json",
        "/files/inner-link/result.json",
        "/files/loop/result.json",
        "/files/pipe/result.json",
        "/files/folder/result.json",
        "/files/result-v1/",
        "/files/result-v1/%00",
        "/files/result-v1/result.json%00.html",
        "/files/.half-written.partial/log.txt",
        "/files/a-file",
        "/files//result-v1/result.json",
        "/assets/..%2fguard.py",
        "/assets/%2e%2e/guard.py",
        "/run/..",
        "/run/%FF",
    ],
)
def test_nothing_but_files_of_runs_is_served(reader: Client, path: str) -> None:
    status, _, body = reader.ask(path)
    assert status == 404 and b"root:" not in body and b"schema_version" not in body


def test_a_report_of_anybody_is_shown_in_a_sandbox(reader: Client, hostile_folder: Path) -> None:
    run = hostile_folder / "result-v1"
    (run / "report.html").write_text("<script>fetch('/jobs')</script>")
    (run / "drawing.svg").write_text("<svg onload='alert(1)'/>")
    (run / "counts.npz").write_bytes(b"PK")
    _, headers, body = reader.ask("/files/result-v1/report.html")
    policy = headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts;")
    assert "allow-same-origin" not in policy and "connect-src" not in policy
    assert body == (run / "report.html").read_bytes()
    for name in ("drawing.svg", "counts.npz"):
        _, headers, _ = reader.ask(f"/files/result-v1/{name}")
        assert headers["content-disposition"] == "attachment"
        assert headers["content-type"] == "application/octet-stream"
    _, headers, _ = reader.ask("/files/result-v1/result.json")
    assert headers["content-type"].startswith("text/plain")


def test_everything_hostile_is_on_the_page_and_escaped(reader: Client) -> None:
    page = reader.text("/")
    assert "<img src=x" not in page and "\x1b" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page and "\\x1b[31mred\\nline" in page
    assert page.count("cannot be read") >= 20
    links = [unescape(a) for a in re.findall(r'href="(/run/[^"]+)"', page)]
    assert quote(f"/run/{ODD_NAMES[3]}", safe="/") in links
    for link in links:
        assert reader.ask(link)[0] == 200, link
    assert 'value="{{ 7 * 7 }}"' in reader.text("/?words=" + quote("{{ 7 * 7 }}"))
    for evil in ("<script>alert(1)</script>", '"><img src=x>'):
        for path in (f"/?words={quote(evil)}", f"/jobs?run={quote(evil)}&state={quote(evil)}"):
            assert evil not in reader.text(path)
        status, _, body = reader.ask(f"/compare?run={quote(evil)}&run=result-v1")
        assert status == 400 and evil.encode() not in body


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=1e9", f"page={10**40}", "page=999999", "page=²", "sort=x",
              "sort=__class__", "order=up", "words=%00%ff", "state=nonsense", "page=1&page=2"],
)  # fmt: skip
def test_addresses_that_make_no_sense_are_answered(reader: Client, query: str) -> None:
    query = quote(query, safe="=&%")
    assert reader.ask(f"/?{query}")[0] == reader.ask(f"/jobs?{query}")[0] == 200


def test_style_and_script_arrive_as_they_are(reader: Client) -> None:
    assert "&" not in reader.text("/assets/dashboard.css")
    assert "=>" in reader.text("/assets/dashboard.js")


def test_a_taken_port_is_one_line(outsider: Client, tmp_path: Path) -> None:
    taken = outsider.door.port
    with pytest.raises(DashboardError, match=f"{taken} is taken"), served(tmp_path, taken):
        pass
