"""The client reaches nobody but whom it may, and nobody can hold it up."""

import asyncio
import ssl
from ipaddress import ip_network
from pathlib import Path

import pytest

from certs import lookup
from tests.certs.front.pki import Authority
from tests.patience import PATIENCE
from tests.servers.dns import Resolver, Zone
from tests.servers.receiver import (
    HANG,
    Receiver,
    Wild,
    dripping,
    flooding,
    receiving,
    saying,
)
from tests.tracker.webhooks.conftest import LOOPBACK
from tracker.webhooks import connections
from tracker.webhooks.client import BadTarget, Client, Unanswered
from tracker.webhooks.dial import resolving

pytestmark = pytest.mark.anyio

NAME = "app.example.test"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def asking(resolver: Resolver, *allowed: str, tls: ssl.SSLContext | None = None) -> Client:
    """Return a client that looks names up there."""
    among = (lookup.Resolver(resolver.host, resolver.port),)
    networks = [ip_network(one) for one in allowed]
    return Client(networks, lookup=resolving(among), tls=tls, within=PATIENCE)


async def test_the_answer_is_handed_back_whatever_its_status(
    client: Client, receiver: Receiver
) -> None:
    receiver.answers("/hook?a=b", 418)
    answer = await client.post(receiver.url("/hook?a=b"), b"{}", {"Content-Type": "text/x"})
    assert (answer.status, answer.beginning) == (418, b"said with 418")
    (posted,) = receiver.got("/hook?a=b")
    assert (posted.headers["Content-Type"], posted.body) == ("text/x", b"{}")


async def test_a_redirect_is_an_answer_and_is_not_followed(
    client: Client, receiver: Receiver
) -> None:
    receiver.answers("/hook", 302)
    assert (await client.post(receiver.url("/hook"), b"{}", {})).status == 302
    assert not receiver.got("/elsewhere")


async def test_loopback_is_refused_unless_it_is_allowed(receiver: Receiver) -> None:
    async with Client() as client:
        for url in (receiver.url(), receiver.url(host="localhost"), receiver.url(host="[::1]")):
            with pytest.raises(BadTarget, match="this machine: webhooks go to public addresses"):
                await client.check(url)
            with pytest.raises(BadTarget, match="this machine"):
                await client.post(url, b"{}", {})
    assert not receiver.connections


@pytest.mark.parametrize(("kind", "address"), [("A", "127.0.0.1"), ("AAAA", "::ffff:7f00:1")])
async def test_a_name_that_leads_inside_is_refused(
    receiver: Receiver, zone: Zone, resolver: Resolver, kind: str, address: str
) -> None:
    zone.add(NAME, "A", "8.8.8.8")
    zone.add(NAME, kind, address)
    async with asking(resolver) as client:
        with pytest.raises(BadTarget, match=f"{NAME} leads to .*, this machine"):
            await client.check(receiver.url(host=NAME))
        with pytest.raises(BadTarget, match="this machine"):
            await client.post(receiver.url(host=NAME), b"{}", {})
    assert not receiver.connections


async def test_a_name_that_is_led_elsewhere_behind_the_check_reaches_nothing_else(
    receiver: Receiver, zone: Zone, resolver: Resolver
) -> None:
    """DNS rebinding: public when it is registered, ours when something is posted."""
    zone.add(NAME, "A", "8.8.8.8", ttl=0)
    async with asking(resolver) as client:
        await client.check(receiver.url(host=NAME))
        zone.set(NAME, "A", "127.0.0.1", ttl=0)
        with pytest.raises(BadTarget, match="this machine"):
            await client.post(receiver.url(host=NAME), b"{}", {})
    assert not receiver.connections


async def test_a_connection_goes_to_the_address_that_was_checked(
    receiver: Receiver, zone: Zone, resolver: Resolver
) -> None:
    """One look at the DNS for a connection: there is no second one that could say otherwise."""
    zone.add(NAME, "A", "127.0.0.1", ttl=0)
    async with asking(resolver, "127.0.0.0/8") as client:
        await client.post(receiver.url("/hook", host=NAME), b"{}", {})
    assert zone.asked(NAME, "A") == 1
    (posted,) = receiver.got("/hook")
    assert posted.headers["Host"] == f"{NAME}:{receiver.port}"


async def test_tls_asks_for_the_name_and_believes_nobody_else(
    zone: Zone, resolver: Resolver, tmp_path: Path
) -> None:
    authority = Authority()
    zone.add(NAME, "A", "127.0.0.1")
    zone.add("other.example.test", "A", "127.0.0.1")
    context = served(authority, NAME, tmp_path)
    with receiving(context) as receiver:
        async with asking(resolver, "127.0.0.0/8", tls=authority.trusting()) as client:
            answer = await client.post(receiver.url("/hook", host=NAME), b"{}", {})
            assert answer.status == 200
            with pytest.raises(Unanswered, match=r"can't be connected to: .*certificate"):
                await client.post(receiver.url("/hook", host="other.example.test"), b"{}", {})
        assert receiver.names == [NAME, "other.example.test"]


def served(authority: Authority, name: str, folder: Path) -> ssl.SSLContext:
    pair = authority.issue(name)
    (folder / "chain.pem").write_bytes(pair.chain_pem)
    (folder / "key.pem").write_bytes(pair.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    return context


async def test_a_name_without_an_address_says_so_and_may_be_registered(
    zone: Zone, resolver: Resolver
) -> None:
    zone.fail("broken.example.test", "SERVFAIL")
    async with asking(resolver) as client:
        await client.check(f"https://{NAME}/")
        with pytest.raises(Unanswered, match="has no address: is it spelt right"):
            await client.post(f"https://{NAME}/", b"{}", {})
        with pytest.raises(Unanswered, match="its name servers or the resolver fail"):
            await client.post("https://broken.example.test/", b"{}", {})


async def test_an_answer_that_does_not_come_is_not_waited_for(receiver: Receiver) -> None:
    receiver.answers("/hook", HANG)
    async with Client(LOOPBACK, within=0.1) as client:
        with pytest.raises(Unanswered, match=r"no answer within 0\.1 s"):
            await client.post(receiver.url("/hook"), b"{}", {})


@pytest.mark.parametrize(
    "answer",
    [
        flooding(b"HTTP/1.1 200 OK\r\n", b"X-Filler: " + b"x" * 1000 + b"\r\n"),
        flooding(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 102 Processing\r\n\r\n"),
        saying(b"HTTP/1.1 200"),
        saying(b"\x00\x01 not HTTP at all\r\n\r\n"),
        saying(b"SSH-2.0-OpenSSH_9\r\n"),
        saying(),
    ],
    ids=["endless headers", "endless interim", "torn", "no HTTP", "another protocol", "nothing"],
)
async def test_what_is_no_answer_is_no_answer(receiver: Receiver, answer: Wild) -> None:
    receiver.answers("/hook", answer)
    async with Client(LOOPBACK, within=1) as client:
        with pytest.raises(Unanswered, match=r"connection broke|no answer within"):
            await client.post(receiver.url("/hook"), b"{}", {})


@pytest.mark.parametrize(
    "answer",
    [
        dripping(200),
        flooding(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"x" * 10_000),
        flooding(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"5\r\nxxxxx\r\n"),
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nxxxxx"),
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxxxxx\r\n"),
    ],
    ids=["drips", "endless", "endless chunks", "torn", "bad chunks"],
)
async def test_the_status_holds_whatever_becomes_of_the_body(
    receiver: Receiver, answer: Wild
) -> None:
    receiver.answers("/hook", answer)
    async with Client(LOOPBACK, within=PATIENCE) as client:
        said = await client.post(receiver.url("/hook"), b"{}", {})
    assert said.status == 200
    assert len(said.beginning) <= 300


@pytest.fixture
def lasting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have connections kept for however long a test takes from one request to the next."""
    monkeypatch.setattr(connections, "KEEP_ALIVE", PATIENCE)


@pytest.mark.usefixtures("lasting")
async def test_a_connection_is_used_again(client: Client, receiver: Receiver) -> None:
    for _ in range(5):
        await client.post(receiver.url("/hook"), b"{}", {})
    assert (receiver.connections, len(receiver.got("/hook"))) == (1, 5)


@pytest.mark.usefixtures("lasting")
async def test_a_connection_that_was_closed_meanwhile_is_no_failure(
    client: Client, receiver: Receiver
) -> None:
    """The other side answers, and closes when the next request is on its way."""
    receiver.answers("/first", 200)
    await client.post(receiver.url("/first"), b"{}", {})
    receiver.answers("/second", saying(), 200)
    assert (await client.post(receiver.url("/second"), b"{}", {})).status == 200


async def test_who_closes_a_new_connection_has_failed(client: Client, receiver: Receiver) -> None:
    receiver.answers("/hook", saying(), 200)
    with pytest.raises(Unanswered, match="connection broke"):
        await client.post(receiver.url("/hook"), b"{}", {})
    assert len(receiver.got("/hook")) == 1


async def test_nobody_who_listens_is_said_in_words(client: Client, receiver: Receiver) -> None:
    receiver.end()
    with pytest.raises(Unanswered, match="it can't be connected to: Connection refused"):
        await client.post(receiver.url(), b"{}", {})


async def test_names_whose_servers_hang_hold_up_no_other_name(
    receiver: Receiver, zone: Zone, resolver: Resolver
) -> None:
    """Twenty of them: more than any pool of threads for look-ups has."""
    zone.add(NAME, "A", "127.0.0.1")
    for number in range(20):
        zone.fail(f"hangs-{number}.test", "SILENCE")
    async with asking(resolver, "127.0.0.0/8") as client:
        hanging = [
            asyncio.create_task(client.post(f"http://hangs-{number}.test/", b"{}", {}))
            for number in range(20)
        ]
        assert (await client.post(receiver.url(host=NAME), b"{}", {})).status == 200
        assert not any(task.done() for task in hanging)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
