"""`POST /v1/rewrite`: what a sender gets back for a message, a page, and for neither."""

import asyncio
import re
import socket
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from hashlib import sha512
from pathlib import Path

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from rewriter.keyring import Keyring
from rewriter.tokens import Context, Tokens, key_id
from tests.tracker.api.caller import KEY
from tracker import child
from tracker.api.app import api
from tracker.api.keys import ApiKeys
from tracker.health import Health
from tracker.office import OfficeSettings
from tracker.office.work import ANSWER_WITHIN, opened
from tracker.store.database import Store

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]
NEWSLETTER = (ROOT / "deploy" / "demo" / "newsletter.eml").read_bytes()
URL = "/v1/rewrite?tracking_url=https://click.example.com"
MESSAGE = {"Content-Type": "message/rfc822"}
PAGE = {"Content-Type": "text/html"}
LINK = b'<a href="https://example.com/">x</a>'
MAIL = b"From: a@example.org\nTo: ann@example.net\nContent-Type: text/html\n\n" + LINK + b"\n"
SIGNED = b"DKIM-Signature: v=1; a=rsa-sha256; b=abc\n" + MAIL
UNKNOWN = MAIL.replace(b"\n\n", b"\nContent-Transfer-Encoding: x-none\n\n", 1)
LONG = MAIL.replace(b"To:", b'X-Mailgun-Variables: {"a": "%s"}\nTo:' % (b"b" * 20_000))
MEBIBYTE = 1 << 20


@pytest.fixture
def keyring(tmp_path: Path) -> Path:
    path = tmp_path / "keyring.json"
    Keyring.new().save(path)
    return path


@pytest.fixture
def app(store: Store, keyring: Path) -> Starlette:
    async def well() -> Health:
        return Health("ok", {})

    return api(store, ApiKeys.of(KEY), well, bytes, keyring=keyring)


@pytest.fixture
async def port(app: Starlette) -> AsyncIterator[int]:
    """Serve the app as the office does; yield the port."""
    server = child.server(app, ANSWER_WITHIN)
    listener = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0)
    yield listener.getsockname()[1]
    server.should_exit = True
    await serving


def command(keyring: Path, given: bytes, *flags: str) -> bytes:
    """Give what the command gives a sender who has the same keyring."""
    url = "--tracking-url=https://click.example.com"
    return subprocess.run(
        [sys.executable, "-P", "-m", "rewriter", url, f"--keyring={keyring}", *flags],
        input=given,
        capture_output=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    ).stdout


def frames(data: bytes) -> list[bytes]:
    """Find the context frames of the tracked links."""
    unfolded = data.replace(b"=\n", b"")
    return re.findall(rb"https://click\.example\.com/c/[\w-]+\.([\w-]+)\.", unfolded)


def context(keyring: Path, data: bytes) -> Context:
    """Open the context of the links, which is one for all of them."""
    (frame,) = set(frames(data))
    return Tokens(Keyring.load(keyring).for_domain("click.example.com")).open_context(frame)


@pytest.mark.parametrize(
    ("headers", "given", "query", "flags"),
    [
        (MESSAGE, NEWSLETTER, "", []),
        (MESSAGE, NEWSLETTER, "&strict=yes&pixel=both", ["--strict", "--pixel=both"]),
        (
            MESSAGE,
            NEWSLETTER,
            "&recipient=ben%2Bx@example.net&message_id=%3C2@example.com%3E&text_links=yes"
            "&utm=utm_source%3Dletter%26utm_medium%3Demail&exclude_domains=example.org,a.example",
            [
                "--recipient=ben+x@example.net",
                "--message-id=<2@example.com>",
                "--text-links",
                "--utm=utm_source=letter&utm_medium=email",
                "--exclude-domains=example.org,a.example",
            ],
        ),
        (MESSAGE, NEWSLETTER, "&privacy=off", ["--privacy=off"]),
        (MESSAGE, SIGNED, "&dkim=strip&opens=no", ["--dkim=strip", "--no-opens"]),
        (PAGE, LINK, "&recipient=ann@example.net", ["--html", "--recipient=ann@example.net"]),
        (
            {"Content-Type": 'Text/HTML; Charset="shift_jis"'},
            '<a href="https://example.com/?q=日本">日本</a>'.encode("shift_jis"),
            "&sending_domain=Example.org",
            ["--html", "--charset=shift_jis", "--sending-domain=Example.org"],
        ),
    ],
)
async def test_the_bytes_are_those_that_the_command_gives(
    client: httpx.AsyncClient,
    keyring: Path,
    headers: dict[str, str],
    given: bytes,
    query: str,
    flags: list[str],
) -> None:
    answer = await client.post(URL + query, content=given, headers=headers)
    assert answer.status_code == 200
    assert answer.content == command(keyring, given, *flags)
    assert (answer.content == given) is ("privacy=off" in query)
    assert answer.headers["content-type"] == headers["Content-Type"]


@pytest.mark.parametrize(
    ("headers", "given", "tags"),
    [
        (MESSAGE, NEWSLETTER, ("harbour-letter", "autumn", "spring tide")),
        (PAGE, LINK, ("spring tide", "autumn")),
    ],
)
async def test_tags_come_after_those_of_the_message_and_each_once(
    client: httpx.AsyncClient,
    keyring: Path,
    headers: dict[str, str],
    given: bytes,
    tags: tuple[str, ...],
) -> None:
    query = "&tags=spring+tide&tags=autumn&tags=autumn"
    answer = await client.post(URL + query, content=given, headers=headers)
    assert context(keyring, answer.content).tags == tags


async def test_a_page_is_for_whom_the_parameters_say(
    client: httpx.AsyncClient, keyring: Path
) -> None:
    query = "&recipient=ann@example.net&message_id=%3C1@a%3E&sending_domain=b.example&privacy=full"
    answer = await client.post(URL + query, content=LINK, headers=PAGE)
    assert context(keyring, answer.content) == Context("1@a", "ann@example.net", "b.example")


@pytest.mark.parametrize(
    ("headers", "given", "flags"),
    [(MESSAGE, NEWSLETTER, []), (MESSAGE, UNKNOWN, []), (PAGE, LINK, ["--html"])],
)
async def test_an_explanation_says_what_the_command_says_and_holds_the_mail(
    client: httpx.AsyncClient,
    keyring: Path,
    headers: dict[str, str],
    given: bytes,
    flags: list[str],
) -> None:
    plain = await client.post(URL, content=given, headers=headers)
    answer = await client.post(f"{URL}&explain=yes", content=given, headers=headers)
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert b64decode(told.pop("data")) == plain.content
    assert told == msgspec.json.decode(command(keyring, given, "--json", *flags))


@pytest.mark.parametrize(
    ("given", "query", "notices"),
    [
        (UNKNOWN, "&list_unsubscribe=no", "encoding"),
        (SIGNED, "&dkim=refuse", "dkim-refused"),
        (LONG, "", "too-long"),
    ],
)
async def test_what_cannot_be_rewritten_comes_back_whole_with_the_reason_or_is_refused(
    client: httpx.AsyncClient, given: bytes, query: str, notices: str
) -> None:
    answer = await client.post(URL + query, content=given, headers=MESSAGE)
    assert (answer.status_code, answer.content) == (200, given)
    assert answer.headers["rewriter-notices"] == notices
    answer = await client.post(f"{URL}{query}&strict=yes", content=given, headers=MESSAGE)
    assert answer.status_code == 422
    assert answer.json()["message"].endswith(f"[{notices}]")


async def test_a_page_whose_tokens_would_be_too_long_comes_back_whole_or_is_refused(
    client: httpx.AsyncClient,
) -> None:
    digests = [sha512(bytes([number])).hexdigest() for number in range(110)]
    url = URL + "".join(f"&tags={digest}" for digest in digests[:50])
    page = f'<a href="https://example.com/{"".join(digests[50:])}">x</a>'.encode()
    answer = await client.post(url, content=page, headers=PAGE)
    assert (answer.status_code, answer.content) == (200, page)
    assert answer.headers["rewriter-notices"] == "too-long"
    assert (await client.post(f"{url}&strict=on", content=page, headers=PAGE)).status_code == 422


async def test_what_the_sender_should_look_at_is_named_once_whatever_it_says(
    client: httpx.AsyncClient,
) -> None:
    page = '<a href="http://[\r\nSet-Cookie:é">x</a><a href="http://[">y</a>'.encode()
    answer = await client.post(URL, content=page, headers=PAGE)
    assert answer.headers["rewriter-notices"] == "invalid-link"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "given",
    [b"\0", b'{"html": "<a href=https://example.com/>"}', LINK, b"\xff" * 999, b":\n\n:"],
)
async def test_what_is_no_message_comes_back_as_it_came(
    client: httpx.AsyncClient, given: bytes
) -> None:
    answer = await client.post(f"{URL}&recipient=a@b.example", content=given, headers=MESSAGE)
    assert (answer.status_code, answer.content) == (200, given)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", "tracking_url: it is needed"),
        ("tracking_url=", "tracking_url: it is needed"),
        ("tracking_url=click.example.com", "tracking_url: 'click.example.com' is not like https:"),
        ("tracking_url=https://a.example/x", "tracking_url: "),
        ("tracking_url=https://a%20b.example", "tracking_url: "),
        ("tracking_url=https://u:p@a.example", "tracking_url: "),
        ("tracking_url=javascript://a.example", "scheme: 'javascript' is none of https, http"),
        ("tracking_url=https://a.example:99999", "port: 99999 is not between"),
        ("tracking_domain=a_b.example%0d%0aX:", "tracking_domain: "),
        ("tracking_domian=a.example&privacy=off", "did you mean tracking_domain?"),
        ("tracking_domain=a.example&pixel=left", "pixel: 'left' is none of bottom, top"),
        ("tracking_domain=a.example&strict", "strict: '' is neither yes nor no"),
        ("tracking_domain=a.example&explain=maybe", "explain: 'maybe' is neither yes nor no"),
        ("tracking_domain=a.example&strict=no&strict=yes", "strict: it is given more than once"),
        ("tracking_domain=a.example&tags=", "tags: a tag has 1 to 128 characters of ASCII"),
        ("tracking_domain=a.example&tags=caf%C3%A9", "tags: a tag has 1 to 128"),
        ("tracking_domain=a.example&keyring=/etc/passwd", "keyring: it can't be chosen"),
        ("tracking_domain=a.example&config=/etc/passwd", "config: there is no such setting"),
    ],
)
async def test_a_wrong_parameter_is_named_whether_strict_or_not(
    client: httpx.AsyncClient, query: str, says: str
) -> None:
    answer = await client.post(f"/v1/rewrite?{query}", content=MAIL, headers=MESSAGE)
    assert answer.status_code == 400
    assert says in answer.json()["message"]


@pytest.mark.parametrize(
    ("headers", "given", "status"),
    [
        ({}, MAIL, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, MAIL, 415),
        ({"Content-Type": "text/plain"}, MAIL, 415),
        ({"Content-Type": "text/html/x"}, MAIL, 415),
        ({**MESSAGE, "Content-Encoding": "gzip"}, MAIL, 415),
        (MESSAGE, b"", 400),
        (PAGE, b"", 400),
    ],
)
async def test_a_wrong_request_gets_none_of_the_mail_back(
    client: httpx.AsyncClient, headers: dict[str, str], given: bytes, status: int
) -> None:
    answer = await client.post(URL, content=given, headers=headers)
    assert answer.status_code == status
    assert list(answer.json()) == ["message"]


async def test_without_a_key_no_mail_is_taken(port: int) -> None:
    async with caller(port) as client:
        answer = await client.post(URL, content=MAIL, headers=MESSAGE, auth=("api", "wrong"))
    assert answer.status_code == 401


def damage(keyring: Path) -> None:
    damaged = keyring.with_suffix(".damaged")
    damaged.write_bytes(b"{")
    damaged.replace(keyring)


async def test_a_new_key_signs_from_the_next_message_on(
    client: httpx.AsyncClient, keyring: Path
) -> None:
    async def signed_with() -> int:
        answer = await client.post(URL, content=MAIL, headers=MESSAGE)
        return key_id(frames(answer.content)[0])

    assert await signed_with() == 1
    Keyring.load(keyring).rotated().save(keyring)
    assert await signed_with() == 2
    for harm in (damage, Path.unlink):
        harm(keyring)
        assert await signed_with() == 2


async def test_a_keyring_of_one_domain_signs_for_no_other(
    client: httpx.AsyncClient, keyring: Path
) -> None:
    Keyring.load(keyring).export("track.example").save(keyring)
    answer = await client.post(URL, content=MAIL, headers=MESSAGE)
    assert answer.status_code == 400
    assert "track.example" in answer.json()["message"]


def caller(port: int) -> httpx.AsyncClient:
    url = f"http://127.0.0.1:{port}"
    return httpx.AsyncClient(base_url=url, auth=("api", KEY), timeout=None)  # noqa: S113 - a large mail takes a while


async def pieces(size: int, wait: asyncio.Event | None = None) -> AsyncIterator[bytes]:
    """Give a body piece by piece, the last one when it is told to."""
    for _ in range(size // MEBIBYTE):
        yield b"x" * MEBIBYTE
    if wait:
        await wait.wait()
    yield b"x" * (size % MEBIBYTE)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("size", "status"), [(25 * MEBIBYTE, 200), (25 * MEBIBYTE + 1, 413)])
async def test_a_message_may_have_25_mib_however_it_is_sent(
    port: int, chunked: bool, size: int, status: int
) -> None:
    content = pieces(size) if chunked else b"x" * size
    async with caller(port) as client:
        answer = await client.post(f"{URL}&privacy=off", content=content, headers=MESSAGE)
    assert answer.status_code == status
    assert len(answer.content) == size if status == 200 else list(answer.json()) == ["message"]


async def test_too_many_messages_at_once_are_put_off_and_those_taken_are_finished(
    client: httpx.AsyncClient,
) -> None:
    last = asyncio.Event()

    async def send() -> int:
        content = pieces(24 * MEBIBYTE, last)
        answer = await client.post(f"{URL}&privacy=off", content=content, headers=MESSAGE)
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) > 0
            last.set()
        return answer.status_code

    assert sorted(await asyncio.gather(send(), send(), send())) == [200, 200, 503]
    assert await send() == 200


async def test_uploads_that_break_off_leave_room_for_others_and_no_traceback(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    head = (
        f"POST {URL}&privacy=off HTTP/1.1\r\nHost: api.test\r\n"
        f"Authorization: Basic {b64encode(f'api:{KEY}'.encode()).decode()}\r\n"
        f"Content-Type: message/rfc822\r\nContent-Length: {24 * MEBIBYTE}\r\n\r\n"
    )
    for _ in range(4):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode() + b"x" * (23 * MEBIBYTE))
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    status = 503  # until the server has noticed
    async with caller(port) as client:
        while status == 503:
            content = b"x" * (24 * MEBIBYTE)
            answer = await client.post(f"{URL}&privacy=off", content=content, headers=MESSAGE)
            status = answer.status_code
    assert status == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_the_api_answers_others_while_a_large_message_is_rewritten(port: int) -> None:
    large = MAIL + (LINK + b"\n") * 10_000
    async with caller(port) as client:
        rewriting = asyncio.create_task(client.post(URL, content=large, headers=MESSAGE))
        answered = 0
        while not rewriting.done():
            await client.get("/healthz")
            answered += 1
    assert rewriting.result().content.count(b"https://click.example.com/c/") == 10_001
    assert answered > 5


async def test_without_a_keyring_there_is_no_such_path(store: Store) -> None:
    async def well() -> Health:
        return Health("ok", {})

    transport = httpx.ASGITransport(api(store, ApiKeys.of(KEY), well, bytes))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://api.test", auth=("api", KEY)
    ) as client:
        assert (await client.post(URL, content=MAIL, headers=MESSAGE)).status_code == 404


async def test_the_office_rewrites_with_its_own_keyring(tmp_path: Path, keyring: Path) -> None:
    settings = OfficeSettings(
        data=str(tmp_path),
        spool=str(tmp_path / "spool"),
        keyring=str(keyring),
        store=str(tmp_path / "office.db"),
        listen_fds=[],
        api_key=str(tmp_path / "api.key"),
    )
    async with opened(settings) as office:
        key = (tmp_path / "api.key").read_text().strip()
        transport = httpx.ASGITransport(office.app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://api.test", auth=("api", key)
        ) as client:
            answer = await client.post(URL, content=MAIL, headers=MESSAGE)
    assert context(keyring, answer.content).recipient == "ann@example.net"
