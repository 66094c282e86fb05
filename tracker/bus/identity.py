"""Who we are to the bus: the files that an Access names, read anew for each connection.

In: an Access. Out: an Identity, which says it as nats-py takes it, or Unreadable with a sentence.
Promise: where TLS is demanded, nothing secret goes to a server that speaks none.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracker.bus.address import Access
from tracker.bus.credentials import BadCredentials, Credentials


class Unreadable(Exception):
    """A file can't be read, or holds something else; the message says which."""


class InClear(Exception):
    """The server speaks no TLS, though that is demanded."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What is shown to a server. `context` is there where TLS is demanded."""

    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    credentials: Credentials | None = None
    context: ssl.SSLContext | None = None

    def check(self, in_clear: bool) -> None:
        """Raise InClear if TLS is demanded of a connection without it."""
        if self.context is not None and in_clear:
            raise InClear

    def options(self, in_clear: Callable[[], bool]) -> dict[str, Any]:
        """Return the options of nats-py's `connect`, which asks for secrets when it sends them."""

        def guarded(secret: str) -> Callable[[], str]:
            def give() -> str:
                self.check(in_clear())
                return secret

            return give

        options: dict[str, Any] = {}
        if self.context is not None:
            options["tls"] = self.context
        if (credentials := self.credentials) is not None:
            options["user_jwt_cb"] = lambda: guarded(credentials.token)().encode()
            options["signature_cb"] = credentials.sign
        if self.user:
            options |= {"user": self.user, "password": guarded(self.password)}
        if self.token:
            options["token"] = guarded(self.token)
        return options


def read(access: Access) -> Identity:
    """Read the files that an access names. Raises Unreadable."""
    return Identity(
        user=access.user,
        password=access.password or _text(access.password_file),
        token=access.token or _text(access.token_file),
        credentials=_credentials(access.creds) if access.creds else None,
        context=_context(access) if access.tls else None,
    )


def _credentials(path: str) -> Credentials:
    try:
        return Credentials.parse(_text(path))
    except BadCredentials as error:
        raise Unreadable(f"{path} {error}") from error


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip() if path else ""
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path} holds no text") from error


def _context(access: Access) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=access.ca or None)
        if access.cert:
            context.load_cert_chain(access.cert, access.key or None)
    except ssl.SSLError as error:
        raise Unreadable(
            f"{access.cert or access.ca} holds no certificate that can be used: {error.reason}"
        ) from error
    except OSError as error:
        raise Unreadable(f"cannot read {access.ca or access.cert}: {error.strerror}") from error
    return context
