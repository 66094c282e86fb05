"""The TLS port: who is let in, with which certificate, and what everybody else is told."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from certs.cache import Cache
from certs.front import door
from certs.front.alert import Alert, Outcome
from certs.front.door import Arrival
from certs.vault.master import MasterKey
from tests.certs.front.pki import Pair
from tests.certs.front.shop import (
    CA,
    END,
    NAME,
    OTHER,
    OTHER_PAIR,
    PAIR,
    Shop,
    bundle,
    shop,
    visit,
)
from tests.certs.front.test_hello import HELLO, MESSAGE, hello, records
from tests.patience import PATIENCE

Body = Callable[[Shop], Awaitable[None]]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    made = Cache(tmp_path / "certs", MasterKey(bytes(32)))
    made.put(bundle(NAME, PAIR))
    made.put(bundle(OTHER, OTHER_PAIR))
    return made


def opened(cache: Cache, body: Body, remembered: int = 100) -> None:
    async def main() -> None:
        async with shop(cache, remembered) as here:
            await body(here)

    uvloop.run(main())


def client(
    *protocols: str, lowest: ssl.TLSVersion | None = None, highest: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    made = CA.trusting()
    if protocols:
        made.set_alpn_protocols(protocols)
    made.minimum_version = lowest or made.minimum_version
    made.maximum_version = highest or made.maximum_version
    return made


def test_each_name_gets_its_own_certificate(cache: Cache) -> None:
    async def body(here: Shop) -> None:
        for name, pair in ((NAME, PAIR), (OTHER, OTHER_PAIR), (NAME, PAIR)):
            seen = await asyncio.to_thread(visit, here.port, name)
            assert (seen.serial, seen.echoed) == (pair.serial, b"hello.")
        assert here.outcomes == {Outcome.FULL: 3}
        assert here.contexts.built == 2

    opened(cache, body)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("protocols", [(), ("http/1.1",), ("h2", "http/1.1"), ("http/1.0",)])
def test_tls_12_and_13_both_lead_to_http(
    cache: Cache, version: ssl.TLSVersion, protocols: tuple[str, ...]
) -> None:
    async def body(here: Shop) -> None:
        asking = client(*protocols, lowest=version, highest=version)
        seen = await asyncio.to_thread(visit, here.port, NAME, asking)
        assert seen.version == {0x303: "TLSv1.2", 0x304: "TLSv1.3"}[version]
        assert seen.protocol == ("http/1.1" if "http/1.1" in protocols else None)
        assert here.inside[0].transport.get_extra_info("sslcontext") is not None
        assert here.inside[0].transport.get_extra_info("peername")[0] == "127.0.0.1"

    opened(cache, body)


@pytest.mark.parametrize(
    ("sent", "alert", "outcome"),
    [
        (hello("nobody.example.com"), Alert.UNRECOGNIZED_NAME, Outcome.UNKNOWN_NAME),
        (hello("a/b.example.com"), Alert.UNRECOGNIZED_NAME, Outcome.NO_NAME),
        (hello(None), Alert.UNRECOGNIZED_NAME, Outcome.NO_NAME),
        (hello("127.0.0.1"), Alert.UNRECOGNIZED_NAME, Outcome.NO_NAME),
        (hello(NAME, ("h2",)), Alert.NO_APPLICATION_PROTOCOL, Outcome.NOTHING_SHARED),
        (hello(NAME, ("acme-tls/1",)), Alert.NO_APPLICATION_PROTOCOL, Outcome.NOTHING_SHARED),
        (b"\x16\x03\x01\x00\x00", Alert.DECODE_ERROR, Outcome.BAD_HELLO),
        (b"\x16\x03\x01\x00\x04\x02\0\0\0", Alert.UNEXPECTED_MESSAGE, Outcome.BAD_HELLO),
    ],
)
def test_who_is_refused_hears_why_before_any_cryptography(
    cache: Cache, sent: bytes, alert: Alert, outcome: Outcome
) -> None:
    async def body(here: Shop) -> None:
        assert await here.said(sent) == alert.record
        assert here.outcomes == {outcome: 1}
        assert here.contexts.built <= 1  # where only the protocol is wrong, the name is known
        assert here.door.book == set()

    opened(cache, body)


def test_plain_http_is_told_to_use_https(cache: Cache) -> None:
    async def body(here: Shop) -> None:
        answered = await here.said(b"GET /c/x HTTP/1.1\r\nHost: click.example.com\r\n\r\n")
        assert answered.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        head, _, sentence = answered.partition(b"\r\n\r\n")
        assert f"content-length: {len(sentence)}".encode() in head
        assert b"https://" in sentence
        assert here.outcomes == {Outcome.NOT_TLS: 1}

    opened(cache, body)


@pytest.mark.parametrize("sent", [b"\0" * 50, b"\x80\x2e\x01\0\x02", b"\xff" * 20_000, b"ssh\n"])
def test_garbage_gets_no_answer(cache: Cache, sent: bytes) -> None:
    async def body(here: Shop) -> None:
        with contextlib.suppress(ConnectionResetError):  # what wasn't read makes the kernel say so
            assert await here.said(sent) == b""
        assert here.outcomes == {Outcome.NOT_TLS: 1}

    opened(cache, body)


def test_a_hello_in_a_flood_of_tiny_records_is_answered(cache: Cache) -> None:
    async def body(here: Shop) -> None:
        answered = await asyncio.wait_for(_first_record(here, records(MESSAGE, 3)), PATIENCE)
        assert answered[:1] == b"\x16"  # a handshake: the server's hello

    opened(cache, body)


async def _first_record(here: Shop, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
    for at in range(0, len(sent), 11):
        writer.write(sent[at : at + 11])
        await writer.drain()
    try:
        return await reader.readexactly(5)
    finally:
        writer.close()


@pytest.mark.parametrize("length", [0, 1, 5, len(HELLO) - 1])
def test_who_says_too_little_is_swept_away(cache: Cache, length: int) -> None:
    async def body(here: Shop) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        writer.write(HELLO[:length])
        async with asyncio.timeout(PATIENCE):
            while not here.door.book:
                await asyncio.sleep(0.001)
        (arrival,) = here.door.book
        assert isinstance(arrival, Arrival)
        async with asyncio.timeout(PATIENCE):
            while len(arrival._hello.received) < length:
                await asyncio.sleep(0.001)
        assert (arrival.idle(), arrival.seen) == (True, 0)
        arrival.drop()
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
        assert (here.outcomes, here.door.book) == ({Outcome.SLOW: 1}, set())
        writer.close()

    opened(cache, body)


def test_who_stops_in_the_middle_of_a_handshake_is_swept_away(cache: Cache) -> None:
    async def body(here: Shop) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        writer.write(hello(NAME))
        assert await asyncio.wait_for(reader.read(1), PATIENCE) == b"\x16"
        (arrival,) = here.door.book
        here.seconds = 7
        assert arrival.seen == 0
        arrival.drop()
        await asyncio.wait_for(reader.read(), PATIENCE)
        assert here.outcomes == {Outcome.SLOW: 1}
        writer.close()

    opened(cache, body)


def test_a_client_that_leaves_is_counted(cache: Cache) -> None:
    async def body(here: Shop) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", here.port)
        writer.write(HELLO[:50])
        writer.close()
        await here.ended(Outcome.GONE)
        assert here.door.book == set()

    opened(cache, body)


@pytest.mark.parametrize(
    ("highest", "options", "outcome"),
    [
        (ssl.TLSVersion.TLSv1_1, "DEFAULT:@SECLEVEL=0", Outcome.NOTHING_SHARED),
        (ssl.TLSVersion.TLSv1, "DEFAULT:@SECLEVEL=0", Outcome.NOTHING_SHARED),
        (
            ssl.TLSVersion.TLSv1_2,
            "ECDHE-ECDSA-AES128-SHA:AES128-GCM-SHA256",
            Outcome.NOTHING_SHARED,
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.*TLSv1:DeprecationWarning")
def test_old_versions_and_weak_ciphers_are_refused(
    cache: Cache, highest: ssl.TLSVersion, options: str, outcome: Outcome
) -> None:
    async def body(here: Shop) -> None:
        asking = CA.trusting()
        asking.set_ciphers(options)
        asking.minimum_version, asking.maximum_version = ssl.TLSVersion.TLSv1, highest
        with pytest.raises(ssl.SSLError, match="alert"):
            await asyncio.to_thread(visit, here.port, NAME, asking)
        assert here.outcomes == {outcome: 1}

    opened(cache, body)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_that_distrusts_the_certificate_is_counted(
    cache: Cache, version: ssl.TLSVersion
) -> None:
    async def body(here: Shop) -> None:
        stranger = ssl.create_default_context()
        stranger.minimum_version = stranger.maximum_version = version
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.to_thread(visit, here.port, NAME, stranger)
        await here.ended(Outcome.DISTRUSTED)
        assert here.inside == []

    opened(cache, body)


def test_a_challenge_gets_its_certificate_and_nobody_else_does(cache: Cache) -> None:
    answer = CA.issue(NAME)

    async def body(here: Shop) -> None:
        cache.put_challenge(NAME, answer.chain_pem, answer.key_pem)
        asked = await asyncio.to_thread(visit, here.port, NAME, client("acme-tls/1"), say=b"")
        assert (asked.serial, asked.protocol) == (answer.serial, "acme-tls/1")
        assert here.outcomes == {Outcome.FULL: 1}
        assert here.inside == []  # no HTTP over such a connection
        for protocols in ((), ("http/1.1",), ("acme-tls/1", "http/1.1")):
            seen = await asyncio.to_thread(visit, here.port, NAME, client(*protocols))
            assert seen.serial == PAIR.serial

    opened(cache, body)


def test_a_renewed_certificate_is_served_at_once_and_sessions_live_on(cache: Cache) -> None:
    renewed = CA.issue(NAME)

    async def body(here: Shop) -> None:
        asking = client(highest=ssl.TLSVersion.TLSv1_3)
        first = await asyncio.to_thread(visit, here.port, NAME, asking)
        cache.put(bundle(NAME, renewed))
        again = await asyncio.to_thread(visit, here.port, NAME, asking, session=first.session)
        fresh = await asyncio.to_thread(visit, here.port, NAME)
        assert (first.serial, again.resumed) == (PAIR.serial, True)
        assert (fresh.serial, fresh.resumed) == (renewed.serial, False)
        assert here.outcomes == {Outcome.FULL: 2, Outcome.RESUMED: 1}

    opened(cache, body)


def test_an_open_session_goes_on_over_a_renewal(cache: Cache) -> None:
    async def body(here: Shop) -> None:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", here.port, ssl=CA.trusting(), server_hostname=NAME
        )
        cache.put(bundle(NAME, CA.issue(NAME)))
        await asyncio.to_thread(visit, here.port, NAME)
        writer.write(b"still there.")
        assert await asyncio.wait_for(reader.readuntil(END), PATIENCE) == b"still there."
        writer.close()

    opened(cache, body)


@pytest.mark.parametrize(
    ("chain", "key"),
    [
        (b"no chain", PAIR.key_pem),
        (PAIR.chain_pem, b"no key"),
        (PAIR.chain_pem, OTHER_PAIR.key_pem),
        (b"", b""),
    ],
)
def test_with_a_damaged_certificate_the_last_good_one_stays(
    cache: Cache, chain: bytes, key: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def body(here: Shop) -> None:
        await asyncio.to_thread(visit, here.port, NAME)
        cache.put(bundle(NAME, Pair(chain, key)))
        for _ in range(2):
            seen = await asyncio.to_thread(visit, here.port, NAME)
            assert seen.serial == PAIR.serial
        assert [record.message for record in caplog.records] == ["certificate_unusable"]
        assert here.outcomes == {Outcome.FULL: 3}

    opened(cache, body)


def test_a_certificate_that_never_was_good_is_an_error_of_ours(cache: Cache) -> None:
    async def body(here: Shop) -> None:
        (cache_file,) = (path for path in _files(cache) if path.name == NAME)
        cache_file.write_bytes(b"damaged")
        assert await here.said(hello(NAME)) == Alert.INTERNAL_ERROR.record
        assert here.outcomes == {Outcome.UNUSABLE: 1}
        cache.put(bundle(NAME, PAIR))
        assert (await asyncio.to_thread(visit, here.port, NAME)).serial == PAIR.serial

    opened(cache, body)


def _files(cache: Cache) -> list[Path]:
    return [path for path in cache._folder.rglob("*") if path.is_file()]


def test_a_name_that_was_removed_is_unknown(cache: Cache) -> None:
    async def body(here: Shop) -> None:
        await asyncio.to_thread(visit, here.port, NAME)
        cache.remove(NAME)
        assert await here.said(hello(NAME)) == Alert.UNRECOGNIZED_NAME.record
        assert len(here.contexts) == 0

    opened(cache, body)


def test_no_more_contexts_are_held_than_allowed(cache: Cache) -> None:
    names = [f"{number}.example.com" for number in range(5)]
    for name in names:
        cache.put(bundle(name, CA.issue(name)))

    async def body(here: Shop) -> None:
        for name in (*names, names[-1], names[0]):
            await asyncio.to_thread(visit, here.port, name)
        assert (len(here.contexts), here.contexts.built) == (3, 6)

    opened(cache, body, remembered=3)


def test_a_large_exchange_comes_through_whole(cache: Cache) -> None:
    said = bytes(range(32, 46)) * 50_000 + b"x" + END

    async def body(here: Shop) -> None:
        said_whole = said.replace(END, b",")[:-1] + END
        seen = await asyncio.to_thread(visit, here.port, NAME, say=said_whole)
        assert seen.echoed == said_whole

    opened(cache, body)


def test_closing_says_so_to_the_client(cache: Cache) -> None:
    async def body(here: Shop) -> None:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", here.port, ssl=CA.trusting(), server_hostname=NAME
        )
        writer.write(b"close.")
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b"close."  # and no broken session
        writer.close()
        assert here.inside[0].transport.is_closing()

    opened(cache, body)


def test_a_forged_record_ends_the_session(cache: Cache) -> None:
    async def body(here: Shop) -> None:
        asking = CA.trusting()
        below = socket.create_connection(("127.0.0.1", here.port), timeout=PATIENCE)
        secured = await asyncio.to_thread(asking.wrap_socket, below, server_hostname=NAME)
        with socket.socket(fileno=secured.detach()) as raw:
            raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
            raw.setblocking(False)
            async with asyncio.timeout(PATIENCE):
                while await asyncio.get_running_loop().sock_recv(raw, 65536):
                    pass
        assert here.inside[0].received == b""

    opened(cache, body)


async def _drained(here: Shop) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect, and have the worker drain before a byte was said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
    async with asyncio.timeout(PATIENCE):
        while not here.door.book:
            await asyncio.sleep(0.001)
    (arrival,) = here.door.book
    arrival.shutdown()
    return reader, writer


def test_a_worker_that_drains_lets_a_handshake_finish(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "GRACE", PATIENCE)  # for as long as a busy machine takes

    async def body(here: Shop) -> None:
        reader, writer = await _drained(here)
        await writer.start_tls(CA.trusting(), server_hostname=NAME)
        assert await reader.read() == b""  # the protocol inside has nothing to answer, and closes
        assert here.outcomes == {Outcome.FULL: 1}
        writer.close()

    opened(cache, body)


def test_a_worker_that_drains_waits_for_no_handshake_that_never_ends(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "GRACE", 0.01)

    async def body(here: Shop) -> None:
        reader, writer = await _drained(here)
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        assert here.outcomes == {Outcome.SLOW: 1}
        writer.close()

    opened(cache, body)
