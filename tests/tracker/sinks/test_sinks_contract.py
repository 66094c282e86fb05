"""What every sink promises, whatever it is: shown for each kind on a real one."""

import asyncio
import itertools
import subprocess
import sys
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rewriter.keyring import Keyring
from tests.patience import PATIENCE
from tests.tracker.bus.case import NatsCase
from tests.tracker.forwarding.parts import Kept, Office, Offices, Worker, click, token
from tests.tracker.sinks.contract import (
    Case,
    FileCase,
    Hanging,
    Leaving,
    Refusing,
    RotatedCase,
    StdoutCase,
    StoreCase,
    Told,
    event,
)
from tests.tracker.store.case import PostgresCase
from tests.tracker.webhooks.case import BatchesCase, WebhookCase
from tracker.enrich.company import Company
from tracker.event import Event
from tracker.forwarding.dead import DeadLetters
from tracker.hit import Hit
from tracker.sinks import EventRefused, Sink, SinkUnavailable

pytestmark = pytest.mark.usefixtures("patient")

CASES: dict[str, type[Case]] = {
    "store": StoreCase,
    "store, at a server": PostgresCase,
    "file": FileCase,
    "file, rotated and compressed": RotatedCase,
    "stdout": StdoutCase,
    "nats": NatsCase,
    "webhook": WebhookCase,
    "webhook, in batches": BatchesCase,
}
BATCHES = [[event(number) for number in range(at, at + 7)] for at in range(0, 70, 7)]
MANY = 400  # hits; more than a pipe holds


LEAVING = [name for name, case in CASES.items() if issubclass(case, Leaving)]
HANGING = [name for name, case in CASES.items() if issubclass(case, Hanging)]
REFUSING = [name for name, case in CASES.items() if issubclass(case, Refusing)]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    made = CASES[request.param](tmp_path)
    yield made
    made.close()


def run(case: Case, doing: Coroutine[Any, Any, None]) -> None:
    """Do something with a case, and close what it left open."""

    async def done() -> None:
        try:
            await doing
        finally:
            await case.rest()

    asyncio.run(done())


def identities(batches: Sequence[Sequence[Event]]) -> Told:
    return [(one.id, one.revision) for batch in batches for one in batch]


def newest(found: Told) -> dict[str, int]:
    """Return the revision that counts of each event."""
    return {id_: max(revision for _, revision in some) for id_, some in grouped(found)}


def grouped(found: Told) -> Iterator[tuple[str, Told]]:
    for id_, some in itertools.groupby(sorted(found), key=lambda one: one[0]):
        yield id_, list(some)


async def delivered(sink: Sink, batches: Sequence[Sequence[Event]]) -> None:
    for batch in batches:
        await sink.deliver(batch)


@dataclass(frozen=True, slots=True)
class Other:
    """A process that has the sink, and may be killed at any time."""

    process: "subprocess.Popen[bytes]"

    def offer(self, batch: Sequence[Event]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(msgspec.json.encode(batch) + b"\n")
        self.process.stdin.flush()

    def says(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.readline().decode().strip()


@contextmanager
def another(case: Case) -> Iterator[Other]:
    """Run the sink in a process of its own, which is killed at the end."""
    command = [sys.executable, "-m", "tests.tracker.sinks.process", case.url, str(case.store)]
    process = subprocess.Popen(
        command,
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=case.output,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            yield Other(process)
        finally:
            process.kill()


def test_events_are_there_in_the_order_in_which_they_were_delivered(case: Case) -> None:
    async def act() -> None:
        sink = await case.open()
        await delivered(sink, BATCHES)
        await sink.close()
        assert await case.kept() == identities(BATCHES)

    run(case, act())


def test_an_event_that_comes_again_is_there_once(case: Case) -> None:
    async def act() -> None:
        sink = await case.open()
        await delivered(sink, [BATCHES[0], BATCHES[0] + BATCHES[0], BATCHES[1]])
        await delivered(sink, [BATCHES[0], BATCHES[1]])
        await sink.close()
        assert await case.kept() == identities(BATCHES[:2])

    run(case, act())


def test_an_event_that_comes_again_after_a_restart_is_there_once(case: Case) -> None:
    async def act() -> None:
        for batches in (BATCHES[:2], BATCHES[1:3]):
            sink = await case.open()
            await delivered(sink, batches)
            await sink.close()
        found = await case.kept()
        if case.keeps:
            assert found == identities(BATCHES[:3])
        assert newest(found) == dict(identities(BATCHES[:3]))

    run(case, act())


def test_a_revision_counts_for_more_than_what_was_there_before(case: Case) -> None:
    async def act() -> None:
        sink = await case.open()
        revised = [event(1, revision=2), event(2)]
        await delivered(sink, [[event(1), event(3)], revised, [event(1), event(2)]])
        await sink.close()
        found = newest(await case.kept())
        assert found == {event(1).id: 2, event(2).id: 0, event(3).id: 0}

    run(case, act())


def test_a_process_that_dies_takes_nothing_along_that_was_acknowledged_and_leaves_no_doubles(
    case: Case,
) -> None:
    """It is killed with a batch under way; the next process offers that batch again."""
    with another(case) as other:
        for batch in BATCHES[:3]:
            other.offer(batch)
            assert (other.says(), other.says()) == ("offered", "kept")
        other.offer(BATCHES[3])
        assert other.says() == "offered"

    async def go_on() -> None:
        left = await case.kept()
        assert left[: len(identities(BATCHES[:3]))] == identities(BATCHES[:3])
        sink = await case.open()
        await delivered(sink, BATCHES[3:5])
        await sink.close()
        found = await case.kept()
        if case.keeps:
            assert found == identities(BATCHES[:5])
        assert newest(found) == dict(identities(BATCHES[:5]))

    run(case, go_on())


@pytest.mark.parametrize("case", REFUSING, indirect=True)
def test_an_event_that_can_never_be_taken_is_refused_and_costs_no_other(
    case: Refusing, keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    hits = [click(token(keyring)) for _ in range(6)]
    worker.write(*hits)
    plain = office_with()

    def event_of(hit: Hit, company: Company = Company.ALONE) -> Event | None:
        made = plain.event_of(hit, company)
        return case.refused(made) if hit == hits[2] else made

    async def act() -> None:
        sink = await case.open()
        office = office_with(sink, event_of=event_of)
        await forwarded(office)
        await sink.close()
        (letter,) = DeadLetters(office.ledger).list()
        assert (letter.hit, bool(letter.reason)) == (hits[2], True)
        assert {id_ for id_, _ in await case.kept()} == {
            one.id.hex() for one in hits if one != hits[2]
        }

    run(case, act())


async def until_failing(office: Office) -> str:
    """Forward until the sink is known to be in trouble."""
    forwarder = office.forwarders[0]
    async with asyncio.timeout(PATIENCE):
        while not forwarder.progress.trouble:
            await office.drain()
    return forwarder.progress.trouble


@pytest.mark.parametrize("case", LEAVING, indirect=True)
def test_a_sink_that_is_away_delays_no_other_and_has_everything_once_it_is_back(
    case: Leaving, keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    minted = token(keyring)
    hits = [click(minted) for _ in range(MANY)]

    async def act() -> None:
        sink, other = await case.open(), Kept("other")
        office = office_with(sink, other)
        worker.write(*hits[:10])
        await office.drain()
        await case.leave()
        for at in range(10, MANY, 130):
            worker.write(*hits[at : at + 130])
        trouble = await until_failing(office)
        assert trouble[-1] not in ".\n"
        assert list(other.events) == [hit.id.hex() for hit in hits]
        await case.come_back()
        await forwarded(office)
        await sink.close()
        assert [id_ for id_, _ in await case.kept()] == [hit.id.hex() for hit in hits]

    run(case, act())


async def forwarded(office: Office) -> None:
    """Forward until the sink has all, however often a busy machine makes it fail."""
    async with asyncio.timeout(PATIENCE):
        while not caught_up(office):
            await office.drain()


def caught_up(office: Office) -> bool:
    office.sweep.once()
    return office.sweep.survey.backlog[office.forwarders[0].sink.name] == 0


@pytest.mark.parametrize("case", HANGING, indirect=True)
def test_a_sink_that_hangs_delays_no_other_and_has_everything_once_it_goes_on(
    case: Hanging, keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    minted = token(keyring)
    hits = [click(minted) for _ in range(MANY)]

    async def act() -> None:
        sink, other = await case.open(), Kept("other")
        office = office_with(sink, other, deliver_within=case.within)
        await case.hang()
        for at in range(0, MANY, 100):
            worker.write(*hits[at : at + 100])
        await until_failing(office)
        assert len(other.events) == MANY
        assert not office.ledger.positions(sink.name)
        await case.go_on()
        await forwarded(office_with(sink, other))
        await sink.close()
        assert [id_ for id_, _ in await case.kept()] == [hit.id.hex() for hit in hits]

    run(case, act())


@pytest.mark.parametrize("case", LEAVING, indirect=True)
def test_only_known_errors_reach_whoever_delivers(case: Leaving) -> None:
    """What a sink raises is said in a sentence: it is what an operator reads."""

    async def act() -> None:
        sink = await case.open()
        await case.leave()
        with pytest.raises((SinkUnavailable, EventRefused)) as caught:
            async with asyncio.timeout(PATIENCE):
                await sink.deliver(BATCHES[0])
        assert str(caught.value).strip()
        await case.come_back()
        await sink.deliver(BATCHES[0])
        await sink.close()
        assert await case.kept() == identities(BATCHES[:1])

    run(case, act())
