"""Accounts: one key for each CA, made once.

Promise: an account's key is never replaced, not even when two offices start at once.
"""

import time
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from sqlalchemy import insert, select, update

from certs.vault.database import Vault, VaultError, advance
from certs.vault.tables import account


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are to one CA. `url` is empty until the CA has told it."""

    directory: str
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    url: str


class Accounts:
    """The accounts in a vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def of(self, directory: str) -> Account:
        """Return the account at a CA, making its key if there is none.

        Raises VaultUnavailable, and VaultError if its key can't be opened.
        """
        query = select(account).where(account.c.directory == directory)
        async with self._vault.writing() as connection:
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                sealed = self._vault.master.seal(
                    key_bytes(ec.generate_private_key(ec.SECP256R1())), _use(directory)
                )
                await connection.execute(
                    insert(account).values(
                        directory=directory, key=sealed, url="", made_at=time.time()
                    )
                )
                await advance(connection)
                row = (await connection.execute(query)).one()
        return self._opened(row.directory, row.key, row.url)

    async def all(self) -> list[Account]:
        """Return every account, the oldest first. Raises VaultUnavailable, VaultError."""
        async with self._vault.reading() as connection:
            found = (await connection.execute(select(account).order_by(account.c.made_at))).all()
        return [self._opened(row.directory, row.key, row.url) for row in found]

    async def set_url(self, directory: str, url: str) -> None:
        """Keep what the CA calls the account. Raises VaultUnavailable."""
        async with self._vault.writing() as connection:
            await connection.execute(
                update(account).where(account.c.directory == directory).values(url=url)
            )

    def _opened(self, directory: str, sealed: bytes, url: str) -> Account:
        return Account(directory, read_key(self._vault.unsealed(sealed, _use(directory))), url)


def key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Write a key as it is sealed."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def read_key(content: bytes) -> ec.EllipticCurvePrivateKey:
    """Read a key as `key_bytes` wrote it. Raises VaultError."""
    key = load_der_private_key(content, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise VaultError("the vault is damaged: a key in it is of another kind")
    return key


def _use(directory: str) -> str:
    return f"account/{directory}"
