"""The ClientHello: what clients send is read, however it is cut; what others send is bounded."""

import ssl
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.front.alert import Alert
from certs.front.hello import (
    MAX_RECEIVED,
    RECORD_HEADER,
    BadHello,
    ClientHello,
    HelloReader,
    NotTls,
    parse,
)


def hello(name: str | None = "click.example.com", protocols: tuple[str, ...] = ()) -> bytes:
    """Return the first flight of OpenSSL's client."""
    context = ssl.create_default_context()
    context.check_hostname = False
    if protocols:
        context.set_alpn_protocols(protocols)
    outgoing = ssl.MemoryBIO()
    session = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


HELLO = hello(protocols=("h2", "http/1.1"))
MESSAGE = HELLO[RECORD_HEADER:]
READ = ClientHello("click.example.com", (b"h2", b"http/1.1"))


def records(message: bytes, length: int) -> bytes:
    """Cut a message into records of `length` bytes."""
    parts = (message[at : at + length] for at in range(0, len(message), length))
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in parts)


def fed(chunks: list[bytes]) -> ClientHello | None:
    reader = HelloReader()
    for chunk in chunks:
        if found := reader.feed(chunk):
            assert reader.received == b"".join(chunks)[: len(reader.received)]
            return found
    return None


def with_name(name: bytes) -> bytes:
    """Return a hello for a name of as many bytes as the one it is put in place of."""
    assert len(name) == len(READ.name)
    return HELLO.replace(READ.name.encode(), name)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (hello(), ClientHello("click.example.com", ())),
        (HELLO, READ),
        (hello(None), ClientHello("", ())),
        (hello(None, ("acme-tls/1",)), ClientHello("", (b"acme-tls/1",))),
        (with_name(b"CLICK.Example.COM"), READ),
        (with_name(b"click.example.co."), ClientHello("click.example.co", READ.protocols)),
        (with_name(b"../../etc/passwd."), ClientHello("", READ.protocols)),
        (with_name(b"click.example.c\xc3\xa4"), ClientHello("", READ.protocols)),
        (with_name(b"click\0example.com"), ClientHello("", READ.protocols)),
        (with_name(b"..click.example.c"), ClientHello("", READ.protocols)),
    ],
)
def test_a_hello_tells_the_name_and_the_protocols(sent: bytes, read: ClientHello) -> None:
    assert HelloReader().feed(sent) == read


def test_a_hello_without_extensions_has_no_name() -> None:
    body = bytes((3, 3)) + bytes(32) + b"\0" + b"\0\x02\xc0\x2b" + b"\x01\0"
    assert parse(b"\x01" + len(body).to_bytes(3, "big") + body) == ClientHello("", ())


@given(st.lists(st.integers(0, len(HELLO))), st.integers(1, 600))
def test_a_hello_is_the_same_however_it_is_cut(cuts: list[int], record: int) -> None:
    sent = records(MESSAGE, record)
    bounds = sorted({0, len(sent), *(cut % len(sent) for cut in cuts)})
    assert fed([sent[a:b] for a, b in pairwise(bounds)]) == READ


def test_every_part_of_a_hello_is_waited_for() -> None:
    parts = [HELLO[:length] for length in range(len(HELLO))]
    assert [part for part in parts if HelloReader().feed(part) is not None] == []


@given(st.binary(max_size=400), st.sampled_from([b"", b"\x16\x03\x01\x00\xc8", HELLO[:43]]))
def test_garbage_is_refused_or_waited_for(garbage: bytes, begun: bytes) -> None:
    try:
        found = HelloReader().feed(begun + garbage)
    except (NotTls, BadHello):
        return
    assert found is None or found.name.isascii()


@given(st.integers(0, len(MESSAGE) - 1), st.integers(0, 255))
def test_a_damaged_hello_is_refused_or_read(at: int, byte: int) -> None:
    damaged = MESSAGE[:at] + bytes((byte,)) + MESSAGE[at + 1 :]
    try:
        found = HelloReader().feed(records(damaged, len(damaged)))
    except BadHello:
        return
    assert found is None or all(protocol in damaged for protocol in found.protocols)


@pytest.mark.parametrize(
    ("sent", "alert"),
    [
        (b"\x16\x02\x00\x00\x01\x01", Alert.DECODE_ERROR),  # SSL 2's version
        (b"\x16\x03\x01\x00\x00", Alert.DECODE_ERROR),  # RFC 8446 §5.1: no empty fragments
        (b"\x16\x03\x01\x40\x01", Alert.DECODE_ERROR),
        (b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", Alert.UNEXPECTED_MESSAGE),
        (b"\x16\x03\x01\x00\x04\x01\x00\x40\x01", Alert.DECODE_ERROR),
        (records(MESSAGE, 100)[:105] + b"\x17\x03\x03\x00\x01x", Alert.UNEXPECTED_MESSAGE),
        (b"\x16\x03\x01\x00\x04\x01\x00\x00\x00", Alert.DECODE_ERROR),
    ],
)
def test_what_no_hello_can_be_gets_its_alert(sent: bytes, alert: Alert) -> None:
    with pytest.raises(BadHello) as refused:
        HelloReader().feed(sent)
    assert refused.value.alert is alert


def test_a_hello_in_tiny_records_ends_or_is_refused_within_a_bound() -> None:
    assert fed([records(MESSAGE, 1)]) == READ
    endless = records(b"\x01\x00\x40\x00" + bytes(16 * 1024), 1)
    with pytest.raises(BadHello, match="doesn't end"):
        fed([endless[at : at + 7] for at in range(0, MAX_RECEIVED + 7, 7)])


def test_what_is_not_tls_is_kept_for_an_answer() -> None:
    with pytest.raises(NotTls) as refused:
        HelloReader().feed(b"GET / HTTP/1.1\r\n")
    assert refused.value.received == b"GET / HTTP/1.1\r\n"
