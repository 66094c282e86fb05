"""The proxy settings in `deploy/proxy`, each run by the real proxy in front of a real worker."""

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.patience import PATIENCE, wait_for
from tests.servers import processes
from tests.servers.ports import free_port, listening
from tests.tracker.edge.test_worker import head, request
from tests.tracker.edge.tls.secure import CA, Secure
from tests.tracker.edge.wire import CLICK, DESTINATION, DOMAIN, OPEN, UNSUBSCRIBE

PROXY = Path(__file__).parents[4] / "deploy" / "proxy"
CLIENT = "127.0.0.2"  # so that its address isn't the proxy's


@dataclass(frozen=True)
class Place:
    """Where a proxy runs: its folder with the certificate, its two ports, the edge's address."""

    folder: Path
    http: int
    https: int
    edge: str

    def settings(self, name: str, *changes: tuple[str, str]) -> Path:
        """Write a file of `deploy/proxy`, with the addresses and paths of this test."""
        text = (PROXY / name).read_text()
        for written, here in (("127.0.0.1:8025", self.edge), *changes):
            assert written in text, f"{name} doesn't say {written}"
            text = text.replace(written, here)
        made = self.folder / name
        made.write_text(text)
        return made


def nginx(place: Place) -> list[str]:
    site = place.settings(
        "nginx.conf",
        ("listen 80;", f"listen 127.0.0.1:{place.http};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{place.https} ssl"),
        ("/etc/ssl/", f"{place.folder}/"),
    )
    main = place.folder / "main.conf"
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    http = "".join(f"{kind}_temp_path {place.folder}/{kind};\n" for kind in kinds)
    main.write_text(
        f"daemon off;\npid {place.folder}/pid;\nevents {{}}\nhttp {{\n{http}include {site};\n}}\n"
    )
    return ["nginx", "-e", str(place.folder / "error.log"), "-c", str(main)]


def haproxy(place: Place) -> list[str]:
    certificates = place.folder / "both"
    certificates.mkdir()
    pair = [(place.folder / f"{DOMAIN}.{end}").read_bytes() for end in ("pem", "key")]
    (certificates / f"{DOMAIN}.pem").write_bytes(b"".join(pair))
    settings = place.settings(
        "haproxy.cfg",
        ("bind :80", f"bind 127.0.0.1:{place.http}"),
        ("bind :443", f"bind 127.0.0.1:{place.https}"),
        ("/etc/haproxy/certs/", f"{certificates}/"),
    )
    return ["haproxy", "-db", "-f", str(settings)]


def caddy(place: Place) -> list[str]:
    own = f"\ttls {place.folder}/{DOMAIN}.pem {place.folder}/{DOMAIN}.key\n"
    settings = place.settings(
        "Caddyfile",
        ("{\n\tauto_https", "{\n\tadmin off\n\tauto_https"),
        ("http://click.example.com {", f"http://click.example.com:{place.http} {{"),
        ("https://click.example.com {\n", f"https://click.example.com:{place.https} {{\n{own}"),
    )
    return ["caddy", "run", "--config", str(settings), "--adapter", "caddyfile"]


PROXIES = {"nginx": nginx, "haproxy": haproxy, "caddy": caddy}


@dataclass
class Behind:
    """A worker and the proxy in front of it."""

    worker: Secure
    place: Place

    @contextlib.contextmanager
    def client(self, *, secure: bool) -> Iterator[socket.socket]:
        port = self.place.https if secure else self.place.http
        with socket.create_connection(("127.0.0.1", port), PATIENCE, (CLIENT, 0)) as below:
            if not secure:
                yield below
                return
            with CA.trusting().wrap_socket(below, server_hostname=DOMAIN) as secured:
                yield secured


@pytest.fixture(params=PROXIES)
def behind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Behind]:
    name: str = request.param
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed, so deploy/proxy is untested with it: apt install it")
    worker = Secure.begin(tmp_path, trusted_proxies="127.0.0.1")
    pair = CA.issue(DOMAIN)
    (tmp_path / f"{DOMAIN}.pem").write_bytes(pair.chain_pem)
    (tmp_path / f"{DOMAIN}.key").write_bytes(pair.key_pem)
    host, port = worker.listener.getsockname()
    place = Place(tmp_path, free_port(), free_port(), f"{host}:{port}")
    with (tmp_path / "output").open("wb") as output:
        proxy = subprocess.Popen(
            PROXIES[name](place),
            env={"PATH": "/usr/sbin:/usr/bin:/bin", "HOME": str(tmp_path)},
            stdout=output,
            stderr=output,
        )
    try:
        ports = (place.http, place.https)
        wait_for(
            lambda: proxy.poll() is not None or all(map(listening, ports)), f"{name} to listen"
        )
        assert proxy.poll() is None, (tmp_path / "output").read_text()
        worker.up()
        yield Behind(worker, place)
    finally:
        if proxy.poll() is None:
            processes.kill_family(proxy.pid)  # nginx' workers would outlive it
        proxy.wait()
        worker.end()


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_behind_the_proxy_both_schemes_lead_on_and_nobody_can_pose_as_another(
    behind: Behind, secure: bool
) -> None:
    with behind.client(secure=secure) as client:
        client.sendall(request("c", CLICK, "X-Forwarded-For: 203.0.113.9\r\n"))
        answered = head(client)
    assert answered.startswith("HTTP/1.1 302")
    assert f"location: {DESTINATION}".lower() in answered.lower()
    assert [(hit.kind, hit.domain, hit.address) for hit in behind.worker.hits()] == [
        ("c", DOMAIN, CLIENT)
    ]


def test_behind_the_proxy_pixels_and_unsubscribing_work_over_https(behind: Behind) -> None:
    form = "List-Unsubscribe=One-Click"
    headers = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n"
    posted = request("u", UNSUBSCRIBE, headers).replace(b"GET", b"POST", 1) + form.encode()
    for asked in (request("o", OPEN), posted):
        with behind.client(secure=True) as client:
            client.sendall(asked)
            assert head(client).startswith("HTTP/1.1 200")
    assert [(hit.kind, hit.via) for hit in behind.worker.hits()] == [("o", ""), ("u", "one-click")]


def test_behind_the_proxy_a_damaged_token_stays_damaged(behind: Behind) -> None:
    with behind.client(secure=True) as client:
        client.sendall(request("c", CLICK.replace(".", "//", 1)))
        assert head(client).startswith("HTTP/1.1 404")
    assert behind.worker.hits() == []
