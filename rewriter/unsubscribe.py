"""Unsubscribe links: the placeholders that stand for them, and what each of them ends.

In: bytes or text of a message. Out: where a placeholder stands and which scope it has. The scope is
the category of the token's link: the edge reads it there.
"""

import re
from collections.abc import Iterator
from typing import Final

from rewriter.tokens import Link

# Mailgun's three, and Amazon SES's one, which means the list that the message was sent to.
SCOPES: Final = {
    "%unsubscribe_url%": "domain",
    "%tag_unsubscribe_url%": "tag",
    "%mailing_list_unsubscribe_url%": "list",
    "{{amazonSESUnsubscribeUrl}}": "list",
}
_PLACEHOLDER = re.compile(b"|".join(re.escape(name.encode()) for name in SCOPES))


def unsubscribe_link(scope: str = "domain") -> Link:
    """Give the link of an unsubscribe token; `scope` is domain, tag or list."""
    return Link(category=scope)


def holds_unsubscribe(text: str) -> bool:
    """Tell whether a placeholder for an unsubscribe link stands in `text`."""
    return any(name in text for name in SCOPES)


def find_unsubscribes(data: bytes) -> Iterator[tuple[int, int, str]]:
    """Give start, end and scope of each placeholder."""
    for found in _PLACEHOLDER.finditer(data):
        yield found.start(), found.end(), SCOPES[found[0].decode()]
