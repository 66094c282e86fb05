"""The types of settings: from the text that a person wrote to a value, or why it is none.

Each is a plain type with a check before or behind it, for pydantic to apply. What is wrong is said
in words that go on after a setting's name: "should be …".
"""

import contextlib
import re
from ipaddress import ip_address, ip_network
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from rewriter.keyring import canonical_domain
from tracker import size as sizes
from tracker.listen import Address
from tracker.masked import masked
from tracker.sinks import url
from tracker.sinks.url import SinkUrl

LEAST_LIMIT = 100_000_000  # bytes


def _listed(value: object) -> object:
    """Take `a, b` for a list, which is what an environment variable can hold."""
    return [item.strip() for item in value.split(",")] if isinstance(value, str) else value


_One = TypeVar("_One")
Listed = Annotated[tuple[_One, ...], BeforeValidator(_listed)]


def _size(value: object) -> int:
    return value if isinstance(value, int) else sizes.size(str(value))


def none_or_enough(value: int) -> int:
    """Refuse a limit that a few workers' segments would already be beyond."""
    if 0 < value < LEAST_LIMIT:
        raise ValueError(f"should be 0 for no limit, or {sizes.written(LEAST_LIMIT)} at least")
    return value


def _listed_sinks(value: object) -> object:
    return url.listed(value) if isinstance(value, str) else value


def _sink(value: object) -> SinkUrl:
    return value if isinstance(value, SinkUrl) else SinkUrl.parse(str(value))


def _address(value: object) -> Address:
    return value if isinstance(value, Address) else Address.parse(str(value))


def _web_address(value: str) -> str:
    if value and not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", value):
        raise ValueError("should be a URL such as https://api.example.com")
    return value.rstrip("/")


def _directory(value: str) -> str:
    if not re.fullmatch(r"https://[^\s/?#]+(/[^\s#]*)?", value):
        raise ValueError("should be a URL that begins with https://")
    return value


def _webhook(value: str) -> str:
    if value and not re.fullmatch(r"https?://[^\s/?#]+(/[^\s#]*)?", value):
        raise ValueError("should be a URL such as https://alerts.example.com/hook")
    return value


def at_least_one(value: tuple[Address, ...]) -> tuple[Address, ...]:
    """Refuse a list without an address."""
    if not value:
        raise ValueError("should name at least one address")
    return value


def _ip_address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError as error:
        raise ValueError("should be an IP address, such as 198.51.100.7") from error


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise ValueError("should be a network, such as 10.1.0.0/16 or fd00::/8") from error


def _resolver(value: object) -> object:
    """Take `9.9.9.9` for what answers DNS there, at port 53."""
    text = str(value)
    with contextlib.suppress(ValueError):
        return Address(str(ip_address(text)), 53)
    try:
        address = Address.parse(text)
        ip_address(address.host)
    except ValueError as error:
        raise ValueError("should be an IP address, such as 9.9.9.9 or [::1]:5353") from error
    return address


Size = Annotated[int, BeforeValidator(_size), Field(ge=0), PlainSerializer(sizes.written)]
Sink = Annotated[
    SinkUrl, BeforeValidator(_sink), PlainSerializer(lambda url: url.shown, when_used="json")
]
Sinks = Annotated[tuple[Sink, ...], BeforeValidator(_listed_sinks), AfterValidator(url.distinct)]


def _bus_url(value: str) -> str:
    if value and not (value.startswith("nats:") and SinkUrl.parse(value)):
        raise ValueError("should be a URL such as nats://one:4222,two:4222/EVENTS; or empty")
    return value


def _bus_shown(value: str) -> str:
    return SinkUrl.parse(value).name if value else ""


def _store_url(value: str) -> str:
    parts = urlsplit(value)
    if value and not (parts.scheme in {"postgresql", "postgres"} and parts.path.strip("/")):
        raise ValueError(
            "should be a URL such as postgresql://tracker@db.example.com/tracker, which names a"
            " database; or empty, for a file"
        )
    return value


Listen = Annotated[Address, BeforeValidator(_address), PlainSerializer(str)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Directory = Annotated[str, AfterValidator(_directory)]
Webhook = Annotated[str, AfterValidator(_webhook)]
Domain = Annotated[str, AfterValidator(canonical_domain)]
Host = Annotated[str, AfterValidator(lambda text: canonical_domain(text) if text else "")]
IpAddress = Annotated[str, AfterValidator(_ip_address)]
Network = Annotated[str, AfterValidator(_network)]
BusUrl = Annotated[str, AfterValidator(_bus_url), PlainSerializer(_bus_shown, when_used="json")]
StoreUrl = Annotated[str, AfterValidator(_store_url), PlainSerializer(masked, when_used="json")]
Resolver = Annotated[Address, BeforeValidator(_resolver), PlainSerializer(str)]
