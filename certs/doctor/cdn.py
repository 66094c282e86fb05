"""Whose content delivery network stands in front of a name: by its networks and its headers.

`cdn.json` names the source and the date of each list of networks. Networks are given for those
whose proxies take the place of a customer's own address; others are known by what they answer.
"""

import ipaddress
from collections.abc import Mapping
from functools import cache
from importlib import resources

import msgspec

from certs.doctor.reach import Network


class Networks(msgspec.Struct, frozen=True):
    """The networks of one CDN, as its source listed them on that date."""

    cdn: str
    source: str
    date: str
    networks: tuple[str, ...]


class Header(msgspec.Struct, frozen=True):
    """A header that one CDN alone adds; `starts` is what its value begins with, lower case."""

    cdn: str
    header: str
    starts: str = ""


class Known(msgspec.Struct, frozen=True):
    """What `cdn.json` holds."""

    networks: tuple[Networks, ...]
    headers: tuple[Header, ...]


@cache
def known() -> Known:
    """Read the list that comes with this package."""
    return msgspec.json.decode(
        resources.files(__package__).joinpath("cdn.json").read_bytes(), type=Known
    )


@cache
def _networks() -> tuple[tuple[Network, str], ...]:
    return tuple(
        (ipaddress.ip_network(network), each.cdn)
        for each in known().networks
        for network in each.networks
    )


def by_address(address: str) -> str:
    """Name the CDN that an address belongs to, or return ""."""
    parsed = ipaddress.ip_address(address)
    return next((cdn for network, cdn in _networks() if parsed in network), "")


def by_headers(headers: Mapping[str, str]) -> str:
    """Name the CDN that an answer went through, or return ""; header names are lower case."""
    for rule in known().headers:
        value = headers.get(rule.header)
        if value is not None and value.lower().startswith(rule.starts):
            return rule.cdn
    return ""
