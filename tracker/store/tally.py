"""The tally: what one insertion adds to the figures, before any of it is written.

In: events one by one, and pairs of message and recipient. Out: a count for each figure.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Final

from tracker.store.pair import HOUR, Pair, shares
from tracker.store.row import Row

ALL_MAIL: Final = ""  # the tag under which every event is counted, tagged or not

Tags = tuple[str, ...]
Names = tuple[str, ...]
Values = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Tally:
    """What a batch adds to the tables; a count may be below zero.

    Events of a batch are much alike, and so are pairs: they are counted by all that they have in
    common, and that is told apart by tag and name once, when it is written.
    """

    events: Counter[tuple[str, int, Tags, Names]] = field(default_factory=Counter)
    by_value: Counter[tuple[str, Tags, Values, str, bool]] = field(default_factory=Counter)
    pairs: Counter[tuple[str, Pair]] = field(default_factory=Counter)
    times: defaultdict[tuple[str, Tags], list[int]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def count(self, row: Row, names: Names, by: int) -> None:
        """Count an event in its own hour, for all mail and for each of its tags."""
        self.events[row.domain, row.at // HOUR, row.tags, names] += by

    def aggregated(self, row: Row, values: Values, kind: str, *, unique: bool) -> None:
        """Count an event for each of its tags by what it tells of country, provider, device."""
        self.by_value[row.domain, row.tags, values, kind, unique] += 1

    def share(self, domain: str, pair: Pair, by: int) -> None:
        """Count a pair in its figures, or with -1 take it out of them."""
        self.pairs[domain, pair] += by

    def see(self, row: Row) -> None:
        """Note when the row's tags were used."""
        if row.tags:
            self.times[row.domain, row.tags].append(row.at)

    def seen(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Return when each tag of a domain was first and last used."""
        found: dict[tuple[str, str], tuple[int, int]] = {}
        for (domain, tags), times in self.times.items():
            since, until = min(times), max(times)
            for tag in tags:
                earliest, latest = found.get((domain, tag), (since, until))
                found[domain, tag] = min(since, earliest), max(until, latest)
        return found

    def figures(self) -> Counter[tuple[str, str, str, int]]:
        """Return what is added to figures: domain, tag, name and hour."""
        found: Counter[tuple[str, str, str, int]] = Counter()
        for (domain, pair), by in self.pairs.items():
            for tag, hour, name in shares(pair):
                found[domain, tag, name, hour] += by
        for (domain, hour, tags, names), by in self.events.items():
            for tag in (ALL_MAIL, *tags):
                for name in names:
                    found[domain, tag, name, hour] += by
        return found

    def aggregates(self) -> dict[tuple[str, str, str, str, str], tuple[int, int]]:
        """Return what is added to aggregates, events and uniques among them.

        By domain, tag, dimension, value and kind.
        """
        found: dict[tuple[str, str, str, str, str], tuple[int, int]] = {}
        for (domain, tags, values, kind, unique), by in self.by_value.items():
            for tag in tags:
                for dimension, value in values:
                    place = domain, tag, dimension, value, kind
                    events, uniques = found.get(place, (0, 0))
                    found[place] = events + by, uniques + by * unique
        return found
