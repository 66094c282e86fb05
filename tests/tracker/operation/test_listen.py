"""Listening sockets."""

import socket

import pytest

from tracker.listen import Address, bind, bound
from tracker.mistake import Exit, Mistake


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8025", Address("127.0.0.1", 8025)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:65535", Address("::1", 65535)),
    ],
)
def test_an_address_is_written_as_it_is_read(text: str, address: Address) -> None:
    assert Address.parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["", ":", "8025", ":8025", "host", "host:", "host:x", "host:65536", "host:²", "::1:80"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as"):
        Address.parse(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_port_0_becomes_a_port_that_answers(host: str) -> None:
    with bind(Address(host, 0), "api.listen") as listener:
        found = bound(listener)
        socket.create_connection((found.host, found.port)).close()


def test_a_host_name_that_is_none_is_refused_by_its_setting() -> None:
    with pytest.raises(Mistake, match=r"choose another edge\.listen") as refused:
        bind(Address("no such host.invalid", 80), "edge.listen")
    assert refused.value.status == Exit.CONFIG
