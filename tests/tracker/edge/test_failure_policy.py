"""The failure policy: what a recipient gets, whatever the token and the disk are like."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rewriter.tokens import Link
from tests.tracker.edge.wire import (
    CLICK,
    DESTINATION,
    DOMAIN,
    OPEN,
    UNSUBSCRIBE,
    Bench,
    Protocol,
    Wire,
    bench,
    token,
)
from tracker.counters import Counter
from tracker.domains import Theme, TrackingDomain
from tracker.edge import answer, app, pages
from tracker.edge.bounded import MAX_IDLE, BoundedProtocol
from tracker.edge.front import Front
from tracker.edge.language import ENGLISH
from tracker.edge.wellknown import WellKnown

DAMAGED = pages.trouble("damaged", ENGLISH).body
BAD = "AAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA"
ONE_CLICK = "List-Unsubscribe=One-Click"
both_protocols = pytest.mark.parametrize("protocol", [Front, BoundedProtocol])


def request(method: str, target: str, body: str = "") -> bytes:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} {target} HTTP/1.1\r\nHost: {DOMAIN}\r\n{length}\r\n{body}".encode()


def run(folder: Path, act: Callable[[Bench], Any], **spool_settings: Any) -> Any:
    async def acted() -> Any:
        async with bench(folder, **spool_settings) as made:
            return await act(made)

    return asyncio.run(acted())


def parsed(wire: Wire) -> tuple[int, dict[str, str], bytes]:
    head, _, body = wire.sent.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


@both_protocols
def test_an_open_gets_the_pixel_once_its_hit_is_on_disk(tmp_path: Path, protocol: Protocol) -> None:
    async def act(made: Bench) -> None:
        wire = made.connect(protocol)
        on_disk: list[int] = []
        wire.before_write = lambda: on_disk.append(len(made.hits()))
        wire.protocol.data_received(request("GET", f"/o/{OPEN}"))
        await made.settle()
        (hit,) = made.hits()
        assert set(on_disk) == {1}
        status, headers, body = parsed(wire)
        assert (status, body) == (200, answer.PIXEL)
        assert len(body) == 43
        assert headers["content-type"] == "image/gif"
        assert headers["cache-control"] == "no-store"
        assert (hit.kind, hit.token, hit.method, hit.address) == ("o", OPEN, "GET", "192.0.2.1")

    run(tmp_path, act)


@both_protocols
def test_a_click_is_redirected_once_its_hit_is_on_disk(tmp_path: Path, protocol: Protocol) -> None:
    async def act(made: Bench) -> None:
        wire = made.connect(protocol)
        on_disk: list[int] = []
        wire.before_write = lambda: on_disk.append(len(made.hits()))
        wire.protocol.data_received(request("GET", f"/c/{CLICK}"))
        await made.settle()
        status, headers, body = parsed(wire)
        assert (status, headers["location"], body) == (302, DESTINATION, b"")
        assert set(on_disk) == {1}
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-robots-tag"] == "noindex"
        assert [hit.kind for hit in made.hits()] == ["c"]

    run(tmp_path, act)


@both_protocols
@pytest.mark.parametrize(
    ("method", "target", "status", "body"),
    [
        ("GET", f"/o/{BAD}", 200, answer.PIXEL),
        ("GET", "/o/x/y.gif", 200, answer.PIXEL),
        ("GET", f"/c/{BAD}", 404, DAMAGED),
        ("GET", f"/u/{BAD}", 404, DAMAGED),
        ("POST", f"/u/{BAD}", 404, DAMAGED),
        ("HEAD", f"/o/{BAD}", 404, b""),
        ("HEAD", f"/c/{BAD}", 404, b""),
        ("HEAD", f"/u/{BAD}", 404, b""),
        ("GET", "/nothing", 404, pages.NOT_FOUND.body),
        ("GET", "/", 200, pages.TRACKING_DOMAIN_HOME.body),
    ],
)
def test_a_bad_token_leads_nowhere_and_records_nothing(
    tmp_path: Path, protocol: Protocol, method: str, target: str, status: int, body: bytes
) -> None:
    async def act(made: Bench) -> None:
        wire = await made.exchange(protocol, [request(method, target)])
        got, headers, sent = parsed(wire)
        assert (got, sent) == (status, body)
        assert "location" not in headers
        assert made.hits() == []
        bad = sum(
            made.count(c) for c in (Counter.BAD_OPEN, Counter.BAD_CLICK, Counter.BAD_UNSUBSCRIBE)
        )
        assert bad == (target[:3] in ("/o/", "/c/", "/u/"))

    run(tmp_path, act)


@pytest.mark.parametrize(
    "destination",
    [
        "",
        "javascript:alert(1)",
        "ftp://a.example/",
        "//a.example/",
        "https://",
        "https://a b/",
        "https://a.example/\r\nSet-Cookie: x=1",
        "https://a.example/\x7f",
        "https://ä.example/",
    ],
)
def test_even_a_signed_link_leads_only_to_the_web(tmp_path: Path, destination: str) -> None:
    async def act(made: Bench) -> None:
        wire = await made.exchange(Front, [request("GET", f"/c/{token('c', Link(destination))}")])
        status, headers, _ = parsed(wire)
        assert (status, "location" in headers) == (404, False)
        assert made.hits() == []

    run(tmp_path, act)


@pytest.mark.parametrize(("kind", "good", "status"), [("o", OPEN, 200), ("c", CLICK, 302)])
def test_head_is_answered_as_get_without_a_body_and_kept(
    tmp_path: Path, kind: str, good: str, status: int
) -> None:
    async def act(made: Bench) -> None:
        got = parsed(await made.exchange(Front, [request("GET", f"/{kind}/{good}")]))
        head = parsed(await made.exchange(Front, [request("HEAD", f"/{kind}/{good}")]))
        assert (got[0], got[1]) == (head[0], head[1])
        assert (got[0], head[2]) == (status, b"")
        assert [hit.method for hit in made.hits()] == ["GET", "HEAD"]

    run(tmp_path, act)


def test_looking_at_the_unsubscribe_page_changes_nothing(tmp_path: Path) -> None:
    async def act(made: Bench) -> None:
        for method in ("GET", "HEAD"):
            wire = await made.exchange(Front, [request(method, f"/u/{UNSUBSCRIBE}")])
            status, headers, body = parsed(wire)
            assert status == 200
            assert headers["content-security-policy"].startswith("default-src 'none'; ")
            assert (b"weekly.digest.example" in body) == (method == "GET")
            assert b"resubscribe" not in body, "what a scanner finds at first takes nothing back"
        assert made.hits() == []

    run(tmp_path, act)


POSTED = [
    (ONE_CLICK, "one-click"),
    ("", "page"),
    ("a=b", "page"),
    ("resubscribe=yes", "resubscribe"),
    # RFC 8058's POST takes nothing back, nor does any form that isn't the page's own.
    (f"{ONE_CLICK}&resubscribe=yes", "one-click"),
    (f"resubscribe=yes&{ONE_CLICK}", "one-click"),
    ("resubscribe=yes&a=b", "page"),
    ("resubscribe=no", "page"),
]


@pytest.mark.parametrize(("body", "via"), POSTED)
def test_an_unsubscription_is_answered_once_it_is_on_disk(
    tmp_path: Path, body: str, via: str
) -> None:
    async def act(made: Bench) -> None:
        wire = await made.exchange(Front, [request("POST", f"/u/{UNSUBSCRIBE}", body)])
        assert parsed(wire)[0] == 200
        assert [(hit.kind, hit.method, hit.via) for hit in made.hits()] == [("u", "POST", via)]

    run(tmp_path, act)


def test_a_reader_is_asked_told_and_asked_back_in_their_language_and_the_senders_look(
    tmp_path: Path,
) -> None:
    theme = Theme(accent="#c2185b", sender="Harbour & Sons")
    registered = {DOMAIN: TrackingDomain(DOMAIN, sending_domain="harbour.example", theme=theme)}

    async def act(made: Bench) -> None:
        for method, form, heading in (
            ("GET", "", b"Von diesen E\xe2\x80\x91Mails abmelden?"),
            ("POST", "", b"Sie sind abgemeldet"),
            ("POST", "resubscribe=yes", b"Sie sind wieder angemeldet"),
        ):
            asked = request(method, f"/u/{UNSUBSCRIBE}", form)
            german = asked.replace(
                b"\r\n", b"\r\nAccept-Language: xx, de-AT;q=0.9, en;q=0.8\r\n", 1
            )
            status, headers, body = parsed(await made.exchange(Front, [german]))
            assert (status, headers["content-language"]) == (200, "de")
            assert (headers["vary"], headers["cache-control"]) == ("accept-language", "no-store")
            for part in (heading, b"Harbour &amp; Sons", b"weekly.digest.example", b"#c2185b"):
                assert part in body
        assert [hit.via for hit in made.hits()] == ["page", "resubscribe"]
        assert made.count(Counter.UNSUBSCRIBED) == 1

    run(tmp_path, act, registered=registered)


def test_an_unsubscription_with_an_endless_body_is_still_one(tmp_path: Path) -> None:
    async def act(made: Bench) -> None:
        wire = await made.exchange(
            Front, [request("POST", f"/u/{UNSUBSCRIBE}", ONE_CLICK + "&x=" + "x" * 100_000)]
        )
        assert parsed(wire)[0] == 200
        assert [hit.via for hit in made.hits()] == ["one-click"]

    run(tmp_path, act)


def test_an_unsubscription_that_never_ends_is_told_to_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "FORM_WITHIN", 0.01)

    async def act(made: Bench) -> None:
        whole = request("POST", f"/u/{UNSUBSCRIBE}", ONE_CLICK)
        wire = made.connect(Front)
        wire.protocol.data_received(whole[:-5])
        await made.answered(wire)
        assert parsed(wire)[0] == 408
        assert wire.is_closing()
        assert made.hits() == []

    run(tmp_path, act)


def test_an_unsubscription_that_breaks_off_records_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(made: Bench) -> None:
        wire = made.connect(Front)
        wire.protocol.data_received(request("POST", f"/u/{UNSUBSCRIBE}", ONE_CLICK)[:-5])
        wire.close()
        await made.settle()
        assert made.hits() == []

    run(tmp_path, act)
    assert caplog.records == []


@both_protocols
def test_what_is_sent_ahead_waits_its_turn(tmp_path: Path, protocol: Protocol) -> None:
    async def act(made: Bench) -> None:
        wire = made.connect(protocol)
        for _ in range(600):
            wire.protocol.data_received(request("GET", f"/c/{CLICK}"))
        paused = not wire.reading
        await made.settle()
        while wire.sent.count(b"HTTP/1.1 302") < 600:
            await made.settle()
        assert paused
        assert wire.reading
        assert len(made.hits()) == 600

    run(tmp_path, act)


@pytest.fixture
def broken_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Let every write to a segment fail, as a disk does that is full or dying, or work again."""
    working = os.pwritev

    def refuse(*_: object) -> int:
        raise OSError(5, "Input/output error")

    def switch(broken: bool) -> None:
        monkeypatch.setattr(os, "pwritev", refuse if broken else working)

    switch(True)
    return switch


@both_protocols
@pytest.mark.parametrize(("kind", "good", "status"), [("o", OPEN, 200), ("c", CLICK, 302)])
def test_a_reader_is_answered_while_the_disk_fails_and_the_hit_is_written_later(
    tmp_path: Path,
    protocol: Protocol,
    kind: str,
    good: str,
    status: int,
    broken_disk: Callable[[bool], None],
) -> None:
    async def act(made: Bench) -> None:
        wire = made.connect(protocol)
        wire.protocol.data_received(request("GET", f"/{kind}/{good}"))
        await made.answered(wire)
        assert parsed(wire)[0] == status
        assert made.count(Counter.LATE) == 1
        while not made.count(Counter.FAILING):
            await asyncio.sleep(0)
        assert made.hits() == []
        broken_disk(False)
        await made.settle()
        assert [hit.token for hit in made.hits()] == [good]
        assert made.count(Counter.FAILING) == 0

    run(tmp_path, act, late_after=0.01)


@both_protocols
def test_a_full_queue_answers_readers_and_counts_each_lost_hit(
    tmp_path: Path, protocol: Protocol, broken_disk: Callable[[bool], None]
) -> None:
    async def act(made: Bench) -> None:
        for number in range(5):
            wire = made.connect(protocol)
            wire.protocol.data_received(request("GET", f"/c/{CLICK}"))
            await made.answered(wire)
            assert parsed(wire)[0] == 302
            assert made.count(Counter.LOST) == max(0, number - 1)
        broken_disk(False)
        await made.settle()
        assert len(made.hits()) == 2

    run(tmp_path, act, late_after=0.01, queue_limit=2)


def test_an_unsubscription_that_cannot_be_written_asks_to_try_again(
    tmp_path: Path, broken_disk: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer, "PATIENCE", 0.02)

    async def act(made: Bench) -> None:
        wire = made.connect(Front)
        wire.protocol.data_received(request("POST", f"/u/{UNSUBSCRIBE}", ONE_CLICK))
        await made.answered(wire)
        status, headers, body = parsed(wire)
        assert (status, headers["retry-after"]) == (503, "60")
        assert b"you are still subscribed" in body
        back = made.connect(Front)
        back.protocol.data_received(request("POST", f"/u/{UNSUBSCRIBE}", "resubscribe=yes"))
        await made.answered(back)
        status, headers, body = parsed(back)
        assert (status, headers["retry-after"]) == (503, "60")
        assert b"you are still unsubscribed" in body
        assert b'<button name="resubscribe" value="yes">' in body
        asking = made.connect(Front)
        asking.protocol.data_received(request("GET", f"/u/{UNSUBSCRIBE}"))
        await made.answered(asking)
        assert parsed(asking)[0] == 200
        broken_disk(False)

    run(tmp_path, act)


def test_an_unsubscription_is_refused_at_once_where_the_queue_is_full(
    tmp_path: Path, broken_disk: Callable[[bool], None]
) -> None:
    async def act(made: Bench) -> None:
        wire = made.connect(Front)
        wire.protocol.data_received(request("POST", f"/u/{UNSUBSCRIBE}", ONE_CLICK))
        await made.answered(wire)
        assert parsed(wire)[0] == 503
        assert made.count(Counter.ACCEPTED) == 0

    run(tmp_path, act, queue_limit=0)


def test_a_challenge_for_a_name_that_was_registered_just_now_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "TOLD_WITHIN", 0.01)
    asked = "tokenTOKEN_-0123456789"
    looks = iter([{}, {DOMAIN: TrackingDomain(DOMAIN)}])

    async def act(made: Bench) -> None:
        made.app_state["well_known"] = WellKnown(lambda: next(looks), lambda: ("thumb-1",))
        wire = await made.exchange(Front, [request("GET", f"/.well-known/acme-challenge/{asked}")])
        status, _, body = parsed(wire)
        assert (status, body) == (200, f"{asked}.thumb-1".encode())

    run(tmp_path, act)


def test_a_silent_connection_is_closed(tmp_path: Path) -> None:
    async def act(made: Bench) -> None:
        silent, half, kept = (made.connect(Front) for _ in range(3))
        half.protocol.data_received(b"GET /o/")
        kept.protocol.data_received(request("GET", f"/o/{OPEN}"))
        await made.settle()
        book = made.app_state["book"]
        for _ in range(MAX_IDLE + 1):
            book.sweep()
        assert [wire.is_closing() for wire in (silent, half, kept)] == [True] * 3
        await made.settle()
        assert not made.state.connections

    run(tmp_path, act)
