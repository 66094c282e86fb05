"""Certificates: the one that each name is served with, and the order that will replace it.

Promise: chain, key and generation change together or not at all, and under a lease that is still
held; a certificate stays, expired or not, until another takes its place.
"""

from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import Row, Select, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from certs.vault.accounts import key_bytes, read_key
from certs.vault.attempts import Attempt, add
from certs.vault.bundle import Bundle
from certs.vault.database import Vault, advance
from certs.vault.examined import Validity
from certs.vault.leases import Lease, fenced
from certs.vault.tables import certificate, draft


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a name's certificate without its key. Times are in Unix seconds."""

    name: str
    generation: int
    directory: str
    not_before: int
    not_after: int
    committed_at: float
    revoked_at: float


@dataclass(frozen=True, slots=True)
class Draft:
    """An order under way. `order_url` is empty until the CA has told it."""

    name: str
    directory: str
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    replaces: str
    order_url: str
    begun_at: float


KEPT = [getattr(certificate.c, name) for name in Kept.__slots__]


class Certificates:
    """The certificates in a vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def all(self) -> list[Kept]:
        """Return every certificate that is kept. Raises VaultUnavailable."""
        async with self._vault.reading() as connection:
            return [_kept(row) for row in await connection.execute(select(*KEPT))]

    async def of(self, name: str) -> Kept | None:
        """Return what is known of a name's certificate. Raises VaultUnavailable."""
        async with self._vault.reading() as connection:
            row = (await connection.execute(_named(name))).one_or_none()
        return _kept(row) if row else None

    async def bundle(self, name: str) -> Bundle | None:
        """Return a name's certificate with its key. Raises VaultUnavailable, VaultError."""
        query = select(certificate).where(certificate.c.name == name)
        async with self._vault.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        key = self._vault.unsealed(row.key, _use(name, row.generation))
        return Bundle(name, row.chain, key, row.generation, row.not_before, row.not_after)

    async def draft(self, name: str) -> Draft | None:
        """Return the order that is under way. Raises VaultUnavailable, VaultError."""
        query = select(draft).where(draft.c.name == name)
        async with self._vault.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        key = read_key(self._vault.unsealed(row.key, _draft_use(name)))
        return Draft(name, row.directory, key, row.replaces, row.order_url, row.begun_at)

    async def ordered(self, held: Lease, order: Attempt) -> None:
        """Keep the URL of an order that was made. Raises LeaseLost, VaultUnavailable."""
        async with self._vault.writing() as connection:
            await fenced(connection, held)
            await connection.execute(
                update(draft).where(draft.c.name == held.name).values(order_url=order.order_url)
            )
            await add(connection, order)

    async def discard(self, held: Lease, failed: Attempt) -> None:
        """Forget an order that came to nothing. Raises LeaseLost, VaultUnavailable."""
        async with self._vault.writing() as connection:
            await fenced(connection, held)
            await connection.execute(delete(draft).where(draft.c.name == held.name))
            await add(connection, failed)

    async def commit(
        self, held: Lease, made: Draft, chain_pem: bytes, valid: Validity, issued: Attempt
    ) -> Bundle:
        """Put a certificate that was examined in the place of the last one, and end its order.

        Raises LeaseLost, VaultUnavailable.
        """
        async with self._vault.writing() as connection:
            await fenced(connection, held)
            before = (await connection.execute(_named(held.name))).one_or_none()
            generation = before.generation + 1 if before else 1
            key_pem = made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            await connection.execute(delete(certificate).where(certificate.c.name == held.name))
            await connection.execute(
                insert(certificate).values(
                    name=held.name,
                    generation=generation,
                    directory=made.directory,
                    chain=chain_pem,
                    key=self._vault.master.seal(key_pem, _use(held.name, generation)),
                    not_before=valid.not_before,
                    not_after=valid.not_after,
                    committed_at=issued.at,
                    revoked_at=0,
                )
            )
            await connection.execute(delete(draft).where(draft.c.name == held.name))
            await add(connection, issued)
            await advance(connection)
        return Bundle(held.name, chain_pem, key_pem, generation, valid.not_before, valid.not_after)

    async def revoked(self, held: Lease, generation: int, done: Attempt) -> None:
        """Note that a certificate was revoked. Raises LeaseLost, VaultUnavailable."""
        async with self._vault.writing() as connection:
            await fenced(connection, held)
            await connection.execute(
                update(certificate)
                .where(certificate.c.name == held.name, certificate.c.generation == generation)
                .values(revoked_at=done.at)
            )
            await add(connection, done)

    async def forget(self, name: str, generation: int) -> None:
        """Forget a certificate that is of no use to anybody. Raises VaultUnavailable."""
        async with self._vault.writing() as connection:
            await connection.execute(
                delete(certificate).where(
                    certificate.c.name == name, certificate.c.generation == generation
                )
            )

    async def put_draft(self, connection: AsyncConnection, made: Draft) -> None:
        """Keep an order that is about to be made, within a transaction that is under way."""
        await connection.execute(delete(draft).where(draft.c.name == made.name))
        await connection.execute(
            insert(draft).values(
                name=made.name,
                directory=made.directory,
                key=self._vault.master.seal(key_bytes(made.key), _draft_use(made.name)),
                replaces=made.replaces,
                order_url=made.order_url,
                begun_at=made.begun_at,
            )
        )


def _named(name: str) -> Select[Any]:
    return select(*KEPT).where(certificate.c.name == name)


def _kept(row: Row[Any]) -> Kept:
    return Kept(**row._mapping)


def _use(name: str, generation: int) -> str:
    return f"certificate/{name}/{generation}"


def _draft_use(name: str) -> str:
    return f"draft/{name}"
