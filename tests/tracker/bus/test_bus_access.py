import asyncio
import base64
import random
import re
import socket
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.servers import nats as servers
from tests.servers.authority import Authority
from tests.servers.nats import Access, Nats
from tests.servers.ports import free_port
from tests.tracker.bus.authority import USER, Identity, trusted
from tests.tracker.bus.parts import (
    PATIENCE,
    address,
    connected,
    consuming,
    made,
    publish,
    settled,
    some,
    stored,
    until,
)
from tracker.bus import connection, publishing
from tracker.bus.connection import BusUnavailable
from tracker.bus.credentials import BadCredentials, Credentials
from tracker.bus.message import Message
from tracker.bus.stream import ensure
from tracker.store.database import Store

pytestmark = pytest.mark.usefixtures("patient")


async def use(url: str, **environment: str) -> None:
    """Connect, and have something done."""
    where = address(url, **environment)
    async with connected(where) as open_:
        await ensure(open_, where.stream)


def refused(url: str, **environment: str) -> str:
    with pytest.raises(BusUnavailable) as caught:
        asyncio.run(use(url, **environment))
    return str(caught.value)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    """Run a server with TLS that asks for a password; its root is `root.pem` in its folder."""
    folder = tmp_path_factory.mktemp("guarded")
    authority = Authority()
    (folder / "root.pem").write_bytes(authority.root_pem)
    chain, key = authority.issue("127.0.0.1").write(folder, "nats")
    access = Access(user="edge", password="s3same", chain=chain, key=key)
    with servers.running(folder, access=access) as server:
        yield server


def root(guarded: Nats) -> Path:
    return guarded.nodes[0].folder.parents[1] / "root.pem"


def test_a_password_and_a_root_of_ones_own_let_one_in(guarded: Nats, tmp_path: Path) -> None:
    (secret := tmp_path / "password").write_text("s3same\n")
    shown = f"{guarded.hosts}/{guarded.fresh()}?ca={root(guarded)}"
    asyncio.run(use(f"nats://edge:s3same@{shown}"))
    asyncio.run(use(f"nats://{shown}&user=edge&password_file={secret}"))
    asyncio.run(use(f"nats://{shown}", NATS_USER="edge", NATS_PASSWORD="s3same"))


@pytest.mark.parametrize(
    ("userinfo", "parameters", "says"),
    [
        ("edge:wrong@", "ca={root}", "lets nobody in with this user, password, token or"),
        ("edge:s3same@", "", "shows a certificate that isn't trusted: "),
        ("", "ca={root}", "lets nobody in"),
        ("", "ca=/nowhere.pem", "cannot read /nowhere.pem: No such file or directory"),
        ("", "ca={root}&creds=/nowhere", "cannot read /nowhere: No such file or directory"),
        ("", "ca={root}&creds={root}", "holds no user's JWT: 'nsc generate creds' writes such"),
        ("", "ca={root}&cert={root}", "holds no certificate that can be used"),
    ],
)
def test_who_is_not_let_in_is_told_why(
    guarded: Nats, userinfo: str, parameters: str, says: str
) -> None:
    query = parameters.format(root=root(guarded))
    sentence = refused(f"nats://{userinfo}{guarded.hosts}/{guarded.fresh()}?{query}")
    assert says in sentence
    assert "s3same" not in sentence


def test_a_password_is_never_sent_in_the_clear_where_tls_is_demanded() -> None:
    """Somebody stands in for the server, and says that it wants a password and no TLS."""
    heard = bytearray()

    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"auth_required":true,"max_payload":1048576}\r\n')
        while some := await reader.read(1_000):
            heard.extend(some)
        writer.close()

    async def act() -> None:
        async with await asyncio.start_server(pretend, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(BusUnavailable, match="speaks no TLS, which is demanded of it"):
                await use(f"nats://edge:s3same@127.0.0.1:{port}/E?tls=on")

    asyncio.run(act())
    assert not heard


def test_a_server_that_hangs_up_in_the_middle_of_a_handshake_is_told() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"tls_required":true,"max_payload":1048576}\r\n')
        await reader.read(1 << 16)
        writer.close()

    async def act() -> None:
        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(BusUnavailable, match=f"127.0.0.1:{port} ends the connection$"):
                await use(f"nats://127.0.0.1:{port}/E?tls=on")

    asyncio.run(act())


def test_credentials_let_one_in(tmp_path: Path) -> None:
    configuration, creds = trusted()
    (written := tmp_path / "edge.creds").write_text(creds)
    patient = {"timeout": PATIENCE}
    with servers.running(tmp_path, authorization=patient, **configuration) as server:
        asyncio.run(use(f"nats://{server.hosts}/E?creds={written}"))
        _, others = trusted()
        written.write_text(others)
        assert "lets nobody in" in refused(f"nats://{server.hosts}/E?creds={written}")


# What docs/bus.md has an operator allow: no more is needed.
EDGE = ["$JS.API.STREAM.INFO.EVENTS", "$JS.API.STREAM.CREATE.EVENTS", "events.>"]
CONSUMER = [
    "$JS.API.STREAM.INFO.*",
    "$JS.API.STREAM.CREATE.*",
    "$JS.API.CONSUMER.*.EVENTS.store",
    "$JS.API.CONSUMER.DURABLE.CREATE.EVENTS.store",
    "$JS.API.CONSUMER.MSG.NEXT.EVENTS.store",
    "$JS.ACK.EVENTS.store.>",
    "events-dead.>",
]


def test_users_need_no_more_than_the_documentation_allows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documented = (Path(__file__).parents[3] / "docs/bus.md").read_text()
    assert [one for one in EDGE + CONSUMER if f'"{one}"' not in documented] == []
    users = [
        {
            "user": name,
            "password": name,
            "permissions": {"publish": allowed, "subscribe": ["_INBOX.>"]},
        }
        for name, allowed in (("edge", EDGE), ("consumer", CONSUMER))
    ]
    authorization = {"users": users, "timeout": PATIENCE}
    with servers.running(tmp_path, authorization=authorization) as server:
        edge, consumer = (
            f"nats://{one}:{one}@{server.hosts}/EVENTS" for one in ("edge", "consumer")
        )

        async def act() -> None:
            await publish(edge, *made(edge, *some(0, 3)), Message("events.x", "x", b"{}"))
            store = await Store.open(tmp_path / "store.db", patience=PATIENCE)
            async with consuming(consumer, store):
                await until(lambda: settled(consumer))
            there = await stored(store)
            await store.close()
            assert len(there) == 3
            # What isn't allowed isn't answered either, but told aside, be it later than we wait.
            monkeypatch.setattr(publishing, "PATIENCE", 0.3)
            await until(lambda: forbidden(publish(consumer, *made(consumer, *some(0, 1)))))
            monkeypatch.setattr(connection, "ANSWER_WITHIN", 0.3)
            await until(lambda: forbidden(use(f"nats://edge:edge@{server.hosts}/OTHER")))

        asyncio.run(act())


async def forbidden(doing: Coroutine[Any, Any, None]) -> bool:
    """Tell whether something is refused, and said to be forbidden."""
    with pytest.raises(BusUnavailable) as refused:
        await doing
    return "permissions violation for publish to" in str(refused.value)


def test_a_signature_is_the_key_s() -> None:
    user = Identity(USER)
    _, creds = trusted()
    found = Credentials.parse(re.sub(r"\bSU\w+", user.seed, creds))
    user._key.public_key().verify(base64.b64decode(found.sign("nonce")), b"nonce")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace("JWT", "GIF"), "no user's JWT"),
        (lambda text: text.replace("SEED", "WEED"), "no user's NKEY seed"),
        (lambda text: re.sub(r"\bSU\w", "SUX", text), "damaged: its checksum is wrong"),
        (lambda text: re.sub(r"\bSU\w+", "SU", text), "damaged"),
        (lambda text: re.sub(r"\bSU\w+", "SU1", text), "no base32"),
        (lambda text: re.sub(r"\bSU\w+", Identity(0).seed, text), "that isn't a user's"),
    ],
)
def test_a_damaged_credentials_file_is_told(change: "object", says: str) -> None:
    assert callable(change)
    with pytest.raises(BadCredentials, match=says):
        Credentials.parse(change(trusted()[1]))


def test_a_bus_that_is_away_is_told_with_every_server_that_was_tried() -> None:
    port = free_port()
    sentence = refused(f"nats://127.0.0.1:{port},localhost:{port}/E")
    assert sentence.startswith("the bus can't be reached: ")
    assert f"127.0.0.1:{port} refuses: " in sentence
    assert f"localhost:{port} refuses: " in sentence


def test_a_server_without_jetstream_is_told(tmp_path: Path) -> None:
    with servers.running(tmp_path, jetstream="disabled") as server:
        assert "JetStream doesn't answer at" in refused(f"nats://{server.hosts}/E")


def test_the_other_servers_are_tried_when_one_hangs(
    nats: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECT_WITHIN", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hosts = [f"127.0.0.1:{silent.getsockname()[1]}", nats.hosts]
        seed = next(one for one in count() if drawn(one, hosts)[0] == hosts[0])
        url = f"nats://{','.join(hosts)}/{nats.fresh()}"

        async def reached() -> bool:
            """Try the silent one, and then the other, which a busy machine may be late to be."""
            random.seed(seed)
            with suppress(BusUnavailable):
                await use(url)
                return True
            return False

        asyncio.run(until(reached))


def drawn(seed: int, hosts: list[str]) -> list[str]:
    return random.Random(seed).sample(hosts, len(hosts))
