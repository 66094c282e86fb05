"""What the libraries make of a User-Agent: ua-parser its names, `user-agents` what these are.

In: the header as it came. Out: names and kinds in Mailgun's words.
"""

import re
import sys
from importlib import import_module
from types import ModuleType
from typing import Any, Final

import ua_parser

from tracker.enrich.systems import DESKTOPS, PHONES, system_of
from tracker.enrich.tables import Device

# One product, one name, whatever engine it uses on a phone.
CLIENT_NAMES: Final = {
    "Other": "unknown",
    "Apple Mail": "Safari",  # the parser's word for any WebKit; the real one is in our table
    "Chrome Mobile iOS": "Chrome Mobile",
    "Chrome Mobile WebView": "Chrome Mobile",
    "Mobile Safari UI/WKWebView": "Mobile Safari",
    "Firefox iOS": "Firefox Mobile",
}

# "Mozilla/5.0 (compatible; ExampleBot/1.0; …" and "ExampleBot/1.0 …" (RFC 9110 §10.1.5).
PRODUCT: Final = re.compile(r"compatible; ([\w.-]{2,40})|^(?!Mozilla)([\w.-]{2,40})")


def _imported() -> Any:
    """Import `user-agents` without ua-parser's old interface, which only its constructor asks.

    That one compiles a thousand patterns for Python while it is imported: 0.2 s of every start.
    """
    old = "ua_parser.user_agent_parser"
    there = sys.modules.setdefault(old, empty := ModuleType(old))
    try:
        return import_module("user_agents.parsers")
    finally:
        if there is empty:
            del sys.modules[old]  # whoever else asks for it gets the real one


library: Final = _imported()


class Parsed(library.UserAgent):  # type: ignore[name-defined, misc]  # it has no types
    """What the library makes of an agent. Its own constructor parses the slow way, in 1 ms."""

    def __init__(self, agent: str) -> None:
        result = ua_parser.parse(agent).with_defaults()
        browser, system, device = result.user_agent, result.os, result.device
        self.ua_string = agent
        self.browser = library.parse_browser(
            browser.family, browser.major, browser.minor, browser.patch
        )
        self.os = library.parse_operating_system(
            system.family, system.major, system.minor, system.patch
        )
        self.device = library.parse_device(device.family, device.brand, device.model)

    @property
    def name(self) -> str:
        """The client's name in Mailgun's words."""
        family: str = self.browser.family
        return CLIENT_NAMES.get(family, family)

    @property
    def product(self) -> str:
        """The name that a robot gives itself, where the parser knows none."""
        if self.name != "unknown" or not (found := PRODUCT.search(self.ua_string)):
            return self.name
        return found[1] or found[2]

    @property
    def system(self) -> str:
        """The operating system's name in Mailgun's words."""
        return system_of(self.ua_string, self.os.family)

    @property
    def kind_of_device(self) -> Device:
        """The device in Mailgun's words."""
        if self.os.family == "Android":
            # A tablet's browser leaves out "Mobile"; of an app's own agent that says nothing.
            browses = "AppleWebKit" in self.ua_string and "Mobile" not in self.ua_string
            return "tablet" if browses or "Tablet" in self.ua_string else "mobile"
        if self.is_tablet:
            return "tablet"
        system = self.system
        handheld = self.is_mobile or ("Mobile" in self.ua_string and system not in DESKTOPS)
        # Apple's library on a Mac calls itself a phone's.
        if (handheld or system in PHONES) and system != "OS X":
            return "mobile"
        if self.is_pc or system in DESKTOPS:
            return "desktop"
        return "unknown" if system == "unknown" else "other"
