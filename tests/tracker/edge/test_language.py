"""Which language a reader's browser asks for, whatever it sends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.edge.language import ENGLISH, LANGUAGES, chosen


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        ("", "en"),
        ("de", "de"),
        ("DE-at", "de"),
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt"),
        ("ar-EG;q=0.9, en;q=0.8", "ar"),
        ("en;q=0.5, fr;q=0.7", "fr"),
        ("en;q=0.5,fr;q=0.500,de;q=0.5", "en"),
        ("xx, it;q=0.1", "it"),
        ("zh-Hant-TW, ja;q=0.3", "ja"),
        ("de;q=0, fr;q=0.001", "fr"),
        ("de;q=0.0", "en"),
        ("*", "en"),
        ("*;q=0.5, nl;q=0.4", "nl"),
        ("pl ; q=1.000", "pl"),
        ("es;Q=0.9,de;q=0.8", "es"),
        # What is no quality says nothing, rather than everything.
        ("de;q=2, es;q=0.2", "es"),
        ("de;q=-1, es;q=0.2", "es"),
        ("de;q=nan, es;q=0.2", "es"),
        ("de;level=1, es;q=0.2", "es"),
        ("../../etc/passwd, de", "de"),
        (",,;;,=, de", "de"),
        ("de-" + "a-" * 5000, "de"),
        ("xx," * 200 + "de", "en"),
    ],
)
def test_a_reader_is_told_in_the_language_they_like_best(accepted: str, code: str) -> None:
    assert chosen(accepted.encode()).code == code


@given(st.binary(max_size=2000))
def test_any_header_gets_some_language(accepted: bytes) -> None:
    assert chosen(accepted) in LANGUAGES.values()


@given(st.sampled_from(sorted(LANGUAGES)), st.text("abcxyz", min_size=2, max_size=8))
def test_a_region_that_we_do_not_have_is_passed_over(code: str, region: str) -> None:
    assert chosen(f"{code}-{region}".encode()).code == code


def test_english_is_there_for_whoever_asks_for_nothing() -> None:
    assert LANGUAGES["en"] is ENGLISH
