"""The register of domains, as the tracker publishes it: what is set for a sending domain's mail.

In: the tracker's `domains.json`, which stands beside the keyring. Out: a `Config` for each sending
domain. What the sender said on the command line or in the settings goes before what is set there.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self

import msgspec

from rewriter.config import Config, ConfigError, Scheme

FILE: Final = "domains.json"


class TrackingDomain(msgspec.Struct, frozen=True):
    """What decides about the scheme of new links."""

    web_scheme: Literal["auto", "http", "https"] = "auto"
    tls: Literal["own", "external"] = "own"
    https_proven_at: int = 0

    @property
    def scheme(self) -> Scheme:
        """What new links begin with: https only once somebody has shown or said that it works."""
        if self.web_scheme == "auto":
            return "https" if self.https_proven_at or self.tls == "external" else "http"
        return self.web_scheme


class Opens(msgspec.Struct, frozen=True):
    """The pixel."""

    active: bool = True
    place_at_the_top: bool = False


class Clicks(msgspec.Struct, frozen=True):
    """The links."""

    active: bool | Literal["htmlonly"] = "htmlonly"


class Unsubscribe(msgspec.Struct, frozen=True):
    """The footers."""

    active: bool = False
    html_footer: str = ""
    text_footer: str = ""


class SendingDomain(msgspec.Struct, frozen=True):
    """What is done to a sending domain's mail."""

    tracking_domain: str = ""
    open: Opens = Opens()
    click: Clicks = Clicks()
    unsubscribe: Unsubscribe = Unsubscribe()

    def settings(self) -> dict[str, Any]:
        """Say the same in the settings of `Config`."""
        footers = self.unsubscribe if self.unsubscribe.active else Unsubscribe()
        return {
            "tracking_domain": self.tracking_domain,
            "opens": self.open.active,
            "pixel": "top" if self.open.place_at_the_top else "bottom",
            "clicks": bool(self.click.active),
            "text_links": self.click.active is True,
            "unsubscribe_html": footers.html_footer,
            "unsubscribe_text": footers.text_footer,
        }


class Register(msgspec.Struct, frozen=True):
    """Everything that was registered when it was published."""

    version: Literal[1]
    tracking: dict[str, TrackingDomain]
    sending: dict[str, SendingDomain]

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Read the file, None if it isn't there. Raises ConfigError."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError("settings", f"cannot read {path}: {error.strerror}") from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ConfigError(
                "settings", f"{path} isn't what 'tracker domains snapshot' prints: {error}"
            ) from error

    def config(self, given: Mapping[str, Any], sending_domain: str) -> Config | None:
        """Return what to do to a sending domain's mail; None if its links have nowhere to lead.

        `given` is what the sender said. Raises ConfigError.
        """
        sending = self.sending.get(sending_domain)
        values = {**(sending.settings() if sending else {}), **given}
        if not (leads := values.get("tracking_domain")):
            return None
        if tracking := self.tracking.get(leads):
            values.setdefault("scheme", tracking.scheme)
        return Config(**values)
