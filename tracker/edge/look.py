"""The look of a page: one inline style sheet in a theme's colours, and the headers that allow it.

In: the two colours of a theme, or none. Out: a `Look`. Promise: text keeps the contrast that
WCAG 2.2 asks for, in light and in dark, whatever colours a theme names: they are moved as far as
that takes, and no further.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

CONTRAST: Final = 4.5  # WCAG 2.2, 1.4.3
STEPS: Final = 20
LOOKS_REMEMBERED: Final = 128  # of some 4 KB each

LIGHT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ground": "#eef0f4",
        "card": "#ffffff",
        "text": "#1c2128",
        "soft": "#525b66",
        "accent": "#1d4ed8",
        "on-accent": "#ffffff",
    }
)
DARK: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ground": "#111418",
        "card": "#1c2127",
        "text": "#eceff3",
        "soft": "#aab3be",
        "accent": "#93b4ff",
        "on-accent": "#0c1428",
    }
)

# The buttons are taller than the 44 px that a thumb needs (2.5.5); their transparent border is
# what shows them where a reader's own colours are forced; under a pointer they move away from the
# colour of their words, so that the contrast grows. A logo may be dark on nothing: in the
# dark it gets white to stand on.
RULES: Final = """\
*{box-sizing:border-box}
body{margin:0;min-height:100vh;min-height:100svh;display:grid;place-items:center;padding:1rem;\
background:var(--ground);color:var(--text);\
font:1.0625rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{width:100%;max-width:30rem;padding:2rem 1.5rem;border-radius:1rem;background:var(--card);\
overflow-wrap:anywhere}
svg{display:block;width:3rem;height:3rem;margin:0 0 1rem;margin-inline-start:-.3rem;fill:none;\
stroke:var(--accent);stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}
img{display:block;max-width:100%;max-height:4rem}
h1{margin:0 0 .75rem;font-size:1.5rem;line-height:1.25;text-wrap:balance}
p{margin:0 0 .75rem}
p+p{color:var(--soft)}
p:last-child{margin-bottom:0}
.brand{margin-bottom:1.5rem;font-weight:600}
button{width:100%;min-height:3.25rem;margin-top:.75rem;padding:.65rem 1.5rem;\
border:2px solid transparent;border-radius:.625rem;background:var(--accent);\
color:var(--on-accent);font:inherit;font-weight:600;cursor:pointer}
.quiet{background:none;border-color:var(--accent);color:var(--accent)}
button:hover{filter:brightness(.9)}
button:focus-visible{outline:3px solid var(--text);outline-offset:3px}
@media(min-width:40rem){main{padding:2.75rem}button{width:auto;min-width:12rem}}
@media(prefers-color-scheme:dark){button:hover{filter:brightness(1.1)}
img{padding:.5rem;border-radius:.5rem;background:#fff}}
"""


@dataclass(frozen=True, slots=True)
class Look:
    """A style sheet, and the headers of every page that has it."""

    style: str
    headers: Mapping[str, str]


@lru_cache(LOOKS_REMEMBERED)
def look(accent: str = "", ground: str = "") -> Look:
    """Return the look of a theme's colours, `#rrggbb` or nothing."""
    light, dark = dict(LIGHT), dict(DARK)
    if accent:
        light["accent"] = readable(accent, light["card"], towards="#000000")
        dark["accent"] = readable(accent, dark["card"], towards="#ffffff")
    if ground:
        light["ground"] = ground  # at night it could glare: ours stays
    style = (
        f":root{{color-scheme:light dark;{_variables(light)}}}\n"
        f"@media(prefers-color-scheme:dark){{:root{{{_variables(dark)}}}}}\n{RULES}"
    )
    return Look(style, MappingProxyType(_headers(style)))


def readable(colour: str, paper: str, *, towards: str) -> str:
    """Move a colour towards another one, in steps, until it stands out from what it is set on."""
    tried = (mixed(colour, towards, step / STEPS) for step in range(STEPS))
    return next((one for one in tried if contrast(one, paper) >= CONTRAST), towards)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG 2.2 defines it, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def mixed(colour: str, other: str, share: float) -> str:
    """Return a colour with a share of another one in it."""
    pairs = zip(_bytes(colour), _bytes(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _luminance(colour: str) -> float:
    channels = (byte / 255 for byte in _bytes(colour))
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _bytes(colour: str) -> bytes:
    return bytes.fromhex(colour[1:])


def _variables(colours: Mapping[str, str]) -> str:
    return ";".join(f"--{name}:{colour}" for name, colour in colours.items())


def _headers(style: str) -> dict[str, str]:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        # A logo comes in the page. As a picture, an SVG runs nothing (HTML, "secure static mode").
        "content-security-policy": (
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        ),
        # The address of an unsubscribe page is the right to unsubscribe: it leaks to nobody.
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        # For browsers that do not know frame-ancestors: no site may overlay the button.
        "x-frame-options": "DENY",
        "x-robots-tag": "noindex",
    }
