"""Attempts: what was tried at a CA, and when; the history, and what budgets are counted by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import Column, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from certs.vault.database import Vault
from certs.vault.leases import Lease, fenced
from certs.vault.tables import attempt

What = Literal["ordered", "issued", "failed", "unproven", "revoked", "suspended", "returned"]

KEPT_FOR: Final = 90 * 86_400.0  # seconds


@dataclass(frozen=True, slots=True)
class Attempt:
    """One thing that was tried. "unproven" is a failure of the CA to see our answer.

    `registered` is the registered domain of the name; `exempt` ones don't count to the CA's limits.
    """

    at: float
    name: str
    registered: str
    directory: str
    what: What
    says: str = ""
    order_url: str = ""
    exempt: bool = False


COLUMNS: Final = [getattr(attempt.c, name) for name in Attempt.__slots__]


class Attempts:
    """The history in a vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def note(self, held: Lease, made: Attempt) -> None:
        """Add to the history. Raises LeaseLost, VaultUnavailable."""
        async with self._vault.writing() as connection:
            await fenced(connection, held)
            await add(connection, made)

    async def counted(self, order_url: str) -> None:
        """Count an order to the CA's limits after all. Raises VaultUnavailable."""
        async with self._vault.writing() as connection:
            await connection.execute(
                update(attempt).where(attempt.c.order_url == order_url).values(exempt=False)
            )

    async def of(self, name: str, limit: int = 50) -> Sequence[Attempt]:
        """Return what was tried for a name, the newest first. Raises VaultUnavailable."""
        query = (
            select(*COLUMNS)
            .where(attempt.c.name == name)
            .order_by(attempt.c.at.desc(), attempt.c.id.desc())
            .limit(limit)
        )
        async with self._vault.reading() as connection:
            return [Attempt(**row._mapping) for row in await connection.execute(query)]

    async def forget(self, now: float) -> None:
        """Forget what is older than any budget looks back. Raises VaultUnavailable."""
        async with self._vault.writing() as connection:
            await connection.execute(delete(attempt).where(attempt.c.at < now - KEPT_FOR))


async def add(connection: AsyncConnection, made: Attempt) -> None:
    """Add to the history within a transaction that is under way."""
    values = {name: getattr(made, name) for name in Attempt.__slots__}
    await connection.execute(insert(attempt).values(values))


async def times(
    connection: AsyncConnection,
    what: What,
    where: Column[str],
    value: str,
    since: float,
    *,
    exempt: bool,
) -> list[float]:
    """Return when something that counts to a limit happened, within a transaction.

    `exempt` counts what is exempt from the CA's limits too.
    """
    query = select(attempt.c.at).where(attempt.c.what == what, where == value, attempt.c.at > since)
    if not exempt:
        query = query.where(attempt.c.exempt.is_(False))
    return [row.at for row in await connection.execute(query)]
