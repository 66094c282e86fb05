"""One sender and one of their recipients, for the tests of the HTML half."""

import re
from typing import Any

from rewriter.config import Config
from rewriter.keyring import Keyring
from rewriter.rewriter import Rewriter
from rewriter.tokens import Context, Link, open_link

KEYRING = Keyring.new()
DOMAIN = "click.example.com"
ANN = Context(message_id="1@example.com", recipient="ann@example.org", sending_domain="example.com")
BEN = Context(message_id="1@example.com", recipient="ben@example.org", sending_domain="example.com")

_OURS = re.compile(rb"https?://click\.example\.com(?::\d+)?/([cou])/([\w-]+)\.[\w-]+\.[\w-]+")


def rewriter(**settings: Any) -> Rewriter:
    """Give a rewriter that differs from the usual in `settings`; without pixels unless asked."""
    return Rewriter(Config(tracking_domain=DOMAIN, **{"opens": False, **settings}), KEYRING)


def links(html: bytes, kind: bytes = b"c") -> list[Link]:
    """Read what the tokens of one kind in a page say, in their order."""
    return [open_link(frame) for found, frame in _OURS.findall(html) if found == kind]


def destinations(html: bytes) -> list[str]:
    """Give where the tracked links of a page lead."""
    return [link.destination for link in links(html)]


def restored(html: bytes, originals: list[bytes]) -> bytes:
    """Put the original references back in place of the tracked ones, in their order."""
    waiting = iter(originals)
    return _OURS.sub(lambda _: next(waiting), html)
