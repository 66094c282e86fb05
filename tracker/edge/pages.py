"""The pages that a recipient may see: complete HTML as bytes, and the headers to send it with.

In: what a link says without a key, the reader's language and the tracking domain's theme; the
recipient is sealed, so no page can name them.
Out: UTF-8 HTML of a few kilobytes and a logo, with no script and nothing fetched from anywhere.
Promised: whatever a link or a theme carries is shown as text, never read as markup.
"""

from collections.abc import Mapping
from html import escape
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from rewriter.tokens import Link
from tracker.domains import Theme
from tracker.edge.language import ENGLISH, Language, Scoped, Words
from tracker.edge.look import look

State = Literal["ask", "done", "back"]
Trouble = Literal["later", "later_back", "damaged"]
Icon = Literal["envelope", "check", "clock", "broken"]

# What the form of a page posts. Only this, byte for byte, takes an unsubscription back: the
# one-click POST of RFC 8058 says another thing, and so does a form that was made up.
RESUBSCRIBE: Final = b"resubscribe=yes"

# Drawn on a grid of 24 by 24 in the colour of the text around them.
ICONS: Final[Mapping[Icon, str]] = MappingProxyType(
    {
        "envelope": '<rect x="3" y="5" width="18" height="14" rx="2"/><path d="m3 7 9 6 9-6"/>',
        "check": '<circle cx="12" cy="12" r="9"/><path d="m8 12.5 2.7 2.7L16 9.5"/>',
        "clock": '<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3 2"/>',
        "broken": '<path d="M10 7H7a5 5 0 0 0 0 10h3M14 7h3a5 5 0 0 1 0 10h-3M12 3v3M12 18v3"/>',
    }
)

_UNSUBSCRIBE: Final = "<button>"
_AGAIN: Final = '<button class="quiet">'
_BACK: Final = '<button class="quiet" name="resubscribe" value="yes">'
_BACK_LATER: Final = '<button name="resubscribe" value="yes">'
# The icon of a page, and the button of its form.
DRAWN: Final[Mapping[State | Trouble, tuple[Icon, str]]] = MappingProxyType(
    {
        "ask": ("envelope", _UNSUBSCRIBE),
        "done": ("check", _BACK),
        "back": ("check", _AGAIN),
        "later": ("clock", _UNSUBSCRIBE),
        "later_back": ("clock", _BACK_LATER),
        "damaged": ("broken", ""),
    }
)


class Brand(NamedTuple):
    """Whose mail it is, in words that a reader knows, and how their pages look."""

    sender: str = ""
    theme: Theme = Theme()


class Page(NamedTuple):
    """A page: send both together, since the headers allow nothing but what is in the body."""

    headers: Mapping[str, str]
    body: bytes


UNBRANDED: Final = Brand()
NOT_FOUND_WORDS: Final = Words(
    "There is nothing here",
    (
        "This address serves links and pictures in mail; the page that you asked for "
        "is not among them.",
        "If a message brought you here, open it again and follow its link once more.",
    ),
)
HOME_WORDS: Final = Words(
    "This address serves links in mail",
    (
        "The sender who owns this address has the links in their messages lead through it; "
        "there is no site to visit.",
        "If a link in a message brought you here, a part of the link was lost: "
        "open the message and follow the link again.",
        "To get no more of the mail, use the unsubscribe link in the message.",
    ),
)


def unsubscribing(state: State, link: Link, language: Language, brand: Brand) -> Page:
    """Ask whether to unsubscribe, say that it is done, or that it was taken back.

    Seeing a page changes nothing, since scanners fetch links. Each says what `link` ends.
    """
    words: Scoped = getattr(language, state)
    shown = {"sender": _shown(brand.sender), "list": _shown(link.name)}
    said = (escape(_scoped(words, link), quote=False).format_map(shown), *_escaped(words))
    return _page(state, words, said, language, brand)


def trouble(what: Trouble, language: Language, brand: Brand = UNBRANDED) -> Page:
    """Say what went wrong and what to do."""
    words: Words = getattr(language, what)
    return _page(what, words, _escaped(words), language, brand)


def _scoped(words: Scoped, link: Link) -> str:
    """Return the sentence of the scope: all mail, where a list is meant but not named."""
    if link.category == "list" and link.name.strip():
        return words.list
    return words.tag if link.category == "tag" else words.all


def _shown(name: str) -> str:
    # A name may be written in the other direction than the sentence around it.
    return f"<strong><bdi>{escape(name)}</bdi></strong>"


def _escaped(words: Words | Scoped) -> tuple[str, ...]:
    return tuple(escape(text, quote=False) for text in words.paragraphs)


def _page(
    kind: State | Trouble,
    words: Words | Scoped,
    paragraphs: tuple[str, ...],
    language: Language,
    brand: Brand,
) -> Page:
    icon, opening = DRAWN[kind]
    theme = brand.theme
    looks = look(theme.accent, theme.ground)
    title = escape(words.heading, quote=False)
    said = "".join(f"<p>{text}</p>\n" for text in paragraphs)
    # Without an action a form posts to the address of its page, token and all.
    form = f'<form method="post">{opening}{escape(words.button, quote=False)}</button></form>\n'
    body = (
        f'<!doctype html>\n<html lang="{language.code}" dir="{language.direction}">\n<head>\n'
        '<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{looks.style}</style>\n</head>\n<body>\n<main>\n"
        f'{_letterhead(brand)}<svg viewBox="0 0 24 24" aria-hidden="true">{ICONS[icon]}</svg>\n'
        f"<h1>{title}</h1>\n{said}{form if opening else ''}</main>\n</body>\n</html>\n"
    )
    told = {"content-language": language.code, "vary": "accept-language"}
    return Page({**looks.headers, **told}, body.encode())


def _letterhead(brand: Brand) -> str:
    theme = brand.theme
    if theme.logo:
        logo, name = escape(theme.logo), escape(brand.sender)
        return f'<p class="brand"><img src="{logo}" alt="{name}"></p>\n'
    return f'<p class="brand"><bdi>{escape(theme.sender)}</bdi></p>\n' if theme.sender else ""


def _plain(words: Words) -> Page:
    return _page("damaged", words, _escaped(words), ENGLISH, UNBRANDED)


# Nobody is led to these by a link that is whole, and who looks around reads English.
NOT_FOUND: Final = _plain(NOT_FOUND_WORDS)
TRACKING_DOMAIN_HOME: Final = _plain(HOME_WORDS)
