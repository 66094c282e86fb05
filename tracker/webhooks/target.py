"""A target: the URL that a webhook is posted to, read strictly.

In: what somebody typed. Out: a Target, or BadTarget with a sentence that says what would be right.
Of two readers of one URL that disagree, one can be led astray; so what isn't plain is refused.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Literal, cast

from tracker.webhooks.address import IpAddress

MOST_CHARACTERS: Final = 2_000
PORTS: Final = {"http": 80, "https": 443}
LOWEST_FREE_PORT: Final = 1_024  # beneath it are mail, name and login servers, and no webhooks

_URL: Final = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<authority>[^/?#]*)"
    r"(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?",
    re.IGNORECASE,
)
_PLAIN: Final = re.compile(r"[!#-;=?-\[\]_a-z~]+")  # what RFC 3986 §2 lets a URL have
_AUTHORITY: Final = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:\[\]@]+)(:(?P<port>[0-9]{1,5}))?")
_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"({_LABEL}\.)*{_LABEL}", re.IGNORECASE)
# "The host ends in a number" (WHATWG URL): another reader takes 127.1 or 0x7f000001 for an address.
_NUMBER: Final = re.compile(r"([0-9]+|0x[0-9a-f]*)", re.IGNORECASE)


class BadTarget(ValueError):
    """Nothing can or may be posted to this URL; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to post to. `host` is lower-case, without brackets; `path` has the query too."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> "Target":
        """Read a URL. Raises BadTarget."""
        if len(url) > MOST_CHARACTERS:
            raise BadTarget(f"a URL has at most {MOST_CHARACTERS} characters")
        if not _PLAIN.fullmatch(url) or not (found := _URL.fullmatch(url)):
            raise BadTarget(
                "a webhook should be a URL such as https://app.example.com/hook, in plain"
                " characters and without a fragment"
            )
        scheme = cast('Literal["http", "https"]', found["scheme"].lower())
        if "@" in found["authority"]:
            raise BadTarget("a URL with a user name or password in it isn't taken")
        host, port = _place(found["authority"], scheme)
        return cls(scheme, host, port, (found["path"] or "/") + (found["query"] or ""))

    @property
    def address(self) -> IpAddress | None:
        """The address, where the URL has one in the place of a name."""
        return literal(self.host)

    @property
    def authority(self) -> str:
        """Host and port as a Host header has them (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """What may be shown: path and query may hold a secret."""
        return f"{self.scheme}://{self.authority}"


def literal(host: str) -> IpAddress | None:
    """Return the address that a host is; None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _place(authority: str, scheme: str) -> tuple[str, int]:
    found = _AUTHORITY.fullmatch(authority)
    if not found:
        raise BadTarget("its host can't be read: it should be a name, or an address")
    host = found["host"].removeprefix("[").removesuffix("]").lower().rstrip(".")
    port = int(found["port"]) if found["port"] else PORTS[scheme]
    if not _is_host(host, bracketed=found["host"].startswith("[")):
        raise BadTarget(f"{host!r} is no host: it should be a name, or an address")
    if not (port in PORTS.values() or LOWEST_FREE_PORT <= port < 1 << 16):
        raise BadTarget(f"port {port} isn't one for webhooks: 80, 443 and those from 1024 on are")
    return host, port


def _is_host(host: str, *, bracketed: bool) -> bool:
    address = literal(host)
    if bracketed or address:
        return address is not None and bracketed == (address.version == 6)
    last = host.rpartition(".")[2]
    return len(host) < 254 and bool(_NAME.fullmatch(host)) and not _NUMBER.fullmatch(last)
