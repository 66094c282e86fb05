"""The events that the store is measured with: those of forty sending domains over three months.

One domain has more than half of them. They are of campaigns that a few of the recipients open often
and most seldom, a click for nine opens, each within hours of its sending. A message's id begins
with when it was sent, in hundredths of a second, as Python's do; `random_ids` are of no order.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from typing import Final

from tracker.event import ClientInfo, Domain, Event, Geolocation, Kind, Message, Verdict, encode
from tracker.store.row import Row, row

DOMAINS: Final = tuple(f"news{number}.example" for number in range(40))
SHARES: Final = (60.0, *(40 / 3.28 / number for number in range(1, 40)))  # Zipf's behind the first
UP_TO: Final = tuple(accumulate(SHARES))
FIRST: Final = 1_750_000_000  # seconds
EVERY: Final = 90 * 86_400 / 10_000_000  # seconds between two events: ten million in three months
CAMPAIGN: Final = 25_000  # events until the next campaign begins
READERS: Final = 400_000  # recipients of a campaign
SENT: Final = 100  # messages of a campaign a second
AGENTS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/{0}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS {0}_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Thunderbird/{0}.2",
)
KINDS: Final[tuple[Kind, ...]] = ("opened", "clicked", "unsubscribed")
KINDS_UP_TO: Final = (89, 99, 100)
PLACES: Final = (("US", "TX", "Austin"), ("US", "NY", "New York"), ("DE", "BE", "Berlin"))


@dataclass(frozen=True, slots=True)
class Traffic:
    """What happens; each event is a function of its number alone but for chance."""

    random_ids: bool = False

    def rows(self, first: int, last: int, chance: random.Random) -> Iterator[Row]:
        """Give the rows of events from one number up to another, in the order of time."""
        for number in range(first, last):
            yield row(encode(self.event(number, chance)))

    def event(self, number: int, chance: random.Random) -> Event:
        """Return the event of a number."""
        domain = chance.choices(DOMAINS, cum_weights=UP_TO)[0]
        sent, reader = campaign(number, chance), a_reader(chance)
        recipient = address(reader)
        ip = chance.randbytes(4)
        agent = chance.choice(AGENTS).format(chance.randrange(60, 140))
        return Event(
            event=chance.choices(KINDS, cum_weights=KINDS_UP_TO)[0],
            id=f"{number:08}{chance.randbytes(7).hex()}",
            timestamp=FIRST + EVERY * number,
            domain=Domain(domain),
            recipient=recipient,
            recipient_domain=recipient.partition("@")[2],
            ip=f"{ip[0]}.{ip[1]}.{ip[2]}.{ip[3]}",
            geolocation=Geolocation(*chance.choice(PLACES)),
            client_info=ClientInfo("browser", "OS X", "desktop", "Safari", agent),
            message=Message({"message-id": self.message_id(sent, reader, domain)}),
            verdict=Verdict(),
            tags=[f"campaign{sent}", "newsletter"][: chance.randrange(1, 3)],
            url=f"https://shop{chance.randrange(900)}.example/p/{chance.randbytes(6).hex()}",
        )

    def message_id(self, sent: int, reader: int, domain: str) -> str:
        """Return the id of a campaign's message to a reader."""
        at = int((FIRST + sent * CAMPAIGN * EVERY + reader / SENT) * 100)
        found = f"{at}.{sent}.{reader}@{domain}"
        if self.random_ids:
            return f"{blake2b(found.encode(), digest_size=16).hexdigest()}@{domain}"
        return found


def a_reader(chance: random.Random) -> int:
    """Return the number of a recipient, one of the few thousand busiest more often than not."""
    return int(READERS * chance.random() ** 4)


def address(reader: int) -> str:
    """Return the address of a recipient."""
    return f"reader{reader}@mail{reader % 40}.example"


def campaign(number: int, chance: random.Random) -> int:
    """Return the campaign that the event of a number is of: the current one or one before."""
    return max(0, number // CAMPAIGN - int(chance.expovariate(0.7)))
