from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.vault.master import CannotOpen, MasterKey, MasterKeyError


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "master.key"
    made = MasterKey.make(path, environment={})
    before = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert MasterKey.make(path, environment={}).id == made.id
    assert MasterKey.load(path, environment={}).open(made.seal(b"plain", "use"), "use") == b"plain"
    assert path.read_bytes() == before
    assert [path.name for path in path.parent.iterdir()] == ["master.key"]


def test_a_missing_key_is_never_replaced_by_loading(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyError, match="restore it from a backup"):
        MasterKey.load(tmp_path / "master.key", environment={})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_that_others_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    MasterKey.make(path, environment={})
    path.chmod(mode)
    with pytest.raises(MasterKeyError, match="run 'chmod 600"):
        MasterKey.make(path, environment={})


@pytest.mark.parametrize("content", [b"", b"short\n", b"x" * 44, b"=" * 43, b"\xff" * 32])
def test_what_is_no_key_is_refused_and_stays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "master.key"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(MasterKeyError, match="is not a master key"):
        MasterKey.make(path, environment={})
    assert path.read_bytes() == content


def test_a_credential_of_systemd_comes_before_the_file(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credential = MasterKey.make(credentials / "master.key", environment={})
    environment = {"CREDENTIALS_DIRECTORY": str(credentials)}
    assert MasterKey.make(tmp_path / "master.key", environment=environment).id == credential.id
    assert not (tmp_path / "master.key").exists()


@pytest.mark.parametrize(("mode", "taken"), [(0o440, True), (0o400, True), (0o444, False)])
def test_a_credential_may_be_the_groups_and_nobody_elses(
    tmp_path: Path, mode: int, taken: bool
) -> None:
    credential = tmp_path / "credentials" / "master.key"
    made = MasterKey.make(credential, environment={})
    credential.chmod(mode)
    environment = {"CREDENTIALS_DIRECTORY": str(credential.parent)}
    if taken:
        assert MasterKey.load(tmp_path / "master.key", environment=environment).id == made.id
    else:
        with pytest.raises(MasterKeyError, match="others can read"):
            MasterKey.load(tmp_path / "master.key", environment=environment)


def test_without_such_a_credential_the_file_is_used(tmp_path: Path) -> None:
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    MasterKey.make(tmp_path / "master.key", environment=environment)
    assert (tmp_path / "master.key").exists()


@given(st.binary(), st.text(), st.text())
def test_sealed_bytes_open_for_the_same_use_alone(plain: bytes, use: str, other: str) -> None:
    key = MasterKey(bytes(32))
    sealed = key.seal(plain, use)
    assert key.open(sealed, use) == plain
    if use != other:
        with pytest.raises(CannotOpen):
            key.open(sealed, other)


@given(st.binary())
def test_bytes_that_were_never_sealed_do_not_open(found: bytes) -> None:
    with pytest.raises(CannotOpen):
        MasterKey(bytes(32)).open(found, "use")


def test_another_key_opens_nothing() -> None:
    with pytest.raises(CannotOpen):
        MasterKey(b"1" * 32).open(MasterKey(b"2" * 32).seal(b"plain", "use"), "use")
