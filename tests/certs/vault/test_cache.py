import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.cache import Cache
from certs.vault.bundle import Bundle
from certs.vault.master import MasterKey

BUNDLE = Bundle("click.example.com", b"the chain", b"the private key", 1, 100, 200)


@pytest.fixture
def master(tmp_path: Path) -> MasterKey:
    return MasterKey.make(tmp_path / "master.key", environment={})


@pytest.fixture
def cache(tmp_path: Path, master: MasterKey) -> Cache:
    return Cache(tmp_path / "certs", master)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_certificate_comes_back_as_it_was_put(cache: Cache) -> None:
    cache.put(BUNDLE)
    assert cache.get(BUNDLE.name) == BUNDLE
    assert cache.names() == [BUNDLE.name]


def test_no_private_key_lies_on_the_disk_in_clear_or_for_others(
    cache: Cache, tmp_path: Path
) -> None:
    cache.put(BUNDLE)
    cache.put_challenge(BUNDLE.name, b"the challenge", BUNDLE.key_pem)
    found = _files(tmp_path / "certs")
    assert len(found) == 2
    for path in found:
        assert BUNDLE.key_pem not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


def test_the_version_changes_with_the_certificate_and_with_nothing_else(cache: Cache) -> None:
    assert cache.version(BUNDLE.name) is None
    cache.put(BUNDLE)
    first = cache.version(BUNDLE.name)
    cache.put_challenge(BUNDLE.name, b"the challenge", b"its key")
    assert cache.version(BUNDLE.name) == first
    cache.put(BUNDLE)
    assert cache.version(BUNDLE.name) != first


def test_a_challenge_stands_beside_the_certificate_until_it_is_dropped(cache: Cache) -> None:
    cache.put(BUNDLE)
    cache.put_challenge(BUNDLE.name, b"the challenge", b"its key")
    found = cache.challenge(BUNDLE.name)
    assert found is not None
    assert (found.chain_pem, found.key_pem) == (b"the challenge", b"its key")
    assert cache.get(BUNDLE.name) == BUNDLE
    cache.drop_challenge(BUNDLE.name)
    assert cache.challenge(BUNDLE.name) is None


def test_a_certificate_under_another_name_or_in_another_place_does_not_open(
    cache: Cache, tmp_path: Path
) -> None:
    cache.put(BUNDLE)
    kept = tmp_path / "certs" / "certificates" / BUNDLE.name
    kept.with_name("other.example.com").write_bytes(kept.read_bytes())
    (tmp_path / "certs" / "challenges").mkdir()
    (tmp_path / "certs" / "challenges" / BUNDLE.name).write_bytes(kept.read_bytes())
    assert cache.get("other.example.com") is None
    assert cache.challenge(BUNDLE.name) is None


def test_a_damaged_file_is_told_once_and_not_served(
    cache: Cache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache.put(BUNDLE)
    kept = tmp_path / "certs" / "certificates" / BUNDLE.name
    kept.write_bytes(kept.read_bytes()[:-1])
    assert cache.get(BUNDLE.name) is None
    assert cache.get(BUNDLE.name) is None
    assert [record.message for record in caplog.records] == ["certificate_unreadable"]


def test_what_a_killed_process_began_to_write_is_neither_a_name_nor_kept(
    cache: Cache, tmp_path: Path
) -> None:
    cache.put(BUNDLE)
    (tmp_path / "certs" / "certificates" / ".fresh-0123").write_bytes(b"half")
    assert cache.names() == [BUNDLE.name]
    cache.tidy()
    assert [path.name for path in _files(tmp_path / "certs")] == [BUNDLE.name]
    assert cache.get(BUNDLE.name) == BUNDLE


def test_thumbprints_are_read_again_when_they_change(cache: Cache) -> None:
    assert cache.thumbprints() == ()
    cache.put_thumbprints(("first",))
    assert cache.thumbprints() == ("first",)
    cache.put_thumbprints(("first", "second"))
    assert cache.thumbprints() == ("first", "second")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../master.key", "a/b", "a\0b", "a" * 254, "A.example"]
)
def test_a_name_that_leads_elsewhere_has_no_certificate(cache: Cache, name: str) -> None:
    cache.put(BUNDLE)
    assert cache.get(name) is None
    assert cache.challenge(name) is None
    assert cache.version(name) is None
    with pytest.raises(ValueError, match="is not a host name"):
        cache.put(Bundle(name, b"", b"", 1, 0, 0))


@given(st.text())
def test_no_name_that_a_client_sends_opens_a_file_elsewhere(name: str) -> None:
    here = Path(os.devnull).parent
    assert Cache(here, MasterKey(bytes(32))).get(name) is None
