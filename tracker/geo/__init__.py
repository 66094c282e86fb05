"""The City database that we fetch ourselves: where from, and how it takes the old one's place."""

from pathlib import Path
from typing import Final

FOLDER: Final = "geo"  # within the data folder
FILE: Final = "city.mmdb"


def fetched(data: Path) -> Path:
    """Return where the database lies that `tracker geo update` fetches."""
    return data / FOLDER / FILE
