"""A sender with keys, and the way back from what comes out to what went in."""

import re
from email import message_from_bytes
from email.message import Message
from typing import Any

from rewriter.config import Config
from rewriter.html.pixel import AFTER, BEFORE
from rewriter.keyring import Keyring
from rewriter.links import Policy
from rewriter.mime.message import RewrittenMessage, rewrite_message
from rewriter.tokens import Context, Tokens, open_link

DOMAIN = "click.example.com"
TOKENS = Tokens(Keyring.new().for_domain(DOMAIN))

TRACKED = re.compile(rb"https://click\.example\.com/c/([\w-]+)\.([\w-]+)\.[\w-]+")
PIXEL = re.compile(
    re.escape(BEFORE) + rb"https://click\.example\.com/o/[\w-]+\.[\w-]+\.[\w-]+" + re.escape(AFTER)
)
UNSUBSCRIBE = re.compile(rb"https://click\.example\.com/u/([\w-]+)\.([\w-]+)\.[\w-]+")

PAGE = b'<html><body><p>Hello, <a href="https://example.com/a?b=1">here</a></p></body></html>\n'


def rewritten(data: bytes, **settings: Any) -> RewrittenMessage:
    """Rewrite a message; List-Unsubscribe only where the test asks for it."""
    settings = {"list_unsubscribe": False, **settings}
    config = Config(tracking_domain=DOMAIN, **settings)
    return rewrite_message(data, Policy(config, TOKENS))


def codes(outcome: RewrittenMessage) -> set[str]:
    """Name the notices, but for those that say that nobody is known."""
    return {str(notice.code) for notice in outcome.notices} - {"no-recipient", "no-sender"}


def restored(text: bytes) -> bytes:
    """Undo the rewriting: each tracked URL becomes its destination again, the pixel goes."""
    return TRACKED.sub(lambda found: open_link(found[1]).destination.encode(), PIXEL.sub(b"", text))


def contexts(text: bytes) -> list[Context]:
    """Open the context of every token in the text."""
    found = [*TRACKED.finditer(text), *UNSUBSCRIBE.finditer(text)]
    return [TOKENS.open_context(match[2]) for match in found]


def payloads(data: bytes) -> list[bytes]:
    """Decode every leaf as Python's mail reader does: the judge who isn't ours."""
    return [payload(part) for part in message_from_bytes(data).walk() if not part.is_multipart()]


def payload(part: Message) -> bytes:
    """Decode one leaf; a branch has nothing of its own."""
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def page(body: bytes = PAGE, *headers: bytes, kind: bytes = b"text/html") -> bytes:
    """Give a message of one part."""
    fields = (b"From: news@example.org", b"To: ann@example.net", b"Content-Type: " + kind, *headers)
    return b"".join(field + b"\n" for field in fields) + b"\n" + body
