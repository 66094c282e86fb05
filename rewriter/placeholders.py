"""Placeholders that a mail system fills in later, and what can be filled in here.

In: text of a link. Out: where placeholders stand. A link that is one is left alone, since nothing
is known of where it leads; one in a query makes the link personalised.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

# The forms of Handlebars and SES, Liquid, ERB and ASP, Mailgun and its kin, Salesforce, Mailchimp.
# "%E2%80" is no placeholder: between per cent signs, a name that begins like an escape counts only
# where the second sign begins no escape either.
_FORMS: Final = (
    r"\{\{\{?(?P<mustache>[^{}]*+)\}\}\}?",
    r"\{%(?P<liquid>[^{}]*+)(?<=%)\}",
    r"<%=?(?P<erb>[^<>]*+)(?<=%)>",
    r"\[\[(?P<brackets>[^\[\]]*+)\]\]",
    r"\*\|(?P<mailchimp>[^|]*+)\|\*",
    r"%%(?P<exact>[A-Za-z_][\w.:-]*+)%%",
    r"%(?:(?![0-9A-Fa-f]{2})|(?=[\w.:-]++%(?![0-9A-Fa-f]{2})))(?P<percent>[A-Za-z_][\w.:-]*+)%",
)
_PLACEHOLDER = re.compile("|".join(_FORMS))


def find_placeholder(text: str) -> int | None:
    """Give the offset of the first placeholder, or None."""
    # Every form holds one of these, and most links none.
    if not ("%" in text or "{" in text or "[[" in text or "*|" in text):
        return None
    found = _PLACEHOLDER.search(text)
    return found.start() if found else None


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put `values` for the placeholders of a query that they name, percent-encoded.

    Mailgun's `%recipient.name%` is named `name`. What has no value stays as it is.
    """

    def value(found: re.Match[str]) -> str:
        name = found[found.lastgroup or 0].strip(" %").removeprefix("recipient.")
        return quote(values[name], safe="") if name in values else found[0]

    return _PLACEHOLDER.sub(value, text)
