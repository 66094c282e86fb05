"""The key file: keys that open the whole API, one a line, readable by its owner alone.

It is made with a fresh key on the first start.
"""

import os
import secrets
from pathlib import Path
from typing import Final

MOST_CHARACTERS: Final = 16_384


class KeyFileError(Exception):
    """The key file can't be used; the message is one sentence that says why."""


def read_keys(path: Path) -> list[str]:
    """Return the keys of a file, making it with a fresh one if it is missing.

    Raises KeyFileError if it can't be read or made, holds no key, or can be read by others.
    """
    try:
        _make(path)
        with path.open(encoding="ascii") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MOST_CHARACTERS)
    except OSError as error:
        raise KeyFileError(f"cannot use the API key file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise KeyFileError(
            f"the API key file {path} is not a text of one key a line: remove it to get a new one"
        ) from error
    if mode & 0o077:
        raise KeyFileError(f"others can read the API key file {path}: run 'chmod 600 {path}'")
    keys = content.split()
    if not keys:
        raise KeyFileError(f"the API key file {path} holds no key: remove it to get a new one")
    return keys


def _make(path: Path) -> None:
    """Make the file whole under another name, so that nobody reads it half-written."""
    if path.exists():
        return
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{secrets.token_urlsafe(32)}\n")
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: of two first starts at once, both end up with the first one's key.
        path.hardlink_to(fresh)
    except FileExistsError:
        return
    finally:
        fresh.unlink()
