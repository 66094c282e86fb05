"""A machine has what it shares as it is in the store, and works on with it while that is away."""

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import insert

from rewriter.keyring import Keyring
from tests.patience import ended, until
from tests.servers.stores import only_sqlite
from tests.tracker.api.caller import calling, serving
from tests.tracker.shared.conftest import Away, Machines
from tracker.api.keys import HONOURED_FOR, ApiKeys, fresh
from tracker.health import Check
from tracker.shared import keyring as shared
from tracker.shared.copy import Copy, Part
from tracker.shared.keys import Held
from tracker.shared.lookup import Lookup
from tracker.shared.sharing import Sharing
from tracker.shared.told import told
from tracker.store.access import KeyRecords
from tracker.store.database import Store, StoreUnavailable
from tracker.store.signing import Machine as MachineRow
from tracker.store.signing import Signing, machine_table
from tracker.store.suppressions import Suppression, Suppressions

pytestmark = pytest.mark.anyio

ANN = Suppression("ann@example.net", ("*",), 5)
NOW = 1_795_000_000.0  # 2026-11-18 11:06 UTC


async def test_a_machine_has_what_is_in_the_store_and_says_so(
    machine: Machines, store: Store
) -> None:
    one = machine("one")
    Keyring.new().save(one.path)
    await Suppressions(store).add("shop.example", [ANN], "account ann")
    await one.sharing.turn()
    assert one.copy.suppressions("shop.example", [ANN.address]) == {ANN.address: ANN}
    assert one.sharing.check() == Check(
        "ok", "settings, keyring, suppressions and API keys are as in the store"
    )


@only_sqlite
async def test_while_the_store_is_away_who_asks_hears_what_was_known_and_as_of_when(
    machine: Machines, store: Store, away: Away
) -> None:
    one = machine("one")
    Keyring.new().save(one.path)
    await Suppressions(store).add("shop.example", [ANN], "account ann")
    await one.sharing.turn()
    lookup = Lookup(store, one.copy, lambda: one.sharing.away)
    assert (await lookup.of("shop.example", [ANN.address])).as_of is None
    async with away():
        asked_first = await lookup.of("shop.example", ["ANN@example.net"])
        await one.sharing.turn()
        asked_later = await lookup.of("shop.example", ["ANN@example.net"])
        check = one.sharing.check()
    assert asked_first == asked_later
    assert (asked_later.suppressions, asked_later.as_of) == (
        {ANN.address: ANN},
        one.sharing.as_of["suppressions"],
    )
    assert check.status == "degraded"
    assert check.says.startswith("the store has been away since 20")
    await one.sharing.turn()
    assert one.sharing.check().status == "ok"
    assert (await lookup.of("shop.example", [ANN.address])).as_of is None


@only_sqlite
@pytest.mark.parametrize("known", [True, False])
async def test_what_was_never_copied_is_not_made_up(
    machine: Machines, store: Store, away: Away, known: bool
) -> None:
    one = machine("one")
    async with away():
        lookup = Lookup(store, one.copy, lambda: known)
        with pytest.raises(StoreUnavailable, match="hasn't been copied to this machine yet"):
            await lookup.of("shop.example", [ANN.address])


async def test_a_key_signs_once_every_machine_has_it_and_on_all_of_them(machine: Machines) -> None:
    first, second = machine("first"), machine("second")
    Keyring.new().save(first.path)
    await first.sharing.turn()
    second.trusts(first)
    await second.sharing.turn()
    held = await first.keys.held()
    await first.keys.keep(Held(held.revision, shared.grown(held.keyring)))
    await first.sharing.turn()
    await first.sharing.turn()
    assert [key.signs for key in first.keyring.keys] == [True, False], "the second lacks it"
    await second.sharing.turn()
    assert [key.signs for key in second.keyring.keys] == [True, False]
    await first.sharing.turn()
    await second.sharing.turn()
    assert [key.signs for key in second.keyring.keys] == [True, True]
    await first.sharing.turn()
    assert first.keyring == second.keyring


async def test_a_machine_with_a_keyring_of_its_own_is_told_and_follows_all_else(
    machine: Machines, store: Store
) -> None:
    first, second = machine("first"), machine("second")
    for one in (first, second):
        Keyring.new().save(one.path)
    await first.sharing.turn()
    second.trusts(first)
    before = second.keyring
    await Suppressions(store).add("shop.example", [ANN], "account ann")
    await second.sharing.turn()
    assert second.keyring == before
    assert second.copy.suppressions("shop.example", [ANN.address])
    check = second.sharing.check()
    assert check.status == "degraded"
    assert check.says.startswith("this machine's key 1 is another than the shared key 1")


@only_sqlite
async def test_a_store_that_was_put_back_from_a_backup_is_copied_anew(
    machine: Machines, store: Store, tmp_path: Path
) -> None:
    one = machine("one")
    Keyring.new().save(one.path)
    await Suppressions(store).add("shop.example", [ANN], "account ann")
    await store.close()
    shutil.copy(tmp_path / "store.db", tmp_path / "backup")
    await Suppressions(store).add("shop.example", [Suppression("bob@example.net", ("*",), 6)], "x")
    await one.sharing.turn()
    await store.close()
    shutil.copy(tmp_path / "backup", tmp_path / "store.db")
    await one.sharing.turn()
    found = one.copy.suppressions("shop.example", [ANN.address, "bob@example.net"])
    assert list(found) == [ANN.address]


async def test_a_copy_that_breaks_is_told_and_holds_up_no_key(machine: Machines) -> None:
    one = machine("one")
    Keyring.new().save(one.path)
    with sqlite3.connect(one.folder / "shared.db") as connection:
        connection.execute("drop table mark")
    connection.close()
    await one.sharing.turn()
    assert "where shared.db is removed, a new one is made" in one.sharing.check().says
    assert len((await one.keys.held()).keyring.keys) == 1


@only_sqlite
async def test_an_api_key_opens_for_a_day_without_the_store_even_after_a_restart(
    machine: Machines, store: Store, away: Away
) -> None:
    one = machine("one")
    Keyring.new().save(one.path)
    key, record = fresh("sender", "send", ["shop.example"], 1)
    await KeyRecords(store).add(record)
    await one.sharing.turn()
    now = one.sharing.as_of["API keys"]
    async with away():
        restarted = ApiKeys((), KeyRecords(store), lambda: now, copy=one.copy)
        grant = await restarted.grant(key)
        with pytest.raises(StoreUnavailable, match="it can't be told what this key opens"):
            await restarted.grant("another")
        now += HONOURED_FOR + 1
        with pytest.raises(StoreUnavailable):
            await restarted.grant(key)
    assert grant is not None
    assert (grant.scope, grant.domains) == ("send", frozenset({"shop.example"}))


@only_sqlite
async def test_the_api_tells_senders_what_it_knows_while_the_store_is_away(
    machine: Machines, store: Store, away: Away
) -> None:
    one = machine("one")
    Keyring.new().save(one.path)
    await Suppressions(store).add("shop.example", [ANN], "account ann")
    await one.sharing.turn()

    lookup = Lookup(store, one.copy, lambda: one.sharing.away)
    async with calling(serving(store, lookup=lookup)) as client, away():
        asked = await client.get("/v1/shop.example/suppressed", params={"address": ANN.address})
        many = await client.post(
            "/v1/shop.example/suppressed", json={"addresses": [ANN.address, "eve@example.net"]}
        )
        events = await client.get("/v3/shop.example/events")
    as_of = asked.json()["as_of"]
    assert asked.json() == {
        "address": ANN.address,
        "suppressed": True,
        "tags": ["*"],
        "as_of": as_of,
    }
    assert many.json() == {"suppressed": [ANN.address], "as_of": as_of}
    assert as_of == pytest.approx(one.sharing.as_of["suppressions"])
    assert events.status_code == 503
    assert "the store" in events.json()["message"]


def test_parts_are_told_together_by_the_minute() -> None:
    as_of: dict[Part, float] = {"settings": NOW, "suppressions": NOW + 5, "keyring": NOW - 120}
    assert told(as_of, {"store": "no route to host"}, NOW + 61).says == (
        "the store has been away since 2026-11-18 11:07 UTC: no route to host; until it is back,"
        " settings and suppressions are as of 2026-11-18 11:06 UTC;"
        " keyring is as of 2026-11-18 11:04 UTC; API keys are not on this machine yet"
    )


async def test_sharing_goes_on_until_it_is_cancelled(
    machine: Machines, store: Store, tmp_path: Path
) -> None:
    one = machine("one")
    Keyring.new().save(one.path)
    copy = Copy.open(tmp_path / "other.db", store.name)
    sharing = Sharing(store, one.keys, copy, "one")
    running = asyncio.create_task(sharing.run())
    await until(lambda: "API keys" in sharing.as_of, "everything to be copied")
    await ended(running)
    assert running.cancelled()
    copy.close()


@only_sqlite
async def test_what_nobody_thought_of_ends_neither_the_office_nor_the_sharing(
    machine: Machines, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker.shared.sharing.EVERY", 0.01)
    one = machine("one")
    Keyring.new().save(one.path)
    await one.sharing.turn()
    damaged = {"name": "other", "holds": "{", "seen_at": 0}
    async with store.writing() as connection:
        await connection.execute(insert(machine_table).values(damaged))
    held = await one.keys.held()
    await one.keys.keep(Held(held.revision, shared.grown(held.keyring)))
    running = asyncio.create_task(one.sharing.run())
    await until(lambda: "a fault of the program" in one.sharing.check().says, "the fault")
    await Signing(store).tell(MachineRow("other", frozenset({1, 2}), 0))
    await until(lambda: one.sharing.check().status == "ok", "all to be well")
    await ended(running)
