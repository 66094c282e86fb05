"""What later clicks tell of earlier ones reaches every sink, whatever comes in between."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewriter.keyring import Keyring
from rewriter.tokens import CLICK, Context, Link, Tokens
from tests.tracker.forwarding.parts import DOMAIN, Kept, Office, Offices, Worker
from tracker.enrich.company import HIDDEN, SECOND, Company, company_of, message_of
from tracker.forwarding.dead import DeadLetters
from tracker.forwarding.ledger import Ledger
from tracker.forwarding.recent import LIMIT, Recent
from tracker.hit import Hit, HitIds

KEYRING = Keyring.new()
TOKENS = Tokens(KEYRING.for_domain(DOMAIN))
LINKS = [
    *(TOKENS.seal_link(Link(f"https://example.com/{n}", n)) for n in range(4)),
    TOKENS.seal_link(Link(f"https://{DOMAIN}/", 4, category=HIDDEN)),
]
CONTEXTS = [
    TOKENS.seal_context(Context("m@example.com", f"r{n}@example.org", "example.com"))
    for n in range(2)
]
IDS = HitIds()


# The clock runs on, whatever the machine does: after the usual seconds, what a later click tells
# of an earlier one would come too late.
FOR_AS_LONG_AS_IT_TAKES = 3_600 * SECOND


def now() -> int:
    return time.time_ns() // 1000


def click(after: float, link: int = 0, message: int = 0, since: int | None = None) -> Hit:
    """Click so many seconds from now, or since another moment."""
    at = (now() if since is None else since) + round(after * SECOND)
    token = TOKENS.mint(CLICK, LINKS[link], CONTEXTS[message]).decode()
    return Hit(IDS.next(at), "c", at, DOMAIN, token, "GET", "192.0.2.1", "Mozilla/5.0")


def expected(hits: Sequence[Hit]) -> dict[str, int]:
    """Judge all hits at once."""
    return {
        hit.id.hex(): company_of(hit, [o for o in hits if message_of(o) == message_of(hit)])
        for hit in hits
    }


def found(sink: Kept) -> dict[str, int]:
    return {event.id: event.revision for event in sink.events.values()}


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    KEYRING.save(tmp_path / "keyring.json")
    return KEYRING


def test_a_burst_over_several_workers_turns_its_first_click_too(
    tmp_path: Path, keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    other = Worker(tmp_path / "spool")
    one, two = Kept("one"), Kept("two")
    office = office_with(one, two, late=FOR_AS_LONG_AS_IT_TAKES)
    begun = now()
    hits = [click(n / 10, n, since=begun) for n in range(3)]
    for at, hit in zip((worker, other, worker), hits, strict=True):
        at.write(hit)
        asyncio.run(office.drain())
    other.die()
    assert found(one) == found(two) == dict.fromkeys((hit.id.hex() for hit in hits), Company.BURST)


def test_a_sink_that_was_down_meanwhile_ends_with_the_same_verdicts(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    up, down = Kept("up"), Kept("down")
    down.down = True
    office = office_with(up, down, late=FOR_AS_LONG_AS_IT_TAKES)
    hits = [click(n / 10, n) for n in range(3)]
    for hit in hits:
        worker.write(hit)
        asyncio.run(office.drain())
    down.down = False
    asyncio.run(office.drain())
    assert found(down) == found(up) == expected(hits)


def test_a_click_that_was_refused_is_replayed_as_what_it_turned_out_to_be(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    sink = Kept()
    sink.refuses = "r0@example.org"
    office = office_with(sink, late=FOR_AS_LONG_AS_IT_TAKES)
    hits = [click(n / 10, n) for n in range(3)]
    for hit in hits:
        worker.write(hit)
        asyncio.run(office.drain())
    sink.refuses = ""
    again = office_with(sink, late=FOR_AS_LONG_AS_IT_TAKES)
    assert DeadLetters(again.ledger).replay() == 3
    asyncio.run(again.drain())
    assert found(sink) == expected(hits)


writes = st.tuples(
    st.integers(0, 2),
    st.lists(
        st.tuples(
            st.integers(-40, 40).map(lambda tenths: tenths / 10),
            st.integers(0, len(LINKS) - 1),
            st.integers(0, 1),
        ),
        min_size=1,
        max_size=3,
    ),
)
steps = st.one_of(writes, st.sampled_from(["forward", "crash", "crash before that", "restart"]))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, min_size=3, max_size=14), st.sampled_from([1, 1 << 18]))
def test_in_whatever_order_clicks_come_and_whatever_breaks_the_last_word_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, steps: list[object], batch_bytes: int
) -> None:
    data = tmp_path_factory.mktemp("data")
    KEYRING.save(data / "keyring.json")
    (data / "spool").mkdir()
    workers = [Worker(data / "spool") for _ in range(3)]
    sink, steady = Kept(), Kept("steady")
    hits: list[Hit] = []

    def crash() -> None:
        sink.trouble = lambda: None
        raise asyncio.CancelledError

    def forwarded(*sinks: Kept) -> None:
        office = Office(data, *sinks, batch_bytes=batch_bytes, late=FOR_AS_LONG_AS_IT_TAKES)
        with closing(office.ledger), suppress(asyncio.CancelledError):
            asyncio.run(office.drain())

    for step in steps:
        match step:
            case (int(number), list(clicks)):
                written = [click(*one) for one in clicks]
                workers[number].write(*written)
                hits += written
            case "crash":
                sink.trouble = crash
                forwarded(sink)
            case "crash before that":
                sink.down = True
                forwarded(sink, steady)
                sink.down = False
            case _:
                forwarded(sink, steady)
    sink.trouble = lambda: None
    forwarded(sink, steady)
    for worker in workers:
        worker.die()
    assert found(sink) == found(steady) == expected(hits)


def test_what_is_remembered_of_clicks_is_bounded(tmp_path: Path) -> None:
    with closing(Ledger.open(tmp_path / "forward.db")) as ledger:
        recent = Recent(ledger, "sink")
        for _ in range(3):
            change = recent.change([click(0)] * (LIMIT // 2), 0)
            with ledger.transaction() as connection:
                recent.write(connection, change)
            recent.accept(change)
        assert len(ledger.rows("select number from recent")) == 2


def test_clicks_that_nothing_can_tell_more_of_are_forgotten(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    worker.write(click(-60))
    office = office_with(Kept())
    asyncio.run(office.drain())
    assert office.ledger.rows("select * from recent") == []


def test_clicks_are_remembered_while_another_stream_is_behind(
    tmp_path: Path, keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    """A sink that was down for an hour reads the streams side by side, in the time of the hits."""
    other = Worker(tmp_path / "spool")
    hits = [click(-3600 + n * 60 + m / 10, m) for n in range(20) for m in range(3)]
    for number, hit in enumerate(hits):
        (worker, worker, other)[number % 3].write(hit)
    sink = Kept()
    asyncio.run(office_with(sink, batch_bytes=1).drain())
    other.die()
    assert found(sink) == expected(hits)
