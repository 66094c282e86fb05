"""The token: what verifies, what never does, and what it says when it is opened."""

import json
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous.encoding import base64_decode, base64_encode

from rewriter.keyring import Keyring, Secret
from rewriter.tokens import (
    KINDS,
    MAX_FRAME,
    MAX_TOKEN,
    PRIVACY,
    BadToken,
    Context,
    FrameTooLarge,
    Link,
    Tokens,
    key_id,
    open_link,
)

VECTORS = json.loads((Path(__file__).parents[2] / "docs" / "token-vectors.json").read_text())
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
KEYRING = Keyring.new()
TOKENS = Tokens(KEYRING.for_domain("click.example.com"))
LINK = Link("https://shop.example.com/beans?size=250g", 3, "beans", "shop", (("cut", "espresso"),))
CONTEXT = Context(
    "20261118.7f3a9c@news.example.com",
    "marie@example.net",
    "news.example.com",
    1_795_000_000,
    ("newsletter", "spring"),
    (("user_id", "42"), ("note", "a=b")),
    "weekly",
    "identified",
)
TOKEN = TOKENS.mint(b"c", TOKENS.seal_link(LINK), TOKENS.seal_context(CONTEXT))

# No field of a real link or message holds a control character.
text = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40)
pairs = st.lists(st.tuples(text, text), max_size=3).map(tuple)
links = st.builds(Link, text, st.integers(0, 10**9 - 1), text, text, pairs)
contexts = st.builds(
    Context,
    text,
    text,
    text,
    st.integers(0, 2**32 - 1),
    st.lists(text.filter(bool), max_size=3).map(tuple),
    pairs,
    text,
    st.sampled_from(PRIVACY),
)


def test_a_token_says_where_the_link_leads_and_whose_mail_it_was() -> None:
    link_frame = TOKENS.verify(b"c", TOKEN)
    context_frame = TOKEN.split(b".")[1]
    assert open_link(link_frame) == LINK
    assert TOKENS.open_context(context_frame) == CONTEXT


@given(links)
def test_any_link_comes_back_as_it_went_in(link: Link) -> None:
    assert open_link(TOKENS.seal_link(link)) == link


@given(contexts)
def test_any_context_comes_back_as_it_went_in(context: Context) -> None:
    assert TOKENS.open_context(TOKENS.seal_context(context)) == context


@given(contexts)
def test_the_same_message_gives_the_same_bytes(context: Context) -> None:
    again = Tokens(KEYRING.for_domain("click.example.com"))
    assert again.seal_context(context) == TOKENS.seal_context(context)


def test_nothing_that_a_sender_writes_can_pose_as_another_field() -> None:
    forged = Context("id", "a@b\x1fother.example", "\x1e", variables=(("a\x1db", "c\x1ed"),))
    opened = TOKENS.open_context(TOKENS.seal_context(forged))
    assert opened == Context("id", "a@b other.example", " ", variables=(("a b", "c d"),))
    link = Link("https://a.example/", 1, "x\x1fy", tags=(("k\x1d", "v"),))
    assert open_link(TOKENS.seal_link(link)) == Link(
        "https://a.example/", 1, "x y", tags=(("k ", "v"),)
    )


@given(links, contexts)
def test_a_token_needs_no_escaping_in_a_url_an_attribute_or_quoted_printable(
    link: Link, context: Context
) -> None:
    token = TOKENS.mint(b"c", TOKENS.seal_link(link), TOKENS.seal_context(context))
    assert set(token) <= set(ALPHABET + b".")


@pytest.mark.parametrize("position", range(len(TOKEN)))
def test_no_character_can_be_changed(position: int) -> None:
    for other in ALPHABET + b".=+/% \n\x00":
        if other == TOKEN[position]:
            continue
        changed = TOKEN[:position] + bytes((other,)) + TOKEN[position + 1 :]
        with pytest.raises(BadToken):
            TOKENS.verify(b"c", changed)


@pytest.mark.parametrize("position", range(len(TOKEN)))
def test_no_character_can_be_left_out_added_or_swapped(position: int) -> None:
    before, character, after = (
        TOKEN[:position],
        TOKEN[position : position + 1],
        TOKEN[position + 1 :],
    )
    changes = {before + after, before + character * 2 + after, TOKEN[:position], after}
    if after:
        changes.add(before + after[:1] + character + after[1:])
    for changed in changes - {TOKEN}:
        with pytest.raises(BadToken):
            TOKENS.verify(b"c", changed)


@given(st.binary(max_size=300))
def test_noise_is_a_bad_token_and_nothing_worse(noise: bytes) -> None:
    for kind in KINDS:
        with pytest.raises(BadToken):
            TOKENS.verify(kind, noise)


@given(st.text(max_size=100).map(str.encode))
def test_noise_in_a_frame_is_a_bad_token_and_nothing_worse(noise: bytes) -> None:
    with pytest.raises(BadToken):
        TOKENS.open_context(noise)
    with pytest.raises(BadToken):
        open_link(noise)


@given(st.binary(max_size=60))
def test_noise_that_claims_to_be_a_link_frame_opens_or_is_refused(noise: bytes) -> None:
    for head in (b"\x10", b"\x18"):
        try:
            link = open_link(base64_encode(head + noise))
        except BadToken:
            continue
        assert isinstance(link.destination, str)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != b"c"])
def test_a_token_of_one_kind_is_none_of_another(kind: bytes) -> None:
    with pytest.raises(BadToken, match="signature"):
        TOKENS.verify(kind, TOKEN)


@pytest.mark.parametrize("domain", ["click.example.net", "example.com", "a.click.example.com"])
def test_a_token_cannot_be_moved_to_another_domain(domain: str) -> None:
    elsewhere = Tokens(KEYRING.for_domain(domain))
    with pytest.raises(BadToken, match="signature"):
        elsewhere.verify(b"c", TOKEN)
    with pytest.raises(BadToken, match="seal"):
        elsewhere.open_context(TOKEN.split(b".")[1])


def test_frames_cannot_be_exchanged_between_tokens() -> None:
    other = TOKENS.mint(b"c", TOKENS.seal_link(Link("https://evil.example/")), b"AAAA")
    link, context, mac = TOKEN.split(b".")
    other_link, other_context, other_mac = other.split(b".")
    for parts in (
        (other_link, context, mac),
        (link, other_context, mac),
        (link, context, other_mac),
        (context, link, mac),
    ):
        with pytest.raises(BadToken):
            TOKENS.verify(b"c", b".".join(parts))


def test_the_last_character_of_a_signature_has_one_spelling() -> None:
    # 16 bytes fill 21 characters and two bits of the last: four bits are spare.
    raw = base64_decode(TOKEN.rpartition(b".")[2])
    same = [
        TOKEN[:-1] + bytes((last,))
        for last in ALPHABET
        if base64_decode(TOKEN.rpartition(b".")[2][:-1] + bytes((last,))) == raw
    ]
    assert len(same) == 16
    for spelling in set(same) - {TOKEN}:
        with pytest.raises(BadToken):
            TOKENS.verify(b"c", spelling)


def test_a_frame_has_one_spelling() -> None:
    frame = base64_encode(b"\x10http://a.example/x")
    assert open_link(frame).destination == "http://a.example/x"
    for spelling in (frame + b"=", frame + b"==", frame[:4] + b"\n" + frame[4:]):
        with pytest.raises(BadToken, match="malformed"):
            open_link(spelling)


def test_a_zip_bomb_is_refused_before_it_unfolds() -> None:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflate.compress(b"http://a.example/" + b"a" * 50_000_000) + deflate.flush()
    assert len(bomb) < 60_000
    with pytest.raises(BadToken, match="oversized"):
        open_link(base64_encode(b"\x18" + bomb))


@pytest.mark.parametrize("tail", [b"", b"\0"], ids=["cut", "continued"])
def test_a_deflated_frame_ends_where_it_says(tail: bytes) -> None:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflate.compress(b"http://a.example/" * 9) + deflate.flush()
    with pytest.raises(BadToken, match="malformed"):
        open_link(base64_encode(b"\x18" + (packed + tail if tail else packed[:-2])))


@pytest.mark.parametrize("version", [0, 2, 15])
def test_a_frame_of_another_version_is_refused(version: int) -> None:
    frame = base64_encode(bytes((version << 4,)) + b"http://a.example/")
    with pytest.raises(BadToken, match="version"):
        open_link(frame)
    with pytest.raises(BadToken, match="version"):
        TOKENS.open_context(frame)


def test_what_is_too_long_for_a_link_is_refused_when_it_is_made() -> None:
    with pytest.raises(FrameTooLarge, match=str(MAX_FRAME)):
        TOKENS.seal_link(Link("https://a.example/" + "a" * MAX_FRAME))
    with pytest.raises(FrameTooLarge, match=str(MAX_TOKEN)):
        TOKENS.mint(b"c", b"A" * MAX_TOKEN, b"A")


def test_a_token_that_is_too_long_is_refused_unread() -> None:
    with pytest.raises(BadToken, match="oversized"):
        TOKENS.verify(b"c", b"A" * (MAX_TOKEN + 1))


def test_links_made_before_a_rotation_still_lead_on() -> None:
    rotated = KEYRING.rotated().rotated()
    tokens = Tokens(rotated.for_domain("click.example.com"))
    assert tokens.verify(b"c", TOKEN) == TOKENS.verify(b"c", TOKEN)
    assert tokens.open_context(TOKEN.split(b".")[1]) == CONTEXT


def test_the_newest_key_signs_and_seals() -> None:
    tokens = Tokens(KEYRING.rotated().for_domain("click.example.com"))
    token = tokens.mint(b"c", tokens.seal_link(LINK), tokens.seal_context(CONTEXT))
    assert key_id(token.split(b".")[1]) == 2
    with pytest.raises(BadToken, match="signature"):
        TOKENS.verify(b"c", token)
    with pytest.raises(BadToken, match="unknown key"):
        TOKENS.open_context(token.split(b".")[1])


def test_links_of_a_retired_key_lead_nowhere() -> None:
    tokens = Tokens(KEYRING.rotated().retire(1).for_domain("click.example.com"))
    with pytest.raises(BadToken, match="signature"):
        tokens.verify(b"c", TOKEN)


def test_no_address_can_be_read_from_a_token() -> None:
    for frame in TOKEN.split(b"."):
        raw = base64_decode(frame)
        for word in (b"marie", b"news.example", b"user_id", b"spring"):
            assert word not in raw


@pytest.mark.parametrize("vector", VECTORS["tokens"], ids=lambda vector: vector["says"])
def test_the_published_vectors_hold(vector: dict[str, str]) -> None:
    keyring = Keyring(tuple(Secret(**key) for key in VECTORS["keys"]))
    tokens = Tokens(keyring.for_domain(vector["domain"]))
    token = vector["token"].encode()
    link_frame, context_frame, _ = token.split(b".")
    assert tokens.verify(vector["kind"].encode(), token) == link_frame
    link, context = open_link(link_frame), tokens.open_context(context_frame)
    assert json.loads(json.dumps(vector["link"])) == _listed(link)
    assert json.loads(json.dumps(vector["context"])) == _listed(context)


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["says"])
def test_the_published_refusals_hold(vector: dict[str, str]) -> None:
    keyring = Keyring(tuple(Secret(**key) for key in VECTORS["keys"]))
    tokens = Tokens(keyring.for_domain(vector["domain"]))
    with pytest.raises(BadToken):
        tokens.verify(vector["kind"].encode(), vector["token"].encode())


@pytest.mark.parametrize("derived", VECTORS["derived"], ids=lambda derived: derived["domain"])
def test_the_published_derivations_hold(derived: dict[str, str]) -> None:
    keyring = Keyring(tuple(Secret(**key) for key in VECTORS["keys"]))
    key = keyring.for_domain(derived["domain"]).keys[-1]
    assert (key.signing.hex(), key.sealing.hex()) == (derived["signing"], derived["sealing"])


def test_a_token_for_real_links_stays_short() -> None:
    lengths = []
    for number, url in enumerate(VECTORS["real_links"]):
        link = TOKENS.seal_link(Link(url, number))
        context = TOKENS.seal_context(
            Context(
                "20261118093000.3F2A1B77@news.harbour-coffee.example",
                "marie.dupont@example.net",
                "news.harbour-coffee.example",
                1_795_000_000 + number,
                ("newsletter",),
            )
        )
        lengths.append(len(TOKENS.mint(b"c", link, context)))
    assert sum(lengths) / len(lengths) <= 220


def _listed(value: Link | Context) -> object:
    return json.loads(json.dumps({name: getattr(value, name) for name in value.__slots__}))
