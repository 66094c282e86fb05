"""Addresses: which ones a webhook may be posted to.

In: an address, and the networks that the operator allows. Out: why not, or nothing. A URL is
whatever a customer typed, and so would let them reach what only this machine can: its own ports,
its neighbours, and its cloud's metadata (OWASP, Server-Side Request Forgery).
"""

from collections.abc import Collection
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)
from typing import Final

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network

# The IANA's special-purpose registries (RFC 6890), and one that looks like any other.
# Written out: `is_global` of the standard library differs between Python's releases.
REFUSED: Final = tuple(
    (ip_network(network), what)
    for network, what in (
        ("0.0.0.0/8", "this machine"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "an address behind a carrier's NAT"),
        ("127.0.0.0/8", "this machine"),
        ("168.63.129.16/32", "a cloud's own address"),  # Azure's, for its machines alone
        ("169.254.0.0/16", "a link-local address, such as a cloud's metadata have"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "a reserved address"),
        ("192.0.2.0/24", "an address for documentation"),
        ("192.88.99.0/24", "a reserved address"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "an address for benchmarks"),
        ("198.51.100.0/24", "an address for documentation"),
        ("203.0.113.0/24", "an address for documentation"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::/128", "this machine"),
        ("::1/128", "this machine"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("ff00::/8", "a multicast address"),
        ("2001::/23", "a reserved address"),  # Teredo among them, which leads to an IPv4 address
        ("2001:db8::/32", "an address for documentation"),
        ("2002::/16", "a 6to4 address"),  # the same (RFC 7526 ended its use)
        ("3fff::/20", "an address for documentation"),
    )
)
GLOBAL: Final = IPv6Network("2000::/3")  # all that was ever given out for the Internet
NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address


def refusal(address: IpAddress, allowed: Collection[IpNetwork]) -> str:
    """Say what an address is that nothing may be posted to; "" if it may be."""
    meant = _meant(address)
    if any(one in network for one in (address, meant) for network in allowed):
        return ""
    for network, what in REFUSED:
        if meant in network:
            return what
    if isinstance(meant, IPv6Address) and meant not in GLOBAL:
        return "a reserved address"
    return ""


def _meant(address: IpAddress) -> IpAddress:
    """Return the IPv4 address that an IPv6 address stands for, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address
