"""The signed token in a tracked URL: made here, verified here, opened here.

    https://{tracking domain}/{kind}/{link frame}.{context frame}.{mac}

The link frame says where a link leads and can be read by anyone. The context frame says whose
mail it was and is sealed. The MAC covers both exactly as they stand in the URL, for one kind and
one tracking domain. `docs/token.md` specifies every byte and publishes test vectors.

Promise: a token with any character changed, of another kind or another domain never verifies; no
frame, however made, unfolds to more than MAX_FRAME bytes.
"""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, get_args

from itsdangerous.encoding import base64_decode, base64_encode
from itsdangerous.exc import BadData

from rewriter.dictionaries import CONTEXT, LINK
from rewriter.keyring import DomainKeys
from rewriter.signing import TokenSigner

if TYPE_CHECKING:
    from rewriter.sealing import Seal

OPEN: Final = b"o"
CLICK: Final = b"c"
UNSUBSCRIBE: Final = b"u"
KINDS: Final = (OPEN, CLICK, UNSUBSCRIBE)

VERSION: Final = 1
MAX_TOKEN: Final = 8192  # characters, so that a request line fits what servers and proxies take
MAX_FRAME: Final = 8192  # bytes, unfolded

Privacy = Literal["full", "identified", "pseudonymous", "anonymous", "off"]
PRIVACY: Final[tuple[Privacy, ...]] = get_args(Privacy)

# ASCII's separators. Where a value holds one of them, which no URL, address or header does, it
# becomes a space: nothing that a sender writes can pose as another field.
_FIELD, _ITEM, _PAIR = "\x1f", "\x1e", "\x1d"
_SPACED: Final = dict.fromkeys(map(ord, (_FIELD, _ITEM, _PAIR)), " ")
_DEFLATED = 0x08
_HEADS: Final = {flags: bytes((VERSION << 4 | flags,)) for flags in (0, _DEFLATED)}


class BadToken(Exception):
    """The token isn't ours, or was damaged on its way. `reason` is a word for a counter."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"bad token: {reason}")
        self.reason = reason


class FrameTooLarge(ValueError):
    """What should go into the token is too long for a link."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where a link leads and what it is called; a pixel leads nowhere."""

    destination: str = ""
    position: int = 0
    name: str = ""
    category: str = ""
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """Whose mail it was: one for each message and recipient. `sent_at` is in Unix seconds."""

    message_id: str = ""
    recipient: str = ""
    sending_domain: str = ""
    sent_at: int = 0
    tags: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    configuration_set: str = ""
    privacy: Privacy = "full"


class Tokens:
    """Makes, verifies and opens the tokens of one tracking domain."""

    def __init__(self, keys: DomainKeys) -> None:
        self.domain = keys.domain
        signing = [key.signing for key in keys.keys]
        self._signers = {
            kind: TokenSigner(signing, b"tracking-edge/%d/%b" % (VERSION, kind)) for kind in KINDS
        }
        self._newest = keys.keys[-1].id
        self._keys = keys.keys
        self._dictionary = CONTEXT + b"@" + keys.domain.encode()
        self._primed = _primed(self._dictionary)
        self._bound = b"tracking-edge/%d/context/" % VERSION + keys.domain.encode()

    @cached_property
    def _seals(self) -> "dict[int, Seal]":
        # Whoever only verifies, as an edge worker does, needn't load what seals.
        from rewriter.sealing import Seal  # noqa: PLC0415 - see above

        return {key.id: Seal(key.sealing, self._bound) for key in self._keys}

    def seal_link(self, link: Link) -> bytes:
        """Return the link frame: once for each link of a template. Raises FrameTooLarge."""
        fields = [
            _spaced(link.destination),
            str(link.position) if link.position else "",
            _spaced(link.name),
            _spaced(link.category),
        ]
        flags, body = _deflate(_joined(fields + _paired(link.tags)), _LINK)
        return base64_encode(_HEADS[flags] + body)

    def seal_context(self, context: Context) -> bytes:
        """Return the context frame: once for each recipient, the same bytes for the same context.

        Raises FrameTooLarge.
        """
        fields = (
            context.message_id,
            context.recipient,
            context.sending_domain,
            context.configuration_set,
        )
        items = (map(_spaced, context.tags), _paired(context.variables))
        text = _joined((*map(_spaced, fields), *map(_ITEM.join, items)))
        flags, body = _deflate(text, self._primed)
        head = struct.pack(">BI", flags | PRIVACY.index(context.privacy), context.sent_at)
        # RFC 5297: deterministic, and safe to be so, since the seal depends on every byte.
        sealed = self._seals[self._newest].close(head + body)
        return base64_encode(bytes((VERSION << 4, self._newest)) + sealed)

    def mint(self, kind: bytes, link_frame: bytes, context_frame: bytes) -> bytes:
        """Return the whole token. Raises FrameTooLarge where it wouldn't fit into a URL."""
        signed = link_frame + b"." + context_frame
        token = signed + b"." + self._signers[kind].get_signature(signed)
        if len(token) > MAX_TOKEN:
            raise FrameTooLarge(f"a token of {len(token)} characters; {MAX_TOKEN} fit into a link")
        return token

    def verify(self, kind: bytes, token: bytes) -> bytes:
        """Return the link frame of a token that is ours; raise BadToken for any other."""
        if len(token) > MAX_TOKEN:
            raise BadToken("oversized")
        signed, _, mac = token.rpartition(b".")
        link_frame, dot, _ = signed.partition(b".")
        if not dot:
            raise BadToken("malformed")
        if not self._signers[kind].verify_signature(signed, mac):
            raise BadToken("signature")
        return link_frame

    def open_context(self, context_frame: bytes) -> Context:
        """Return what the context frame seals; raise BadToken if it isn't one of this domain."""
        raw = _decoded(context_frame)
        if len(raw) < 2 or raw[0] >> 4 != VERSION:
            raise BadToken("version")
        if (seal := self._seals.get(raw[1])) is None:
            raise BadToken("unknown key")
        if (opened := seal.open(raw[2:])) is None:
            raise BadToken("seal")
        flags, sent_at = struct.unpack_from(">BI", opened)
        text = _inflate(opened[5:], self._dictionary) if flags & _DEFLATED else opened[5:]
        message_id, recipient, sending_domain, configuration_set, tags, variables = _split(text, 6)
        return Context(
            message_id=message_id,
            recipient=recipient,
            sending_domain=sending_domain,
            sent_at=sent_at,
            tags=tuple(tags.split(_ITEM)) if tags else (),
            variables=_pairs(variables.split(_ITEM)) if variables else (),
            configuration_set=configuration_set,
            privacy=PRIVACY[flags & 0x07],
        )


def key_id(context_frame: bytes) -> int:
    """Return the id of the key that sealed a context frame; raise BadToken if it is none."""
    raw = _decoded(context_frame)
    if len(raw) < 2 or raw[0] >> 4 != VERSION:
        raise BadToken("version")
    return raw[1]


def open_link(link_frame: bytes) -> Link:
    """Read a link frame, which takes no key; raise BadToken if it is none."""
    raw = _decoded(link_frame)
    if not raw or raw[0] >> 4 != VERSION:
        raise BadToken("version")
    text = _inflate(raw[1:], LINK) if raw[0] & _DEFLATED else raw[1:]
    destination, position, name, category, *tags = _split(text, 4)
    if position and not (position.isascii() and position.isdecimal() and len(position) < 10):
        raise BadToken("malformed")
    return Link(destination, int(position or 0), name, category, _pairs(tags))


def _joined(fields: Iterable[str]) -> bytes:
    """Join fields, leaving out empty ones at the end."""
    return _FIELD.join(fields).rstrip(_FIELD).encode()


def _spaced(text: str) -> str:
    # The separators are not printable, and to see that is much cheaper than to translate.
    return text if text.isprintable() else text.translate(_SPACED)


def _paired(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{_spaced(name)}{_PAIR}{_spaced(value)}" for name, value in pairs]


def _split(text: bytes, least: int) -> list[str]:
    try:
        fields = text.decode().split(_FIELD)
    except UnicodeDecodeError as error:
        raise BadToken("malformed") from error
    return fields + [""] * (least - len(fields))


def _pairs(items: list[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, _, value in (item.partition(_PAIR) for item in items))


def _primed(dictionary: bytes) -> "zlib._Compress":
    """Return a compressor that has seen the dictionary, to be copied for each frame.

    Raw deflate (no header, no checksum: the MAC is one) in a 4 KiB window; a small state, since
    setting it up costs more than the bytes that a larger one saves.
    """
    return zlib.compressobj(9, zlib.DEFLATED, -12, 4, zlib.Z_DEFAULT_STRATEGY, dictionary)


def _deflate(text: bytes, primed: "zlib._Compress") -> tuple[int, bytes]:
    if len(text) > MAX_FRAME:
        raise FrameTooLarge(f"{len(text)} bytes; a frame takes {MAX_FRAME}")
    deflate = primed.copy()
    packed = deflate.compress(text) + deflate.flush()
    return (_DEFLATED, packed) if len(packed) < len(text) else (0, text)


_LINK: Final = _primed(LINK)


def _inflate(packed: bytes, dictionary: bytes) -> bytes:
    inflate = zlib.decompressobj(-15, zdict=dictionary)
    try:
        text = inflate.decompress(packed, MAX_FRAME + 1)
    except zlib.error as error:
        raise BadToken("malformed") from error
    if len(text) > MAX_FRAME:
        raise BadToken("oversized")
    if not inflate.eof or inflate.unused_data:
        raise BadToken("malformed")
    return text


def _decoded(frame: bytes) -> bytes:
    """Decode unpadded base64url in its one canonical spelling."""
    try:
        raw = base64_decode(frame)
    except BadData as error:
        raise BadToken("malformed") from error
    if base64_encode(raw) != frame:
        raise BadToken("malformed")
    return raw
