"""The ACME client (RFC 8555): one CA, one account key.

Promise: every call ends within the time given to it, whatever the CA answers or doesn't; what goes
wrong is a `Problem`. Nothing is written to disk: keys and URLs are handed in and out.
"""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from certs.acme.jwk import AccountKey
from certs.acme.values import (
    ChallengeKind,
    ExternalAccount,
    Issued,
    Meta,
    Progress,
    RenewalWindow,
    Responder,
)


class Acme:
    """One CA as one account sees it. Many orders may run at once."""

    meta: Meta  # read when the client was opened
    account_url: str  # "" until registered or found
    skew: float  # seconds that our clock is ahead of the CA's

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        directory_url: str,
        account_key: AccountKey,
        *,
        account_url: str = "",
        ca_file: Path | None = None,
        user_agent: str = "tracking-edge",
        clock: Callable[[], float] = time.time,
    ) -> AsyncIterator["Acme"]:
        """Read the directory, and close all connections at the end. Raises Problem, ValueError.

        `account_url` is what `register` returned earlier. `ca_file` holds the roots to trust
        instead of the public ones, for a private CA.
        """
        given = (account_key, account_url, ca_file, user_agent, clock)
        if directory_url:
            raise NotImplementedError(given)
        yield cls()

    async def register(
        self,
        contact: Sequence[str] = (),
        *,
        terms_agreed: bool,
        eab: ExternalAccount | None = None,
    ) -> str:
        """Make the account, or find the one that this key has; return its URL.

        `contact` holds URLs such as "mailto:…". Where the CA has terms and they aren't agreed to,
        raises a Problem "userActionRequired" that names them, without asking the CA.
        """
        raise NotImplementedError

    async def find_account(self) -> str | None:
        """Return the URL of the account that this key has, None if there is none; make nothing."""
        raise NotImplementedError

    async def change_contact(self, contact: Sequence[str]) -> None:
        """Tell the CA other contacts."""
        raise NotImplementedError

    async def change_key(self, new_key: AccountKey) -> None:
        """Move the account to another key (RFC 8555 §7.3.5), and use that from now on."""
        raise NotImplementedError

    async def deactivate(self) -> None:
        """Close the account for ever; certificates stay valid."""
        raise NotImplementedError

    async def issue(
        self,
        name: str,
        csr_der: bytes,
        respond: Responder,
        *,
        profile: str = "",
        replaces: str = "",
        challenge: ChallengeKind = "http-01",
        order_url: str = "",
        progress: Progress | None = None,
        patience: float = 180,
    ) -> Issued:
        """Order a certificate for one name, prove it, and return the chain, within `patience` s.

        `profile` is left out, and said in the log, where the CA doesn't offer it. `replaces` is the
        `certificate_id` of the certificate that this one renews; where the CA doesn't take it (an
        account change, renewed before) the order is made once without. `order_url` goes on with
        an order that `progress` told earlier, instead of making another; the CSR must then be the
        one that it was finalised with, if it was.
        """
        raise NotImplementedError

    async def chain(self, url: str) -> bytes:
        """Fetch a chain, such as one of `Issued.alternates`."""
        raise NotImplementedError

    async def renewal_info(self, chain_pem: bytes) -> RenewalWindow | None:
        """Ask when to renew (RFC 9773); None where the CA doesn't say such things."""
        raise NotImplementedError

    async def revoke(self, chain_pem: bytes, reason: int = 0) -> None:
        """Revoke a certificate; one that is revoked already is fine.

        `reason` is of RFC 5280 §5.3.1: 0 unspecified, 1 keyCompromise, 4 superseded,
        5 cessationOfOperation.
        """
        raise NotImplementedError
