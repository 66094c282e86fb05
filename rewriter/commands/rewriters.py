"""Rewriters: for each message the one of its sending domain.

In: settings, and the register of domains that the tracker publishes, if there is one. Out: a
`Rewriter`. A register that was replaced is taken up within a second; one that can't be read leaves
the one before.
"""

import time
from functools import lru_cache
from pathlib import Path
from typing import Final

from rewriter.commands.options import complain
from rewriter.commands.settings import Settings
from rewriter.config import Config, ConfigError
from rewriter.domains import Register
from rewriter.keyring import Keyring
from rewriter.mime.headers import after_mbox_line, read_headers
from rewriter.mime.letterhead import Letterhead, read_letterhead
from rewriter.mime.message import Refused, RewrittenMessage
from rewriter.notices import Notice
from rewriter.rewriter import Rewriter

EVERY: Final = 1.0  # seconds between two looks at the register
REMEMBERED: Final = 64  # rewriters, each with what it decided about up to 2,048 links

Version = tuple[int, int]


class Rewriters:
    """Rewriters under one keyring. They may be asked for from any thread."""

    def __init__(self, settings: Settings) -> None:
        """Raise KeyringError if the keyring can't be used."""
        keyring = Keyring.load(settings.keyring)

        def made(config: Config) -> Rewriter:
            return Rewriter(config, keyring)

        self._settings = settings
        self._made = lru_cache(REMEMBERED)(made)
        self._register = settings.register
        self._version = _version(settings.domains)
        self._looked = time.monotonic()

    def message(self, data: bytes, letterhead: Letterhead) -> RewrittenMessage:
        """Rewrite a message; one whose links have nowhere to lead stays, or with `strict` raises.

        Raises Refused, KeyringError.
        """
        try:
            rewriter = self.of_message(data)
        except Refused as refusal:
            if self._settings.config.strict:
                raise
            return RewrittenMessage(data, refusal.notices)
        return rewriter.message(data, letterhead)

    def of_message(self, data: bytes) -> Rewriter:
        """Return the rewriter for the domain in a message's From, unless another one is set.

        Raises Refused if its links have nowhere to lead, KeyringError if they can't be signed.
        """
        if self._current() is None:
            return self._made(self._settings.config)
        said = self._settings.letterhead.sending_domain
        headers = read_headers(data, after_mbox_line(data), len(data))
        return self.of_domain(said or read_letterhead(headers).sending_domain)

    def of_domain(self, sending_domain: str) -> Rewriter:
        """Return the rewriter for a sending domain. Raises as `of_message` does."""
        if (register := self._current()) is None:
            return self._made(self._settings.config)
        config = register.config(self._settings.given, sending_domain)
        if config is None:
            raise Refused([Notice("no-tracking-domain", "", sending_domain)])
        return self._made(config)

    def _current(self) -> Register | None:
        now = time.monotonic()
        if now - self._looked >= EVERY:
            self._looked = now
            if (version := _version(self._settings.domains)) != self._version:
                self._version = version
                self._take()
        return self._register

    def _take(self) -> None:
        try:
            self._register = Register.load(self._settings.domains) or self._register
        except ConfigError as error:
            complain(f"warning: {error}; what was set before stays")


def _version(path: Path) -> Version | None:
    """Tell one version of a file, which is only ever replaced as a whole, from another."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
