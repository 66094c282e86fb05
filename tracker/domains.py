"""Domains as they are registered: tracking domains, sending domains, and what is set for each.

In: text that an operator or a program gave. Out: frozen values that hold nothing else than what
they may, or BadSetting. Nothing here reads a file or a database.
"""

import re
from base64 import b64decode, b64encode
from typing import Final, Literal

import msgspec

from rewriter.keyring import BadDomain, canonical_domain

WebScheme = Literal["auto", "http", "https"]
Tls = Literal["own", "external"]
Clicks = bool | Literal["htmlonly"]

COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
MOST_SENDER: Final = 100  # characters
MOST_LOGO: Final = 32 * 1024  # characters of the data: URI; every edge worker holds it
MOST_FOOTER: Final = 64 * 1024  # characters
# Apple's limit for an uncompressed apple-app-site-association file.
MOST_APP_LINKS: Final = 128 * 1024
PICTURES: Final[dict[str, tuple[bytes, ...]]] = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/svg+xml": (b"<svg", b"<?xml"),
    "image/webp": (b"RIFF",),
}

# Mailgun's defaults, to the letter: its users' mail already looks like this.
HTML_FOOTER: Final = '\n<br>\n<p><a href="%unsubscribe_url%">unsubscribe</a></p>\n'
TEXT_FOOTER: Final = "\n\nTo unsubscribe click: <%unsubscribe_url%>\n\n"


class BadSetting(ValueError):
    """A setting is not what it may be; the message says what would be right."""


class Theme(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the pages of a tracking domain look. What is empty is as it comes.

    Colours are `#rrggbb`; `logo` is a data: URI, since a page may load nothing.
    """

    accent: str = ""
    ground: str = ""
    sender: str = ""
    logo: str = ""

    def __post_init__(self) -> None:
        for name, colour in (("accent", self.accent), ("ground", self.ground)):
            if colour and not COLOUR.fullmatch(colour):
                raise BadSetting(f"{name} is {colour!r}; a colour is written as #1a2b3c")
        if len(self.sender) > MOST_SENDER or CONTROL.search(self.sender):
            raise BadSetting(f"a sender's name has up to {MOST_SENDER} characters that can be seen")
        if self.logo:
            _check_logo(self.logo)


class TrackingDomain(msgspec.Struct, frozen=True, omit_defaults=True):
    """A name whose links lead to our edge.

    `tls` says whose certificate it has: one that we order, or that of an external proxy in front.
    `https_proven_at` is when HTTPS was seen to work from outside, in Unix seconds; 0 is never.
    `app_site_association` and `asset_links` are JSON for Apple's and Android's systems.
    A `suspended` domain is served, but no certificate is ordered for it any more. One that was
    `removed` is nobody's, and yet its links lead on.
    """

    name: str
    sending_domain: str = ""
    web_scheme: WebScheme = "auto"
    tls: Tls = "own"
    https_proven_at: int = 0
    app_site_association: str = ""
    asset_links: str = ""
    theme: Theme = Theme()
    suspended: bool = False
    removed: bool = False

    def __post_init__(self) -> None:
        _check_app_links("app_site_association", self.app_site_association, dict)
        _check_app_links("asset_links", self.asset_links, list)

    @property
    def scheme(self) -> Literal["http", "https"]:
        """What new links begin with. Links made earlier are served with either."""
        if self.web_scheme == "auto":
            # A proxy in front is the operator's word for HTTPS; our own certificate is proven.
            return "https" if self.https_proven_at or self.tls == "external" else "http"
        return self.web_scheme


class OpenTracking(msgspec.Struct, frozen=True):
    """Whether mail carries a pixel, and whether above the text, where clipping can't cut it off."""

    active: bool = True
    place_at_the_top: bool = False


class ClickTracking(msgspec.Struct, frozen=True):
    """Whether links are tracked; `htmlonly` leaves those of plain text.

    That is what a rewriter does without being told, so that registering a domain changes no mail.
    """

    active: Clicks = "htmlonly"


class UnsubscribeTracking(msgspec.Struct, frozen=True):
    """Whether mail without an unsubscribe link gets a footer with one, and which."""

    active: bool = False
    html_footer: str = HTML_FOOTER
    text_footer: str = TEXT_FOOTER

    def __post_init__(self) -> None:
        for name, footer in (("html_footer", self.html_footer), ("text_footer", self.text_footer)):
            if len(footer) > MOST_FOOTER:
                raise BadSetting(f"{name} has {len(footer)} characters, and takes {MOST_FOOTER}")


class SendingDomain(msgspec.Struct, frozen=True):
    """What is done to the mail of one sending domain; `tracking_domain` is where its links lead."""

    name: str
    tracking_domain: str = ""
    open: OpenTracking = OpenTracking()
    click: ClickTracking = ClickTracking()
    unsubscribe: UnsubscribeTracking = UnsubscribeTracking()


class Snapshot(msgspec.Struct, frozen=True):
    """Everything that is registered, by name, as it is published to edge workers and rewriters.

    `removed` names tracking domains that were registered once: mail with their links is still read.
    """

    version: Literal[1] = 1
    tracking: dict[str, TrackingDomain] = {}
    sending: dict[str, SendingDomain] = {}
    removed: frozenset[str] = frozenset()

    def __contains__(self, name: object) -> bool:
        """Tell whether links of a tracking domain are answered."""
        return name in self.tracking or name in self.removed

    def records(self, sending_domain: str, kind: str) -> bool:
        """Tell whether a hit of a kind (`o`, `c`, `u`) may become an event.

        An unsubscription always may: it is a request of the person, and no tracking.
        """
        if (sending := self.sending.get(sending_domain)) is None:
            return True
        return {"o": sending.open.active, "c": bool(sending.click.active)}.get(kind, True)


def canonical_name(text: str) -> str:
    """Give a domain's name the form it is registered in. Raises BadSetting.

    What is not ASCII is mapped as browsers do (UTS #46, non-transitional): Python's own codec makes
    another domain of `faß.example`.
    """
    name = text.strip().rstrip(".\u3002")
    try:
        if not name.isascii():
            import idna  # noqa: PLC0415 - its tables are large, and an edge worker needs none

            name = idna.encode(name, uts46=True, transitional=False).decode("ascii")
        name = canonical_domain(name)
    except (BadDomain, UnicodeError) as error:
        raise BadSetting(f"{text!r} is not a host name such as click.example.com") from error
    if name.rpartition(".")[2].isdecimal():
        raise BadSetting(f"{text!r} is an address; a domain has a name such as click.example.com")
    return name


def canonical_tracking_name(text: str) -> str:
    """Do the same for a tracking domain. Raises BadSetting."""
    name = canonical_name(text)
    if "_" in name:
        # CA/Browser Forum Baseline Requirements §7.1.4.2: no underscore in a dNSName.
        raise BadSetting(f"{name} has an underscore, and no certificate is given for such a name")
    return name


def logo(picture: bytes) -> str:
    """Write a picture as the data: URI of a theme. Raises BadSetting."""
    for kind, beginnings in PICTURES.items():
        if picture.lstrip().startswith(beginnings):
            return f"data:{kind};base64,{b64encode(picture).decode()}"
    raise BadSetting(f"a logo is a picture of one of these types: {', '.join(PICTURES)}")


def _check_logo(logo: str) -> None:
    head, comma, content = logo.partition(",")
    kind = head.removeprefix("data:").removesuffix(";base64")
    if not comma or head != f"data:{kind};base64" or kind not in PICTURES:
        raise BadSetting(f"a logo is a data: URI in base64, of {', '.join(PICTURES)}")
    if len(logo) > MOST_LOGO:
        raise BadSetting(f"the logo takes {len(logo)} characters, and {MOST_LOGO} are the most")
    try:
        picture = b64decode(content, validate=True)
    except ValueError as error:
        raise BadSetting("the logo's data: URI isn't base64") from error
    if not picture.lstrip().startswith(PICTURES[kind]):
        raise BadSetting(f"the logo says that it is {kind}, and its content is something else")


def _check_app_links(name: str, text: str, kind: type) -> None:
    if not text:
        return
    if len(text.encode()) > MOST_APP_LINKS:
        raise BadSetting(f"{name} takes up to {MOST_APP_LINKS} bytes")
    try:
        msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        what = "an object" if kind is dict else "a list"
        raise BadSetting(f"{name} is not {what} in JSON: {error}") from error
