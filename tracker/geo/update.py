"""An update: fetches a City database, proves that it is one, and puts it in the old one's place.

Promise: the file is replaced in one step by one that was opened and looked into, or stays as it is.
The one before is kept beside it.
"""

import contextlib
import gzip
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

import maxminddb

from tracker.download import Progress, Unfetchable, download
from tracker.enrich.place import UNKNOWN, Database, PlaceError, place_of
from tracker.geo.sources import Origin

# DB-IP's City Lite takes 60 MB packed and 130 MB unpacked, GeoLite2 half of that.
PACKED_LIMIT: Final = 512 << 20
LIMIT: Final = 2 << 30
CHUNK: Final = 1 << 20
LOOKED_INTO: Final = 1_000  # networks, of which one must have a country


@dataclass(frozen=True, slots=True)
class Updated:
    """What is there now: the database's kind and when it was built; and whether it is new."""

    kind: str
    built: datetime
    new: bool


def update(
    target: Path,
    origins: Sequence[Origin],
    progress: Progress = lambda done, of: None,  # noqa: ARG005 - told to nobody
) -> Updated:
    """Fetch a database from the first origin that has one. Raises Unfetchable, PlaceError, OSError.

    One that is no newer than what is there leaves it.
    """
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetched-") as folder:
        packed, fresh = Path(folder) / "packed", Path(folder) / target.name
        origin = _fetched(origins, packed, progress)
        with _unpacked(origin, packed) as file, fresh.open("wb") as written:
            _copy(file, written, origin)
            written.flush()
            os.fsync(written.fileno())
        found = verified(fresh)
        if (before := _there(target)) is not None and found.built <= before.built:
            return before
        _swap(fresh, target)
        return found


def verified(path: Path) -> Updated:
    """Open a database and look into it. Raises PlaceError."""
    database = Database.open(path)
    with database.reader as reader:
        about = reader.metadata()
        if database.tells_asn or "city" not in about.database_type.lower():
            raise PlaceError(f"it is a {about.database_type!r} database, and should be of cities")
        if not about.node_count or not _tells(reader):
            raise PlaceError(f"the {about.database_type} database tells no country")
        return Updated(about.database_type, datetime.fromtimestamp(about.build_epoch, UTC), True)


def _tells(reader: maxminddb.Reader) -> bool:
    try:
        for number, (_, record) in enumerate(reader):
            if isinstance(record, dict) and place_of(record).country != UNKNOWN.country:
                return True
            if number > LOOKED_INTO:
                return False
    except (maxminddb.InvalidDatabaseError, ValueError, TypeError, AttributeError) as error:
        raise PlaceError(f"the database is damaged: {error}") from error
    return False


def _there(target: Path) -> Updated | None:
    try:
        found = verified(target)
    except PlaceError:
        return None  # there is none, or none worth keeping
    return Updated(found.kind, found.built, new=False)


def _fetched(origins: Sequence[Origin], target: Path, progress: Progress) -> Origin:
    for origin in origins[:-1]:
        try:
            download(origin.url, target, PACKED_LIMIT, progress, origin.auth)
        except Unfetchable as error:
            if not error.missing:
                raise
        else:
            return origin
    download(origins[-1].url, target, PACKED_LIMIT, progress, origins[-1].auth)
    return origins[-1]


@contextlib.contextmanager
def _unpacked(origin: Origin, packed: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """Open the database within what was fetched. Raises Unfetchable."""
    try:
        if origin.packed == "gz":
            with gzip.open(packed) as file:
                yield file
            return
        with tarfile.open(packed, "r:gz") as archive:
            # Read by us, never extracted: the archive's names lead nowhere on this disk.
            names = (member for member in archive if member.name.endswith(".mmdb"))
            member = next(names, None)
            file_within = archive.extractfile(member) if member else None
            if file_within is None:
                raise Unfetchable(f"{origin.url}: there is no .mmdb file in the archive")
            yield file_within
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise Unfetchable(f"{origin.url} isn't packed as it should be: {error}") from error


def _copy(file: IO[bytes] | gzip.GzipFile, written: IO[bytes], origin: Origin) -> None:
    size = 0
    while chunk := file.read(CHUNK):
        size += len(chunk)
        if size > LIMIT:
            raise Unfetchable(f"{origin.url} unpacks to more than {LIMIT >> 30} GiB")
        written.write(chunk)


def _swap(fresh: Path, target: Path) -> None:
    fresh.chmod(0o600)
    if target.exists():
        old = target.with_suffix(".old")
        with contextlib.suppress(FileNotFoundError):
            old.unlink()
        try:
            old.hardlink_to(target)
        except OSError:  # a file system without links
            shutil.copyfile(target, old)
    fresh.replace(target)
