"""The ACME client (RFC 8555): one CA, one account key.

Promise: every call ends within the time given to it, whatever the CA answers or doesn't; what goes
wrong is a `Problem`. Nothing is written to disk: keys and URLs are handed in and out.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from josepy.json_util import encode_b64jose

from certs.acme import jws
from certs.acme.chain import certificate_id, leaf
from certs.acme.exchange import exchanging
from certs.acme.jwk import AccountKey, public_jwk
from certs.acme.order import Ordering, Wanted
from certs.acme.problem import BAD_ANSWER, TIMED_OUT, Problem
from certs.acme.renewal import renewal_window
from certs.acme.signed import Signed, Wait
from certs.acme.values import (
    HTTP_01,
    ChallengeKind,
    ExternalAccount,
    Issued,
    Progress,
    RenewalWindow,
    Responder,
)
from certs.acme.wire import CHAIN, Account, Directory, decoded, decoded_chain, refusal

logger = logging.getLogger(__name__)


class Acme:
    """One CA as one account sees it. Many orders may run at once."""

    def __init__(self, directory: Directory, signed: Signed) -> None:
        self._directory = directory
        self._signed = signed
        self.meta = directory.meta.meta()  # as it was when the client was opened

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
        wait: Wait = asyncio.sleep,
        patience: float = 30,
    ) -> AsyncIterator["Acme"]:
        """Read the directory, and close all connections at the end. Raises Problem, ValueError.

        `account_url` is what `register` returned earlier. `ca_file` holds the roots to trust
        instead of the public ones, for a private CA. `patience` is for one request, in seconds.
        """
        async with exchanging(
            directory_url, ca_file=ca_file, user_agent=user_agent, patience=patience, clock=clock
        ) as exchange:
            answer = await exchange.get(directory_url)
            if not answer.good:
                raise refusal(answer, clock())
            directory = decoded(answer, Directory)
            signed = Signed(exchange, directory.new_nonce, account_key, account_url, wait)
            yield cls(directory, signed)

    @property
    def account_url(self) -> str:
        """Where the account is; "" until it was registered or found."""
        return self._signed.account_url

    @property
    def skew(self) -> float:
        """How many seconds our clock is ahead of the CA's, to a second, by its last answer."""
        return self._signed.exchange.skew

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
        if self.meta.terms_of_service and not terms_agreed:
            terms = f"agree to its terms first: {self.meta.terms_of_service}"
            raise Problem("userActionRequired", terms)
        if self.meta.external_account_required and eab is None:
            raise Problem(
                "externalAccountRequired", "give the key id and HMAC key that it gave you"
            )
        url = self._directory.new_account
        payload: dict[str, object] = {"termsOfServiceAgreed": terms_agreed}
        payload |= {"contact": list(contact)} if contact else {}
        if eab:
            payload["externalAccountBinding"] = jws.bound(eab, self._signed.key, url)
        return await self._account(payload)

    async def find_account(self) -> str | None:
        """Return the URL of the account that this key has, None if there is none; make nothing."""
        try:
            return await self._account({"onlyReturnExisting": True})
        except Problem as problem:
            if problem.type != "accountDoesNotExist":
                raise
            return None

    async def change_contact(self, contact: Sequence[str]) -> None:
        """Tell the CA other contacts."""
        await self._signed.post(self.account_url, {"contact": list(contact)})

    async def change_key(self, new_key: AccountKey) -> None:
        """Move the account to another key (RFC 8555 §7.3.5), and use that from now on.

        Keep both keys until it returns: where the answer is lost, `find_account` tells which it is.
        """
        url = self._offered("key_change", "changing an account's key")
        moved = {"account": self.account_url, "oldKey": public_jwk(self._signed.key)}
        await self._signed.post(url, jws.signed(moved, key=new_key, url=url))
        self._signed.key = new_key

    async def deactivate(self) -> None:
        """Close the account for ever; certificates stay valid."""
        await self._signed.post(self.account_url, {"status": "deactivated"})

    async def issue(
        self,
        name: str,
        csr_der: bytes,
        respond: Responder,
        *,
        profile: str = "",
        replaces: str = "",
        challenge: ChallengeKind = HTTP_01,
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
        wanted = Wanted(
            name=name,
            csr_der=csr_der,
            challenge=challenge,
            profile=self._offered_profile(profile),
            replaces=replaces if self._directory.renewal_info else "",
            order_url=order_url,
        )
        deadline = asyncio.get_running_loop().time() + patience
        ordering = Ordering(self._signed, self._directory.new_order, wanted, respond, deadline)
        limit = asyncio.timeout_at(deadline)
        try:
            async with limit:
                return await ordering.chain(progress)
        except TimeoutError as error:
            if not limit.expired():
                raise
            late = f"{patience:g} s went by, and {ordering.doing}"
            raise Problem(TIMED_OUT, late, url=ordering.url) from error

    async def chain(self, url: str) -> bytes:
        """Fetch a chain, such as one of `Issued.alternates`."""
        return decoded_chain(await self._signed.read(url, accept=CHAIN))

    async def renewal_info(self, chain_pem: bytes) -> RenewalWindow | None:
        """Ask when to renew (RFC 9773); None where the CA doesn't say such things."""
        url, name = self._directory.renewal_info, certificate_id(chain_pem)
        if not (url and name):
            return None
        return await renewal_window(self._signed.exchange, f"{url.rstrip('/')}/{name}")

    async def revoke(self, chain_pem: bytes, reason: int = 0) -> None:
        """Revoke a certificate; one that is revoked already is fine.

        `reason` is of RFC 5280 §5.3.1: 0 unspecified, 1 keyCompromise, 4 superseded,
        5 cessationOfOperation.
        """
        der = leaf(chain_pem).public_bytes(Encoding.DER)
        url = self._offered("revoke_cert", "revoking")
        try:
            await self._signed.post(url, {"certificate": encode_b64jose(der), "reason": reason})
        except Problem as problem:
            if problem.type != "alreadyRevoked":
                raise

    async def _account(self, payload: object) -> str:
        answer = await self._signed.post_by_key(self._directory.new_account, payload)
        if (status := decoded(answer, Account).status) != "valid":
            raise Problem("unauthorized", f"the account is {status}", url=answer.url)
        self._signed.account_url = self._signed.exchange.located(answer)
        return self.account_url

    def _offered(self, resource: str, what: str) -> str:
        if url := getattr(self._directory, resource):
            return str(url)
        raise Problem(BAD_ANSWER, f"its directory has no place for {what}")

    def _offered_profile(self, profile: str) -> str:
        if not profile or profile in self.meta.profiles:
            return profile
        # A CA that gives a profile up mustn't take the names' certificates along.
        logger.warning(
            "acme_profile_not_offered",
            extra={"profile": profile, "offered": ", ".join(sorted(self.meta.profiles))},
        )
        return ""
