"""Progress: how far each wanted name is, in words, and when to look after it next.

A state is a frozen value; what changes it is pure (`certs.issuing.outcome`), and what keeps it asks
for the lease.
"""

from collections.abc import Collection, Sequence
from typing import Literal

import msgspec
from sqlalchemy import bindparam, delete, insert, or_, select, update

from certs.vault.database import Vault
from certs.vault.leases import Lease, fenced, free
from certs.vault.tables import lease, state

Phase = Literal[
    "registered",  # nothing was looked at yet
    "dns",  # its records don't lead here, or forbid the CA
    "preflight",  # its addresses don't answer as this edge does
    "paused",  # the operator has something to settle first, such as the CA's terms
    "ordering",  # the CA is at work
    "backing-off",  # the CA refused or didn't answer
    "limited",  # the CA, or our own account of its limits, says to wait
    "rejected",  # the CA will never issue for it as things are
    "suspended",  # its DNS left for a week
    "proving",  # the certificate is there; HTTPS isn't proven on every address yet
    "active",  # all is well
]


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a name is. Times are in Unix seconds, 0 where there was none.

    `says` is what is being waited for, and `fix` what the operator should do. `failures` counts
    what the CA refused in a row, `waits` the looks in a row at a name that isn't ready;
    `waiting_since` is when its DNS was first seen not to lead here. Before `held_until` the CA
    isn't asked. `window_…` is what the CA said of renewal.
    """

    name: str
    phase: Phase = "registered"
    since: float = 0
    says: str = ""
    fix: str = ""
    code: str = ""
    next_at: float = 0
    failures: int = 0
    waits: int = 0
    waiting_since: float = 0
    held_until: float = 0
    proven_at: float = 0
    renew_at: float = 0
    window_generation: int = 0
    window_start: float = 0
    window_end: float = 0
    window_ask_at: float = 0
    window_explanation: str = ""


class Progress:
    """The states in a vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def all(self) -> list[State]:
        """Return every name's state. Raises VaultUnavailable."""
        async with self._vault.reading() as connection:
            found = await connection.execute(select(state.c.document).order_by(state.c.name))
            return [_read(row.document) for row in found]

    async def of(self, name: str) -> State | None:
        """Return a name's state; None if the name isn't wanted. Raises VaultUnavailable."""
        query = select(state.c.document).where(state.c.name == name)
        async with self._vault.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return _read(row.document) if row else None

    async def want(self, names: Collection[str], now: float) -> None:
        """Look after these names and no others from now on. Raises VaultUnavailable."""
        async with self._vault.writing() as connection:
            there = {row.name for row in await connection.execute(select(state.c.name))}
            if gone := there - set(names):
                gone_one = delete(state).where(state.c.name == bindparam("gone"))
                await connection.execute(gone_one, [{"gone": name} for name in gone])
            fresh = [_row(State(name, since=now, next_at=now)) for name in set(names) - there]
            if fresh:
                await connection.execute(insert(state), fresh)

    async def due(self, now: float, limit: int, working: Collection[str]) -> Sequence[str]:
        """Return names to look after, the longest overdue first, that nobody works on.

        `working` are the names that the caller itself works on. Raises VaultUnavailable.
        """
        query = (
            select(state.c.name)
            .outerjoin(lease, lease.c.name == state.c.name)
            .where(
                or_(state.c.next_at <= now, state.c.request != ""),
                or_(lease.c.until.is_(None), free(now)),
            )
            .order_by(state.c.next_at)
            .limit(limit + len(working))
        )
        async with self._vault.reading() as connection:
            found = [row.name for row in await connection.execute(query)]
        return [name for name in found if name not in working][:limit]

    async def request(self, name: str) -> str:
        """Return what a person asked for, "" if nothing. Raises VaultUnavailable."""
        query = select(state.c.request).where(state.c.name == name)
        async with self._vault.reading() as connection:
            return (await connection.execute(query)).scalar_one_or_none() or ""

    async def ask(self, name: str, what: str) -> bool:
        """Ask for something to be done with a name; False if it isn't wanted.

        Raises VaultUnavailable.
        """
        async with self._vault.writing() as connection:
            done = await connection.execute(
                update(state)
                .where(state.c.name == name)
                .values(request=what)
                .returning(state.c.name)
            )
            return done.scalar_one_or_none() is not None

    async def put(self, held: Lease, new: State, answered: str = "") -> None:
        """Keep a state, and end the request that it answers. Raises LeaseLost, VaultUnavailable.

        A name that isn't wanted any more stays unwanted.
        """
        async with self._vault.writing() as connection:
            await fenced(connection, held)
            await connection.execute(
                update(state).where(state.c.name == new.name).values(_row(new))
            )
            if answered:
                await connection.execute(
                    update(state)
                    .where(state.c.name == new.name, state.c.request == answered)
                    .values(request="")
                )


def _row(one: State) -> dict[str, object]:
    return {"name": one.name, "next_at": one.next_at, "document": msgspec.json.encode(one)}


def _read(document: bytes) -> State:
    return msgspec.json.decode(document, type=State)
