"""`tracker keys`: rotation by a person who must not lose a link."""

import json
from pathlib import Path

import pytest

from rewriter.keyring import Keyring, KeyringError
from rewriter.tokens import CLICK, BadToken, Context, Link, Tokens
from tests.tracker.operation.conftest import Tracker
from tracker.mistake import Exit


def tokens(domain: str = "t.example", path: str = "data/keyring.json") -> Tokens:
    return Tokens(Keyring.load(path).for_domain(domain))


def token(signer: Tokens) -> bytes:
    return signer.mint(
        CLICK, signer.seal_link(Link("https://x.example")), signer.seal_context(Context())
    )


def test_the_first_key_makes_a_keyring_that_only_its_owner_can_read(
    tracker: Tracker, folder: Path
) -> None:
    assert tracker("keys", "new").status == 0
    assert (folder / "data").stat().st_mode & 0o777 == 0o700
    assert (folder / "data/keyring.json").stat().st_mode & 0o777 == 0o600


def test_links_of_the_old_key_verify_until_it_is_retired(tracker: Tracker) -> None:
    tracker("keys", "new")
    old = token(tokens())
    tracker("keys", "new")
    assert tokens().verify(CLICK, old)
    assert tracker("keys", "retire", "1", "--yes").status == 0
    with pytest.raises(BadToken):
        tokens().verify(CLICK, old)


def test_keys_are_listed_without_their_secrets(tracker: Tracker, folder: Path) -> None:
    for _ in range(3):
        tracker("keys", "new")
    tracker("keys", "retire", "1", "--yes")
    listed = tracker("keys", "list", "--json").out
    assert [row["state"] for row in json.loads(listed)] == ["retired", "verifies", "signs"]
    shown = listed + tracker("keys", "list").out
    assert not any(key.secret in shown for key in Keyring.load("data/keyring.json").keys)


def test_an_exported_keyring_signs_for_its_domain_and_no_other(tracker: Tracker) -> None:
    tracker("keys", "new")
    said = tracker("keys", "export", "--domain", "t.example", "--to", "tenant.json")
    assert (said.status, said.out) == (0, "")
    assert said.err == "tenant.json signs for t.example, and for no other\n"
    assert tokens().verify(CLICK, token(tokens(path="tenant.json")))
    with pytest.raises(KeyringError, match=r"can't sign for other\.example"):
        tokens("other.example", "tenant.json")


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("list",), Exit.CONFIG, "no keyring at data/keyring.json"),
        (("retire", "1", "--yes"), Exit.CONFIG, "no keyring at data/keyring.json"),
        (("export",), Exit.USAGE, "Missing option '--domain'"),
        (("export", "--domain", "t.example"), Exit.CONFIG, "no keyring at"),
        (("retire", "x"), Exit.USAGE, "'ID': should be a whole number"),
    ],
)
def test_a_mistake_is_one_sentence(
    tracker: Tracker, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    said = tracker("keys", *arguments)
    assert said.status == status
    assert said.err.startswith("tracker: ")
    assert sentence in said.err
    assert said.err.count("\n") == 1


def test_the_last_key_that_works_cannot_be_retired(tracker: Tracker) -> None:
    tracker("keys", "new")
    said = tracker("keys", "retire", "1", "--yes")
    assert (said.status, said.out) == (Exit.CONFIG, "")
    assert "the last one that works" in said.err


def test_a_keyring_that_others_can_read_is_refused(tracker: Tracker, folder: Path) -> None:
    tracker("keys", "new")
    (folder / "data/keyring.json").chmod(0o644)
    said = tracker("keys", "list")
    assert said.status == Exit.CONFIG
    assert "chmod 600" in said.err


def test_a_damaged_keyring_is_refused_and_kept(tracker: Tracker, folder: Path) -> None:
    tracker("keys", "new")
    (folder / "data/keyring.json").write_text("{")
    said = tracker("keys", "new")
    assert said.status == Exit.CONFIG
    assert "is not a keyring" in said.err
    assert "put back a copy of it" in said.err
    assert (folder / "data/keyring.json").read_text() == "{"


def test_a_file_where_a_folder_should_be_is_named(tracker: Tracker, folder: Path) -> None:
    tracker("keys", "new")
    (folder / "occupied").write_text("a file")
    said = tracker("keys", "export", "--domain", "t.example", "--to", "occupied/tenant.json")
    assert said.status == Exit.CONFIG
    assert said.err.startswith("tracker: ")
    assert "occupied" in said.err
