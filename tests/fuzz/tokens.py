"""Fuzzed tokens: real ones with characters changed, and frames of any bytes.

A token that was changed is refused by name, never by another error; a frame opens or is refused.
"""

from collections.abc import Iterator
from random import Random

from itsdangerous.encoding import base64_encode

from rewriter.tokens import BadToken, Context, Link, Tokens, key_id, open_link
from tests.rewriter.html.sender import DOMAIN, KEYRING

TOKENS = Tokens(KEYRING.for_domain(DOMAIN))
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=%/ \0\xff"


def make(chance: Random) -> bytes:
    """Give a token of ours with a few characters changed, or one of frames that nobody sealed."""
    text = "".join(chr(chance.randrange(0x20, 0x2FF)) for _ in range(chance.randrange(60)))
    token = TOKENS.mint(
        b"c",
        TOKENS.seal_link(Link("https://example.com/" + text, chance.randrange(9), text[:9])),
        TOKENS.seal_context(Context(text, f"{text[:5]}@example.org", tags=(text[5:9],))),
    )
    if chance.randrange(2):
        frames = (
            bytes((chance.choice((0x10, 0x11, 0x18, 0x1F, 0x00)),))
            + chance.randbytes(chance.randrange(40))
            for _ in range(2)
        )
        return b".".join((*map(base64_encode, frames), base64_encode(chance.randbytes(16))))
    changed = bytearray(token)
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(changed))
        changed[at : at + chance.randrange(3)] = chance.choice(_ALPHABET).to_bytes()
    return bytes(changed)


def faults(token: bytes) -> Iterator[str]:
    """Say what is wrong with how a token is read."""
    link_frame, _, rest = token.partition(b".")
    context_frame = rest.partition(b".")[0]
    try:
        opened = TOKENS.verify(b"c", token)
    except BadToken:
        pass
    else:
        if opened != link_frame or not TOKENS.open_context(context_frame):
            yield "what verifies doesn't open"
        for kind in (b"o", b"u"):
            if _is_taken(kind, token):
                yield f"a click's token is taken for one of kind {kind!r}"
    yield from _openings(link_frame, context_frame)


def _is_taken(kind: bytes, token: bytes) -> bool:
    try:
        TOKENS.verify(kind, token)
    except BadToken:
        return False
    return True


def _openings(link_frame: bytes, context_frame: bytes) -> Iterator[str]:
    for open_frame, frame in (
        (open_link, link_frame),
        (key_id, context_frame),
        (TOKENS.open_context, context_frame),
    ):
        try:
            open_frame(frame)
        except BadToken:
            continue
    try:
        link = open_link(link_frame)
    except BadToken:
        return
    # Separators within a field become blanks once, when they are sealed.
    frame = TOKENS.seal_link(link)
    if TOKENS.seal_link(open_link(frame)) != frame:
        yield f"{link} doesn't come back as it went in"
