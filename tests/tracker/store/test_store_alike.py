"""Both databases give the same answers, where they are of different minds by themselves."""

import pytest

from tests.tracker.store.documents import DOMAIN, START, document
from tracker.store.database import Store
from tracker.store.query import Walk
from tracker.store.row import NotAnEvent, row
from tracker.store.suppressions import Place, Suppression, Suppressions
from tracker.store.tree import Compare, Match, Tree

pytestmark = pytest.mark.anyio

# In the order of their bytes, which is that of code points; a language would order them otherwise.
NAMES = ["A", "B", "_", "a", "b", "z", "Á", "ß", "中", "😀"]


async def found(store: Store, tree: Tree) -> list[bytes]:
    walk = Walk(DOMAIN, ascending=True, limit=100, tree=tree)
    return [each.document for each in await store.page(walk)]


@pytest.mark.parametrize("ascending", [True, False])
async def test_events_of_one_time_are_in_the_order_of_their_ids_bytes(
    store: Store, ascending: bool
) -> None:
    await store.insert([row(document(id=name, timestamp=START)) for name in reversed(NAMES)])
    page = await store.page(Walk(DOMAIN, ascending=ascending, limit=100))
    assert [each.key.id for each in page] == (NAMES if ascending else NAMES[::-1])
    first = page[3].key
    rest = await store.page(Walk(DOMAIN, ascending=ascending, limit=100, start=first))
    assert rest == page[4:]


async def test_addresses_are_listed_in_the_order_of_their_bytes(store: Store) -> None:
    names = [f"{name.lower()}@example.com" for name in ("a", "b", "_", "z", "é", "中")]
    rows = [Suppression(name, ("*",), 1) for name in names]
    await Suppressions(store).add(DOMAIN, rows, "test")
    listed = await Suppressions(store).page(DOMAIN, Place(), 100)
    assert [each.address for each in listed] == sorted(names)
    some = await Suppressions(store).page(DOMAIN, Place(), 100, prefix="é")
    assert [each.address for each in some] == ["é@example.com"]


async def test_a_nul_in_a_text_is_passed_over_and_the_document_stays_as_it_came(
    store: Store,
) -> None:
    """JSON may hold it (RFC 8259 §7), and PostgreSQL's texts can't."""
    odd = document(
        recipient="an\0n@example.com",
        tags=["sa\0le"],
        message={"headers": {"message-id": "m\0", "subject": "Hello\0 World"}},
    )
    await store.insert([row(odd)])
    for field, text in (
        ("recipient", "ann@example.com"),
        ("recipient", "an\0n@example.com"),
        ("tags", "sale"),
        ("message-id", "m"),
        ("subject", "hello world"),
    ):
        assert await found(store, Match(field, text)) == [odd]


def test_an_id_with_a_nul_is_refused() -> None:
    with pytest.raises(NotAnEvent, match="`id` takes 1 to 128 characters but NUL"):
        row(document(id="a\0b"))


@pytest.mark.parametrize(
    ("sign", "number", "sizes"),
    [(">", 1.5, [2, 3]), ("<", 2.5, [1, 2]), ("=", 2.0, [2]), (">", 1e300, []), ("=", 1.5, [])],
)
async def test_a_size_is_compared_with_any_number(
    store: Store, sign: str, number: float, sizes: list[int]
) -> None:
    written = {size: document(size, message={"size": size}) for size in (1, 2, 3)}
    await store.insert([row(each) for each in written.values()])
    assert sign in {">", "<", "="}
    tree = Compare("size", sign, number)  # type: ignore[arg-type]  # as asserted
    assert await found(store, tree) == [written[size] for size in sizes]


async def test_a_number_may_be_as_large_as_json_s_readers_agree_on(store: Store) -> None:
    large = (1 << 53) - 1
    await store.insert([row(document(revision=large, message={"size": large}))])
    assert len(await found(store, Compare("size", "=", float(large)))) == 1


async def test_a_batch_may_decide_twice_for_one_recipient_and_the_later_holds(
    store: Store,
) -> None:
    kinds = ("unsubscribed", "resubscribed", "unsubscribed", "resubscribed")
    await store.insert([row(document(each, event=kind)) for each, kind in enumerate(kinds)])
    assert await Suppressions(store).of(DOMAIN, ["ann@example.com"]) == {}
    await store.insert([row(document(9, event="unsubscribed")), row(document(8, event=kinds[1]))])
    assert await Suppressions(store).of(DOMAIN, ["ann@example.com"]) != {}
