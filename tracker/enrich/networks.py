"""Networks: whose an address is, where the rule tables know it.

In: an address as text, and its AS number where a database told it. Out: the network, with the block
or the number that says so. An address belongs to the longest block that holds it.
"""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tracker.enrich.tables import Address, Meaning, NetworkRule, NetworkTable


@dataclass(frozen=True, slots=True)
class Network:
    """A network that means something; `evidence` is the block or AS number the address is in."""

    name: str
    means: Meaning
    evidence: str


# Addresses: readers come back, and a proxy's few fetch for many of them.
CACHED: Final = 20_000


@lru_cache(CACHED)
def parse_address(text: str) -> Address | None:
    """Return the address, IPv4 where IPv6 merely wraps it (RFC 4291 §2.5.5.2); None for none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


class Networks:
    """Finds networks by longest match: one dictionary for each prefix length, the longest first.

    A block costs one entry in it: Apple's egress alone may have hundreds of thousands.
    """

    def __init__(self, table: NetworkTable) -> None:
        lengths: dict[int, dict[int, dict[int, NetworkRule]]] = {4: {}, 6: {}}
        self._asns: dict[int, Network] = {}
        for rule in table.networks:
            for number in rule.asns:
                self._asns[number] = Network(rule.name, rule.means, f"AS{number}")
            for text in rule.blocks:
                block = ipaddress.ip_network(text)
                shift = block.max_prefixlen - block.prefixlen
                blocks = lengths[block.version].setdefault(shift, {})
                blocks[int(block.network_address) >> shift] = rule
        self._four, self._six = (sorted(lengths[version].items()) for version in (4, 6))
        self._cached = lru_cache(CACHED)(self._find)

    def find(self, address: Address | None, asn: int | None = None) -> Network | None:
        """Return the network of an address; its AS number is asked where no block holds it."""
        return None if address is None else self._cached(address, asn)

    def _find(self, address: Address, asn: int | None) -> Network | None:
        number, length = int(address), address.max_prefixlen
        for shift, blocks in self._four if address.version == 4 else self._six:
            if (rule := blocks.get(number >> shift)) is not None:
                first = type(address)(number >> shift << shift)
                return Network(rule.name, rule.means, f"{first}/{length - shift}")
        return None if asn is None else self._asns.get(asn)
