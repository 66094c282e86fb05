"""The settings of the rewriter: one frozen value, checked once.

In: what the sender chose, by keyword. Out: a `Config`, or a `ConfigError` that names the setting
and what it may be. Nothing here reads a file or the environment.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from rewriter.tokens import Privacy

_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")

Scheme = Literal["https", "http"]
PixelPlace = Literal["bottom", "top", "both", "token"]
DkimPolicy = Literal["warn", "refuse", "strip"]

_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "scheme": get_args(Scheme),
    "pixel": get_args(PixelPlace),
    "privacy": get_args(Privacy),
    "dkim": get_args(DkimPolicy),
}


class ConfigError(ValueError):
    """A setting is not what it may be; `setting` is its name."""

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(f"{setting}: {reason}")
        self.setting = setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What the sender wants done to their mail. Raises `ConfigError`.

    Domains are lower-case ASCII (IDN as `xn--…`); one that is excluded, or the only one allowed,
    stands for its subdomains too.
    """

    tracking_domain: str
    scheme: Scheme = "https"
    port: int | None = None
    """For trying it on one machine; None is the scheme's own port."""

    clicks: bool = True
    text_links: bool = False
    """Track the links of text/plain parts too (Mailgun's `yes` as against `htmlonly`)."""
    amp: bool = False
    """Track the links of AMP parts too; a pixel never goes there."""
    exclude_domains: tuple[str, ...] = ()
    only_domains: tuple[str, ...] = ()
    """Where it is not empty, links to other domains stay."""
    skip_visible_urls: bool = False
    """Leave a link whose visible text is itself a URL: phishing filters compare the two."""
    utm: tuple[tuple[str, str], ...] = ()
    """Parameters to add to each tracked destination that does not have them yet."""

    opens: bool = True
    pixel: PixelPlace = "bottom"
    pixel_token: str = "{{ses:openTracker}}"  # noqa: S105 - a place in the page, no secret
    """Where this stands in the page, the pixel goes there, whatever `pixel` says."""
    hidden_link: bool = False
    """Add a link that no person sees, so that whoever follows it is a machine."""

    unsubscribe_html: str = ""
    unsubscribe_text: str = ""
    """Footers for mail that has no unsubscribe link yet; `%unsubscribe_url%` is where it goes."""
    list_unsubscribe: bool = True
    """Add `List-Unsubscribe` and `List-Unsubscribe-Post` (RFC 8058) where the sender set none."""

    privacy: Privacy = "full"
    dkim: DkimPolicy = "warn"
    strict: bool = False
    """Refuse what can't be rewritten, rather than give it back as it came."""

    def __post_init__(self) -> None:
        for setting, choices in _CHOICES.items():
            if (value := getattr(self, setting)) not in choices:
                raise ConfigError(setting, f"{value!r} is none of {', '.join(choices)}")
        for setting in ("tracking_domain", "exclude_domains", "only_domains"):
            value = getattr(self, setting)
            for domain in (value,) if isinstance(value, str) else value:
                if len(domain) > 253 or not _DOMAIN.fullmatch(domain):
                    raise ConfigError(setting, f"{domain!r} is not a lower-case ASCII domain name")
        if self.port is not None and not 0 < self.port < 65536:
            raise ConfigError("port", f"{self.port} is not between 1 and 65535")
        if self.pixel == "token" and not self.pixel_token:
            raise ConfigError("pixel_token", "is empty, but pixel is 'token'")
        if any(not name for name, _ in self.utm):
            raise ConfigError("utm", "a parameter has no name")

    @property
    def origin(self) -> str:
        """Scheme, tracking domain and port, as they begin every tracked URL."""
        usual = {"https": 443, "http": 80}[self.scheme]  # a browser leaves it out, and so do we
        port = "" if self.port in (None, usual) else f":{self.port}"
        return f"{self.scheme}://{self.tracking_domain}{port}"
