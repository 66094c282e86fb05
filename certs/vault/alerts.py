"""Alerts: what the operator must hear of, once for each certificate, until it was delivered."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import insert, select, update

from certs.expiry import Alert
from certs.vault.database import Vault
from certs.vault.tables import alert


class Alerts:
    """The alerts in a vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def raise_(self, raised: Alert, *, deliver: bool) -> bool:
        """Keep an alert; False if it was raised before, here or elsewhere.

        Without anybody to deliver to, it is kept as delivered. Raises VaultUnavailable.
        """
        same = (
            alert.c.name == raised.name,
            alert.c.kind == raised.kind,
            alert.c.occasion == raised.occasion,
        )
        async with self._vault.writing() as connection:
            if (await connection.execute(select(alert.c.kind).where(*same))).one_or_none():
                return False
            await connection.execute(
                insert(alert).values(
                    name=raised.name,
                    kind=raised.kind,
                    occasion=raised.occasion,
                    raised_at=raised.at,
                    delivered_at=0 if deliver else raised.at,
                    document=msgspec.json.encode(raised),
                )
            )
        return True

    async def undelivered(self) -> Sequence[Alert]:
        """Return what is still to be delivered, the oldest first. Raises VaultUnavailable."""
        query = select(alert.c.document).where(alert.c.delivered_at == 0)
        async with self._vault.reading() as connection:
            found = await connection.execute(query.order_by(alert.c.raised_at))
            return [msgspec.json.decode(row.document, type=Alert) for row in found]

    async def delivered(self, one: Alert, now: float) -> None:
        """Deliver an alert no more. Raises VaultUnavailable."""
        async with self._vault.writing() as connection:
            await connection.execute(
                update(alert)
                .where(
                    alert.c.name == one.name,
                    alert.c.kind == one.kind,
                    alert.c.occasion == one.occasion,
                )
                .values(delivered_at=now)
            )
