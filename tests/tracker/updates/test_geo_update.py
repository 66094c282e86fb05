"""A City database is fetched, looked into, and takes the old one's place; or nothing changes."""

import gzip
import io
import tarfile
from datetime import date
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.tracker.enrich.world import city, write_database
from tests.tracker.operation.conftest import Tracker
from tests.tracker.updates.conftest import Host
from tracker.download import Unfetchable
from tracker.enrich.place import PlaceError, Places
from tracker.geo.sources import origins, provider
from tracker.geo.update import update
from tracker.mistake import Mistake

TODAY = date(2026, 11, 2)
NOVEMBER, OCTOBER = "/dbip-city-lite-2026-11.mmdb.gz", "/dbip-city-lite-2026-10.mmdb.gz"
KEYS = {"GEOIPUPDATE_ACCOUNT_ID": "1234", "GEOIPUPDATE_LICENSE_KEY": "secret"}


def database(folder: Path, country: str, kind: str = "DBIP-City-Lite") -> bytes:
    rows = {"192.0.2.0/24": city(country, "Region", "Town")}
    return write_database(folder / "made.mmdb", rows, kind=kind).read_bytes()


def older(content: bytes) -> bytes:
    """Set back the time at which a database was built: a number behind its type of two bytes."""
    at = content.rindex(b"build_epoch") + len(b"build_epoch") + 2
    return content[:at] + b"\x50" + content[at + 1 :]


def country(path: Path) -> str:
    return Places([path]).place(ip_address("192.0.2.1")).country


def test_this_months_database_of_dbip_is_fetched_without_a_key(host: Host, tmp_path: Path) -> None:
    host.files[NOVEMBER] = gzip.compress(database(tmp_path, "SE"))
    target = tmp_path / "geo" / "city.mmdb"
    told: list[tuple[int, int]] = []
    found = update(
        target, origins("dbip", TODAY, {}, host.url), lambda done, of: told.append((done, of))
    )
    assert (found.kind, found.new, country(target)) == ("DBIP-City-Lite", True, "SE")
    assert told[-1] == (len(host.files[NOVEMBER]),) * 2
    assert target.stat().st_mode & 0o077 == 0


def test_last_months_is_taken_while_this_months_is_missing(host: Host, tmp_path: Path) -> None:
    host.files[OCTOBER] = gzip.compress(database(tmp_path, "NO"))
    update(tmp_path / "city.mmdb", origins("dbip", TODAY, {}, host.url))
    assert country(tmp_path / "city.mmdb") == "NO"
    assert [path for path, _ in host.asked] == [NOVEMBER, OCTOBER]


def test_maxminds_archive_is_fetched_with_its_credentials_which_no_other_host_sees(
    host: Host, tmp_path: Path
) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        content = database(tmp_path, "DK", "GeoLite2-City")
        for name, file in (("a/COPYRIGHT.txt", b"c"), ("../../city.mmdb", content)):
            about = tarfile.TarInfo(name)
            about.size = len(file)
            tar.addfile(about, io.BytesIO(file))
    host.redirects["/download"] = host.url.replace("127.0.0.1", "localhost") + "/elsewhere"
    host.files["/elsewhere"] = archive.getvalue()
    target = tmp_path / "geo" / "city.mmdb"
    update(target, origins("geolite2", TODAY, KEYS, f"{host.url}/download"))
    assert country(target) == "DK"
    (_, given), (_, elsewhere) = host.asked
    assert given.startswith("Basic ")
    assert elsewhere == ""


def test_credentials_may_lie_in_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret\n")
    given = {"GEOIPUPDATE_ACCOUNT_ID": "1", "GEOIPUPDATE_LICENSE_KEY_FILE": str(tmp_path / "key")}
    (origin,) = origins("geolite2", TODAY, given)
    assert origin.auth == ("1", "secret")
    assert provider(None, given) == "geolite2"
    assert provider(None, {}) == "dbip"


def test_a_missing_key_is_named_and_what_takes_none() -> None:
    with pytest.raises(Mistake, match=r"set GEOIPUPDATE_LICENSE_KEY or .*_FILE, or choose dbip"):
        origins("geolite2", TODAY, {"GEOIPUPDATE_ACCOUNT_ID": "1"})


def wrong(what: str, folder: Path) -> bytes:
    match what:
        case "not packed":
            return b"<html>busy</html>"
        case "cut off":
            return gzip.compress(database(folder, "SE"))[:-40]
        case "not a database":
            return gzip.compress(b"hello")
        case "of networks":
            return gzip.compress(database(folder, "SE", "GeoLite2-ASN"))
    return gzip.compress(database(folder, ""))


@pytest.mark.parametrize(
    "what", ["not packed", "cut off", "not a database", "of networks", "tells nothing"]
)
def test_what_is_no_city_database_leaves_the_old_one(host: Host, tmp_path: Path, what: str) -> None:
    target = write_database(tmp_path / "city.mmdb", {"192.0.2.0/24": city("SE", "R", "T")})
    host.files[NOVEMBER] = wrong(what, tmp_path)
    with pytest.raises((Unfetchable, PlaceError)):
        update(target, origins("dbip", TODAY, {}, host.url))
    assert country(target) == "SE"
    assert not list(tmp_path.glob(".fetched*"))


def test_a_newer_one_takes_its_place_and_an_older_one_does_not(host: Host, tmp_path: Path) -> None:
    target = tmp_path / "city.mmdb"
    target.write_bytes(older(database(tmp_path, "SE")))
    host.files[NOVEMBER] = gzip.compress(database(tmp_path, "NO"))
    assert update(target, origins("dbip", TODAY, {}, host.url)).new
    assert (country(target), country(target.with_suffix(".old"))) == ("NO", "SE")
    host.files[NOVEMBER] = gzip.compress(older(database(tmp_path, "FI")))
    assert not update(target, origins("dbip", TODAY, {}, host.url)).new
    assert country(target) == "NO"


def test_the_command_says_what_is_there_now_and_what_went_wrong(
    host: Host, tmp_path: Path, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER_GEO_MIRROR", host.url)
    failed = tracker("geo", "update")
    assert failed.status == 69
    assert "it answers 404 Not Found; there is no database yet" in failed.err
    packed = gzip.compress(database(tmp_path, "SE"))
    host.files |= {path: packed for path, _ in host.asked}
    done = tracker("geo", "update")
    assert "is now DBIP-City-Lite of 20" in done.out
    assert "https://db-ip.com" in done.out
    assert "is up to date" in tracker("geo", "update").out
