"""Events: from a hit to its event, with all that the office has open to make it.

Promise: a City database that is damaged or can't be replaced costs places, never events; a rule
table that can't be used leaves the one before. However many sinks ask for an event at about the
same time, it is made once.
"""

import dataclasses
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from rewriter.keyring import Keyring
from tracker import health
from tracker.contexts import Contexts
from tracker.enrich import Knowledge, PlaceError, RulesError, enrich
from tracker.enrich.company import Company
from tracker.enrich.place import Places
from tracker.enrich.privacy import pseudonym_key
from tracker.enrich.tables import versions
from tracker.event import Event
from tracker.health import Check
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
        rules: Path | None = None,
        records: Recorded = lambda _domain, _kind: True,
    ) -> None:
        self._contexts = contexts
        self._records = records
        self._knowledge = knowledge
        self._placeless = dataclasses.replace(knowledge, places=Places())
        self._rules = rules
        self._versions = versions(rules)
        self._trouble = self._rules_trouble = ""
        self._made: OrderedDict[Key, Event | None] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    @classmethod
    def open(
        cls,
        keyring: Path,
        databases: Sequence[Path],
        *,
        fetched: Path | None = None,
        rules: Path | None = None,
        records: Recorded = lambda _domain, _kind: True,
    ) -> Self:
        """Open keyring, databases and rules. Raises KeyringError, PlaceError, RulesError.

        `fetched` is a database that may come later. `records` tells whether a sending domain's hits
        of a kind may become events.
        """
        contexts = Contexts(keyring)
        key = pseudonym_key(Keyring.load(keyring))
        knowledge = Knowledge.load(
            pseudonym_key=key, databases=databases, fetched=fetched, rules=rules
        )
        return cls(contexts, knowledge, rules, records)

    def of(self, hit: Hit, company: Company = Company.ALONE) -> Event | None:
        """Return a hit's event, None where nothing may be recorded. Raises Unreadable."""
        key = hit.id, company
        # Whoever asks for what is being made waits for it rather than making it too.
        with self._one_at_a_time:
            if key not in self._made:
                made = self._make(hit, company)
                if len(self._made) >= KEPT:
                    # A plain dict would step over all that were removed before.
                    self._made.popitem(last=False)
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
        """Take up databases and rules that were replaced; what can't be used leaves what was."""
        try:
            changed = self._knowledge.places.refresh()
        except PlaceError as error:
            changed = True
            self._note(str(error))
        else:
            self._trouble = ""
        if (found := versions(self._rules)) != self._versions:
            self._versions = found
            self._take_rules()
            changed = True
        if changed:
            with self._one_at_a_time:
                self._made.clear()

    def checks(self) -> Mapping[str, Check]:
        """Tell whether places are known, and of rules that were refused."""
        if self._trouble:
            places = Check("degraded", self._trouble)
        else:
            built = [database.built for database in self._knowledge.places.databases]
            places = health.places(built, time.time())
        if not self._rules_trouble:
            return {"places": places}
        refused = f"{self._rules_trouble}; the ones before stay in use"
        return {"places": places, "rules": Check("degraded", refused)}

    def _take_rules(self) -> None:
        try:
            fresh = self._knowledge.with_rules(self._rules)
        except RulesError as error:
            self._rules_trouble = str(error)
            logger.error("rules_refused", extra={"reason": self._rules_trouble})
            return
        self._rules_trouble = ""
        self._knowledge = fresh
        self._placeless = dataclasses.replace(fresh, places=Places())
        logger.info("rules_taken_up", extra={"folder": str(self._rules)})

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:
            logger.error("place_database_failed", extra={"reason": trouble})
        self._trouble = trouble
