"""What a browser requests for a link: the cases of the URL Standard that mail has."""

import json
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriter.urls import NotFollowed, Url, resolve

BASE = resolve("https://base.example/dir/page?old#there")


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("https://example.com", "https://example.com/"),
        ("https://example.com/a/b?c=d&e=%20f#g", "https://example.com/a/b?c=d&e=%20f#g"),
        ("HTTPS://EXAMPLE.com/Path", "https://example.com/Path"),
        ("  https://example.com/ \n", "https://example.com/"),
        ("https://exam\nple.com/a\tb", "https://example.com/ab"),
        ("//example.com/a", "https://example.com/a"),
        ("https:example.com", "https://example.com/"),
        ("https:\\\\example.com\\a", "https://example.com/a"),
        ("https:////example.com", "https://example.com/"),
        # paths
        ("https://example.com/a/./b/../c", "https://example.com/a/c"),
        ("https://example.com/a/%2E%2e/c/.", "https://example.com/c/"),
        ("https://example.com/../../a", "https://example.com/a"),
        ("https://example.com/a b\"<>`{|}^", "https://example.com/a%20b%22%3C%3E%60%7B|%7D%5E"),
        ("https://example.com/100%", "https://example.com/100%"),
        ("https://example.com/a//b/", "https://example.com/a//b/"),
        ("https://example.com/grüße", "https://example.com/gr%C3%BC%C3%9Fe"),
        ("https://example.com/@who", "https://example.com/@who"),
        # queries and fragments
        ("https://example.com?a b", "https://example.com/?a%20b"),
        ("https://example.com/?a='\"<>`{}|\\^[]", "https://example.com/?a=%27%22%3C%3E`{}|\\^[]"),
        ("https://example.com/?", "https://example.com/?"),
        ("https://example.com/?a?b", "https://example.com/?a?b"),
        ("https://example.com/#a b'`\"<>#?", "https://example.com/#a%20b'%60%22%3C%3E#?"),
        ("https://example.com/#", "https://example.com/#"),
        ("https://example.com/?href=https://example.org/?a#b", "https://example.com/?href=https://example.org/?a#b"),
        # hosts
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://BÜCHER。example/", "https://xn--bcher-kva.example/"),
        ("https://faß.example/", "https://xn--fa-hia.example/"),
        ("https://i❤.ws/", "https://xn--i-7iq.ws/"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://ex%61mple.com/", "https://example.com/"),
        ("https://a_b.example/", "https://a_b.example/"),
        ("https://example.com./", "https://example.com./"),
        ("http://127.0.0.1/", "http://127.0.0.1/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://0177.0.0.01/", "http://127.0.0.1/"),
        ("http://2130706433/", "http://127.0.0.1/"),
        ("http://[2001:DB8:0:0:1::0:1]/", "http://[2001:db8::1:0:0:1]/"),
        ("http://[::ffff:1.2.3.4]/", "http://[::ffff:102:304]/"),
        ("http://[::]/", "http://[::]/"),
        # credentials and ports
        ("https://example.com:443/", "https://example.com/"),
        ("http://example.com:443/", "http://example.com:443/"),
        ("http://example.com:080/", "http://example.com/"),
        ("http://example.com:/", "http://example.com/"),
        ("http://example.com:0/", "http://example.com:0/"),
        ("https://ann:p@ss@example.com/", "https://ann:p%40ss@example.com/"),
        ("https://ann@example.com/", "https://ann@example.com/"),
        ("https://:@example.com/", "https://example.com/"),
    ],
)  # fmt: skip
def test_a_link_leads_where_a_browser_would_go(reference: str, url: str) -> None:
    assert str(resolve(reference)) == url


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("other", "https://base.example/dir/other"),
        ("../other?a", "https://base.example/other?a"),
        ("/other", "https://base.example/other"),
        ("\\other", "https://base.example/other"),
        ("//example.com/a", "https://example.com/a"),
        ("/\\example.com/a", "https://example.com/a"),
        ("?new", "https://base.example/dir/page?new"),
        ("#here", "https://base.example/dir/page?old#here"),
        ("", "https://base.example/dir/page?old"),
        ("https:other", "https://base.example/dir/other"),
        ("http:example.com", "http://example.com/"),
        ("https://example.com", "https://example.com/"),
    ],
)
def test_a_relative_link_leads_on_from_the_base(reference: str, url: str) -> None:
    assert str(resolve(reference, BASE)) == url


@pytest.mark.parametrize(
    ("encoding", "query"),
    [
        ("utf-8", "%C3%BC%E2%82%AC%E2%98%83"),
        ("cp1252", "%FC%80%26%239731%3B"),
        ("iso8859_5", "%26%23252%3B%26%238364%3B%26%239731%3B"),
        ("cp932", "%26%23252%3B%26%238364%3B%26%239731%3B"),
    ],
)
def test_a_query_goes_out_in_the_encoding_of_its_page(encoding: str, query: str) -> None:
    url = resolve("https://example.com/ü?ü€☃#ü", encoding=encoding)
    assert str(url) == f"https://example.com/%C3%BC?{query}#%C3%BC"


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("mailto:ann@example.com", "scheme"),
        ("tel:+49", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("java\nscript:alert(1)", "scheme"),
        ("data:text/html,x", "scheme"),
        ("cid:picture", "scheme"),
        ("example.com:8080/a", "scheme"),
        ("example.com/a", "relative"),
        ("/a", "relative"),
        ("?a", "relative"),
        ("", "relative"),
        ("https://", "invalid"),
        ("https:///", "invalid"),
        ("https://ann@/", "invalid"),
        ("https://exa mple.com/", "invalid"),
        ("https://example.com:70000/", "invalid"),
        ("https://example.com:8o80/", "invalid"),
        ("https://exa|mple.com/", "invalid"),
        ("https://%zz/", "invalid"),
        ("https://1.2.3.4.5/", "invalid"),
        ("https://256.1.1.1/", "invalid"),
        ("https://1.2.3.08/", "invalid"),
        ("https://[::1/", "invalid"),
        ("https://[::1%25eth0]/", "invalid"),
        ("https://[1:2]/", "invalid"),
        ("https://a\u200db.example/", "invalid"),
        ("https://xn--ü.example/", "invalid"),
        ("https://\ufdd0/", "invalid"),
    ],
)
def test_what_no_browser_requests_says_why(reference: str, reason: str) -> None:
    with pytest.raises(NotFollowed) as refused:
        resolve(reference)
    assert refused.value.reason == reason


URLS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["http://", "https://", "//", "HTTPS:/", "https:", ""]),
    st.sampled_from(["example.com", "EXAMPLE.org:8080", "bücher.example", "1.2.3", "u:p@h", ""]),
    st.text(string.printable + "üß€☃%", max_size=30),
)


# Near what mail holds: mostly written as it is sent, with what only looks like it now and then.
AS_WRITTEN = st.builds(
    "{}://{}{}{}{}".format,
    st.sampled_from(["http", "https"]),
    st.lists(st.text("abnx019-_", max_size=5), min_size=1, max_size=4).map(".".join),
    st.text("/.%2eEab~:@;,'[]|^{} ", max_size=12).map("/{}".format) | st.just(""),
    st.text("ab=&%20'[]^`{}\\/?|", max_size=10).map("?{}".format) | st.just(""),
    st.text("ab#?%'`{}", max_size=6).map("#{}".format) | st.just(""),
)
REAL = json.loads((Path(__file__).parents[3] / "docs" / "token-vectors.json").read_text())


@given(AS_WRITTEN | st.sampled_from(REAL["real_links"]))
def test_a_url_that_is_recognised_is_what_taking_it_apart_would_give(reference: str) -> None:
    def resolved(text: str) -> Url | str:
        try:
            return resolve(text)
        except NotFollowed as error:
            return error.reason

    # White space around a URL means nothing, and keeps it from being recognised.
    assert resolved(reference) == resolved(f" {reference}")


@given(URLS)
def test_what_a_browser_requests_it_requests_again_unchanged(reference: str) -> None:
    try:
        url = str(resolve(reference))
    except NotFollowed:
        return
    assert url.isascii()
    assert not any(letter <= " " for letter in url)
    assert str(resolve(url)) == url


@given(URLS, st.sampled_from([None, "https://base.example/dir/page?old#there", "http://b.example"]))
def test_any_link_leads_where_a_browsers_own_parser_leads(reference: str, base: str | None) -> None:
    ada = pytest.importorskip("ada_url", reason="ada-url, the parser of Node.js, is not installed")
    if base is None and reference.lstrip(string.whitespace + "\0\x1c\x1d\x1e\x1f")[:2] == "//":
        reference = "https:" + reference
    try:
        expected = ada.URL(reference, base or "none:").href
    except ValueError:
        expected = None
    if expected is not None and not expected.startswith(("http:", "https:")):
        expected = None
    try:
        url = str(resolve(reference, resolve(base) if base else None))
    except NotFollowed:
        url = None
    assert url == expected
