"""Contexts: opens the tokens of hits, off the hot path, and tells whose mail it was.

In: a hit, whose token the edge has verified. Out: its context and its link, or Unreadable.
"""

import os
from functools import lru_cache
from pathlib import Path

from rewriter.keyring import BadDomain, Keyring, KeyringError
from rewriter.tokens import BadToken, Context, Link, Tokens, open_link
from tracker.hit import Hit


class Unreadable(Exception):
    """The hit can't become an event; the message says why."""


class Contexts:
    """Opens contexts with the keys of one keyring, whose file it reads anew when it has changed."""

    def __init__(self, path: Path) -> None:
        """Raise KeyringError if the keyring can't be used."""
        self._path = path
        self._written = _written(path)
        self._keyring = Keyring.load(path)
        self._tokens: dict[str, Tokens] = {}

    def open(self, hit: Hit) -> tuple[Context, Link]:
        """Open a hit's token. Raises Unreadable."""
        try:
            return self._open(hit)
        except (BadToken, KeyringError, BadDomain) as error:
            if not self._renewed():
                raise Unreadable(str(error)) from error
        try:
            return self._open(hit)
        except (BadToken, KeyringError, BadDomain) as error:
            raise Unreadable(str(error)) from error

    def _open(self, hit: Hit) -> tuple[Context, Link]:
        link_frame, context_frame, *_ = [*hit.token.encode().split(b"."), b""]
        return self._of(hit.domain).open_context(context_frame), _link(link_frame)

    def _of(self, domain: str) -> Tokens:
        if (tokens := self._tokens.get(domain)) is None:
            tokens = self._tokens[domain] = Tokens(self._keyring.for_domain(domain))
        return tokens

    def _renewed(self) -> bool:
        """Read the keyring again if it was replaced: the edge may know a new key before we do."""
        written = _written(self._path)
        if written == self._written:
            return False
        self._written = written
        try:
            keyring = Keyring.load(self._path)
        except KeyringError:
            return False  # what was loaded still opens what it opened before
        self._keyring, self._tokens = keyring, {}
        return True


# All recipients of a mailing share its links.
_link = lru_cache(10_000)(open_link)


def _written(path: Path) -> tuple[int, int] | None:
    """Tell one version of a file, which is only ever replaced as a whole, from another."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a str or a Path
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
