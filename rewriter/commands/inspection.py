"""What is in a tracked URL, for a person who asks.

In: a URL and, if there is one, a keyring. Out: an `Inspection`: where it leads, which anyone can
read; whether it verifies and whose mail it was, which takes our keys.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from rewriter.keyring import BadDomain, Keyring, KeyringError
from rewriter.tokens import BadToken, Context, Link, Tokens, open_link

KINDS: Final = {"c": "click", "o": "open", "u": "unsubscribe"}


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a tracked URL says. `doubt` is empty where its MAC verifies; else it says why not."""

    kind: str
    tracking_domain: str
    link: Link
    context: Context | None
    doubt: str

    def as_text(self) -> bytes:
        """Give it in lines for a person."""
        lines = [f"{name + ':':<18}{value}" for name, value in self._said() if value not in ("", 0)]
        return "\n".join(lines).encode("utf-8", "replace")

    def as_json(self) -> bytes:
        """Give it as one JSON object."""
        said: dict[str, Any] = {
            "kind": self.kind,
            "tracking_domain": self.tracking_domain,
            "verified": not self.doubt,
            "doubt": self.doubt,
            "link": self.link,
            "context": self.context,
        }
        return msgspec.json.encode(said)

    def _said(self) -> Iterator[tuple[str, object]]:
        link, context = self.link, self.context
        yield "kind", self.kind
        yield "tracking domain", self.tracking_domain
        yield "verified", f"no: {self.doubt}" if self.doubt else "yes"
        yield "leads to", link.destination
        yield "position", link.position
        yield "name", link.name
        yield "category", link.category
        yield "link tags", _pairs(link.tags)
        if context is None:
            return
        yield "recipient", context.recipient
        yield "message id", context.message_id
        yield "sending domain", context.sending_domain
        yield "sent", datetime.fromtimestamp(context.sent_at, UTC) if context.sent_at else ""
        yield "tags", ", ".join(context.tags)
        yield "variables", _pairs(context.variables)
        yield "configuration set", context.configuration_set
        yield "privacy", context.privacy


def look_into(url: str, keyring: Path, tracking_domain: str | None = None) -> Inspection:
    """Read a tracked URL, with the keyring's help if it can be had. Raises BadToken."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
    except ValueError as error:
        raise BadToken("malformed") from error
    kind, _, token = parts.path.strip("/").rpartition("/")
    frames = token.encode("ascii", "replace").split(b".")
    kind = "c" if kind == "a" else kind  # a link for an app is a click by its token
    if kind not in KINDS or len(frames) != 3:
        raise BadToken("malformed")
    domain = tracking_domain or host
    link = open_link(frames[0])
    try:
        tokens = Tokens(Keyring.load(keyring).for_domain(domain))
        tokens.verify(kind.encode(), token.encode())
        return Inspection(KINDS[kind], domain, link, tokens.open_context(frames[1]), "")
    except (BadToken, KeyringError, BadDomain) as error:
        return Inspection(KINDS[kind], domain, link, None, str(error))


def _pairs(pairs: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name}={value}" for name, value in pairs)
