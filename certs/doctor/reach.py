"""Which addresses the doctor connects to: those of the public internet.

A tracking domain's owner decides what its DNS answers, and so where this program connects. An
address that leads into our own network, or that hides one that does, is refused (SSRF), and what
was checked is what is connected to: no name is looked up a second time.
"""

import ipaddress
from collections.abc import Mapping
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# The IANA registries of special-purpose addresses (RFC 6890), multicast (RFC 5771) and the
# reserved rest. Python's own `is_global` changed its mind between patch releases (CVE-2024-4032).
SPECIAL: Final[Mapping[Network, str]] = {
    ipaddress.ip_network(network): what
    for network, what in {
        "0.0.0.0/8": "this network",
        "10.0.0.0/8": "private",
        "100.64.0.0/10": "a provider's private network",
        "127.0.0.0/8": "loopback",
        "169.254.0.0/16": "link-local",
        "172.16.0.0/12": "private",
        "192.0.0.0/24": "reserved for protocols",
        "192.0.2.0/24": "for documentation only",
        "192.88.99.0/24": "a 6to4 relay",
        "192.168.0.0/16": "private",
        "198.18.0.0/15": "for benchmarks only",
        "198.51.100.0/24": "for documentation only",
        "203.0.113.0/24": "for documentation only",
        "224.0.0.0/4": "multicast",
        "240.0.0.0/4": "reserved",
        "::/128": "unspecified",
        "::1/128": "loopback",
        "::ffff:0:0/96": "an IPv4 address written as IPv6",
        "64:ff9b::/96": "an IPv4 address behind NAT64",
        "64:ff9b:1::/48": "an IPv4 address behind NAT64",
        "2001::/23": "reserved for protocols",
        "2001:db8::/32": "for documentation only",
        "2002::/16": "an IPv4 address behind 6to4",
        "3fff::/20": "for documentation only",
        "fc00::/7": "private",
        "fe80::/10": "link-local",
        "ff00::/8": "multicast",
    }.items()
}
# All that IANA has given to the internet so far; the rest of IPv6 leads nowhere.
GLOBAL_IPV6: Final = ipaddress.IPv6Network("2000::/3")


def special(address: str) -> str:
    """Tell what keeps an address from being one of the public internet; "" if nothing does."""
    parsed = ipaddress.ip_address(address)
    for network, what in SPECIAL.items():
        if parsed in network:
            return what
    if isinstance(parsed, ipaddress.IPv6Address) and parsed not in GLOBAL_IPV6:
        return "not in use on the internet"
    return ""


def endpoint(address: str, port: int) -> str:
    """Write an address with its port, as in a URL."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
