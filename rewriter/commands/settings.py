"""Settings from flags, environment and file: read once, refused by name.

In: what was given on the command line, the environment, a TOML table. Out: frozen `Settings`. What
stands on the command line goes before `REWRITER_…`, that before the `[rewriter]` table, and that
before what the tracker's register of domains says of a sending domain.
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rewriter import domains
from rewriter.config import Config, ConfigError
from rewriter.domains import Register
from rewriter.keyring import BadDomain, canonical_domain
from rewriter.mime.letterhead import Letterhead

PREFIX: Final = "REWRITER_"
# The tracker's own file; the rewriter keeps its table in it.
DEFAULT_FILE: Final = Path("tracker.toml")
DEFAULT_KEYRING: Final = Path("data/keyring.json")
NOWHERE: Final = Path(os.devnull, domains.FILE)  # no register will ever be there

YES: Final = frozenset({"yes", "true", "on", "1"})
NO: Final = frozenset({"no", "false", "off", "0"})

Reader = Callable[[object], Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the commands work with. `letterhead` holds what is said of every message.

    `config` is for all mail where there is no register of domains; `given` is what the sender said
    of it, by name, and goes before what the register at the path `domains` says.
    """

    config: Config
    keyring: Path
    letterhead: Letterhead
    given: Mapping[str, Any] = field(default_factory=dict)
    domains: Path = NOWHERE
    register: Register | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """How a setting is read, from text or from a TOML value, and what it is for."""

    read: Reader
    help: str
    metavar: str = ""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")
    return value


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word not in YES | NO:
        raise ValueError(f"{value!r} is neither yes nor no")
    return word in YES


def _number(value: object) -> int:
    try:
        return int(str(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is not a number") from error


def _domain(value: object) -> str:
    return canonical_domain(_text(value))


def _domains(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else _text(value).split(",")
    return tuple(canonical_domain(_text(item)) for item in items if item)


def _pairs(value: object) -> tuple[tuple[str, str], ...]:
    if isinstance(value, dict):
        return tuple((_text(name), _text(item)) for name, item in value.items())
    pairs = [item.partition("=") for item in _text(value).split("&") if item]
    if any(not equals for _, equals, _ in pairs):
        raise ValueError(f"{value!r} is not name=value&name=value")
    return tuple((name, item) for name, _, item in pairs)


SETTINGS: Final[Mapping[str, Setting]] = {
    "tracking_url": Setting(_text, "tracking domain, scheme and port in one", "URL"),
    "tracking_domain": Setting(_domain, "the host name that tracked links lead to", "DOMAIN"),
    "scheme": Setting(_text, "https (default) or http", "SCHEME"),
    "port": Setting(_number, "port of tracked links, to try it on one machine", "PORT"),
    "keyring": Setting(_text, f"file with the keys (default {DEFAULT_KEYRING})", "FILE"),
    "settings": Setting(
        _text, f"what the tracker publishes (default {domains.FILE} beside the keyring)", "FILE"
    ),
    "sending_domain": Setting(_domain, "whose mail it is (default: the domain in From)", "DOMAIN"),
    "clicks": Setting(_switch, "track links in HTML (default yes)"),
    "text_links": Setting(_switch, "track links in text/plain parts too"),
    "amp": Setting(_switch, "track links in AMP parts too"),
    "exclude_domains": Setting(_domains, "leave links to these domains as they are", "DOMAINS"),
    "only_domains": Setting(_domains, "track links to these domains only", "DOMAINS"),
    "skip_visible_urls": Setting(_switch, "leave a link whose visible text is a URL itself"),
    "utm": Setting(_pairs, "parameters to add to each tracked link: name=value&…", "PAIRS"),
    "opens": Setting(_switch, "put in a pixel (default yes)"),
    "pixel": Setting(_text, "where: bottom (default), top, both or token", "PLACE"),
    "pixel_token": Setting(_text, "what stands in the page where the pixel goes", "TEXT"),
    "hidden_link": Setting(_switch, "put in a link that only machines follow"),
    "unsubscribe_html": Setting(_text, "footer for HTML without an unsubscribe link", "HTML"),
    "unsubscribe_text": Setting(_text, "footer for text without an unsubscribe link", "TEXT"),
    "list_unsubscribe": Setting(_switch, "add List-Unsubscribe headers (default yes)"),
    "privacy": Setting(
        _text, "full (default), identified, pseudonymous, anonymous, or off: change nothing", "MODE"
    ),
    "dkim": Setting(_text, "with a DKIM signature: warn (default), refuse or strip it", "POLICY"),
    "strict": Setting(_switch, "give out nothing rather than something that isn't rewritten"),
}


def read_settings(
    flags: Mapping[str, object], environment: Mapping[str, str], file: Path | None = None
) -> Settings:
    """Put the settings together. Raises ConfigError."""
    given = {**_from_file(file, environment), **_from_environment(environment), **flags}
    values = read_values(given)
    keyring = Path(values.pop("keyring", DEFAULT_KEYRING))
    letterhead = Letterhead(sending_domain=values.pop("sending_domain", ""))
    named = values.pop("settings", "")
    published = Path(named) if named else keyring.with_name(domains.FILE)
    if (register := Register.load(published)) is None and named:
        raise ConfigError("settings", f"there is no file {published}")
    known = register and register.sending
    if "tracking_domain" not in values and values.get("privacy") != "off" and not known:
        raise ConfigError(
            "tracking_domain",
            "give --tracking-domain (or --tracking-url), REWRITER_TRACKING_DOMAIN or"
            " tracking_domain in the [rewriter] table: it is where tracked links lead; or register"
            " one by 'tracker domains add'",
        )
    config = Config(**{"tracking_domain": "unused", **values})
    return Settings(config, keyring, letterhead, values, published, register)


def read_values(given: Mapping[str, object]) -> dict[str, Any]:
    """Read settings by name, a tracking URL as what it is made of. Raises ConfigError."""
    values = {name: _read(name, value) for name, value in given.items()}
    if url := values.pop("tracking_url", None):
        values = {**_tracking(url), **values}
    return values


def flag(name: str) -> str:
    """Return the command line's spelling of a setting."""
    return "--" + name.replace("_", "-")


def is_switch(setting: Setting) -> bool:
    """Tell whether a setting is yes or no."""
    return setting.read is _switch


def _read(name: str, value: object) -> Any:
    if name not in SETTINGS:
        raise ConfigError(name, "there is no such setting" + _similar(name))
    try:
        return SETTINGS[name].read(value)
    except (ValueError, BadDomain) as error:
        raise ConfigError(name, str(error)) from error


def _similar(name: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

    close = get_close_matches(name, SETTINGS, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _from_environment(environment: Mapping[str, str]) -> dict[str, object]:
    given: dict[str, object] = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX)
    }
    given.pop("config", None)
    return given


def _from_file(file: Path | None, environment: Mapping[str, str]) -> dict[str, object]:
    named = file or environment.get(PREFIX + "CONFIG")
    path = Path(named or DEFAULT_FILE)
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        if named:
            raise ConfigError("config", f"there is no file {path}") from error
        return {}
    except OSError as error:
        raise ConfigError("config", f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("config", f"{path} is not TOML: {error}") from error
    table = content.get("rewriter", {})
    if not isinstance(table, dict):
        raise ConfigError("config", f"rewriter in {path} is not a table")
    return table


def _tracking(url: str) -> dict[str, object]:
    scheme, separator, rest = url.rstrip("/").partition("://")
    host, colon, port = rest.partition(":")
    if not separator or "/" in rest:
        raise ConfigError("tracking_url", f"{url!r} is not like https://click.example.com")
    try:
        parts = {"scheme": scheme, "tracking_domain": canonical_domain(host)}
        return {**parts, "port": _number(port)} if colon else dict(parts)
    except (ValueError, BadDomain) as error:
        raise ConfigError("tracking_url", str(error)) from error
