"""A worker's TLS port: the same answers, promises and bounds as on the plain one."""

import asyncio
import contextlib
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.certs.front.test_hello import hello
from tests.patience import PATIENCE
from tests.tracker.edge.test_worker import PATIENT, WORKER, closed, ended, head, request
from tests.tracker.edge.tls.secure import CA, Secure
from tests.tracker.edge.wire import CLICK, DESTINATION, DOMAIN, OPEN, UNSUBSCRIBE
from tracker.counters import Counter, Counters
from tracker.edge.bounded import Book
from tracker.edge.certificates import Certificates
from tracker.edge.tls import door


@pytest.fixture
def worker(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Secure]:
    running = Secure.begin(tmp_path, module=getattr(request, "param", WORKER))
    running.certify()
    yield running
    running.end()


def test_a_click_over_tls_leads_on_and_is_on_disk(worker: Secure) -> None:
    client = worker.secured()
    client.sendall(request("c", CLICK, "User-Agent: Mozilla/5.0\r\n"))
    answered = head(client)
    assert answered.startswith("HTTP/1.1 302 Found\r\n")
    assert f"location: {DESTINATION}\r\n" in answered
    (hit,) = worker.hits()
    assert (hit.token, hit.address, hit.user_agent) == (CLICK, "127.0.0.1", "Mozilla/5.0")
    assert (worker.count(Counter.TLS_FULL), worker.count(Counter.TLS_CONTEXTS)) == (1, 1)


def test_both_ports_answer_alike_on_one_connection_after_another(worker: Secure) -> None:
    asked = (
        request("o", OPEN),
        request("a", CLICK),
        request("c", CLICK + "x"),
        request("u", UNSUBSCRIBE),
        b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
    )
    answers: list[list[list[bytes]]] = []
    for client in (worker.connect(), worker.secured()):
        answers.append([])
        for one in asked:
            client.sendall(one)
            answers[-1].append(_without_date(_answer(client)))
    assert answers[0] == answers[1]
    assert [hit.kind for hit in worker.hits()] == ["o", "c"] * 2


def _answer(client: socket.socket) -> bytes:
    got = b""
    while b"\r\n\r\n" not in got:
        got += client.recv(65536)
    head_bytes, _, body = got.partition(b"\r\n\r\n")
    length = int(head_bytes.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += client.recv(65536)
    return head_bytes + body


def _without_date(answer: bytes) -> list[bytes]:
    return [line for line in answer.split(b"\r\n") if not line.lower().startswith(b"date:")]


def test_an_unsubscription_is_posted_over_tls(worker: Secure) -> None:
    client = worker.secured()
    body = "List-Unsubscribe=One-Click"
    form = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
    client.sendall(request("u", UNSUBSCRIBE, form).replace(b"GET", b"POST", 1))
    client.sendall(body.encode())
    assert head(client).startswith("HTTP/1.1 200")
    assert [hit.via for hit in worker.hits()] == ["one-click"]


def test_a_pipelined_flood_over_tls_is_answered_in_order(worker: Secure) -> None:
    client = worker.secured()
    for _ in range(50):
        client.sendall(request("c", CLICK) + request("o", OPEN))
    got = b""
    while got.count(b"HTTP/1.1 ") < 100:
        got += client.recv(65536)
    kinds = [part[:3] for part in got.split(b"HTTP/1.1 ")[1:]]
    assert kinds == [b"302", b"200"] * 50


def test_an_unknown_name_is_refused_and_the_plain_port_answers_it(worker: Secure) -> None:
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        worker.secured(name="nobody.example.com")
    plain = worker.connect()
    plain.sendall(request("c", CLICK))
    assert head(plain).startswith("HTTP/1.1 302")
    assert worker.count(Counter.TLS_UNKNOWN_NAME) == 1


def test_a_certificate_that_comes_later_is_served_without_a_restart(tmp_path: Path) -> None:
    running = Secure.begin(tmp_path)
    try:
        with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
            running.secured()
        running.certify()
        client = running.secured()
        client.sendall(request("c", CLICK))
        assert head(client).startswith("HTTP/1.1 302")
    finally:
        running.end()


@pytest.mark.parametrize("how", ["SIGTERM", "the end of standard input"])
def test_a_worker_with_tls_drains_and_leaves_when_told(worker: Secure, how: str) -> None:
    idle = worker.secured()
    silent = socket.create_connection(worker.tls.getsockname(), timeout=PATIENCE)
    worker.clients.append(silent)
    idle.sendall(request("o", OPEN))
    assert head(idle).startswith("HTTP/1.1 200")
    if how.startswith("SIG"):
        worker.process.send_signal(signal.SIGTERM)
    status, logged = ended(worker.process)
    assert status == 0
    assert [line["event"] for line in logged] == ["worker_started", "worker_stopped"]
    closed(idle)
    assert silent.recv(1) == b""
    assert len(worker.hits()) == 1


@pytest.mark.parametrize("worker", [PATIENT], indirect=True)
def test_a_connection_that_was_just_accepted_may_still_shake_hands_and_ask(worker: Secure) -> None:
    first = worker.secured()
    first.sendall(request("o", OPEN))
    head(first)
    late = socket.create_connection(worker.tls.getsockname(), timeout=PATIENCE)
    other = worker.secured()  # accepted after the late one, so that one is accepted, too
    other.sendall(request("o", OPEN))
    head(other)
    worker.process.send_signal(signal.SIGTERM)
    closed(first)
    secured = CA.trusting().wrap_socket(late, server_hostname=DOMAIN)
    worker.clients.append(secured)
    secured.sendall(request("c", CLICK))
    assert head(secured).startswith("HTTP/1.1 302")
    assert ended(worker.process)[0] == 0
    assert len(worker.hits()) == 3


def test_a_killed_worker_loses_no_answered_hit_and_no_waiting_connection(worker: Secure) -> None:
    client = worker.secured()
    for _ in range(20):
        client.sendall(request("c", CLICK))
        assert head(client).startswith("HTTP/1.1 302")
    worker.process.kill()
    worker.process.communicate()
    waiting = socket.create_connection(worker.tls.getsockname(), timeout=PATIENCE)
    worker.again()
    secured = CA.trusting().wrap_socket(waiting, server_hostname=DOMAIN)
    worker.clients.append(secured)
    secured.sendall(request("c", CLICK))
    assert head(secured).startswith("HTTP/1.1 302")
    assert len(worker.hits()) == 21


def test_silent_connections_to_the_tls_port_are_swept_with_the_others(tmp_path: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        connections: set[Any] = set()
        book = Book(loop, connections, max_idle=0)
        counters = Counters.unmapped()
        certificates = Certificates(tmp_path / "certs", tmp_path / "master.key")
        made = door(certificates, asyncio.Protocol, connections, book, counters)
        server = await loop.create_server(made, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        clients = [await asyncio.open_connection(*address) for _ in range(3)]
        clients[1][1].write(hello(DOMAIN)[:40])
        async with asyncio.timeout(PATIENCE):
            for reader, writer in clients:
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""
                writer.close()
        assert counters.cells[Counter.TLS_SLOW] == 3
        assert connections == set()
        book.close()
        server.close()

    uvloop.run(main())


def _serial(client: ssl.SSLSocket) -> int:
    told = client.getpeercert()
    assert told is not None
    return int(str(told["serialNumber"]), 16)


def test_no_request_is_lost_and_no_wrong_certificate_seen_while_one_is_renewed(
    worker: Secure,
) -> None:
    good = {worker.certify().serial}
    stop = threading.Event()
    seen: list[tuple[int, bool]] = []
    failed: list[Exception] = []

    def ask() -> None:
        while not stop.is_set():
            try:
                with worker.secured() as client:
                    serial = _serial(client)
                    client.sendall(request("c", CLICK, "Connection: close\r\n"))
                    led = head(client).startswith("HTTP/1.1 302")
                seen.append((serial, led))
            except (OSError, AssertionError) as error:
                failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    newest = 0
    for _ in range(15):
        before = len(seen)
        newest = worker.certify().serial
        good.add(newest)
        while len(seen) < before + 10 and not failed:
            stop.wait(0.001)
    stop.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert all(led for _, led in seen)
    assert {serial for serial, _ in seen} <= good
    assert len(worker.hits()) == len(seen)
    with worker.secured() as client:
        assert _serial(client) == newest


def test_http_01_is_answered_on_both_ports_for_registered_names_alone(worker: Secure) -> None:
    token = "tokenTOKEN_-0123456789"
    challenge = f"GET /.well-known/acme-challenge/{token} HTTP/1.1\r\nHost: {{}}\r\n\r\n"

    def asked(client: socket.socket, host: str) -> bytes:
        client.sendall(challenge.format(host).encode())
        return _answer(client)

    worker.cache.put_thumbprints(("thumb-1", "thumb-2"))
    worker.register()
    for client in (worker.connect(), worker.secured()):
        answered = asked(client, f"{DOMAIN.upper()}:80")
        assert answered.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answered.endswith(f"{token}.thumb-1".encode())
        assert b"x-content-type-options: nosniff" in answered
    assert asked(worker.connect(), "nobody.example.com").startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("token", ["short", "t" * 129, "tokenTOKEN_-012345678/", "t" * 30 + "%00"])
def test_what_no_ca_asks_is_not_found(worker: Secure, token: str) -> None:
    worker.cache.put_thumbprints(("thumb-1",))
    worker.register()
    client = worker.connect()
    path = f"/.well-known/acme-challenge/{token}"
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n".encode())
    assert head(client).startswith("HTTP/1.1 404")


def test_links_for_apps_are_told_without_a_redirect(worker: Secure) -> None:
    worker.register(app_site_association='{"applinks":{}}', asset_links="[]")
    for path, body in (
        ("apple-app-site-association", b'{"applinks":{}}'),
        ("assetlinks.json", b"[]"),
    ):
        for client in (worker.connect(), worker.secured()):
            client.sendall(f"GET /.well-known/{path} HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n".encode())
            answered = _answer(client)
            assert answered.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"content-type: application/json\r\n" in answered
            assert answered.endswith(body)


def test_the_reference_protocol_speaks_tls_too(tmp_path: Path) -> None:
    running = Secure.begin(tmp_path, protocol="starlette")
    try:
        running.certify()
        client = running.secured()
        client.sendall(request("c", CLICK))
        assert head(client).startswith("HTTP/1.1 302")
    finally:
        running.end()


def test_without_the_master_key_the_plain_port_answers_on(tmp_path: Path) -> None:
    running = Secure.begin(tmp_path)
    try:
        running.certify()
        (tmp_path / "master.key").chmod(0o644)
        running.process.kill()
        running.process.communicate()
        running.again()
        with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
            running.secured()
        plain = running.connect()
        plain.sendall(request("c", CLICK))
        assert head(plain).startswith("HTTP/1.1 302")
        running.process.send_signal(signal.SIGTERM)
        _, logged = ended(running.process)
        assert "chmod 600" in next(
            line["why"] for line in logged if line["event"] == "certificates_unreadable"
        )
    finally:
        running.end()
