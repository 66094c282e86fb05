"""Events: from a hit to its event, with all that the office has open to make it.

Promise: a City database that is damaged or can't be replaced costs places, never events. However
many sinks ask for an event at about the same time, it is made once.
"""

import dataclasses
import hmac
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

from rewriter.keyring import Keyring
from tracker.contexts import Contexts
from tracker.enrich import Knowledge, PlaceError, enrich
from tracker.enrich.company import Company
from tracker.enrich.place import Places
from tracker.event import Event
from tracker.health import Check, counted
from tracker.hit import Hit, Kind

# What sinks that are near each other ask for again; a sink further behind makes events for itself.
KEPT: Final = 4_000  # events, of some 3 KB

Key = tuple[bytes, Company]
Recorded = Callable[[str, Kind], bool]

logger = logging.getLogger(__name__)


class Events:
    """Makes events of hits. Its methods may be called from any thread."""

    def __init__(
        self,
        contexts: Contexts,
        knowledge: Knowledge,
        databases: int,
        records: Recorded = lambda _domain, _kind: True,
    ) -> None:
        self._contexts = contexts
        self._records = records
        self._knowledge = knowledge
        self._placeless = dataclasses.replace(knowledge, places=Places())
        self._databases = databases
        self._trouble = ""
        self._made: dict[Key, Event | None] = {}
        self._one_at_a_time = threading.Lock()

    @classmethod
    def open(
        cls,
        keyring: Path,
        databases: Sequence[Path],
        records: Recorded = lambda _domain, _kind: True,
    ) -> Self:
        """Open keyring and databases. Raises KeyringError, PlaceError, RulesError.

        `records` tells whether a sending domain's hits of a kind may become events.
        """
        contexts = Contexts(keyring)
        key = pseudonym_key(Keyring.load(keyring))
        knowledge = Knowledge.load(pseudonym_key=key, databases=databases)
        return cls(contexts, knowledge, len(databases), records)

    def of(self, hit: Hit, company: Company = Company.ALONE) -> Event | None:
        """Return a hit's event, None where nothing may be recorded. Raises Unreadable."""
        key = hit.id, company
        # Whoever asks for what is being made waits for it rather than making it too.
        with self._one_at_a_time:
            if key not in self._made:
                made = self._make(hit, company)
                if len(self._made) >= KEPT:
                    del self._made[next(iter(self._made))]
                self._made[key] = made
            return self._made[key]

    def _make(self, hit: Hit, company: Company) -> Event | None:
        context, link = self._contexts.open(hit)
        if not self._records(context.sending_domain, hit.kind):
            return None
        try:
            return enrich(hit, context, link, self._knowledge, company)
        except PlaceError as error:
            self._note(str(error))
            return enrich(hit, context, link, self._placeless, company)

    def refresh(self) -> None:
        """Take up databases that were replaced; one that can't be used leaves the one before."""
        try:
            self._knowledge.places.refresh()
        except PlaceError as error:
            self._note(str(error))
        else:
            self._trouble = ""

    def places(self) -> Check:
        """Tell whether places are known."""
        if self._trouble:
            return Check("degraded", self._trouble)
        if not self._databases:
            return Check("ok", "no City database: every place is Unknown")
        return Check("ok", f"looked up in {counted(self._databases, 'database')}")

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:
            logger.error("place_database_failed", extra={"reason": trouble})
        self._trouble = trouble


def pseudonym_key(keyring: Keyring) -> bytes:
    """Derive the key of pseudonyms.

    From the oldest secret, be it retired, so that a recipient's pseudonym outlives rotations and is
    the same in every office that shares the keyring.
    """
    return hmac.digest(keyring.keys[0].material(), b"tracking-edge/1 pseudonym", "sha256")
