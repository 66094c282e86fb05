"""The desk: what a visit to a name works with, all handed in."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

from certs.cache import Cache
from certs.doctor import Expected
from certs.issuing import budget
from certs.issuing.authority import Authority
from certs.vault.attempts import Attempt, Attempts, What
from certs.vault.certificates import Certificates
from certs.vault.database import Vault
from certs.vault.progress import Progress

MOST_ORDERS: Final = 16  # at a time; a CA that hangs holds up no more than these
MOST_REASONS: Final = 60

# Hears of each name whose HTTPS was seen on every address, and when.
Proven = Callable[[str, float], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a visit works with. `failures` counts by reason what came to nothing."""

    vault: Vault
    cache: Cache
    authority: Authority
    edge: Expected
    proven: Proven
    clock: Callable[[], float]
    failures: Counter[str] = field(default_factory=Counter)
    orders: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_ORDERS))

    @property
    def certificates(self) -> Certificates:
        """The certificates in the vault."""
        return Certificates(self.vault)

    @property
    def progress(self) -> Progress:
        """The states in the vault."""
        return Progress(self.vault)

    @property
    def attempts(self) -> Attempts:
        """The history in the vault."""
        return Attempts(self.vault)

    @property
    def directory(self) -> str:
        """The CA that is asked."""
        return self.authority.terms.directory

    @property
    def expected(self) -> Expected:
        """This edge as the doctor should see it, with what is known of the CA by now."""
        return replace(
            self.edge,
            thumbprints=self.authority.thumbprints,
            issuers=self.authority.issuers,
            account_uri=self.authority.account_url,
            challenge=self.authority.terms.challenge,
            skew=self.authority.skew,
        )

    def failed(self, reason: str) -> None:
        """Count what came to nothing; a CA may give any reason, and a metric takes so many."""
        known = reason in self.failures or len(self.failures) < MOST_REASONS
        self.failures[reason if known else "other"] += 1

    def attempt(
        self, name: str, what: What, says: str = "", *, order_url: str = "", exempt: bool = False
    ) -> Attempt:
        """Return what is noted of something that was tried now."""
        return Attempt(
            at=self.clock(),
            name=name,
            registered=budget.registered(name),
            directory=self.directory,
            what=what,
            says=says,
            order_url=order_url,
            exempt=exempt,
        )
