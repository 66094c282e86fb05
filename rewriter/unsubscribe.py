"""Unsubscribe links: the placeholders that stand for them, and what each of them ends.

In: bytes or text of a message. Out: where a placeholder stands and which scope it has. The scope is
the category of the token's link: the edge reads it there.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from rewriter.tokens import Link

# Mailgun's three, and Amazon SES's one, which means the list that the message was sent to.
SCOPES: Final = {
    "%unsubscribe_url%": "domain",
    "%tag_unsubscribe_url%": "tag",
    "%mailing_list_unsubscribe_url%": "list",
    "{{amazonSESUnsubscribeUrl}}": "list",
}
# What all of them hold: one plain search finds it ten times faster than a pattern does.
_CORE: Final = b"nsubscribe"
_NAMES: Final = tuple(
    (name.encode(), name.encode().index(_CORE), scope) for name, scope in SCOPES.items()
)


Scopes = Mapping[str, Link]
"""The link of each scope's token, as far as the message has what the scope is about."""

ALL_MAIL: Final = Link(category="domain")
OF_A_PAGE: Final[Scopes] = MappingProxyType(
    {"domain": ALL_MAIL, "tag": Link(category="tag"), "list": Link(category="list")}
)


def scopes_of(*, list_name: str, tagged: bool) -> Scopes:
    """Give the scopes of a message that goes to a list or to none, and has tags or none.

    What names no list, or has no tags, can end all mail alone: the token says so, and so the
    page where a recipient decides.
    """
    return MappingProxyType(
        {
            "domain": ALL_MAIL,
            "tag": OF_A_PAGE["tag"] if tagged else ALL_MAIL,
            "list": Link(name=list_name, category="list") if list_name else ALL_MAIL,
        }
    )


def holds_unsubscribe(text: str) -> bool:
    """Tell whether a placeholder for an unsubscribe link stands in `text`."""
    return "nsubscribe" in text and any(name in text for name in SCOPES)


def find_unsubscribes(data: bytes) -> Iterator[tuple[int, int, str]]:
    """Give start, end and scope of each placeholder."""
    at = data.find(_CORE)
    while at >= 0:
        for name, before, scope in _NAMES:
            if data.startswith(name, at - before) and at >= before:
                yield at - before, at - before + len(name), scope
        at = data.find(_CORE, at + len(_CORE))
