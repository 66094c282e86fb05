"""How many hits a second become events: `python -m bench.enrich`.

A mix as in real mail: opens through Gmail's proxy and Apple's, readers with a few thousand
different agents and addresses, clicks, gateways. An agent, an address and a link are read once and
then known; the rest is done for each hit: its context opened, the event made and judged, the JSON
written. `python -m bench.enrich_flow` goes from the spool to sinks.
"""

import argparse
import platform
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import TypeVar

from mmdb_writer import MMDBWriter
from netaddr import IPSet

from rewriter.keyring import Keyring
from rewriter.tokens import Context, Link, Tokens
from tracker.contexts import Contexts
from tracker.enrich import Knowledge, enrich
from tracker.enrich.networks import parse_address
from tracker.event import encode
from tracker.hit import Hit, Kind

Item = TypeVar("Item")

DOMAIN = "t.sender.example"
SENT = 1_790_000_000
KHTML = "AppleWebKit/537.36 (KHTML, like Gecko)"
# Share of the hits, kind, agent ({} varies), network.
MIX: Sequence[tuple[float, Kind, str, str]] = (
    (0.30, "o", "Mozilla/5.0", "172.226.0.0/16"),
    (
        0.25,
        "o",
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "66.102.0.0/20",
    ),
    (
        0.15,
        "o",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_{} like Mac OS X) AppleWebKit/605.1.{} "
        "(KHTML, like Gecko) Mobile/15E148",
        "198.51.100.0/24",
    ),
    (
        0.10,
        "o",
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Trident/7.0; Microsoft Outlook "
        "16.0.{}; ms-office; MSOffice 16)",
        "203.0.113.0/24",
    ),
    (
        0.10,
        "c",
        f"Mozilla/5.0 (Linux; Android 15; SM-{{}}) {KHTML} Chrome/141.0.0.0 Mobile Safari/537.36",
        "192.0.2.0/24",
    ),
    (
        0.10,
        "c",
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {KHTML} Chrome/141.0.{{}}.0 Safari/537.36",
        "40.92.0.0/15",
    ),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hits", type=int, default=20_000)
    parser.add_argument("--versions", type=int, default=1_000, help="of each agent")
    parser.add_argument("--addresses", type=int, default=1_000, help="of each network")
    arguments = parser.parse_args()
    keyring = Keyring.new()
    tokens = Tokens(keyring.for_domain(DOMAIN))
    hits = list(mixed(tokens, arguments.hits, arguments.versions, arguments.addresses))
    agents = sorted({hit.user_agent for hit in hits})
    addresses = [parse_address(hit.address) for hit in hits]
    with tempfile.TemporaryDirectory() as folder:
        cities = _database(Path(folder) / "city.mmdb")
        known = Knowledge.load(pseudonym_key=b"k" * 32, databases=[cities])
        keyring.save(Path(folder) / "keyring.json")
        contexts = Contexts(Path(folder) / "keyring.json")

    def whole(hit: Hit) -> None:
        encode(enrich(hit, *contexts.open(hit), known))

    print(f"{len(hits)} hits of {len(agents)} agents, Python {platform.python_version()}")
    _show("an agent, read for the first time", _seconds(agents, known.clients.of) / len(agents))
    _show("a hit, from token to event's JSON", _best(hits, whole))
    _show("of that: the context and the link", _best(hits, contexts.open))
    _show("of that: an agent that is known", _best(agents, known.clients.of))
    _show("of that: a place that is known", _best(addresses, known.places.place))
    _show("of that: a network that is known", _best(addresses, known.networks.find))


def mixed(tokens: Tokens, hits: int, versions: int, addresses: int) -> Iterator[Hit]:
    """Yield hits of so many versions of each agent, from so many addresses of each network."""
    chance = random.Random(1)
    for _ in range(hits):
        yield _hit(chance, tokens, versions, addresses)


def _hit(chance: random.Random, tokens: Tokens, versions: int, addresses: int) -> Hit:
    _, kind, agent, block = chance.choices(MIX, [share for share, *_ in MIX])[0]
    number = chance.randrange(1_000_000)
    network = IPv4Network(block)
    context = Context(f"{number}@sender.example", f"r{number}@reader.example", DOMAIN, SENT)
    token = tokens.mint(
        kind.encode(),
        tokens.seal_link(Link("https://shop.example/sale", number % 30)),
        tokens.seal_context(context),
    )
    return Hit(
        id=chance.randbytes(16),
        kind=kind,
        at=(SENT + number) * 1_000_000,
        domain=DOMAIN,
        token=token.decode(),
        method="GET",
        address=str(network[number % min(addresses, network.num_addresses)]),
        user_agent=agent.replace("{}", str(number % versions)),
        headers={"accept-language": "en"},
    )


def _database(path: Path) -> Path:
    """Write a City database with a record for every 64th /24 of the IPv4 space's first half."""
    writer = MMDBWriter(4, database_type="GeoLite2-City")
    for first in range(1, 128):
        for second in range(0, 256, 4):
            record = {
                "country": {"iso_code": "US"},
                "subdivisions": [{"iso_code": "TX"}],
                "city": {"names": {"en": f"{first}.{second}"}},
                "location": {"time_zone": "America/Chicago"},
            }
            writer.insert_network(IPSet([f"{first}.{second}.0.0/14"]), record)
    writer.insert_network(IPSet(["172.224.0.0/12"]), {"country": {"iso_code": "AT"}})
    writer.to_db_file(str(path))
    return path


def _best(items: Sequence[Item], work: Callable[[Item], object]) -> float:
    """Return the seconds of CPU for one item in the best of three runs."""
    return min(_seconds(items, work) for _ in range(3)) / len(items)


def _seconds(items: Sequence[Item], work: Callable[[Item], object]) -> float:
    start = time.process_time()
    for item in items:
        work(item)
    return time.process_time() - start


def _show(what: str, seconds: float) -> None:
    print(f"{what:36} {seconds * 1e6:8.1f} us {1 / seconds:12,.0f} a second")


if __name__ == "__main__":
    main()
