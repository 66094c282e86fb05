"""Every hit reaches every sink once, whatever breaks."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewriter.keyring import Keyring
from tests.tracker.forwarding.parts import (
    Kept,
    Office,
    Offices,
    Worker,
    click,
    ids,
    largest_file,
    token,
)
from tracker.enrich.company import Company
from tracker.event import Event
from tracker.forwarding.dead import DeadLetters
from tracker.forwarding.ledger import LedgerUnavailable
from tracker.hit import Hit
from tracker.reader import START, Position
from tracker.segment import path_of
from tracker.sinks import SinkUnavailable


def test_every_sink_gets_every_hit_in_the_order_of_its_stream(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    hits = [click(token(keyring)) for _ in range(7)]
    worker.write(*hits[:3])
    worker.write(*hits[3:])
    one, two = Kept("one"), Kept("two")
    asyncio.run(office_with(one, two).drain())
    assert list(one.events) == list(two.events) == ids(hits)


def test_hits_of_a_worker_that_starts_later_are_forwarded_too(
    tmp_path: Path, keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    first, second = click(token(keyring)), click(token(keyring))
    sink = Kept()

    async def run() -> None:
        stopping = asyncio.Event()
        running = asyncio.create_task(office_with(sink).forwarders[0].run(stopping))
        worker.write(first)
        await sink.arrived.wait()
        sink.arrived.clear()
        late = Worker(tmp_path / "spool")
        late.write(second)
        await sink.arrived.wait()
        late.die()
        stopping.set()
        await running

    asyncio.run(run())
    assert list(sink.events) == ids([first, second])


def test_a_restart_goes_on_where_the_last_acknowledgement_was(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    sink = Kept()
    worker.write(click(token(keyring)))
    asyncio.run(office_with(sink).drain())
    again = Kept()
    hit = click(token(keyring))
    worker.write(hit)
    asyncio.run(office_with(again).drain())
    assert list(again.events) == ids([hit])


def test_a_crash_before_the_position_is_written_offers_the_same_hits_again(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    hit = click(token(keyring))
    worker.write(hit)

    def crash() -> None:
        raise asyncio.CancelledError

    sink = Kept(trouble=crash)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(office_with(sink).drain())
    sink.trouble = lambda: None
    asyncio.run(office_with(sink).drain())
    assert (list(sink.events), sink.calls) == (ids([hit]), 2)


MISHAPS = st.sampled_from(["fine", "down", "down after taking", "crash", "crash of the ledger"])


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=st.lists(st.integers(1, 5), min_size=1, max_size=5), mishaps=st.lists(MISHAPS))
def test_whatever_fails_and_whenever_the_sink_has_each_hit_once(
    tmp_path_factory: pytest.TempPathFactory, frames: list[int], mishaps: list[str]
) -> None:
    data = tmp_path_factory.mktemp("data")
    keyring = Keyring.new()
    keyring.save(data / "keyring.json")
    (data / "spool").mkdir()
    worker = Worker(data / "spool")
    coming = iter(mishaps)

    def mishap() -> None:
        match next(coming, "fine"):
            case "down" | "down after taking" as how:
                raise SinkUnavailable(how)
            case "crash":
                raise asyncio.CancelledError
            case "crash of the ledger":
                raise LedgerUnavailable("the disk is full")

    sink = Kept(trouble=mishap)
    expected: list[str] = []
    for size in frames:
        hits = [click(token(keyring)) for _ in range(size)]
        worker.write(*hits)
        expected += ids(hits)
    while len(sink.events) < len(expected):
        office = Office(data, sink)
        try:
            asyncio.run(office.drain())
        except asyncio.CancelledError:
            pass
        finally:
            office.ledger.close()
    worker.die()
    assert list(sink.events) == expected


def test_a_full_disk_under_the_ledger_is_waited_out_without_doubles(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    hits = [click(token(keyring)) for _ in range(3)]
    worker.write(*hits)
    sink = Kept()
    office = office_with(sink)
    with largest_file(1):
        asyncio.run(office.drain())
    assert "the ledger can't be written" in office.forwarders[0].progress.trouble
    assert not office.ledger.positions("kept")
    asyncio.run(office.drain())
    assert office.ledger.positions("kept")[worker.name] > START
    assert (list(sink.events), sink.calls) == (ids(hits), 2)


def test_a_sink_that_is_down_delays_itself_alone(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    hits = [click(token(keyring)) for _ in range(3)]
    worker.write(*hits)
    up, down = Kept("up"), Kept("down")
    down.down = True
    office = office_with(up, down)
    asyncio.run(office.drain())
    assert (list(up.events), list(down.events)) == (ids(hits), [])
    assert office.forwarders[1].progress.trouble == "down for the test"
    down.down = False
    asyncio.run(office.drain())
    assert list(down.events) == ids(hits)
    assert office.forwarders[1].progress.trouble == ""


def test_a_sink_that_hangs_is_taken_for_one_that_is_down(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    worker.write(click(token(keyring)))
    hanging = Kept()
    hanging.hangs = True
    office = office_with(hanging, deliver_within=0.01)
    asyncio.run(office.drain())
    assert office.forwarders[0].progress.trouble == "no answer within 0.01 s"
    assert office.forwarders[0].progress.lag(2e9) > 0


def test_a_mistake_in_a_sink_is_waited_out_like_any_other_trouble(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    def mistake() -> None:
        raise KeyError("ann@example.org")

    worker.write(click(token(keyring)))
    office = office_with(Kept(trouble=mistake))
    asyncio.run(office.drain())
    assert office.forwarders[0].progress.trouble == "a mistake in this program: KeyError"
    assert not DeadLetters(office.ledger).count()


def test_logs_name_no_person_even_when_a_mistake_does(
    keyring: Keyring, worker: Worker, office_with: Offices, caplog: pytest.LogCaptureFixture
) -> None:
    def mistake() -> None:
        raise KeyError("ann@example.org")

    worker.write(click(token(keyring)))
    asyncio.run(office_with(Kept(trouble=mistake)).drain())
    said = repr([vars(record) for record in caplog.records])
    assert "test_forward.py" in said
    assert "ann@" not in said


def test_one_poisoned_event_is_set_aside_and_the_others_arrive(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    hits = [click(token(keyring)) for _ in range(6)]
    poison = click(token(keyring, "poison@example.org"))
    worker.write(*hits[:4], poison, *hits[4:])
    sink, other = Kept(), Kept("other")
    sink.refuses = "poison@example.org"
    office = office_with(sink, other)
    asyncio.run(office.drain())
    (letter,) = DeadLetters(office.ledger).list()
    assert list(sink.events) == ids(hits)
    assert (letter.sink, letter.reason, letter.hit) == ("kept", "poison", poison)
    assert poison.id.hex() in other.events


def test_hits_whose_key_is_gone_are_set_aside_and_arrive_once_it_is_back(
    tmp_path: Path, keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    lost, read = click(token(Keyring.new())), click(token(keyring))
    keyring.save(tmp_path / "keyring.json")
    worker.write(lost, read)
    sink = Kept()
    office = office_with(sink)
    asyncio.run(office.drain())
    letters = DeadLetters(office.ledger)
    assert list(sink.events) == ids([read])
    assert [letter.reason for letter in letters.list()] == ["bad token: seal"]


def test_a_replayed_letter_that_arrives_is_gone_and_one_that_does_not_says_why(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    curable, incurable = click(token(keyring, "poison@example.org")), click("no token at all")
    worker.write(curable, incurable)
    sink = Kept()
    sink.refuses = "poison@example.org"
    office = office_with(sink)
    asyncio.run(office.drain())
    letters = DeadLetters(office.ledger)
    assert letters.count() == {"kept": 2}
    sink.refuses = ""
    assert letters.replay() == 2
    asyncio.run(office.drain())
    (left,) = letters.list()
    assert list(sink.events) == ids([curable])
    assert (left.hit, left.again) == (incurable, False)


def test_only_the_letters_that_are_named_are_replayed(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    worker.write(click("one"), click("two"))
    office = office_with(Kept())
    asyncio.run(office.drain())
    letters = DeadLetters(office.ledger)
    first, _ = letters.list()
    assert letters.replay([first.id, "unknown"]) == 1
    assert [letter.again for letter in letters.list()] == [True, False]


def test_a_key_that_the_edge_knew_first_is_read_when_it_is_needed(
    tmp_path: Path, keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    sink = Kept()
    office = office_with(sink)
    rotated = keyring.rotated()
    rotated.save(tmp_path / "keyring.json")
    hit = click(token(rotated))
    worker.write(hit)
    asyncio.run(office.drain())
    assert list(sink.events) == ids([hit])


def test_a_keyring_that_was_damaged_meanwhile_still_opens_what_it_opened(
    tmp_path: Path, keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    sink = Kept()
    office = office_with(sink)
    (tmp_path / "keyring.json").write_text("damaged")
    hit = click(token(keyring))
    worker.write(click("no token at all"), hit)
    asyncio.run(office.drain())
    assert list(sink.events) == ids([hit])


def test_a_hit_that_our_own_code_stumbles_over_is_set_aside_alone(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    stone, hit = click(token(keyring)), click(token(keyring))
    worker.write(stone, hit)

    def stumbling(one: Hit, company: Company) -> Event:
        return [plain.event_of(hit)][one == stone]

    plain, sink = office_with(), Kept()
    office = office_with(sink, event_of=stumbling)
    asyncio.run(office.drain())
    (letter,) = DeadLetters(office.ledger).list()
    assert list(sink.events) == ids([hit])
    assert letter.reason.startswith("a mistake in this program: IndexError")


def test_a_frame_of_another_version_holds_up_no_other_stream(
    tmp_path: Path, keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    worker.segments.write([b"\xc0"])
    other = Worker(tmp_path / "spool")
    hit = click(token(keyring))
    other.write(hit)
    other.die()
    sink = Kept()
    office = office_with(sink)
    asyncio.run(office.drain())
    assert list(sink.events) == ids([hit])
    assert office.forwarders[0].progress.unreadable == {worker.name}
    office.sweep.once()
    assert path_of(worker.segments.folder, 1).exists()


def test_hits_that_nobody_wants_as_events_are_passed_over(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    worker.write(click(token(keyring)))
    sink = Kept()
    office = office_with(sink, event_of=lambda *_: None)
    asyncio.run(office.drain())
    assert sink.calls == 0
    assert office.ledger.positions("kept")[worker.name] > Position()


def test_a_letter_that_is_discarded_is_gone_and_its_hit_stays_passed(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    worker.write(click("one"), click("two"))
    office = office_with(Kept())
    asyncio.run(office.drain())
    letters = DeadLetters(office.ledger)
    first, second = letters.list()
    assert letters.discard([first.id]) == 1
    assert list(letters.list()) == [second]
    assert letters.discard() == 1
    asyncio.run(office.drain())
    assert not letters.count()


def test_a_sink_that_catches_up_is_behind_until_nothing_is_left(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    worker.write(click(token(keyring)))
    lags: list[float] = []
    sink = Kept(trouble=lambda: lags.append(office.forwarders[0].progress.lag(2e9)))
    office = office_with(sink)
    asyncio.run(office.drain())
    assert lags[0] > 0
    assert office.forwarders[0].progress.lag(2e9) == 0
