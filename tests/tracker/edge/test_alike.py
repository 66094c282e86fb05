"""The front and uvicorn's own protocol answer alike: the same bytes, hits and counts.

Requests are given as the reads in which they arrive.
"""

import asyncio
import itertools
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tracker.edge.wire import CLICK, DOMAIN, OPEN, UNSUBSCRIBE, bench
from tracker.counters import Counter
from tracker.edge.bounded import MAX_HEAD, BoundedProtocol
from tracker.edge.front import MAX_PLAIN, Front
from tracker.hit import Hit

CHROME = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/140\r\nAccept: */*\r\n"
HOST = f"Host: {DOMAIN}\r\n"
BAD = OPEN[:-1] + ("A" if OPEN[-1] != "A" else "E")


def get(target: str, headers: str = HOST + CHROME, version: str = "HTTP/1.1") -> str:
    return f"GET {target} {version}\r\n{headers}\r\n"


PLAIN = {
    "an open": [get(f"/o/{OPEN}")],
    "a click": [get(f"/c/{CLICK}")],
    "a click on a link for an app": [get(f"/a/{CLICK}")],
    "a click that closes": [get(f"/c/{CLICK}", HOST + "Connection: close\r\n")],
    "a click that keeps alive": [get(f"/c/{CLICK}", HOST + "Connection: keep-alive\r\n")],
    "connection tokens": [get(f"/c/{CLICK}", HOST + "Connection: Keep-Alive, close\r\n")],
    "an open and a click on one connection": [get(f"/o/{OPEN}"), get(f"/c/{CLICK}")],
    "no user agent": [get(f"/o/{OPEN}", HOST)],
    "kept headers": [
        get(
            f"/c/{CLICK}",
            HOST + "Accept-Language: de\r\nSec-Purpose: prefetch\r\nX-Moz: prefetch\r\n"
            "Purpose: preview\r\nX-Purpose: preview\r\nReferer: https://mail.example/\r\n",
        )
    ],
    "a host with a port": [get(f"/o/{OPEN}", f"Host: {DOMAIN}:8025\r\n")],
    "a host in upper case": [get(f"/o/{OPEN}", f"Host: {DOMAIN.upper()}\r\n")],
    "a host with a final dot": [get(f"/o/{OPEN}", f"Host: {DOMAIN}.\r\n")],
    "latin-1 in the user agent": [get(f"/o/{OPEN}", HOST + "User-Agent: J\xe9r\xf4me\r\n")],
    "tabs and blanks around a value": [get(f"/o/{OPEN}", HOST + "User-Agent:  \t a b \t \r\n")],
    "an empty user agent": [get(f"/o/{OPEN}", HOST + "User-Agent:\r\n")],
    "a long user agent": [get(f"/o/{OPEN}", HOST + f"User-Agent: {'x' * 5000}\r\n")],
}
OTHER = {
    "a bad token": [get(f"/o/{BAD}")],
    "a bad click": [get(f"/c/{BAD}")],
    "an open's token as a click for an app": [get(f"/a/{OPEN}")],
    "an open's token as a click": [get(f"/c/{OPEN}")],
    "a click's token as an open": [get(f"/o/{CLICK}")],
    "no token": [get("/o/"), get("/c/"), get("/u/")],
    "another domain": [get(f"/c/{CLICK}", "Host: other.example\r\n")],
    "no host": [get(f"/c/{CLICK}", CHROME)],
    "an empty host": [get(f"/c/{CLICK}", "Host:\r\n")],
    "a host that is none": [get(f"/c/{CLICK}", "Host: a b\r\n")],
    "a host with a bad port": [get(f"/c/{CLICK}", f"Host: {DOMAIN}:x\r\n")],
    "an endless host": [get(f"/c/{CLICK}", f"Host: {'a' * 3000}\r\n")],
    "a path behind the token": [get(f"/c/{CLICK}/"), get(f"/o/{OPEN}/x")],
    "a query": [get(f"/c/{CLICK}?fbclid=1"), get(f"/o/{OPEN}?")],
    "a fragment": [get(f"/c/{CLICK}#top")],
    "escaped characters": [get(f"/c/{CLICK.replace('.', '%2E')}"), get(f"/c/%{CLICK}")],
    "bad escapes": [get(f"/c/{CLICK}%zz"), get(f"/c/{CLICK}%"), get(f"/c/{CLICK}%c3")],
    "a doubled slash": [get(f"//c/{CLICK}"), get(f"/c//{CLICK}")],
    "dots in the path": [get(f"/x/../c/{CLICK}")],
    "non-ASCII in the target": [get(f"/c/{CLICK}\xe9")],
    "a blank in the target": [get(f"/c/{CLICK} x")],
    "absolute form": [get(f"http://{DOMAIN}/c/{CLICK}")],
    "absolute form of another host": [get(f"http://other.example/c/{CLICK}")],
    "asterisk and authority form": [get("*")],
    "another path": [get("/"), get("/robots.txt"), get("/favicon.ico"), get("/c"), get("/x/y")],
    "HEAD": [f"HEAD /{kind} HTTP/1.1\r\n{HOST}\r\n" for kind in (f"o/{OPEN}", f"c/{CLICK}")],
    "HEAD of bad tokens": [f"HEAD /{kind}/{BAD} HTTP/1.1\r\n{HOST}\r\n" for kind in "ocu"],
    "other methods": [
        f"{method} /c/{CLICK} HTTP/1.1\r\n{HOST}\r\n"
        for method in ("PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND")
    ],
    "a post to a link": [f"POST /c/{CLICK} HTTP/1.1\r\n{HOST}Content-Length: 3\r\n\r\na=b"],
    "lower-case method": [f"get /c/{CLICK} HTTP/1.1\r\n{HOST}\r\n"],
    "an unsubscribe page": [get(f"/u/{UNSUBSCRIBE}")],
    "an unsubscription": [
        f"POST /u/{UNSUBSCRIBE} HTTP/1.1\r\n{HOST}Content-Length: 26\r\n\r\n"
        "List-Unsubscribe=One-Click"
    ],
    "taking an unsubscription back": [
        f"POST /u/{UNSUBSCRIBE} HTTP/1.1\r\n{HOST}Content-Length: 15\r\n\r\nresubscribe=yes"
    ],
    "in another language": [
        get(f"/{kind}", f"{HOST}Accept-Language: ar-EG, fr;q=0.5\r\n")
        for kind in (f"u/{UNSUBSCRIBE}", f"c/{BAD}", f"u/{BAD}", f"o/{BAD}")
    ],
    "HTTP/1.0": [get(f"/c/{CLICK}", version="HTTP/1.0")],
    "HTTP/1.0 kept alive": [get(f"/c/{CLICK}", HOST + "Connection: keep-alive\r\n", "HTTP/1.0")],
    "HTTP/0.9 and 2": [get(f"/c/{CLICK}", version="HTTP/0.9"), f"GET /c/{CLICK}\r\n\r\n"],
    "HTTP/2 preface": ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    "HTTP/1.2": [get(f"/c/{CLICK}", version="HTTP/1.2")],
    "a TLS hello": ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
    "an empty line first": ["\r\n" + get(f"/c/{CLICK}")],
    "bare line feeds": [f"GET /c/{CLICK} HTTP/1.1\nHost: {DOMAIN}\n\n"],
    "bare line feeds, then CRLF": [f"GET /c/{CLICK} HTTP/1.1\nHost: {DOMAIN}\n\r\n\r\n"],
    "a carriage return in a header": [get(f"/c/{CLICK}", HOST + "X: a\rb\r\n")],
    "a null in a header": [get(f"/c/{CLICK}", HOST + "X: a\0b\r\n")],
    "a folded header": [get(f"/c/{CLICK}", HOST + "User-Agent: a\r\n b\r\n")],
    "a blank before the colon": [get(f"/c/{CLICK}", f"Host : {DOMAIN}\r\n")],
    "a header without a colon": [get(f"/c/{CLICK}", HOST + "nonsense\r\n")],
    "two hosts": [
        get(f"/c/{CLICK}", HOST + "Host: other.example\r\n"),
        get(f"/c/{CLICK}", HOST * 2),
    ],
    "two user agents": [get(f"/c/{CLICK}", HOST + "User-Agent: a\r\nUser-Agent: b\r\n")],
    "a body on GET": [
        f"GET /c/{CLICK} HTTP/1.1\r\n{HOST}Content-Length: 4\r\n\r\n\r\n\r\n",
        get(f"/o/{OPEN}"),
    ],
    "an empty body on GET": [get(f"/c/{CLICK}", HOST + "Content-Length: 0\r\n")],
    "a chunked body on GET": [
        f"GET /c/{CLICK} HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ],
    "smuggling CL.TE": [
        f"GET /c/{CLICK} HTTP/1.1\r\n{HOST}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"
        f"0\r\n\r\n{get(f'/o/{OPEN}')}"
    ],
    "smuggling TE.CL": [
        f"GET /c/{CLICK} HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
        "8\r\nSMUGGLED\r\n0\r\n\r\n"
    ],
    "an obscured Transfer-Encoding": [
        get(f"/c/{CLICK}", HOST + "Transfer-Encoding: xchunked\r\n"),
    ],
    "two lengths": [get(f"/c/{CLICK}", HOST + "Content-Length: 0\r\nContent-Length: 5\r\n")],
    "a negative length": [get(f"/c/{CLICK}", HOST + "Content-Length: -1\r\n")],
    "a length that is none": [get(f"/c/{CLICK}", HOST + "Content-Length: 1e2\r\n")],
    "expect": [get(f"/c/{CLICK}", HOST + "Expect: 100-continue\r\n")],
    "upgrade to websocket": [
        get(f"/c/{CLICK}", HOST + "Connection: Upgrade\r\nUpgrade: websocket\r\n")
    ],
    "upgrade to h2c": [get(f"/c/{CLICK}", HOST + "Connection: Upgrade\r\nUpgrade: h2c\r\n")],
    "trailers": [get(f"/c/{CLICK}", HOST + "TE: trailers\r\nTrailer: X\r\n")],
    "pipelined in one read": [get(f"/o/{OPEN}") + get(f"/c/{CLICK}") + get(f"/o/{OPEN}")],
    "pipelined behind a close": [
        get(f"/o/{OPEN}", HOST + "Connection: close\r\n") + get(f"/c/{CLICK}")
    ],
    "pipelined with a bad one between": [get(f"/o/{OPEN}") + get(f"/c/{BAD}") + get(f"/o/{OPEN}")],
    "pipelined with nonsense behind": [get(f"/o/{OPEN}") + "nonsense\r\n\r\n"],
    "plain, then odd, then plain": [
        get(f"/o/{OPEN}"),
        get(f"/c/{CLICK}?x"),
        get(f"/c/{CLICK}"),
        get(f"/o/{BAD}"),
        get(f"/o/{OPEN}"),
    ],
    "in two reads": [get(f"/o/{OPEN}")[:30], get(f"/o/{OPEN}")[30:]],
    "cut behind the blank line": [get(f"/o/{OPEN}") + "GET /c", get(f"/c/{CLICK}")[6:]],
    "byte by byte": list(get(f"/c/{CLICK}", HOST)),
    "never finished": ["GET /o/"],
    "a huge header": [get(f"/c/{CLICK}", HOST + f"X: {'a' * (MAX_PLAIN + 1000)}\r\n")],
    "headers beyond the bound": [get(f"/c/{CLICK}", HOST + f"X: {'a' * MAX_HEAD}\r\n")],
    "headers without end": [f"GET /c/{CLICK} HTTP/1.1\r\n", *["X: aaaaaaaaaa\r\n" * 100] * 40],
    "a thousand headers": [get(f"/c/{CLICK}", HOST + "".join(f"X{n}: 1\r\n" for n in range(1000)))],
    "a huge target": [get(f"/c/{'A' * 20_000}")],
    "a forged forwarded address": [get(f"/c/{CLICK}", HOST + "X-Forwarded-For: 198.51.100.9\r\n")],
}
CASES = PLAIN | OTHER


Told = tuple[bytes, bool, list[Hit], dict[str, int]]


async def both(
    folder: Path, chunks: list[bytes], trusted: str = "", peer: str = "192.0.2.1"
) -> list[Told]:
    """Return what each protocol sent, whether it closed, what it recorded and what it counted."""
    told = []
    for protocol in (Front, BoundedProtocol):
        async with bench(folder / protocol.__name__, trusted) as made:
            wire = await made.exchange(protocol, chunks, peer)
            hits = [msgspec.structs.replace(hit, id=b"") for hit in made.hits()]
            counts = {c.name: made.count(c) for c in Counter if c <= Counter.BAD_UNSUBSCRIBE}
            told.append((wire.sent, wire.is_closing(), hits, counts))
    return told


@pytest.mark.parametrize("name", CASES)
def test_both_answer_alike(name: str, tmp_path: Path) -> None:
    chunks = [chunk.encode("latin-1") for chunk in CASES[name]]
    front, reference = asyncio.run(both(tmp_path, chunks))
    assert front == reference


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_plain_is_answered_in_front(name: str, tmp_path: Path) -> None:
    async def answered() -> tuple[object, int]:
        async with bench(tmp_path) as made:
            wire = await made.exchange(Front, [c.encode("latin-1") for c in PLAIN[name]])
            return wire.protocol, len(made.hits())

    protocol, hits = asyncio.run(answered())
    assert isinstance(protocol, Front)
    assert hits == len(PLAIN[name])


FORWARDED = {
    "one address": "X-Forwarded-For: 198.51.100.9\r\n",
    "a forged one in front": "X-Forwarded-For: 203.0.113.5, 198.51.100.9\r\n",
    "through two trusted proxies": "X-Forwarded-For: 198.51.100.9, 10.0.0.2\r\n",
    "only trusted ones": "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n",
    "with a port": "X-Forwarded-For: 198.51.100.9:4711\r\n",
    "IPv6": "X-Forwarded-For: [2001:db8::1]:4711\r\n",
    "empty": "X-Forwarded-For:\r\n",
    "no address": "X-Forwarded-For: <script>, unknown\r\n",
    "endless": f"X-Forwarded-For: {'9' * 500}\r\n",
    "twice": "X-Forwarded-For: 203.0.113.5\r\nX-Forwarded-For: 198.51.100.9\r\n",
    "none": "",
}


@pytest.mark.parametrize("peer", ["10.0.0.1", "192.0.2.1"], ids=["trusted", "stranger"])
@pytest.mark.parametrize("trusted", ["", "10.0.0.0/8", "10.0.0.1,10.0.0.2", "*"])
@pytest.mark.parametrize("name", FORWARDED)
def test_both_believe_the_same_proxies(name: str, trusted: str, peer: str, tmp_path: Path) -> None:
    chunks = [get(f"/c/{CLICK}", HOST + FORWARDED[name]).encode()]
    front, reference = asyncio.run(both(tmp_path, chunks, trusted, peer))
    assert front == reference


pieces = st.sampled_from(
    [
        get(f"/o/{OPEN}"),
        get(f"/c/{CLICK}"),
        get(f"/c/{BAD}"),
        get(f"/u/{UNSUBSCRIBE}"),
        f"GET /c/{CLICK}",
        " HTTP/1.1\r\n",
        " HTTP/1.0\r\n",
        HOST,
        "Connection: close\r\n",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "hello",
        "\r\n",
        "\r\n\r\n",
        "\n",
        "HEAD ",
        "/o/",
        "\0",
    ]
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(pieces, max_size=8).map("".join), st.lists(st.integers(0, 600), max_size=4))
def test_both_answer_alike_whatever_comes(
    tmp_path_factory: pytest.TempPathFactory, sent: str, cuts: list[int]
) -> None:
    raw = sent.encode("latin-1")
    edges = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
    chunks = [raw[a:b] for a, b in itertools.pairwise(edges) if a < b]
    front, reference = asyncio.run(both(tmp_path_factory.mktemp("alike"), chunks))
    assert front == reference
