"""The pages that a recipient may see: complete HTML as bytes, ready to be sent.

In: nothing but what a link says without a key; the recipient is sealed, so no page can name them.
Out: UTF-8 HTML of a few kilobytes with no script, nothing fetched from anywhere, and one inline
style sheet that `CONTENT_SECURITY_POLICY` allows by its hash. Send every page with `HEADERS`.
Promised: whatever a link carries is shown as text, never read as markup.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from types import MappingProxyType
from typing import Final, Literal

Page = Literal[
    "unsubscribe_ask",
    "unsubscribe_done",
    "unsubscribe_later",
    "link_damaged",
    "not_found",
    "tracking_domain_home",
]
Icon = Literal["envelope", "check", "clock", "broken"]


@dataclass(frozen=True, slots=True)
class Words:
    """What one page says. `{sender}` in a paragraph stands for whose mail it is."""

    icon: Icon
    heading: str
    paragraphs: tuple[str, ...]
    button: str = ""  # a page with a button posts to its own address when it is pressed


ENGLISH: Final[Mapping[Page, Words]] = MappingProxyType(
    {
        "unsubscribe_ask": Words(
            "envelope",
            "Unsubscribe from this mail?",
            (
                "Press the button and you get no more mail of this kind from {sender}.",
                "Nothing changes until you press it. To stay subscribed, close this page.",
            ),
            "Unsubscribe",
        ),
        "unsubscribe_done": Words(
            "check",
            "You are unsubscribed",
            (
                "Your request is recorded and is passed on to the sender.",
                "A message that was already on its way may still reach you.",
                "You can close this page.",
            ),
        ),
        "unsubscribe_later": Words(
            "clock",
            "Please try again",
            (
                "Your request could not be recorded just now, so you are still subscribed.",
                "Nothing is lost: wait a minute, then press the button. "
                "The link in the message keeps working, too.",
            ),
            "Try again",
        ),
        "link_damaged": Words(
            "broken",
            "This link is damaged",
            (
                "A part of it is missing or was changed on the way, so it cannot be told where "
                "it should lead. Mail programs do this when they break a long link "
                "into two lines.",
                "Open the message again and follow the link there. If you copied the link, "
                "copy all of it, up to its very last character.",
            ),
        ),
        "not_found": Words(
            "broken",
            "There is nothing here",
            (
                "This address serves links and pictures in mail; the page that you asked for "
                "is not among them.",
                "If a message brought you here, open it again and follow its link once more.",
            ),
        ),
        "tracking_domain_home": Words(
            "envelope",
            "This address serves links in mail",
            (
                "The sender who owns this address has the links in their messages lead through it; "
                "there is no site to visit.",
                "If a link in a message brought you here, a part of the link was lost: "
                "open the message and follow the link again.",
                "To get no more of the mail, use the unsubscribe link in the message.",
            ),
        ),
    }
)
ANY_SENDER: Final = "this sender"  # where the link does not say whose mail it is

# Drawn on a grid of 24 by 24 in the colour of the text around them.
ICONS: Final[Mapping[Icon, str]] = MappingProxyType(
    {
        "envelope": '<rect x="3" y="5" width="18" height="14" rx="2"/><path d="m3 7 9 6 9-6"/>',
        "check": '<circle cx="12" cy="12" r="9"/><path d="m8 12.5 2.7 2.7L16 9.5"/>',
        "clock": '<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3 2"/>',
        "broken": '<path d="M10 7H7a5 5 0 0 0 0 10h3M14 7h3a5 5 0 0 1 0 10h-3M12 3v3M12 18v3"/>',
    }
)

# Every pair of colours that text is set in keeps a contrast of 4.5 (WCAG 2.2, 1.4.3) in both
# schemes; the button is taller than the 44 px that a thumb needs (2.5.5).
STYLE: Final = """\
:root{color-scheme:light dark;--ground:#eef0f4;--card:#fff;--text:#1c2128;--soft:#525b66;\
--accent:#1d4ed8;--on-accent:#fff}
@media(prefers-color-scheme:dark){:root{--ground:#111418;--card:#1c2127;--text:#eceff3;\
--soft:#aab3be;--accent:#93b4ff;--on-accent:#0c1428}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;min-height:100svh;display:grid;place-items:center;padding:1rem;\
background:var(--ground);color:var(--text);\
font:1.0625rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{width:100%;max-width:30rem;padding:2rem 1.5rem;border-radius:1rem;background:var(--card);\
overflow-wrap:anywhere}
svg{display:block;width:3rem;height:3rem;margin:0 0 1rem -.3rem;fill:none;stroke:var(--accent);\
stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}
h1{margin:0 0 .75rem;font-size:1.5rem;line-height:1.25;text-wrap:balance}
p{margin:0 0 .75rem}
p+p{color:var(--soft)}
p:last-child{margin-bottom:0}
button{width:100%;min-height:3.25rem;margin-top:.75rem;padding:.75rem 1.5rem;border:0;\
border-radius:.625rem;background:var(--accent);color:var(--on-accent);font:inherit;\
font-weight:600;cursor:pointer}
button:hover{filter:brightness(1.1)}
button:focus-visible{outline:3px solid var(--text);outline-offset:3px}
@media(min-width:40rem){main{padding:2.75rem}button{width:auto;min-width:12rem}}
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "content-security-policy": CONTENT_SECURITY_POLICY,
        # The address of an unsubscribe page is the right to unsubscribe: it leaks to nobody.
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        # For browsers that do not know frame-ancestors: no site may overlay the button.
        "x-frame-options": "DENY",
        "x-robots-tag": "noindex",
    }
)


def unsubscribe_ask(sender: str = "") -> bytes:
    """Ask whether to unsubscribe; seeing this page changes nothing, since scanners fetch links.

    `sender` is what the link itself says of whose mail it is: a list's name, or a domain.
    """
    return _page("unsubscribe_ask", sender)


def _page(page: Page, sender: str = "") -> bytes:
    words = ENGLISH[page]
    shown = f"<strong><bdi>{escape(sender)}</bdi></strong>" if sender.strip() else ANY_SENDER
    paragraphs = "".join(f"<p>{text.format(sender=shown)}</p>\n" for text in words.paragraphs)
    # Without an action a form posts to the address of its page, token and all.
    form = f'<form method="post"><button>{words.button}</button></form>\n' if words.button else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{words.heading}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<svg viewBox="0 0 24 24" aria-hidden="true">{ICONS[words.icon]}</svg>\n'
        f"<h1>{words.heading}</h1>\n{paragraphs}{form}</main>\n</body>\n</html>\n"
    ).encode()


UNSUBSCRIBE_DONE: Final = _page("unsubscribe_done")
UNSUBSCRIBE_LATER: Final = _page("unsubscribe_later")
LINK_DAMAGED: Final = _page("link_damaged")
NOT_FOUND: Final = _page("not_found")
TRACKING_DOMAIN_HOME: Final = _page("tracking_domain_home")
