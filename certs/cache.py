"""The cache: certificates in a folder, encrypted, for the TLS front to read.

In: bundles that the vault has committed. Out: the same, by name, while the vault is away. The
office writes, edge workers read, and neither waits for the other.

Promise: a file is there whole or not at all, whatever is killed; no key is on the disk in clear; a
certificate stays until it is removed, expired or not.
"""

import logging
import os
import re
import secrets
from pathlib import Path
from typing import Final

import msgspec

from certs.vault.bundle import Bundle
from certs.vault.master import CannotOpen, MasterKey, synced

CERTIFICATES: Final = "certificates"
CHALLENGES: Final = "challenges"
THUMBPRINTS: Final = "thumbprints"
FRESH: Final = ".fresh-"  # no host name begins so
# What a client names in its ClientHello may be anything, and must not lead out of the folder.
NAME: Final = re.compile(r"(?!\.)[a-z0-9._-]{1,253}")

Version = tuple[int, int, int]

logger = logging.getLogger(__name__)


class Cache:
    """A folder of certificates. Names are host names in lower case, as IDNA writes them."""

    def __init__(self, folder: Path, master: MasterKey) -> None:
        self._folder = folder
        self._master = master
        self._thumbprints: tuple[Version | None, tuple[str, ...]] = (None, ())
        self._damaged: dict[Path, Version | None] = {}

    def get(self, name: str) -> Bundle | None:
        """Return a name's certificate; None if there is none that can be read."""
        return self._read(CERTIFICATES, name)

    def version(self, name: str) -> Version | None:
        """Return what changes whenever the name's certificate does, for the price of a stat."""
        return _version(self._folder / CERTIFICATES / name) if NAME.fullmatch(name) else None

    def names(self) -> list[str]:
        """Return every name that has a certificate here."""
        return sorted(path.name for path in self._files(CERTIFICATES) if NAME.fullmatch(path.name))

    def tidy(self) -> None:
        """Remove what a killed process had begun to write. For the one process that writes."""
        for path in (*self._files(CERTIFICATES), *self._files(CHALLENGES)):
            if path.name.startswith(FRESH):
                path.unlink(missing_ok=True)

    def put(self, bundle: Bundle) -> None:
        """Keep a certificate in the place of the name's last one. Raises OSError."""
        self._write(CERTIFICATES, bundle)

    def remove(self, name: str) -> None:
        """Forget a name's certificate. Raises OSError."""
        self._path(CERTIFICATES, name).unlink(missing_ok=True)

    def challenge(self, name: str) -> Bundle | None:
        """Return the certificate that answers the CA's TLS-ALPN-01 challenge (RFC 8737)."""
        return self._read(CHALLENGES, name)

    def put_challenge(self, name: str, chain_pem: bytes, key_pem: bytes) -> None:
        """Answer a TLS-ALPN-01 challenge with this certificate from now on. Raises OSError."""
        self._write(CHALLENGES, Bundle(name, chain_pem, key_pem, 0, 0, 0))

    def drop_challenge(self, name: str) -> None:
        """Answer the name's TLS-ALPN-01 challenge no longer. Raises OSError."""
        self._path(CHALLENGES, name).unlink(missing_ok=True)

    def thumbprints(self) -> tuple[str, ...]:
        """Return the thumbprints of our accounts, which answer HTTP-01 challenges (RFC 8555 §8.3).

        They are no secret: the CA tells them to whoever asks.
        """
        path = self._folder / THUMBPRINTS
        if (version := _version(path)) != self._thumbprints[0]:
            try:
                self._thumbprints = version, tuple(path.read_text("ascii").split())
            except (OSError, UnicodeDecodeError) as error:
                logger.error("thumbprints_unreadable", extra={"why": str(error)})
        return self._thumbprints[1]

    def put_thumbprints(self, thumbprints: tuple[str, ...]) -> None:
        """Answer HTTP-01 challenges for these accounts. Raises OSError."""
        _replace(self._folder / THUMBPRINTS, "".join(f"{one}\n" for one in thumbprints).encode())

    def _files(self, kind: str) -> list[Path]:
        folder = self._folder / kind
        return list(folder.iterdir()) if folder.is_dir() else []

    def _path(self, kind: str, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a host name")
        return self._folder / kind / name

    def _write(self, kind: str, bundle: Bundle) -> None:
        path = self._path(kind, bundle.name)
        content = self._master.seal(msgspec.msgpack.encode(bundle), _use(kind, bundle.name))
        _replace(path, content)

    def _read(self, kind: str, name: str) -> Bundle | None:
        if not NAME.fullmatch(name):
            return None
        path = self._folder / kind / name
        try:
            content = self._master.open(path.read_bytes(), _use(kind, name))
            return msgspec.msgpack.decode(content, type=Bundle)
        except FileNotFoundError:
            return None
        except (OSError, CannotOpen, msgspec.MsgspecError) as error:
            self._tell(path, error)
            return None

    def _tell(self, path: Path, error: Exception) -> None:
        """Log a damaged file, once for each content of it."""
        version = _version(path)
        if self._damaged.get(path, ()) != version:
            self._damaged[path] = version
            logger.error("certificate_unreadable", extra={"file": str(path), "why": str(error)})


def _use(kind: str, name: str) -> str:
    return f"cache/{kind}/{name}"


def _version(path: Path) -> Version | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(FRESH + secrets.token_hex(8))
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    synced(path.parent)
