"""Event documents as they arrive, of any kind."""

from pathlib import Path
from typing import Any

import msgspec

DOMAIN = "news.example"
START = 1_700_000_000  # seconds


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


def naming(folder: Path, address: str) -> list[str]:
    """Return the store's files in which an address stands, be it where nothing looks any more."""
    files = sorted(folder.glob("store.db*"))
    return [file.name for file in files if address.encode() in file.read_bytes().lower()]
