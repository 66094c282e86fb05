"""The keyring: secrets with ids, what is derived from them for a domain, and their rotation.

Two kinds of file have the same form. The operator's **master** keyring derives keys for every
tracking domain; a **domain** keyring, exported from it, holds what was derived for one domain, so
that a tenant's rewriter can sign for its own domain and forge for no other.

Promise: a keyring that others can read is refused, and no file is ever replaced half-written.
"""

import contextlib
import hmac
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import msgspec
from itsdangerous.encoding import base64_decode, base64_encode
from itsdangerous.exc import BadData

SECRET_BYTES = 32
LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


class KeyringError(Exception):
    """The keyring can't be used; the message says what is wrong and what would be right."""


class BadDomain(ValueError):
    """The text is no host name."""


def canonical_domain(text: str) -> str:
    """Give a host name the one form that keys are derived from: lower case, IDNA, no final dot.

    Raises BadDomain. A port isn't part of a domain and is refused with everything else that is no
    label.
    """
    name = text.strip().rstrip(".").lower()
    try:
        ascii_name = name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise BadDomain(f"{text!r} is not a host name: {error}") from error
    if not 0 < len(ascii_name) <= 253 or not all(
        LABEL.fullmatch(label) for label in ascii_name.split(".")
    ):
        raise BadDomain(f"{text!r} is not a host name such as click.example.com")
    return ascii_name


@dataclass(frozen=True, slots=True)
class DomainKey:
    """What one secret gives one tracking domain."""

    id: int
    signing: bytes
    sealing: bytes


@dataclass(frozen=True, slots=True)
class DomainKeys:
    """The keys of one tracking domain, oldest first: the last one signs, all of them verify."""

    domain: str
    keys: tuple[DomainKey, ...]


class Secret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One secret of the keyring. A retired one neither signs nor verifies, but can be restored.

    One that `waits` verifies and doesn't sign yet: machines that share the keyring may lack it.
    """

    id: int
    secret: str
    created: str
    retired: str | None = None
    # Left out of the file unless it waits, so that older rewriters read what they always did.
    waits: bool | msgspec.UnsetType = msgspec.UNSET

    @property
    def signs(self) -> bool:
        """Tell whether it may sign; of those that may, the last one does."""
        return not self.retired and self.waits is not True

    def material(self) -> bytes:
        """Return the secret's bytes; raise KeyringError if they aren't 32."""
        try:
            material = base64_decode(self.secret)
        except BadData as error:
            raise KeyringError(f"key {self.id} is not base64url") from error
        if len(material) != SECRET_BYTES:
            raise KeyringError(f"key {self.id} has {len(material)} bytes, not {SECRET_BYTES}")
        return material


class Keyring(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Secrets, oldest first. `domain` is empty in a master keyring."""

    keys: tuple[Secret, ...]
    domain: str = ""
    version: int = 1

    @classmethod
    def new(cls) -> Self:
        """Return a master keyring with one fresh secret."""
        return cls(keys=(_fresh(1),))

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a keyring; raise KeyringError if it is missing, readable by others or damaged."""
        path = Path(path)
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                content = file.read(1 << 20)
        except FileNotFoundError as error:
            raise KeyringError(f"no keyring at {path}: make one with 'tracker keys new'") from error
        except OSError as error:
            raise KeyringError(f"cannot read the keyring {path}: {error.strerror}") from error
        if mode & 0o077:
            raise KeyringError(f"others can read the keyring {path}: run 'chmod 600 {path}'")
        try:
            keyring = msgspec.json.decode(content, type=cls)
        except msgspec.MsgspecError as error:
            raise KeyringError(
                f"{path} is not a keyring: {error}; put back a copy of it"
            ) from error
        keyring._check(path)
        return keyring

    def save(self, path: Path | str) -> None:
        """Write the keyring with mode 0600, whole or not at all."""
        path = Path(path)
        content = msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"
        try:
            with _replacing(path) as file:
                os.write(file, content)
        except OSError as error:
            raise KeyringError(f"cannot write the keyring {path}: {error.strerror}") from error

    def rotated(self) -> Self:
        """Return the keyring with a fresh secret that signs from now on."""
        self._refuse_derived("rotate")
        used = {key.id for key in self.keys}
        free = next((number for number in range(1, 256) if number not in used), None)
        if free is None:
            raise KeyringError("the keyring holds 255 keys, the most that a token can name")
        return msgspec.structs.replace(self, keys=(*self.keys, _fresh(free)))

    def retire(self, key_id: int) -> Self:
        """Return the keyring with one key retired: its links and pixels no longer verify."""
        self._refuse_derived("retire a key of")
        if key_id not in {key.id for key in self.keys}:
            known = ", ".join(str(key.id) for key in self.keys)
            raise KeyringError(f"there is no key {key_id}; the keyring holds {known}")
        now = _now()
        keys = tuple(
            msgspec.structs.replace(key, retired=now) if key.id == key_id else key
            for key in self.keys
        )
        if all(key.retired for key in keys):
            raise KeyringError(
                f"key {key_id} is the last one that works:"
                " make another with 'tracker keys new' first"
            )
        if not any(key.signs for key in keys):
            raise KeyringError(f"key {key_id} is the last one that signs: the others still wait")
        return msgspec.structs.replace(self, keys=keys)

    def export(self, domain: str) -> Self:
        """Return the keyring of one tracking domain, which signs for it and for no other."""
        self._refuse_derived("export from")
        domain = canonical_domain(domain)
        keys = tuple(
            msgspec.structs.replace(
                key, secret=base64_encode(_domain_secret(key.material(), domain)).decode()
            )
            for key in self.keys
        )
        return type(self)(keys=keys, domain=domain)

    def for_domain(self, domain: str) -> DomainKeys:
        """Derive what signs and seals for one tracking domain. Raises KeyringError, BadDomain."""
        domain = canonical_domain(domain)
        if self.domain and self.domain != domain:
            raise KeyringError(f"this keyring is for {self.domain} and can't sign for {domain}")
        living = [key for key in self.keys if not key.retired]
        living.sort(key=lambda key: key.signs)  # those that wait come first: the last one signs
        return DomainKeys(domain, tuple(self._derive(key, domain) for key in living))

    def _derive(self, key: Secret, domain: str) -> DomainKey:
        secret = key.material() if self.domain else _domain_secret(key.material(), domain)
        return DomainKey(key.id, _hkdf(secret, b"sign", 32), _hkdf(secret, b"seal", 64))

    def _check(self, path: Path) -> None:
        if self.version != 1:
            raise KeyringError(f"{path} is a keyring of version {self.version}, not 1")
        ids = [key.id for key in self.keys]
        if len(set(ids)) < len(ids) or not all(0 < number < 256 for number in ids):
            raise KeyringError(f"{path}: key ids must be different numbers from 1 to 255")
        if all(key.retired for key in self.keys):
            raise KeyringError(f"{path} holds no key that is in use")
        for key in self.keys:
            key.material()

    def _refuse_derived(self, what: str) -> None:
        if self.domain:
            raise KeyringError(
                f"can't {what} the keyring of {self.domain}: it was exported from a master keyring,"
                " where this is done"
            )


def _fresh(number: int) -> Secret:
    secret = base64_encode(secrets.token_bytes(SECRET_BYTES)).decode()
    return Secret(id=number, secret=secret, created=_now())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _domain_secret(master: bytes, domain: str) -> bytes:
    return _hkdf(master, b"domain " + domain.encode(), SECRET_BYTES)


def _hkdf(secret: bytes, purpose: bytes, length: int) -> bytes:
    """Derive `length` bytes with HKDF-SHA256 (RFC 5869), no salt: the secret is uniform (§3.1).

    Ours, because the library that has it costs every edge worker 4 MB; a test holds it to that one.
    """
    extracted = hmac.digest(bytes(32), secret, "sha256")
    derived = block = b""
    for number in range(1, -(-length // 32) + 1):
        info = b"tracking-edge/1 " + purpose + bytes((number,))
        block = hmac.digest(extracted, block + info, "sha256")
        derived += block
    return derived[:length]


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[int]:
    """Open a new private file that takes the place of `path`, durably, once it is written."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        try:
            yield descriptor
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
