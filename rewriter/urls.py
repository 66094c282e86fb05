"""The URL that a browser would request for a link.

In: a reference as the page means it (character references resolved), the page's base and encoding.
Out: an absolute http or https URL in ASCII, or a `NotFollowed`. It is the URL Standard's basic
parser and serializer (§4.4, §4.5), for the two schemes that are tracked; a query is encoded as the
page is (§4.4, query state), which is what a browser sends.
"""

import re
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from rewriter.hosts import InvalidHost, parse_host

_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}

# Most links are written as they are sent; they are recognised here and not taken apart. A final
# label that begins with a letter is no IPv4 address, and without "xn--" it needs no IDNA.
_AS_SENT = re.compile(
    r"(https?)://"
    r"((?:(?!xn--)[a-z0-9_-]+\.)*(?!xn--)[a-z][a-z0-9_-]*)"
    r"((?:/(?!\.|%2[eE])[!$%&'()*+,\-.0-9:;=@A-Z\[\]_a-z|~]*)*)"
    r"(?:\?([!$%&()*+,\-./0-9:;=?@A-Z\[\\\]^_`a-z{|}~]*))?"
    r"(?:#([!#$%&'()*+,\-./0-9:;=?@A-Z\[\\\]^_a-z{|}~]*))?"
)
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):(.*)", re.DOTALL)
_UP_TO_PATH = re.compile(r"[/\\?#]")
_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^:]+)(?::(0*[0-9]{0,5}))?")
_NOT_SENT = str.maketrans("", "", "\t\n\r")
_TRIMMED: Final = "".join(map(chr, range(0x21)))  # C0 controls and space

# The percent-encode sets of §1.3, less what all of them hold: C0 controls and what isn't ASCII.
_FRAGMENT: Final = b' "<>`'
_QUERY: Final = b" \"#<>'"  # the special-query set
_PATH: Final = b' "#<>?^`{}'
_USERINFO: Final = _PATH + b"/:;=@[\\]|"

_DOT = re.compile(r"\.|%2e", re.IGNORECASE)
_DOTS = re.compile(r"(?:\.|%2e){2}", re.IGNORECASE)
_SEPARATOR = re.compile(r"[/\\]")


class NotFollowed(ValueError):
    """No request for http or https comes of the reference; `reason` says why."""

    def __init__(self, reason: Literal["scheme", "relative", "invalid"], reference: str) -> None:
        super().__init__(f"{reason}: {reference!r}")
        self.reason: Literal["scheme", "relative", "invalid"] = reason


class Url(msgspec.Struct, frozen=True):
    """An http or https URL in its parts, each as it is sent; `str()` puts them together.

    `credentials` end in an at sign; `path` begins with a solidus.
    """

    scheme: str
    host: str
    path: str
    credentials: str = ""
    port: str = ""
    query: str | None = None
    fragment: str | None = None

    def __str__(self) -> str:
        port = self.port and ":" + self.port
        query = "" if self.query is None else "?" + self.query
        fragment = "" if self.fragment is None else "#" + self.fragment
        return f"{self.scheme}://{self.credentials}{self.host}{port}{self.path}{query}{fragment}"


def resolve(reference: str, base: Url | None = None, encoding: str = "utf-8") -> Url:
    """Resolve a reference as a browser does before it requests it. Raises `NotFollowed`.

    `encoding` is a Python codec. Without a base, `//host/path` becomes https and any other relative
    reference is refused.
    """
    if usual := _AS_SENT.fullmatch(reference):
        scheme, host, path, query, fragment = usual.groups()
        return Url(scheme, host, path or "/", "", "", query, fragment)
    reference = reference.strip(_TRIMMED).translate(_NOT_SENT)
    try:
        return _parse(reference, base, encoding)
    except InvalidHost as error:
        raise NotFollowed("invalid", reference) from error


def _parse(reference: str, base: Url | None, encoding: str) -> Url:
    scheme = base.scheme if base else "https"
    if named := _SCHEME.match(reference):
        scheme, rest = named[1].lower(), named[2]
        if scheme not in _DEFAULT_PORTS:
            raise NotFollowed("scheme", reference)
        # "https:path" is relative to a base of the same scheme, and otherwise short for "https://".
        if base is None or base.scheme != scheme or rest.startswith("//"):
            return _absolute(scheme, rest.lstrip("/\\"), encoding, reference)
        reference = rest
    if reference[:1] in ("/", "\\") and reference[1:2] in ("/", "\\"):
        return _absolute(scheme, reference.lstrip("/\\"), encoding, reference)
    if base is None:
        raise NotFollowed("relative", reference)
    return _relative(reference, base, encoding)


def _absolute(scheme: str, rest: str, encoding: str, reference: str) -> Url:
    authority = _UP_TO_PATH.split(rest, maxsplit=1)[0]
    credentials, _, host_and_port = authority.rpartition("@")
    found = _HOST_AND_PORT.fullmatch(host_and_port)
    if not found or int(found[2] or 0) > 0xFFFF:
        raise NotFollowed("invalid", reference)
    port = str(int(found[2])) if found[2] else ""
    path, query, fragment = _tail(rest[len(authority) :], encoding)
    return Url(
        scheme,
        parse_host(found[1]),
        _normalised(path),
        credentials=_credentials(credentials),
        port="" if port == _DEFAULT_PORTS[scheme] else port,
        query=query,
        fragment=fragment,
    )


def _relative(reference: str, base: Url, encoding: str) -> Url:
    path, query, fragment = _tail(reference, encoding)
    if not path:
        return replace(base, query=base.query if query is None else query, fragment=fragment)
    if path[0] not in "/\\":
        path = base.path[: base.path.rindex("/") + 1] + path
    return replace(base, path=_normalised(path), query=query, fragment=fragment)


def _credentials(text: str) -> str:
    user, _, password = text.partition(":")
    user, password = (_encoded(part.encode(), _USERINFO) for part in (user, password))
    return (user + (password and ":" + password) + "@") if user or password else ""


def _normalised(path: str) -> str:
    """Encode a path and resolve its dot segments (§4.4, path state)."""
    segments: list[str] = []
    rest = _SEPARATOR.split(path[1:] if path[:1] in ("/", "\\") else path)
    for segment in rest:
        if _DOTS.fullmatch(segment):
            del segments[-1:]
        elif not _DOT.fullmatch(segment):
            segments.append(segment)
    if _DOT.fullmatch(rest[-1]) or _DOTS.fullmatch(rest[-1]):
        segments.append("")
    return _encoded("/".join(["", *segments]).encode(), _PATH)


def _query(text: str, encoding: str) -> str:
    try:
        return _encoded(text.encode(encoding), _QUERY)
    except UnicodeEncodeError:
        # URL Standard §1.3: what the page's encoding hasn't is sent as a reference, encoded.
        return "".join(_query_character(character, encoding) for character in text)


def _query_character(character: str, encoding: str) -> str:
    try:
        return _encoded(character.encode(encoding), _QUERY)
    except UnicodeEncodeError:
        return f"%26%23{ord(character)}%3B"


def _encoded(data: bytes, reserved: bytes) -> str:
    """Percent-encode controls, what isn't ASCII, and `reserved`."""
    return "".join(
        f"%{byte:02X}" if byte in reserved or not 0x20 <= byte < 0x7F else chr(byte)
        for byte in data
    )


def _tail(text: str, encoding: str) -> tuple[str, str | None, str | None]:
    """Part a path, as it came, from its encoded query and fragment."""
    before, number_sign, fragment = text.partition("#")
    path, question_mark, query = before.partition("?")
    return (
        path,
        _query(query, encoding) if question_mark else None,
        _encoded(fragment.encode(), _FRAGMENT) if number_sign else None,
    )
