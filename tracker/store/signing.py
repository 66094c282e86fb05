"""Signing keys and machines, as the store holds them for all machines that share it.

In: sealed keys, and what each machine tells of itself. Out: the same. Nothing here can open a key:
the master key under which they are sealed isn't in the store.

Promise: the keyring changes as a whole, for whoever saw it as it was before; of two changes at the
same time one is refused.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    LargeBinary,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from tracker.store import schema
from tracker.store.audit import Entry, record
from tracker.store.database import Store

# How often the keyring was changed; one row.
keyring_table = Table(
    "keyring",
    schema.metadata,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
)
key_table = Table(
    "signing_key",
    schema.metadata,
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("id", Integer, nullable=False, unique=True),
    Column("secret", LargeBinary, nullable=False),
    Column("master", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("retired", Text, nullable=False),
    Column("waits", Boolean, nullable=False),
)
machine_table = Table(
    "machine",
    schema.metadata,
    Column("name", Text, primary_key=True),
    Column("holds", Text, nullable=False),  # a JSON list of the ids of the keys that it has
    Column("seen_at", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A key of the keyring; `secret` is sealed under the master key with the id `master`.

    `retired` is empty until it is.
    """

    id: int
    secret: bytes
    master: str
    created: str
    retired: str
    waits: bool


@dataclass(frozen=True, slots=True)
class SealedKeyring:
    """The keys, oldest first, as of a revision."""

    revision: int
    keys: tuple[SealedKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that shares the store, the keys that it has, and when it said so, in seconds."""

    name: str
    holds: frozenset[int]
    seen_at: int


class Outdated(Exception):
    """Another machine has changed the keyring meanwhile; nothing was done."""


class Signing:
    """The keyring and the machines in a store. Every method raises StoreUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keyring(self) -> SealedKeyring:
        """Return the keyring as it is."""
        ordered = select(key_table).order_by(key_table.c.place)
        async with self._store.reading() as connection:
            # Asked first: of a change in between, a revision too low is seen, and refused later.
            revision = (await connection.execute(select(keyring_table.c.revision))).scalar_one()
            return SealedKeyring(revision, tuple(map(_key, await connection.execute(ordered))))

    async def keep(self, keyring: SealedKeyring, changes: Sequence[Entry]) -> None:
        """Put a keyring in the place of the one of its revision. Raises Outdated.

        The audit log is told in the same transaction.
        """
        rows = [asdict(key) | {"place": place} for place, key in enumerate(keyring.keys)]
        advanced = (
            update(keyring_table)
            .where(keyring_table.c.revision == keyring.revision)
            .values(revision=keyring.revision + 1)
        )
        async with self._store.writing() as connection:
            if not (await connection.execute(advanced)).rowcount:
                raise Outdated("the keyring was changed by another machine just now: try again")
            await connection.execute(delete(key_table))
            if rows:
                await connection.execute(insert(key_table), rows)
            for change in changes:
                await record(connection, change)

    async def machines(self) -> list[Machine]:
        """Return every machine that ever told of itself, by name."""
        ordered = select(machine_table).order_by(machine_table.c.name)
        async with self._store.reading() as connection:
            return [_machine(row) for row in await connection.execute(ordered)]

    async def tell(self, machine: Machine) -> None:
        """Note what a machine has by now."""
        values = {
            "name": machine.name,
            "holds": msgspec.json.encode(sorted(machine.holds)).decode(),
            "seen_at": machine.seen_at,
        }
        known = update(machine_table).where(machine_table.c.name == machine.name)
        async with self._store.writing() as connection:
            if not (await connection.execute(known.values(values))).rowcount:
                await connection.execute(insert(machine_table).values(values))

    async def forget(self, name: str) -> bool:
        """Wait for a machine no longer; tell whether there was one of this name."""
        gone = delete(machine_table).where(machine_table.c.name == name)
        async with self._store.writing() as connection:
            return bool((await connection.execute(gone)).rowcount)


def _key(row: Any) -> SealedKey:
    return SealedKey(row.id, row.secret, row.master, row.created, row.retired, row.waits)


def _machine(row: Any) -> Machine:
    holds = msgspec.json.decode(row.holds, type=frozenset[int])
    return Machine(row.name, holds, row.seen_at)
