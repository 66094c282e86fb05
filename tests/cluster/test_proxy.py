"""The proxy breaks connections as networks do; a server that echoes stands behind it."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from tests.patience import PATIENCE
from tests.servers.proxy import Proxy, between


class Echo(socketserver.StreamRequestHandler):
    """Says again what it hears, line by line."""

    def handle(self) -> None:
        with suppress(ConnectionResetError):
            for line in self.rfile:
                self.wfile.write(line)


class Echoes(socketserver.ThreadingTCPServer):
    daemon_threads = True


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Echoes(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with between(f"127.0.0.1:{server.server_address[1]}") as proxy:
            yield proxy
        server.shutdown()


def connected(proxy: Proxy) -> socket.socket:
    host, _, port = proxy.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def said(connection: socket.socket, line: bytes) -> bytes:
    connection.sendall(line)
    return connection.recv(100)


def assert_it_is_reset(proxy: Proxy) -> None:
    # The reset may come before connect(2) has returned.
    with pytest.raises(ConnectionResetError), closing(connected(proxy)) as connection:
        connection.recv(100)


def test_it_passes_on_what_is_said_and_that_it_ended(proxy: Proxy) -> None:
    with closing(connected(proxy)) as connection:
        assert said(connection, b"one\n") == b"one\n"
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert proxy.taken == 1


def test_a_cut_resets_those_who_are_there_and_those_who_come_until_it_heals(proxy: Proxy) -> None:
    with closing(connected(proxy)) as there:
        assert said(there, b"one\n") == b"one\n"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            there.recv(100)
    assert_it_is_reset(proxy)
    proxy.heal()
    with closing(connected(proxy)) as healed:
        assert said(healed, b"two\n") == b"two\n"


def test_what_hangs_is_late_and_not_lost(proxy: Proxy) -> None:
    with closing(connected(proxy)) as there:
        assert said(there, b"one\n") == b"one\n"
        proxy.hang()
        with closing(connected(proxy)) as late:
            late.settimeout(0.05)
            with pytest.raises(TimeoutError):
                said(late, b"two\n")
            there.sendall(b"three\n")
            proxy.heal()
            late.settimeout(PATIENCE)
            assert late.recv(100) == b"two\n"
            assert there.recv(100) == b"three\n"


def test_a_slow_connection_says_the_same(proxy: Proxy) -> None:
    proxy.slow(0.01)
    with closing(connected(proxy)) as connection:
        assert said(connection, b"one\n") == b"one\n"


def test_a_server_that_is_away_resets_its_clients() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        away = f"127.0.0.1:{taken.getsockname()[1]}"
    with between(away) as proxy:
        assert_it_is_reset(proxy)
