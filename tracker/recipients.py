"""One recipient's data: all that is kept here of a person, handed out or erased.

In: an address. Out: documents, or how much was erased. It is looked for under the address itself
and under the pseudonym that stands for it in mail sent so.

What this can't reach: files that were exported, backups, and what other sinks have taken, or take
of hits that still wait in the spool. These don't come into the store any more (`store.erasure`).
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec

from rewriter.keyring import Keyring
from tracker.contexts import Contexts, Unreadable
from tracker.enrich.privacy import pseudonym, pseudonym_key
from tracker.forwarding.dead import DeadLetters, Letter
from tracker.forwarding.ledger import Ledger
from tracker.store import audit
from tracker.store.audit import Audit
from tracker.store.database import Store
from tracker.store.recipient import erase_recipient, events_of_recipient
from tracker.store.row import exact


class Erased(msgspec.Struct, frozen=True, rename="kebab"):
    """How many events were removed, and hits that were set aside and never became events."""

    events: int
    dead_letters: int


@dataclass(frozen=True, slots=True)
class Recipients:
    """The places where recipients are named. Methods raise StoreUnavailable, LedgerUnavailable."""

    store: Store
    letters: DeadLetters
    contexts: Contexts
    key: bytes  # of pseudonyms

    @classmethod
    def open(cls, store: Store, ledger: Ledger, keyring: Path) -> Self:
        """Take what is open already. Raises KeyringError."""
        key = pseudonym_key(Keyring.load(keyring))
        return cls(store, DeadLetters(ledger), Contexts(keyring), key)

    async def documents(self, address: str, domains: Collection[str] = ()) -> AsyncIterator[bytes]:
        """Yield every event of a recipient, of some sending domains or of all, oldest first."""
        for name in self._names(address):
            for domain in domains or (None,):
                async for passage in events_of_recipient(self.store, name, domain):
                    for found in passage.events:
                        yield found.document

    async def erase(self, address: str, who: str, domains: Collection[str] = ()) -> Erased:
        """Remove what is kept of a recipient, but for suppressions.

        The audit log tells that it was done, and names the recipient by pseudonym alone.
        """
        events = 0
        for name in self._names(address):
            for domain in domains or (None,):
                events += await erase_recipient(self.store, name, domain)
        erased = Erased(events, await asyncio.to_thread(self._discard, address, domains))
        subject = pseudonym(exact(address), self.key)
        await Audit(self.store).add(audit.entry(who, "recipient.erase", subject, after=erased))
        await self.store.purge()
        return erased

    def _names(self, address: str) -> tuple[str, str]:
        return exact(address), pseudonym(exact(address), self.key)

    def _discard(self, address: str, domains: Collection[str]) -> int:
        letters = [one.id for one in self._letters(address, domains)]
        return self.letters.discard(letters) if letters else 0

    def _letters(self, address: str, domains: Collection[str]) -> Iterator[Letter]:
        """Yield dead letters of a recipient; one that nobody can open names nobody either."""
        wanted = exact(address)
        for letter in self.letters.list():
            try:
                context, _ = self.contexts.open(letter.hit)
            except Unreadable:
                continue
            theirs = not domains or exact(context.sending_domain) in domains
            if theirs and exact(context.recipient) == wanted:
                yield letter
