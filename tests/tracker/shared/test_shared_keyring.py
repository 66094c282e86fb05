"""Machines that share a store sign with the same keys, and never with one that another lacks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, structs

from certs.vault.master import MasterKey
from rewriter.keyring import Keyring, KeyringError, Secret
from tests.tracker.shared.conftest import Machines
from tracker.shared import keyring as shared
from tracker.shared.keys import Held
from tracker.store.audit import Audit
from tracker.store.database import Store
from tracker.store.signing import Machine, Outdated

MASTER = MasterKey(bytes(32))


def test_a_new_key_waits_unless_it_is_the_first() -> None:
    first = shared.grown(shared.EMPTY)
    assert [key.waits for key in first.keys] == [UNSET]
    assert [key.waits for key in shared.grown(first).keys] == [UNSET, True]
    assert shared.waiting(shared.grown(first)) == [2]


def test_a_key_that_only_this_machine_has_joins_and_waits() -> None:
    common = Keyring.new()
    both = shared.united(common, common.rotated())
    assert [key.id for key in both.keys] == [1, 2]
    assert shared.waiting(both) == [2]


def test_another_secret_under_the_same_id_is_never_given_up() -> None:
    with pytest.raises(KeyringError, match=r"key 1 is another than the shared key 1: if no mail"):
        shared.united(Keyring.new(), Keyring.new())


def test_the_keyring_of_one_domain_is_not_shared() -> None:
    with pytest.raises(KeyringError, match=r"exported for t\.example"):
        shared.united(Keyring.new(), Keyring.new().export("t.example"))


def test_a_retired_key_stays_retired_whoever_comes_from_a_backup() -> None:
    old = Keyring.new().rotated()
    retired = old.retire(1)
    assert shared.united(retired, old) == retired
    assert shared.united(old, retired) == retired


def test_the_last_key_that_signs_is_not_retired_by_joining() -> None:
    common = Keyring.new()
    ours = common.rotated().retire(1)
    both = shared.united(common, ours)
    assert [(key.id, key.signs) for key in both.keys] == [(1, True), (2, False)]


@pytest.mark.parametrize(
    ("holds", "silent_for", "lacks"),
    [({1, 2}, 0, False), ({1}, 0, True), ({1}, shared.GONE_AFTER, False)],
)
def test_a_key_waits_for_every_machine_that_is_in_use(
    holds: set[int], silent_for: int, lacks: bool
) -> None:
    machine = Machine("edge-1", frozenset(holds), 1_000_000)
    assert bool(shared.lacking(2, [machine], 1_000_000 + silent_for)) is lacks


KEYS = st.builds(
    Secret,
    st.integers(1, 255),
    st.just("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"),
    st.just("2026-11-21T00:00:00+00:00"),
    st.sampled_from([None, "2026-11-21T01:00:00+00:00"]),
    st.sampled_from([UNSET, True]),
)
KEYRINGS = st.lists(KEYS, min_size=1, max_size=6, unique_by=lambda key: key.id).map(
    lambda keys: Keyring(keys=tuple(keys))
)


@given(KEYRINGS)
def test_what_was_sealed_opens_as_it_was(keyring: Keyring) -> None:
    sealed = shared.sealed(3, keyring, MASTER)
    assert shared.opened(sealed, MASTER) == keyring
    pairs = zip(keyring.keys, sealed.keys, strict=True)
    assert not any(key.secret.encode() in kept.secret for key, kept in pairs)


@given(KEYRINGS, KEYRINGS)
def test_joining_loses_no_key_and_twice_is_as_good_as_once(one: Keyring, other: Keyring) -> None:
    both = shared.united(one, other)
    assert {key.id for key in both.keys} == {key.id for key in (*one.keys, *other.keys)}
    assert shared.united(both, both) == both
    assert [key.id for key in both.keys][: len(one.keys)] == [key.id for key in one.keys]


def test_another_machines_master_key_is_asked_for_by_its_id() -> None:
    sealed = shared.sealed(1, Keyring.new(), MASTER)
    with pytest.raises(KeyringError, match=f"sealed under the master key {MASTER.id}"):
        shared.opened(sealed, MasterKey(b"1" * 32))


@pytest.mark.anyio
async def test_the_first_machine_brings_its_keyring_and_the_second_gets_it(
    machine: Machines,
) -> None:
    first, second = machine("first"), machine("second")
    Keyring.new().rotated().save(first.path)
    await first.keys.join("machine first")
    second.trusts(first)
    await second.keys.join("machine second")
    assert second.keyring == first.keyring
    assert second.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.anyio
async def test_a_machine_without_the_master_key_is_told_what_to_bring(machine: Machines) -> None:
    first, second = machine("first"), machine("second")
    Keyring.new().save(first.path)
    await first.keys.join("machine first")
    with pytest.raises(KeyringError, match=r"no master key .*second.* copy it from a machine"):
        await second.keys.join("machine second")
    assert not second.master.exists()
    assert not second.path.exists()


@pytest.mark.anyio
async def test_without_any_keyring_the_way_to_one_is_told(machine: Machines) -> None:
    with pytest.raises(KeyringError, match="nor in the store: make one with 'tracker keys new'"):
        await machine("first").keys.join("machine first")


@pytest.mark.anyio
async def test_a_key_of_one_machine_reaches_the_other_and_signs_once_it_may(
    machine: Machines,
) -> None:
    first, second = machine("first"), machine("second")
    Keyring.new().save(first.path)
    await first.keys.join("machine first")
    second.trusts(first)
    await second.keys.join("machine second")
    held = await first.keys.held()
    await first.keys.keep(Held(held.revision, shared.grown(held.keyring)))
    await second.keys.join("machine second")
    assert [key.signs for key in second.keyring.keys] == [True, False]
    await second.keys.release([2], "machine second")
    await first.keys.join("machine first")
    assert [key.signs for key in first.keyring.keys] == [True, True]


@pytest.mark.anyio
async def test_of_two_changes_at_once_one_is_refused(machine: Machines) -> None:
    first = machine("first")
    Keyring.new().save(first.path)
    await first.keys.join("machine first")
    held = await first.keys.held()
    grown = Held(held.revision, shared.grown(held.keyring))
    await first.keys.keep(grown)
    with pytest.raises(Outdated, match="changed by another machine just now"):
        await first.keys.keep(grown)


@pytest.mark.anyio
async def test_the_audit_log_says_who_brought_and_retired_what_and_no_secret(
    machine: Machines, store: Store
) -> None:
    first, second = machine("first"), machine("second")
    Keyring.new().rotated().save(first.path)
    await first.keys.join("machine first")
    second.trusts(first)
    first.keyring.retire(1).save(second.path)
    await second.keys.join("machine second")
    entries = await Audit(store).newest(10)
    assert [(one.who, one.action, one.subject) for one in entries] == [
        ("machine second", "key.retire", "1"),
        ("machine first", "key.join", "2"),
        ("machine first", "key.join", "1"),
    ]
    said = b"".join(bytes(one.before) + bytes(one.after) for one in entries)
    assert not any(key.secret.encode() in said for key in first.keyring.keys)


@pytest.mark.anyio
async def test_a_damaged_keyring_is_told_and_not_replaced(machine: Machines) -> None:
    first, second = machine("first"), machine("second")
    Keyring.new().save(first.path)
    await first.keys.join("machine first")
    second.trusts(first)
    second.path.touch(0o600)
    second.path.write_bytes(b"{")
    with pytest.raises(KeyringError, match="is not a keyring"):
        await second.keys.join("machine second")
    assert second.path.read_bytes() == b"{"


def test_a_keyring_that_waits_no_longer_is_written_as_ever() -> None:
    grown = shared.grown(Keyring.new())
    assert all(key == structs.replace(key, waits=UNSET) for key in shared.released(grown, [2]).keys)
