"""Event documents as they arrive, of any kind."""

import zlib
from pathlib import Path
from typing import Any

import msgspec

from tracker.store.deflated import DICTIONARY, RAW

DOMAIN = "news.example"
START = 1_700_000_000  # seconds
_deflate = zlib.compressobj(level=3, wbits=RAW, memLevel=4, zdict=DICTIONARY)


def document(number: int = 0, /, **fields: Any) -> bytes:
    """Write an event; the number sets its id and its time, the fields replace or add."""
    plain = {
        "event": "opened",
        "id": f"id-{number:04}",
        "timestamp": START + number,
        "domain": {"name": DOMAIN},
        "recipient": "ann@example.com",
        "tags": [],
        "message": {"headers": {"message-id": "20261121.1@news.example"}},
    }
    given = {name.replace("_", "-"): value for name, value in fields.items()}
    return msgspec.json.encode(plain | given)


def deflated(document: bytes) -> bytes:
    """Return a document as the first version stored it."""
    deflate = _deflate.copy()
    return b"\x01" + deflate.compress(document) + deflate.flush()


def naming(folder: Path, address: str) -> list[str]:
    """Return the store's files in which an address stands, be it where nothing looks any more."""
    files = sorted(folder.glob("store.db*"))
    return [file.name for file in files if address.encode() in file.read_bytes().lower()]
