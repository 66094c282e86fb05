"""Privacy: what of an event is kept, by the mode that the sender chose for the message.

In: the whole event and the mode. Out: the event that may leave this process; None for what must not
be recorded at all. `docs/verdicts.md` has the table.

Promise: what a mode leaves out is nowhere in the event that comes back, the link's URL included. An
unsubscription, and taking one back, keeps its recipient in every mode: nobody can honour it
otherwise.
"""

import hashlib
import hmac
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from rewriter.keyring import Keyring
from rewriter.tokens import Privacy
from tracker.enrich.networks import parse_address
from tracker.event import ClientInfo, Event, Geolocation, LinkInfo, Message

# What an address is cut to: a household or an office among its neighbours.
KEPT_BITS: Final = {4: 24, 6: 48}
PSEUDONYM_BYTES: Final = 16
# What a person asks for, and no tracking.
REQUESTS: Final = frozenset({"unsubscribed", "resubscribed"})


def kept(event: Event, privacy: Privacy, pseudonym_key: bytes) -> Event | None:
    """Return what the mode keeps of an event."""
    if privacy == "full":
        return event
    if privacy == "identified":
        return replace(event, ip=network_of(event.ip))
    if privacy == "off" and event.event not in REQUESTS:
        return None
    if privacy == "pseudonymous":
        return _pseudonymous(_impersonal(event), pseudonym_key)
    return _anonymous(_impersonal(event))


def pseudonym_key(keyring: Keyring) -> bytes:
    """Derive the key of pseudonyms.

    From the oldest secret, be it retired, so that a recipient's pseudonym outlives rotations and is
    the same in every office that shares the keyring.
    """
    return hmac.digest(keyring.keys[0].material(), b"tracking-edge/1 pseudonym", "sha256")


def network_of(ip: str) -> str:
    """Return the first address of the network an address is in: IPv4's /24, IPv6's /48."""
    address = parse_address(ip)
    if address is None:
        return ""
    shift = address.max_prefixlen - KEPT_BITS[address.version]
    return str(type(address)(int(address) >> shift << shift))


def pseudonym(text: str, key: bytes) -> str:
    """Return the name that stands for an address or a message id: a keyed hash, 32 hex digits.

    Without the key nobody can tell from the hash, nor by trying addresses, whose it is (GDPR
    art. 4(5)); with it the sender can find one recipient's events and erase them.
    """
    if not text:
        return ""
    return hmac.digest(key, text.lower().encode(), hashlib.sha256)[:PSEUDONYM_BYTES].hex()


def _impersonal(event: Event) -> Event:
    """Leave out what identifies: address, exact agent, languages, variables, query strings."""
    client = event.client_info
    return replace(
        event,
        ip="",
        geolocation=Geolocation(country=event.geolocation.country),
        client_info=ClientInfo(
            client_type=client.client_type,
            client_os=client.client_os,
            device_type=client.device_type,
            client_name=client.client_name,
            bot=client.bot,
        ),
        tags=[tag for tag in event.tags if not _names(tag, event.recipient)],
        user_variables={},
        url=_page(event.url, event.recipient),
        link=_label(event.link, event.recipient),
    )


def _pseudonymous(event: Event, key: bytes) -> Event:
    message_id = event.message.headers.get("message-id", "")
    hidden = replace(event, message=Message(headers={"message-id": pseudonym(message_id, key)}))
    if event.event in REQUESTS:
        return hidden
    return replace(hidden, recipient=pseudonym(event.recipient, key), recipient_domain="")


def _anonymous(event: Event) -> Event:
    hidden = replace(event, message=Message(headers={"message-id": ""}))
    if event.event in REQUESTS:
        return hidden
    return replace(hidden, recipient="", recipient_domain="")


def _page(url: str | UnsetType, recipient: str) -> str | UnsetType:
    """Keep of a URL the page: senders put who clicked into the query, a few into the path."""
    if url is UNSET:
        return UNSET
    try:
        parts = urlsplit(url)
    except ValueError:  # such as brackets that hold no IPv6 address
        return ""
    host = parts.netloc.rpartition("@")[2]
    path = "/" if _names(parts.path, recipient) else parts.path
    return urlunsplit((parts.scheme, host, path, "", ""))


def _label(link: LinkInfo | UnsetType, recipient: str) -> LinkInfo | UnsetType:
    if link is UNSET:
        return UNSET
    name = "" if _names(link.name, recipient) else link.name
    category = "" if _names(link.category, recipient) else link.category
    return LinkInfo(position=link.position, name=name, category=category)


def _names(text: str, recipient: str) -> bool:
    return bool(recipient) and recipient.lower() in unquote(text).lower()
