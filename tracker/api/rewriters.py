"""Rewriters for `POST /v1/rewrite`: made once for the settings that come up again.

In: the office's keyring, and the register of domains that it publishes. Out: a `Config` for a
sending domain, and a `Rewriter` for a `Config`. Either file is read anew once it was replaced; one
that can't be read leaves the one before.
"""

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from rewriter.config import Config, ConfigError
from rewriter.domains import Register
from rewriter.keyring import Keyring, KeyringError
from rewriter.mime.message import Refused
from rewriter.notices import Notice
from rewriter.rewriter import Rewriter

REMEMBERED: Final = 16  # rewriters, each with what it decided about up to 2,048 links


class Rewriters:
    """Rewriters for the settings seen last, made anew once the keyring's file was replaced.

    They may be asked for from any thread.
    """

    def __init__(self, path: Path, published: Path) -> None:
        """Raise KeyringError if the keyring can't be used."""
        self._path = path
        self._published = published
        self._version = _version(path)
        self._register: Register | None = None
        self._register_version: tuple[int, int] | None = None
        self._use(Keyring.load(path))

    def config(self, given: Mapping[str, Any], sending_domain: str) -> Config:
        """Return what was given over what is registered for a sending domain.

        Raises Refused if its links have nowhere to lead.
        """
        if (register := self._current()) is None:
            return Config(**given)
        if (config := register.config(given, sending_domain)) is None:
            raise Refused([Notice("no-tracking-domain", "", sending_domain)])
        return config

    def knows(self) -> bool:
        """Tell whether any sending domain is registered, so that requests need not say more."""
        register = self._current()
        return register is not None and bool(register.sending)

    def _current(self) -> Register | None:
        if (version := _version(self._published)) != self._register_version:
            self._register_version = version
            with suppress(ConfigError):  # the office writes it anew before long
                self._register = Register.load(self._published) or self._register
        return self._register

    def of(self, config: Config) -> Rewriter:
        """Return a rewriter that signs with the newest key. Raises KeyringError."""
        if (version := _version(self._path)) != self._version:
            self._version = version
            with suppress(KeyringError):  # what it held before still signs links that lead on
                self._use(Keyring.load(self._path))
        return self._remembered(config)

    def _use(self, keyring: Keyring) -> None:
        def made(config: Config) -> Rewriter:
            return Rewriter(config, keyring)

        self._remembered = lru_cache(REMEMBERED)(made)


def _version(path: Path) -> tuple[int, int] | None:
    """Tell one version of a file, which is only ever replaced as a whole, from another."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
