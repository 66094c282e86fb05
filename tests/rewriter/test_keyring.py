"""The keyring: private, rotated without breaking a link, exported for one domain at a time."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from rewriter.keyring import BadDomain, Keyring, KeyringError, _hkdf, canonical_domain
from rewriter.tokens import CLICK, BadToken, Context, Link, Tokens


def test_a_keyring_comes_back_from_disk(tmp_path: Path) -> None:
    keyring = Keyring.new().rotated()
    keyring.save(tmp_path / "keys" / "keyring.json")
    assert Keyring.load(tmp_path / "keys" / "keyring.json") == keyring


def test_a_keyring_is_written_for_its_owner_only(tmp_path: Path) -> None:
    Keyring.new().save(tmp_path / "keyring.json")
    assert (tmp_path / "keyring.json").stat().st_mode & 0o777 == 0o600


def test_nothing_but_the_keyring_is_left_behind(tmp_path: Path) -> None:
    Keyring.new().save(tmp_path / "keyring.json")
    Keyring.new().save(tmp_path / "keyring.json")
    assert [path.name for path in tmp_path.iterdir()] == ["keyring.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_keyring_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keyring.json"
    Keyring.new().save(path)
    path.chmod(mode)
    with pytest.raises(KeyringError, match="chmod 600"):
        Keyring.load(path)


SECRET = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
KEY = f'{{"id": 1, "secret": "{SECRET}", "created": ""}}'


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is not a keyring"),
        ("{", "is not a keyring"),
        ('{"keys": []}', "holds no key"),
        (f'{{"keys": [{KEY}], "more": 1}}', "unknown field `more`"),
        (f'{{"keys": [{KEY}], "version": 2}}', "version 2, not 1"),
        (f'{{"keys": [{KEY}, {KEY}]}}', "different numbers"),
        (f'{{"keys": [{KEY.replace("1", "256", 1)}]}}', "from 1 to 255"),
        ('{"keys": [{"id": 7, "secret": "AAAA", "created": ""}]}', "key 7 has 3 bytes, not 32"),
        ('{"keys": [{"id": 7, "secret": "A", "created": ""}]}', "key 7 is not base64url"),
        (
            f'{{"keys": [{{"id": 1, "secret": "{SECRET}", "created": "", "retired": "x"}}]}}',
            "no key that is in use",
        ),
    ],
)
def test_a_damaged_keyring_is_refused_by_name(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "keyring.json"
    path.touch(0o600)
    path.write_text(content)
    with pytest.raises(KeyringError, match=complaint):
        Keyring.load(path)


def test_a_missing_keyring_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(KeyringError, match="tracker keys new"):
        Keyring.load(tmp_path / "keyring.json")


def test_a_keyring_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyringError, match="cannot write the keyring"):
        Keyring.new().save(tmp_path / "file" / "keyring.json")


def test_an_exported_keyring_signs_for_its_domain_as_the_master_would() -> None:
    master = Keyring.new()
    tenant = Tokens(master.export("click.tenant.example").for_domain("click.tenant.example"))
    token = tenant.mint(b"c", tenant.seal_link(Link("https://a.example/")), b"AAAA")
    edge = Tokens(master.for_domain("click.tenant.example"))
    assert edge.verify(b"c", token) == tenant.verify(b"c", token)


def test_an_exported_keyring_can_sign_for_no_other_domain() -> None:
    exported = Keyring.new().export("click.tenant.example")
    with pytest.raises(KeyringError, match=r"for click\.tenant\.example"):
        exported.for_domain("click.other.example")


def test_an_exported_keyring_forges_nothing_even_if_it_is_renamed() -> None:
    master = Keyring.new()
    exported = master.export("click.tenant.example")
    renamed = Tokens(
        Keyring(exported.keys, "click.other.example").for_domain("click.other.example")
    )
    token = renamed.mint(b"c", renamed.seal_link(Link("https://a.example/")), b"AAAA")
    with pytest.raises(BadToken):
        Tokens(master.for_domain("click.other.example")).verify(b"c", token)


def test_an_exported_keyring_is_rotated_where_it_came_from() -> None:
    exported = Keyring.new().export("click.tenant.example")
    for change in (exported.rotated, lambda: exported.retire(1), lambda: exported.export("a.b")):
        with pytest.raises(KeyringError, match="exported from a master keyring"):
            change()


def test_the_last_working_key_cannot_be_retired() -> None:
    with pytest.raises(KeyringError, match="make another"):
        Keyring.new().retire(1)
    with pytest.raises(KeyringError, match="make another"):
        Keyring.new().rotated().retire(1).retire(2)


def test_a_key_that_is_not_there_cannot_be_retired() -> None:
    with pytest.raises(KeyringError, match="no key 9; the keyring holds 1"):
        Keyring.new().retire(9)


def test_a_keyring_says_when_it_is_full() -> None:
    keyring = Keyring.new()
    for _ in range(254):
        keyring = keyring.rotated()
    with pytest.raises(KeyringError, match="255 keys"):
        keyring.rotated()


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("click.example.com", "click.example.com"),
        ("CLICK.Example.COM.", "click.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
    ],
)
def test_a_domain_has_one_form(written: str, canonical: str) -> None:
    assert canonical_domain(written) == canonical


@pytest.mark.parametrize(
    "written",
    [
        "",
        ".",
        "a..b",
        "a b.example",
        "-a.example",
        "a-.example",
        "a.example:80",
        "[::1]",
        "a/b",
        "a" * 64 + ".example",
        ".".join(["abcdefgh"] * 30),
        "a.example\r\nx",
        "\ud800.example",
    ],
)
def test_what_is_no_domain_is_refused(written: str) -> None:
    with pytest.raises(BadDomain):
        canonical_domain(written)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=60), st.integers(1, 255))
def test_keys_are_derived_as_rfc_5869_says(secret: bytes, purpose: bytes, length: int) -> None:
    theirs = HKDF(SHA256(), length, salt=None, info=b"tracking-edge/1 " + purpose)
    assert _hkdf(secret, purpose, length) == theirs.derive(secret)


def _waiting(keyring: Keyring) -> Keyring:
    *others, last = keyring.keys
    return Keyring(keys=(*others, structs.replace(last, waits=True)))


def test_a_key_that_waits_verifies_and_does_not_sign() -> None:
    before = Keyring.new()
    after = before.rotated()
    old, new, waiting = (
        Tokens(keyring.for_domain("t.example")) for keyring in (before, after, _waiting(after))
    )
    frames = waiting.seal_link(Link("https://x.example")), waiting.seal_context(Context())
    assert waiting.mint(CLICK, *frames) == old.mint(CLICK, *frames)
    assert waiting.verify(CLICK, new.mint(CLICK, *frames))


def test_the_last_key_that_signs_is_not_retired_while_another_still_waits() -> None:
    with pytest.raises(KeyringError, match="key 1 is the last one that signs"):
        _waiting(Keyring.new().rotated()).retire(1)


def test_whether_a_key_waits_stands_in_the_file_only_while_it_does(tmp_path: Path) -> None:
    path, keyring = tmp_path / "keyring.json", Keyring.new().rotated()
    keyring.save(path)
    assert "waits" not in path.read_text()
    _waiting(keyring).save(path)
    assert Keyring.load(path) == _waiting(keyring)
