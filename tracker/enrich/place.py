"""Places: where an address is, by City databases; and whose, by an ASN database.

In: `.mmdb` files of MaxMind's, DB-IP's or the flat form of the npm packages, v4 and v6 together or
apart. Out: a `Geolocation`, `Unknown` where nothing tells. Raises `PlaceError` for another file.

Databases are mapped into memory: replace one by renaming another over it, not by writing into it.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import maxminddb
from geoip2.models import City
from msgspec import UNSET

from tracker.enrich.networks import CACHED
from tracker.enrich.tables import Address
from tracker.event import Geolocation

UNKNOWN: Final = Geolocation()


class PlaceError(Exception):
    """A database can't be used; the sentence names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Database:
    """One open file, and which version of the file it is."""

    path: Path
    reader: maxminddb.Reader
    version: tuple[int, int, int]
    tells_asn: bool
    only_ipv4: bool

    @classmethod
    def open(cls, path: Path) -> "Database":
        """Open a database. Raises PlaceError."""
        try:
            found = os.stat(path)  # noqa: PTH116 - the same call as _version's
            reader = maxminddb.open_database(path)
        except OSError as error:
            raise PlaceError(f"the geo database {path} can't be read: {error.strerror}") from error
        except (maxminddb.InvalidDatabaseError, ValueError) as error:
            raise PlaceError(f"the geo database {path} isn't a MaxMind DB file: {error}") from error
        about = reader.metadata()
        tells_asn = "asn" in about.database_type.lower()
        return cls(path, reader, _version(found), tells_asn, about.ip_version == 4)

    @property
    def built(self) -> int:
        """When it was built, in Unix seconds."""
        return self.reader.metadata().build_epoch

    def changed(self) -> bool:
        """Tell whether another file stands at the path now; a missing one is no change."""
        try:
            return _version(os.stat(self.path)) != self.version  # noqa: PTH116 - as when opened
        except OSError:
            return False

    def record(self, address: Address) -> dict[str, Any]:
        """Return what the database holds of an address, empty if nothing. Raises PlaceError."""
        if self.only_ipv4 and address.version == 6:
            return {}
        try:
            record = self.reader.get(address)
        except maxminddb.InvalidDatabaseError as error:
            raise PlaceError(f"the geo database {self.path} is damaged: {error}") from error
        return record if isinstance(record, dict) else {}


class Places:
    """Looks addresses up in every database that was given, in their order."""

    def __init__(self, paths: Sequence[Path] = (), fetched: Path | None = None) -> None:
        """Raise PlaceError if one can't be used.

        `fetched` is looked into last, once it is there.
        """
        self._databases = tuple(Database.open(path) for path in paths)
        self._fetched = fetched
        self._take_fetched()
        self._cached = lru_cache(CACHED)(self._place)

    @property
    def databases(self) -> Sequence[Database]:
        """What is open."""
        return self._databases

    def refresh(self) -> bool:
        """Open the files that were replaced; tell whether there were any.

        Raises PlaceError for one that can't be used: what was there before stays in use.
        """
        before = self._databases
        self._take_fetched()
        fresh, trouble = [], None
        for database in self._databases:
            try:
                fresh.append(Database.open(database.path) if database.changed() else database)
            except PlaceError as error:
                fresh.append(database)
                trouble = error
        self._databases = tuple(fresh)
        changed = self._databases != before
        if changed:
            self._cached.cache_clear()
        if trouble is not None:
            raise trouble
        return changed

    def _take_fetched(self) -> None:
        fetched = self._fetched
        known = (database.path for database in self._databases)
        if fetched is not None and fetched not in known and fetched.exists():
            self._databases = (*self._databases, Database.open(fetched))

    def place(self, address: Address | None) -> Geolocation:
        """Return where an address is. Raises PlaceError if a database turns out damaged."""
        return UNKNOWN if address is None else self._cached(address)

    def _place(self, address: Address) -> Geolocation:
        for database in self._databases:
            if database.tells_asn:
                continue
            if (place := place_of(database.record(address))) is not UNKNOWN:
                return place
        return UNKNOWN

    def asn(self, address: Address | None) -> int | None:
        """Return the number of the autonomous system that announces an address, if one tells."""
        if address is None:
            return None
        for database in self._databases:
            if not database.tells_asn:
                continue
            number = database.record(address).get("autonomous_system_number")
            if isinstance(number, int | str) and str(number).isdecimal():
                return int(number)
        return None


def place_of(record: dict[str, Any]) -> Geolocation:
    """Return the place that a City database's record tells of, in either form."""
    if "country_code" in record:
        return _flat(record)
    if "country" in record or "city" in record:
        return _nested(City(["en"], **record))
    return UNKNOWN


def _version(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_mtime_ns, found.st_size


def _nested(city: City) -> Geolocation:
    # The first subdivision is the largest; today's payloads carry its code, "TX".
    largest = city.subdivisions[0] if city.subdivisions else None
    region = (largest.iso_code or largest.names.get("en")) if largest else None
    return Geolocation(
        country=city.country.iso_code or "Unknown",
        region=region or "Unknown",
        city=city.city.names.get("en") or "Unknown",
        timezone=city.location.time_zone or UNSET,
    )


def _flat(record: dict[str, Any]) -> Geolocation:
    """Read the npm packages' form, whose keys stand side by side and are empty where unknown."""
    return Geolocation(
        country=str(record["country_code"] or "Unknown"),
        region=str(record.get("state1") or "Unknown"),
        city=str(record.get("city") or "Unknown"),
        timezone=str(record.get("timezone") or "") or UNSET,
    )
