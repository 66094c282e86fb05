"""Certificates, as the office keeps them for the edge: an encrypted folder and the key to it.

The folder is opened when it is first needed: the office may be making the key just now, and a
worker that speaks no TLS needn't load what decrypts.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from certs.cache import Cache
    from certs.vault.bundle import Bundle

TRY_EVERY: Final = 1.0  # seconds between two attempts to open the folder

logger = logging.getLogger(__name__)


class Certificates:
    """The folder; without its key it is as if it were empty."""

    def __init__(
        self, folder: Path, master_key: Path, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._master_key = master_key
        self._clock = clock
        self._cache: Cache | None = None
        self._try_at = 0.0
        self._told = ""

    def version(self, name: str) -> object:
        """Return what changes when the name's certificate does, None where it has none."""
        cache = self.opened()
        return cache.version(name) if cache else None

    def get(self, name: str) -> "Bundle | None":
        """Return the name's certificate, None where it has none that can be read."""
        cache = self.opened()
        return cache.get(name) if cache else None

    def challenge(self, name: str) -> "Bundle | None":
        """Return the certificate that answers a TLS-ALPN-01 challenge."""
        cache = self.opened()
        return cache.challenge(name) if cache else None

    def thumbprints(self) -> tuple[str, ...]:
        """Return the thumbprints of our ACME accounts."""
        cache = self.opened()
        return cache.thumbprints() if cache else ()

    def opened(self) -> "Cache | None":
        """Return the folder once it can be opened."""
        now = self._clock()
        if self._cache is None and now >= self._try_at:
            self._try_at = now + TRY_EVERY
            self._cache = self._open()
        return self._cache

    def _open(self) -> "Cache | None":
        # cryptography's ciphers take megabytes, and most workers behind a proxy never need them.
        from certs.cache import Cache  # noqa: PLC0415 - see above
        from certs.vault.master import MasterKey, MasterKeyError  # noqa: PLC0415 - as above

        try:
            return Cache(self._folder, MasterKey.load(self._master_key))
        except MasterKeyError as error:
            # Before the office has kept the first certificate, there is nothing to be read.
            if (why := str(error)) != self._told and _holds_any(self._folder):
                self._told = why
                logger.error("certificates_unreadable", extra={"why": why})
            return None


def _holds_any(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), None) is not None
    except OSError:
        return False
