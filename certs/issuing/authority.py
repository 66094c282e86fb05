"""The authority: one CA with our account there, opened when it is first needed.

Promise: nothing here is asked of the CA before somebody needs it; whoever needs it at the same time
shares one attempt; a CA that can't be reached is left alone for a while by everyone.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from certs.acme import (
    HTTP_01,
    TLS_ALPN_01,
    Acme,
    Challenge,
    ChallengeKind,
    ExternalAccount,
    Problem,
    thumbprint,
)
from certs.acme.problem import TIMED_OUT, UNREACHABLE
from certs.acme.tlsalpn import challenge_certificate
from certs.cache import Cache
from certs.issuing.outcome import UNSETTLED
from certs.vault.accounts import Accounts

LEAVE_ALONE: Final = 30.0  # seconds after which a CA that couldn't be reached is tried again
OPEN_WITHIN: Final = 60.0  # seconds for the directory and the account

# Which CAA names a CA goes by, before its directory was read.
KNOWN_ISSUERS: Final = {"acme-v02.api.letsencrypt.org": ("letsencrypt.org",)}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was settled with a CA. `contact` is a mail address, or empty.

    `ca_file` holds the roots of a private CA's API: its certificates may be of a test CA.
    """

    directory: str
    terms_agreed: bool = False
    contact: str = ""
    external_account: ExternalAccount | None = None
    profile: str = ""
    challenge: ChallengeKind = HTTP_01
    ca_file: Path | None = None


class Authority:
    """A CA, as one office sees it. End it with `close`."""

    def __init__(
        self, terms: Terms, accounts: Accounts, cache: Cache, clock: Callable[[], float]
    ) -> None:
        self.terms = terms
        self.thumbprint = ""  # of the account there; the edge answers for all of `thumbprints`
        self.thumbprints: tuple[str, ...] = ()
        self._accounts = accounts
        self._cache = cache
        self._clock = clock
        self._opened = AsyncExitStack()
        self._acme: Acme | None = None
        self._opening: asyncio.Task[Acme] | None = None
        self._trouble: tuple[float, Problem] | None = None

    @property
    def issuers(self) -> tuple[str, ...]:
        """The names that a CAA record may give the CA; none while they aren't known."""
        if self._acme:
            return self._acme.meta.caa_identities
        host = self.terms.directory.partition("://")[2].partition("/")[0]
        return KNOWN_ISSUERS.get(host, ())

    @property
    def account_url(self) -> str:
        """What the CA calls our account; empty while it isn't known."""
        return self._acme.account_url if self._acme else ""

    @property
    def now(self) -> float:
        """The time as the CA tells it; certificates are dated by the CA's clock, not by ours."""
        return self._clock() - self.ahead

    @property
    def ahead(self) -> float:
        """Seconds that our clock is ahead of the CA's, as far as that is known."""
        return self._acme.skew if self._acme else 0

    @property
    def skew(self) -> float | None:
        """Seconds that the CA's clock is ahead of ours; None while it isn't known."""
        return -self._acme.skew if self._acme else None

    async def prepare(self) -> None:
        """Have an account key, and let the edge answer challenges with it; no CA is asked.

        Raises VaultUnavailable, VaultError, OSError.
        """
        before = self._cache.thumbprints()
        ours = await self._accounts.of(self.terms.directory)
        self.thumbprint = thumbprint(ours.key)
        # Ours first: an edge has one answer to a challenge, and it is for the CA that is asked now.
        others = (thumbprint(account.key) for account in await self._accounts.all())
        found = tuple(dict.fromkeys((self.thumbprint, *others)))
        if before and not set(before) <= set(found):
            logger.warning(
                "account_key_new",
                extra={"why": "the vault doesn't hold the accounts that were used here before"},
            )
        if found != before:
            await asyncio.to_thread(self._cache.put_thumbprints, found)
        self.thumbprints = found

    async def client(self) -> Acme:
        """Return the client, with an account. Raises Problem, VaultUnavailable, VaultError."""
        self._leave_alone()
        if self._acme:
            return self._acme
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
            self._opening.add_done_callback(self._was_opened)
        # A visit that is cancelled must not take the others' client with it.
        return await asyncio.shield(self._opening)

    def heard(self, problem: Problem) -> None:
        """Take note of what the CA said: one that can't help us now is left alone for a while."""
        if problem.type in {UNREACHABLE, TIMED_OUT, *UNSETTLED}:
            self._trouble = self._clock() + LEAVE_ALONE, problem

    async def readmit(self, acme: Acme) -> None:
        """Register the same key again where the CA has lost the account. Raises as `client`."""
        logger.warning("account_unknown_to_ca", extra={"directory": self.terms.directory})
        await self._register(acme)

    def respond(self, challenge: Challenge) -> AbstractAsyncContextManager[object]:
        """Ready the answer to a challenge: a `Responder`.

        Every edge worker answers HTTP-01 from the thumbprint alone, so nothing is left to do.
        """
        return self._presented(challenge) if challenge.kind == TLS_ALPN_01 else nullcontext()

    async def close(self) -> None:
        """Close the connections to the CA."""
        if self._opening:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        await self._opened.aclose()

    def _leave_alone(self) -> None:
        if self._trouble is None:
            return
        until, problem = self._trouble
        # Its second half: a clock that was set back must not keep the CA shut out.
        if until - LEAVE_ALONE <= self._clock() < until:
            raise problem
        self._trouble = None

    async def _open(self) -> Acme:
        account = await self._accounts.of(self.terms.directory)
        try:
            async with asyncio.timeout(OPEN_WITHIN), AsyncExitStack() as opening:
                acme = await opening.enter_async_context(
                    Acme.open(
                        self.terms.directory,
                        account.key,
                        account_url=account.url,
                        ca_file=self.terms.ca_file,
                        clock=self._clock,
                    )
                )
                if not account.url:
                    await self._register(acme)
                self._opened = opening.pop_all()
        except TimeoutError as error:
            raise Problem(TIMED_OUT, f"not open after {OPEN_WITHIN:.0f} s") from error
        self._acme = acme
        return acme

    async def _register(self, acme: Acme) -> None:
        contact = [f"mailto:{self.terms.contact}"] if self.terms.contact else []
        url = await acme.register(
            contact, terms_agreed=self.terms.terms_agreed, eab=self.terms.external_account
        )
        await self._accounts.set_url(self.terms.directory, url)

    def _was_opened(self, task: asyncio.Task[Acme]) -> None:
        self._opening = None
        if not task.cancelled() and isinstance(error := task.exception(), Problem):
            self.heard(error)

    @asynccontextmanager
    async def _presented(self, challenge: Challenge) -> AsyncIterator[None]:
        chain, key = challenge_certificate(challenge)
        await asyncio.to_thread(self._cache.put_challenge, challenge.name, chain, key)
        try:
            yield
        finally:
            await asyncio.to_thread(self._cache.drop_challenge, challenge.name)
