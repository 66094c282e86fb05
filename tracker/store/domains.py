"""The register of domains: what `tracker.domains` describes, kept in the store.

Promise: every change passes through here, is checked, is written to the audit log with who made
it in the same transaction, and is told by a higher revision. What changes nothing is no change.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

import msgspec
from sqlalchemy import (
    BigInteger,
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
from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.domains import BadSetting, SendingDomain, Snapshot, TrackingDomain
from tracker.store import schema
from tracker.store.audit import Entry, entry, record
from tracker.store.database import Store, StoreUnavailable


def _table(name: str) -> Table:
    """Describe a table of documents: what a domain may have set grows, its name stays the key."""
    return Table(
        name,
        schema.metadata,
        Column("name", Text, primary_key=True),
        Column("document", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


tracking_table = _table("tracking_domain")
sending_table = _table("sending_domain")
# How often anything above was changed; whoever publishes it asks for this number first.
register_table = Table(
    "register",
    schema.metadata,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
)

TABLES: Final[Mapping[type, Table]] = {
    TrackingDomain: tracking_table,
    SendingDomain: sending_table,
}

Domain = TypeVar("Domain", TrackingDomain, SendingDomain)


class NotRegistered(LookupError):
    """There is no such domain; the message says which."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} isn't registered")


class AlreadyRegistered(Exception):
    """There is such a domain; the message says which."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is registered already")


class InUse(Exception):
    """Links of new mail lead to the domain; `by` names the sending domains."""

    def __init__(self, name: str, by: tuple[str, ...]) -> None:
        super().__init__(f"links of {', '.join(by)} lead to {name}")
        self.by = by


class Domains:
    """The register in a store. Every method raises StoreUnavailable.

    Names are canonical ones, `who` is as the audit log has it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def revision(self) -> int:
        """Return a number that is higher after every change."""
        async with self._store.reading() as connection:
            return await _revision(connection)

    async def snapshot(self) -> Snapshot:
        """Return all that is registered."""
        async with self._store.reading() as connection:
            tracking = await _all(connection, TrackingDomain)
            return Snapshot(
                tracking={one.name: one for one in tracking if not one.removed},
                sending={one.name: one for one in await _all(connection, SendingDomain)},
                removed=frozenset(one.name for one in tracking if one.removed),
            )

    async def tracking(self) -> list[TrackingDomain]:
        """Return every tracking domain, by name."""
        async with self._store.reading() as connection:
            return [one for one in await _all(connection, TrackingDomain) if not one.removed]

    async def get(self, name: str) -> TrackingDomain | None:
        """Return a tracking domain, None if there is none of this name."""
        async with self._store.reading() as connection:
            return await _tracking(connection, name)

    async def sending(self, name: str) -> SendingDomain:
        """Return a sending domain, as it comes where nothing was set for it."""
        async with self._store.reading() as connection:
            return await _get(connection, SendingDomain, name) or SendingDomain(name)

    async def add(self, domain: TrackingDomain, *, who: str) -> None:
        """Register a tracking domain.

        Links of its sending domain's mail lead to it from now on, unless they have another to lead
        to: what works isn't given up for what was never tried. Raises AlreadyRegistered.
        """
        async with self._store.writing() as connection:
            if await _tracking(connection, domain.name):
                raise AlreadyRegistered(domain.name)
            await _keep(connection, None, domain, who)
            if domain.sending_domain:
                before = await _get(connection, SendingDomain, domain.sending_domain)
                sending = before or SendingDomain(domain.sending_domain)
                if not sending.tracking_domain:
                    after = msgspec.structs.replace(sending, tracking_domain=domain.name)
                    await _keep(connection, before, after, who)

    async def change(self, name: str, *, who: str, **fields: Any) -> TrackingDomain:
        """Set fields of a tracking domain. Raises NotRegistered, BadSetting."""
        async with self._store.writing() as connection:
            if (before := await _tracking(connection, name)) is None:
                raise NotRegistered(name)
            after = msgspec.structs.replace(before, **fields)
            await _keep(connection, before, after, who)
        return after

    async def change_sending(self, name: str, *, who: str, **fields: Any) -> SendingDomain:
        """Set fields of a sending domain. Raises BadSetting."""
        async with self._store.writing() as connection:
            before = await _get(connection, SendingDomain, name)
            after = msgspec.structs.replace(before or SendingDomain(name), **fields)
            leads_to = after.tracking_domain
            if leads_to and not await _tracking(connection, leads_to):
                raise BadSetting(f"{leads_to} isn't registered as a tracking domain; add it first")
            await _keep(connection, before, after, who)
        return after

    async def remove(self, name: str, *, who: str) -> None:
        """Take a tracking domain out of the register. Raises NotRegistered, InUse.

        Its links go on leading where they lead as long as its DNS brings them here and the keyring
        signs for it: of what was set, its name is kept. Its certificate isn't renewed any more.
        """
        async with self._store.writing() as connection:
            if (before := await _tracking(connection, name)) is None:
                raise NotRegistered(name)
            sending = await _all(connection, SendingDomain)
            if by := tuple(one.name for one in sending if one.tracking_domain == name):
                raise InUse(name, by)
            await _put(connection, TrackingDomain(name, removed=True))
            await _note(connection, entry(who, "domain.remove", name, before=before))


async def _all(connection: AsyncConnection, kind: type[Domain]) -> list[Domain]:
    table = TABLES[kind]
    found = await connection.execute(select(table.c.document).order_by(table.c.name))
    return [_read(document, kind) for document in found.scalars()]


async def _get(connection: AsyncConnection, kind: type[Domain], name: str) -> Domain | None:
    table = TABLES[kind]
    found = await connection.execute(select(table.c.document).where(table.c.name == name))
    document = found.scalar_one_or_none()
    return None if document is None else _read(document, kind)


async def _tracking(connection: AsyncConnection, name: str) -> TrackingDomain | None:
    found = await _get(connection, TrackingDomain, name)
    return found if found and not found.removed else None


def _read(document: bytes, kind: type[Domain]) -> Domain:
    try:
        return msgspec.json.decode(document, type=kind)
    except msgspec.MsgspecError as error:
        raise StoreUnavailable(f"a domain in the store is damaged: {error}") from error


async def _keep(
    connection: AsyncConnection, before: Domain | None, after: Domain, who: str
) -> None:
    """Keep a domain as it is now, in the place of what it was before."""
    if before == after:
        return
    await _put(connection, after)
    tracking = isinstance(after, TrackingDomain)
    action = "tracking.set" if not tracking else "domain.set" if before else "domain.add"
    await _note(connection, entry(who, action, after.name, before=before, after=after))


async def _put(connection: AsyncConnection, domain: TrackingDomain | SendingDomain) -> None:
    table = TABLES[type(domain)]
    await connection.execute(delete(table).where(table.c.name == domain.name))
    document = msgspec.json.encode(domain)
    await connection.execute(insert(table).values(name=domain.name, document=document))


async def _note(connection: AsyncConnection, change: Entry) -> None:
    """Write a change to the audit log, and tell of it by the revision."""
    await record(connection, change)
    changed = update(register_table).values(revision=register_table.c.revision + 1)
    await connection.execute(changed)


async def _revision(connection: AsyncConnection) -> int:
    found = await connection.execute(select(register_table.c.revision))
    return cast("int", found.scalar_one())
