"""A whole page: what changes, what never does, and where the pixel stands."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rewriter.html.markup import scan
from rewriter.html.pixel import AFTER, BEFORE
from rewriter.switches import STRIPPED
from tests.rewriter.html.generated import PAGES, pages
from tests.rewriter.html.oracle import tree
from tests.rewriter.html.sender import ANN, BEN, DOMAIN, links, restored, rewriter

PIXEL = re.compile(
    re.escape(BEFORE) + rb"https://click\.example\.com/o/[\w-]+\.[\w-]+\.[\w-]+" + re.escape(AFTER)
)
IGNORED = frozenset({"href", *(name.decode() for name in STRIPPED)})


def with_pixel(page: str, **settings: object) -> str:
    """Rewrite a page and mark where its pixels stand."""
    data = rewriter(**{"opens": True, "clicks": False, **settings}).html(page.encode(), ANN).data
    return PIXEL.sub(b"[*]", data).decode()


@pytest.mark.parametrize(
    ("page", "tracked"),
    [
        ("<body><p>a</p></body></html>", "<body><p>a</p>[*]</body></html>"),
        ("<p>a</p>", "<p>a</p>[*]"),
        ("", "[*]"),
        ("a</BODY >b</BODY >", "a</BODY >b[*]</BODY >"),
        ("a<!-- </body> -->", "a<!-- </body> -->[*]"),
        ("a<script>'</body>'</script>", "a<script>'</body>'</script>[*]"),
        ("<p>a</p><!-- b", "<p>a</p>[*]<!-- b"),
        ("<p>a</p><p title='b", "<p>a</p>[*]<p title='b"),
        ("<p>a</p></", "<p>a</p>[*]</"),
        ("<p>a</p><style>b", "<p>a</p>[*]<style>b"),
        ("<p>a</p><style>b</style ", "<p>a</p>[*]<style>b</style "),
        ("<p>a</p><script></SCRIPT x='", "<p>a</p>[*]<script></SCRIPT x='"),
        ("<p>a</p><title>b</title/tr", "<p>a</p>[*]<title>b</title/tr"),
        ("<style>b</style x>a", "<style>b</style x>a[*]"),
        ("<head><title>a</title></head></html>", "<head><title>a</title></head></html>[*]"),
    ],
)  # fmt: skip
def test_the_pixel_stands_at_the_end_of_the_body(page: str, tracked: str) -> None:
    assert with_pixel(page) == tracked


@pytest.mark.parametrize(
    ("page", "tracked"),
    [
        ("<html><body class=a>\n<p>a</p></body>", "<html><body class=a>[*]\n<p>a</p></body>"),
        ("<!doctype html>\n<p>a</p>", "<!doctype html>[*]\n<p>a</p>"),
        ("<p>a</p>", "[*]<p>a</p>"),
        ("\ufeff<p>a</p>", "\ufeff[*]<p>a</p>"),
        ("<title><body></title><base>a", "<title><body></title><base>[*]a"),
        ("<!-- <body> --><head><meta x></head> a", "<!-- <body> --><head><meta x></head>[*] a"),
        ("<title>a", "[*]<title>a"),
        ("<!-- a", "[*]<!-- a"),
    ],
)  # fmt: skip
def test_the_pixel_stands_at_the_top_where_gmail_cannot_clip_it(page: str, tracked: str) -> None:
    assert with_pixel(page, pixel="top") == tracked


def test_two_pixels_tell_whether_the_bottom_was_clipped() -> None:
    page = b"<body>a</body>"
    data = rewriter(opens=True, pixel="both").html(page, ANN).data
    assert [link.name for link in links(data, b"o")] == ["top", ""]
    assert PIXEL.sub(b"[*]", data) == b"<body>[*]a[*]</body>"


@pytest.mark.parametrize(
    ("page", "settings", "tracked"),
    [
        ("<p>{{ses:openTracker}}a", {}, "<p>[*]a"),
        ("<p>{{ses:openTracker}}a", {"pixel": "both"}, "<p>[*]a"),
        ("<p>{{ses:openTracker}}a", {"opens": False}, "<p>a"),
        ("<!--{{ses:openTracker}}-->a{{ses:openTracker}}b", {}, "<!--{{ses:openTracker}}-->a[*]b"),
        ("<p title='{{ses:openTracker}}'>a", {}, "<p title='{{ses:openTracker}}'>a[*]"),
        ("<title>{{ses:openTracker}}</title>", {}, "<title>{{ses:openTracker}}</title>[*]"),
        ("a[pixel]b", {"pixel_token": "[pixel]"}, "a[*]b"),
        ("ab", {"pixel": "token"}, "ab"),
    ],
)
def test_the_pixel_stands_where_its_token_does(
    page: str, settings: dict[str, object], tracked: str
) -> None:
    assert with_pixel(page, **settings) == tracked


def test_a_page_without_the_token_that_was_asked_for_is_warned_of() -> None:
    cautions = rewriter(opens=True, pixel="token").html("<p>a", ANN).cautions
    assert [caution.code for caution in cautions] == ["no-pixel"]


def test_the_pixel_is_nothing_to_a_screen_reader() -> None:
    assert b' alt="" role="presentation" aria-hidden="true"' in AFTER


@pytest.mark.parametrize(
    ("placeholder", "scope"),
    [
        ("%unsubscribe_url%", "domain"),
        ("%tag_unsubscribe_url%", "tag"),
        ("%mailing_list_unsubscribe_url%", "list"),
        ("{{amazonSESUnsubscribeUrl}}", "list"),
    ],
)
def test_an_unsubscribe_placeholder_becomes_a_link_of_its_scope(
    placeholder: str, scope: str
) -> None:
    page = f"<a href='{placeholder}'>{placeholder}</a><!--[if mso]>{placeholder}<![endif]-->"
    data = rewriter().html(page.encode(), ANN).data
    assert [link.category for link in links(data, b"u")] == [scope] * 3
    assert restored(data, [placeholder.encode()] * 3) == page.encode()


FOOTER = '<p>Adiós: <a href="%unsubscribe_url%">bye</a></p>'


@pytest.mark.parametrize(
    ("page", "charset", "tracked"),
    [
        ("<body>a</body>", "utf-8", "<body>a<p>Adiós: <a href=\"…\">bye</a></p></body>"),
        ("<body>a</body>", "latin1", "<body>a<p>Adiós: <a href=\"…\">bye</a></p></body>"),
        ("<body>a</body>", "koi8-r", "<body>a<p>Adi&#243;s: <a href=\"…\">bye</a></p></body>"),
        ("<a href=%tag_unsubscribe_url%>x</a>", "utf-8", "<a href=…>x</a>"),
    ],
)  # fmt: skip
def test_a_footer_is_added_where_nobody_could_unsubscribe(
    page: str, charset: str, tracked: str
) -> None:
    sender = rewriter(unsubscribe_html=FOOTER)
    data = sender.html(page.encode(), ANN, charset=charset).data
    url = re.compile(rb"https://click\.example\.com/u/[\w.-]+")
    assert url.sub(b"...", data).decode(charset) == tracked.replace("…", "...")
    assert sender.html(data, BEN, charset=charset).data.count(b"bye") == tracked.count("bye")


def test_a_hidden_link_is_there_for_machines_alone() -> None:
    data = rewriter(hidden_link=True).html(b"<body>a</body>", ANN).data
    [link] = links(data)
    assert (link.category, link.destination) == ("hidden", f"https://{DOMAIN}/")
    assert data.endswith(b'" aria-hidden="true" tabindex="-1" style="display:none"></a></body>')


def test_privacy_off_gives_every_byte_back() -> None:
    page = b"<a href=https://example.com ses:no-track>%unsubscribe_url%{{ses:openTracker}}"
    assert rewriter(opens=True, privacy="off", unsubscribe_html="x").html(page, ANN).data == page


def test_the_privacy_mode_travels_in_the_token() -> None:
    sender = rewriter(privacy="anonymous")
    data = sender.html(b"<a href=https://example.com>", ANN).data
    frame = data.split(b".")[-2]
    assert sender.policy.tokens.open_context(frame).privacy == "anonymous"


def test_a_reply_that_quotes_a_tracked_message_is_tracked_itself() -> None:
    sender = rewriter(opens=True)
    quoted = sender.html(b"<a href=https://example.com/>old</a>", ANN).data
    reply = b"<a href=https://example.org/>new</a>" + quoted
    data = sender.html(reply, BEN).data
    assert quoted in data
    assert [link.destination for link in links(data)] == [
        "https://example.org/",
        "https://example.com/",
    ]
    assert len(links(data, b"o")) == 2


SETTINGS = st.sampled_from(
    [
        {"opens": True},
        {"opens": True, "pixel": "top"},
        {"opens": True, "pixel": "both", "hidden_link": True},
        {"opens": True, "unsubscribe_html": FOOTER, "utm": (("utm_source", "x"),)},
    ]
)


@given(pages(), SETTINGS)
@example(PAGES[0], {"opens": True})
def test_rewriting_twice_changes_nothing_more(page: str, settings: dict[str, object]) -> None:
    sender = rewriter(**settings)
    once = sender.html(page.encode(), ANN).data
    assert sender.html(once, ANN).data == once


@given(pages())
def test_every_byte_outside_links_and_pixel_stays_as_it_came(page: str) -> None:
    html = page.encode()
    result = rewriter(opens=True).html(html, ANN)
    originals = [html[link.start : link.end] for link in result.links if link.tracked]
    assert restored(PIXEL.sub(b"", result.data), originals) == html


@given(pages())
def test_a_page_parses_to_the_same_tree_but_for_its_links(page: str) -> None:
    html = page.encode()
    data = rewriter(opens=True).html(html, ANN).data
    ours = f"https://{DOMAIN}/o/"
    assert tree(data.decode(), IGNORED, ours) == tree(page, IGNORED, ours)


@given(pages())
def test_what_is_text_comes_back_as_text(page: str) -> None:
    sender = rewriter(opens=True)
    assert (
        sender.html(page, ANN).data
        == sender.html(page.encode(), ANN, charset="utf-8").data.decode()
    )


@given(st.binary(max_size=200))
def test_bytes_that_are_no_page_at_all_survive(html: bytes) -> None:
    result = rewriter(opens=True).html(html, ANN)
    at = scan(html).body_end
    at = scan(html).whole if at is None else at
    assert PIXEL.sub(b"", result.data).startswith(html[:at])
