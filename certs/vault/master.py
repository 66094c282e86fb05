"""The master key: what every private key is encrypted under before it touches a disk.

In: a file of its own, or a systemd credential. Out: sealed bytes that open under this key, and for
the use they were sealed for, alone.

Promise: the key is made once and never replaced; a file that others can read is refused, as is a
credential that everybody can.
"""

import os
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
WRITTEN: Final = re.compile(rb"[A-Za-z0-9_-]{43}\n?")
CREDENTIAL: Final = "master.key"  # as in systemd's LoadCredential=master.key:/path


class MasterKeyError(Exception):
    """The master key can't be used; the message is one sentence that says why."""


class CannotOpen(Exception):
    """Sealed bytes are damaged, or were sealed under another key or for another use."""


class MasterKey:
    """A key that seals. Load it with `load`, make it once with `make`."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        # Tells keys apart without telling anything of them.
        self.id = sha256(b"tracking-edge master key id" + key).hexdigest()[:16]

    @classmethod
    def load(cls, path: Path, *, environment: Mapping[str, str] = os.environ) -> Self:
        """Load the key from systemd's credential, else from the file. Raises MasterKeyError."""
        ours, path = path, placed(path, environment)
        # systemd shows a credential to the service's group, from version 254 on, and Kubernetes a
        # secret to the pod's; both keep the folder to those (systemd.exec(5), fsGroup).
        strangers = 0o077 if path == ours else 0o007
        try:
            with path.open("rb") as file:
                state = os.fstat(file.fileno())
                content = file.read(KEY_BYTES * 4)
        except FileNotFoundError as error:
            raise MasterKeyError(
                f"there is no master key {path}: restore it from a backup; the private keys"
                " of certificates can't be read without it"
            ) from error
        except OSError as error:
            raise MasterKeyError(f"cannot read the master key {path}: {error.strerror}") from error
        if state.st_mode & strangers:
            raise MasterKeyError(f"others can read the master key {path}: run 'chmod 600 {path}'")
        if not WRITTEN.fullmatch(content):
            raise MasterKeyError(
                f"{path} is not a master key, which is one line of 43 characters: restore it from"
                " a backup"
            )
        return cls(urlsafe_b64decode(content.strip() + b"="))

    @classmethod
    def make(cls, path: Path, *, environment: Mapping[str, str] = os.environ) -> Self:
        """Load the key, making it if there is none yet. Raises MasterKeyError."""
        if not placed(path, environment).exists():
            try:
                _write_once(path)
            except OSError as error:
                raise MasterKeyError(
                    f"cannot make the master key {path}: {error.strerror}"
                ) from error
        return cls.load(path, environment=environment)

    def seal(self, plain: bytes, use: str) -> bytes:
        """Encrypt and authenticate bytes (AES-256-GCM) for one use, which isn't kept with them."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, use.encode())

    def open(self, sealed: bytes, use: str) -> bytes:
        """Return what was sealed for this use. Raises CannotOpen."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], use.encode())
        except (InvalidTag, ValueError) as error:
            raise CannotOpen(f"what is kept as {use} does not open") from error


def placed(path: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the key lies: a credential of systemd's comes before the file."""
    folder = environment.get("CREDENTIALS_DIRECTORY")
    credential = Path(folder) / CREDENTIAL if folder else None
    return credential if credential and credential.exists() else path


def _write_once(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).rstrip(b"=") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: it never replaces a key, and of two first starts one wins.
        path.hardlink_to(fresh)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    synced(path.parent)


def synced(folder: Path) -> None:
    """Bring a folder's names to the disk: without it a rename may be gone after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
