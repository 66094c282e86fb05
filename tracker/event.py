"""The event: the public record of what a recipient did, in the shape that Mailgun's users know.

Field names and their meaning are those of Mailgun's event JSON. What Mailgun lacks is added
beside it (`link`, `verdict`, `revision`); nothing is renamed.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

Kind = Literal["opened", "clicked", "unsubscribed", "resubscribed"]


# Trees without cycles: the garbage collector needn't walk them, which took a quarter of making one.
class Record(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", gc=False):
    """A frozen value whose field names are written with hyphens."""


class Geolocation(Record, frozen=True):
    """Where an address is; `Unknown` where nothing tells."""

    country: str = "Unknown"
    region: str = "Unknown"
    city: str = "Unknown"
    timezone: str | UnsetType = UNSET


class ClientInfo(Record, frozen=True):
    """What the User-Agent tells, in Mailgun's vocabulary; `unknown` where it tells nothing."""

    client_type: str = "unknown"
    client_os: str = "unknown"
    device_type: str = "unknown"
    client_name: str = "unknown"
    user_agent: str = ""
    bot: str = ""
    accept_language: str = ""


class Verdict(Record, frozen=True):
    """Who was there, and why we say so."""

    kind: Literal["person", "proxy", "machine"] = "person"
    reasons: list[str] = []


class LinkInfo(Record, frozen=True):
    """Which of a message's links was clicked.

    Of an unsubscription, `category` tells what it ends: all mail of the domain (`domain`), that of
    the message's tags (`tag`) or that of the list `name` (`list`).
    """

    position: int
    name: str = ""
    category: str = ""
    tags: dict[str, str] = {}


class Domain(Record, frozen=True):
    """The sending domain, which owns the event."""

    name: str


class Message(Record, frozen=True):
    """The message: of its headers, the Message-ID."""

    headers: dict[str, str]


class Event(Record, frozen=True):
    """One opened, clicked, unsubscribed or resubscribed event.

    `timestamp` is in seconds since the epoch. A higher `revision` of the same `id` replaces a
    lower one.
    """

    event: Kind
    id: str
    timestamp: float
    domain: Domain
    recipient: str
    recipient_domain: str
    ip: str
    geolocation: Geolocation
    client_info: ClientInfo
    message: Message
    verdict: Verdict
    log_level: str = "info"
    tags: list[str] = []
    campaigns: list[str] = []
    user_variables: dict[str, Any] = {}
    url: str | UnsetType = UNSET
    link: LinkInfo | UnsetType = UNSET
    revision: int = 0


encode = msgspec.json.Encoder().encode
