"""Leases: who may work on a name, for how long, and proof of it when it counts.

Promise: at most one holder can write for a name. Each lease has a fence, a number that grows; a
write is refused unless the fence is still the newest, so that a holder who slept past the end of
its lease changes nothing (Kleppmann, "How to do distributed locking", 2016).
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Update, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from certs.vault.database import Vault
from certs.vault.tables import lease

SECONDS: Final = 60.0  # how long a lease lasts unless it is extended
LONGEST: Final = 600.0


class LeaseLost(Exception):
    """Another process works on the name by now; what was to be written wasn't."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one name."""

    name: str
    holder: str
    fence: int


class Leases:
    """The leases of one holder, whose name no other process has."""

    def __init__(self, vault: Vault, holder: str, seconds: float = SECONDS) -> None:
        self._vault = vault
        self._holder = holder
        self.seconds = seconds

    async def take(self, name: str, now: float) -> Lease | None:
        """Take the lease on a name; None while another holds it. Raises VaultUnavailable."""
        async with self._vault.writing() as connection:
            known = await connection.execute(select(lease.c.fence).where(lease.c.name == name))
            if known.one_or_none() is None:
                await connection.execute(
                    insert(lease).values(name=name, holder="", fence=0, until=0)
                )
            taken = await connection.execute(
                update(lease)
                .where(lease.c.name == name, or_(free(now), lease.c.holder == self._holder))
                .values(holder=self._holder, fence=lease.c.fence + 1, until=now + self.seconds)
                .returning(lease.c.fence)
            )
            fence = taken.scalar_one_or_none()
        return None if fence is None else Lease(name, self._holder, fence)

    async def extend(self, held: Lease, now: float) -> None:
        """Hold a lease for longer. Raises LeaseLost, VaultUnavailable."""
        async with self._vault.writing() as connection:
            await fenced(connection, held, until=now + self.seconds)

    async def release(self, held: Lease) -> None:
        """Let others take the name at once. Raises VaultUnavailable."""
        async with self._vault.writing() as connection:
            await connection.execute(_still(held).values(until=0))


def free(now: float) -> ColumnElement[bool]:
    """Tell in SQL whether a lease can be taken."""
    # One that ends too late was taken while a clock ran ahead: it must not block the name so long.
    return or_(lease.c.until <= now, lease.c.until > now + LONGEST)


async def fenced(connection: AsyncConnection, held: Lease, until: float | None = None) -> None:
    """Hold a transaction to its lease. Raises LeaseLost if another has taken it since."""
    values = {"fence": held.fence} if until is None else {"until": until}
    # An update, not a look: it locks the row until the transaction ends, in every database.
    done = await connection.execute(_still(held).values(**values).returning(lease.c.fence))
    if done.scalar_one_or_none() is None:
        raise LeaseLost(f"another process works on {held.name} by now")


def _still(held: Lease) -> Update:
    return update(lease).where(
        lease.c.name == held.name, lease.c.holder == held.holder, lease.c.fence == held.fence
    )
