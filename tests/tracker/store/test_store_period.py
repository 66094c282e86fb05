"""However far apart events lie, and whatever a clock told, a walk finds them all, in order."""

from collections.abc import Sequence

import pytest

from tests.tracker.store.documents import DOMAIN, START, document
from tracker.store.database import Store
from tracker.store.page import Found
from tracker.store.pair import key
from tracker.store.query import Key, Walk
from tracker.store.row import LATEST, SECOND, row
from tracker.store.tree import AllOf, AnyOf, Match, Not, Tree

pytestmark = pytest.mark.anyio

HALF_DAY = 43_200
NOON = START - START % HALF_DAY
TIMES = (
    *(0, 1, HALF_DAY - 1, HALF_DAY),
    *(NOON - 1, NOON, NOON + 1, NOON + HALF_DAY, NOON + 9 * HALF_DAY, NOON + 9 * HALF_DAY + 1),
    *(NOON + 400 * HALF_DAY, LATEST // SECOND),
)
PEOPLE = ("ann@example.com", "bob@example.com")
EVENTS = [
    row(
        document(
            number,
            timestamp=at,
            recipient=PEOPLE[number % 2],
            message={"headers": {"message-id": f"m{number // 2 % 2}"}},
        )
    )
    for number, at in enumerate(each for each in TIMES for _ in range(4))
]
ANN, BOB = (Match("recipient", each) for each in PEOPLE)
MESSAGE = Match("message-id", "m0")


@pytest.fixture
async def full(store: Store) -> Store:
    await store.insert(EVENTS)
    return store


def places(found: Sequence[Found]) -> list[Key]:
    return [each.key for each in found]


@pytest.mark.parametrize(
    ("tree", "people", "messages"),
    [
        (ANN, PEOPLE[:1], {"m0", "m1"}),
        (MESSAGE, PEOPLE, {"m0"}),
        (AllOf((MESSAGE, ANN)), PEOPLE[:1], {"m0"}),
        (AnyOf((ANN, BOB)), PEOPLE, {"m0", "m1"}),
        (AllOf((BOB, Not(MESSAGE))), PEOPLE[1:], {"m1"}),
    ],
)
@pytest.mark.parametrize("ascending", [True, False])
async def test_a_walk_goes_through_every_period_there_is(
    full: Store, tree: Tree, people: Sequence[str], messages: set[str], *, ascending: bool
) -> None:
    theirs = [
        Key(each.at, each.id)
        for each in EVENTS
        if each.recipient in people and each.message_id in messages
    ]
    there = sorted(theirs, reverse=not ascending)
    assert places(await full.page(Walk(DOMAIN, ascending, 300, tree=tree))) == there
    for number in range(0, len(there), 5):
        behind = Walk(DOMAIN, ascending, 3, tree=tree, start=there[number])
        assert places(await full.page(behind)) == there[number + 1 : number + 4]


async def test_a_range_ends_within_its_periods(full: Store) -> None:
    low, high = NOON * SECOND, (NOON + HALF_DAY) * SECOND
    found = await full.page(Walk(DOMAIN, True, 300, low, high, ANN))
    within = sorted(Key(each.at, each.id) for each in EVENTS if low <= each.at <= high)
    assert places(found) == [each for each in within if int(each.id[3:]) % 2 == 0]


async def test_nothing_is_found_of_somebody_in_an_empty_store(store: Store) -> None:
    assert await store.page(Walk(DOMAIN, True, 300, tree=ANN)) == []


async def test_pairs_of_messages_sent_together_lie_together() -> None:
    """Message ids begin with the time, for most who make them."""

    def near(message_id: str) -> bytes:
        found = key(row(document(message={"headers": {"message-id": message_id}})))
        assert found is not None
        return found[:-8]

    python = "176371{}.4711.9@news.example"
    assert near(python.format(200001)) < near(python.format(200102)) < near(python.format(300000))
    assert near("<20261121083000.ABC@x>") == near("20261121083059.1@x")
    assert near("no-time@x") == bytes(6)
