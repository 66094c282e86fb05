"""Which links are tracked, what they are called, and what is taken out of the page for it."""

from urllib.parse import unquote

import pytest

from rewriter.report import Reason
from rewriter.tokens import Link
from tests.rewriter.html.sender import ANN, DOMAIN, destinations, links, restored, rewriter


def outcome(page: str, **settings: object) -> tuple[Reason, str]:
    """Give what became of the only link of a page, and where it leads."""
    [report] = rewriter(**settings).html(page, ANN).links
    return report.reason, report.destination


@pytest.mark.parametrize(
    ("href", "reason"),
    [
        ("https://example.com/", "tracked"),
        ("HTTP://EXAMPLE.com", "tracked"),
        ("//example.com/", "tracked"),
        (" https://example.com/ ", "tracked"),
        ("mailto:ann@example.org", "scheme"),
        ("tel:+49301234", "scheme"),
        ("sms:+49301234", "scheme"),
        ("cid:1@example.com", "scheme"),
        ("data:text/html,x", "scheme"),
        ("javascript:void(0)", "scheme"),
        ("#top", "anchor"),
        ("", "empty"),
        (" ", "empty"),
        ("page.html", "relative"),
        ("https://", "invalid"),
        (f"https://{DOMAIN}/c/EA.EAE_.aaaa", "own"),
        (f"http://{DOMAIN.upper()}/u/EA.EAE_.aaaa", "own"),
        (f"https://{DOMAIN}/imprint", "tracked"),
        ("%unsubscribe_url%", "unsubscribe"),
        ("https://example.com/?back=%unsubscribe_url%", "unsubscribe"),
        ("{{url}}", "placeholder"),
        ("{{{ url }}}", "placeholder"),
        ("{% url 'home' %}", "placeholder"),
        ("%recipient.url%", "placeholder"),
        ("%%url%%", "placeholder"),
        ("&lt;%= url %&gt;", "placeholder"),
        ("[[url]]", "placeholder"),
        ("*|ARCHIVE|*", "placeholder"),
        ("{{base}}/page?a=b", "placeholder"),
        ("https://{{host}}/page", "placeholder"),
        ("https://example.com/{{page}}", "placeholder"),
        ("https://example.com/?id={{id}}", "personalised"),
        ("https://example.com/?id=%recipient.id%", "personalised"),
        ("https://example.com/?id=*|UNIQID|*&amp;a=b", "personalised"),
        ("https://example.com/#{{id}}", "personalised"),
        ("https://example.com/?q=%C3%BC%20a%2Fb%E2%82%AC", "tracked"),  # escapes, no placeholders
        ("https://example.com/?q=100%&amp;r=50%", "tracked"),
        ("https://example.com/%7Eann/", "tracked"),
    ],
)
def test_each_link_is_tracked_or_stays_for_a_reason(href: str, reason: str) -> None:
    page = f'<a href="{href}">x</a>'
    assert outcome(page)[0] == reason
    changed = rewriter().html(page, ANN).data != page
    assert changed == (reason in ("tracked", "personalised", "unsubscribe"))


@pytest.mark.parametrize(
    ("attributes", "left"),
    [
        ('href="https://example.com/" disable-tracking=true', 'href="https://example.com/"'),
        ('disable-tracking="true" href="https://example.com/"', 'href="https://example.com/"'),
        ('href="https://example.com/" ses:no-track', 'href="https://example.com/"'),
        ('href="https://example.com/"ses:no-track', 'href="https://example.com/"'),
        ("href=https://example.com/ SES:NO-TRACK/", "href=https://example.com/ /"),
        ('href="https://example.com/" clicktracking=off id=1', 'href="https://example.com/" id=1'),
        ('data-msys-clicktrack="0" href="https://example.com/"', 'href="https://example.com/"'),
        ('href="https://example.com/"\n data-no-track', 'href="https://example.com/"'),
        ('href="https://example.com/" class="untracked"', 'href="https://example.com/"'),
        ('class="a untracked b" href="https://example.com/"', 'class="a b" href="https://example.com/"'),
        ('class=untracked href="https://example.com/"', 'href="https://example.com/"'),
        ('href="https://example.com/" ses:no-track ses:no-track', 'href="https://example.com/"'),
    ],
)  # fmt: skip
def test_a_link_that_a_vendor_lets_opt_out_stays_without_the_switch(
    attributes: str, left: str
) -> None:
    result = rewriter().html(f"<a {attributes}>x</a>", ANN)
    assert result.data == f"<a {left}>x</a>"
    assert result.links[0].reason == "opt-out"


@pytest.mark.parametrize(
    "attribute",
    [
        "disable-tracking=false",
        "clicktracking=on",
        "data-msys-clicktrack=1",
        "data-no-track=false",
        'class="tracked untracked-not"',
    ],
)
def test_a_switch_that_says_yes_leaves_the_link_tracked(attribute: str) -> None:
    assert outcome(f"<a href=https://example.com/ {attribute}>x</a>")[0] == "tracked"


@pytest.mark.parametrize(
    ("attributes", "link"),
    [
        ('data-msys-linkname="Hero &amp; more"', Link(name="Hero & more")),
        ("data-track-name=Hero data-msys-linkname=other", Link(name="Hero")),
        ("data-track-category=footer", Link(category="footer")),
        ('ses:tags="place:top;kind:cta;"', Link(tags=(("place", "top"), ("kind", "cta")))),
        ('ses:tags=";nothing;:x;a:b:c"', Link(tags=(("a", "b:c"),))),
        ('data-track-name="a\x1fb\n"', Link(name="ab")),
    ],
)
def test_a_link_is_called_what_its_sender_calls_it(attributes: str, link: Link) -> None:
    data = rewriter().html(f"<a {attributes} href='https://example.com/'>x</a>", ANN).data
    [made] = links(data.encode())
    assert made == Link("https://example.com/", 1, link.name, link.category, link.tags)
    assert data.startswith("<a href='https://click.example.com/c/")


@pytest.mark.parametrize(
    ("attribute", "path"),
    [
        ('universal="true"', "a"),
        ("universal", "a"),
        ("data-msys-sublink=open-in-app", "a"),
        ("UNIVERSAL=False", "c"),
        ("data-msys-linkname=x", "c"),
    ],
)
def test_a_link_for_an_app_has_a_path_of_its_own_and_is_a_click_all_the_same(
    attribute: str, path: str
) -> None:
    data = rewriter().html(f"<a href='https://example.com/' {attribute}>x</a>", ANN).data
    assert data.startswith(f"<a href='https://click.example.com/{path}/")
    assert data.endswith("'>x</a>")
    [made] = links(data.replace("/a/", "/c/").encode())
    assert made.destination == "https://example.com/"
    assert rewriter().html(data, ANN).data == data  # it is ours already


def test_links_are_told_apart_by_their_place_in_the_page() -> None:
    page = b"<a href=https://a.example/><a name=x><a href=#y><area href=https://a.example/>"
    assert [link.position for link in links(rewriter().html(page, ANN).data)] == [1, 3]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"exclude_domains": ("example.com",)}, "excluded"),
        ({"exclude_domains": ("shop.example.com",)}, "excluded"),
        ({"exclude_domains": ("op.example.com", "example.org")}, "tracked"),
        ({"only_domains": ("example.com",)}, "tracked"),
        ({"only_domains": ("example.org",)}, "excluded"),
        ({"only_domains": ("example.com",), "exclude_domains": ("shop.example.com",)}, "excluded"),
        ({"clicks": False}, "clicks-off"),
    ],
)
def test_the_sender_chooses_which_domains_are_tracked(
    settings: dict[str, object], reason: str
) -> None:
    assert outcome("<a href=https://shop.Example.com./a>x</a>", **settings)[0] == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://example.com/a", "visible-url"),
        ("<b>https://</b>example.com/?a=1&amp;b", "visible-url"),
        (" www.example.com ", "visible-url"),
        ("example.com/offer", "visible-url"),
        ("Node.js", "tracked"),
        ("ann@example.com", "tracked"),
        ("see https://example.com/", "tracked"),
        ("", "tracked"),
    ],
)
def test_a_link_that_shows_its_address_stays_if_the_sender_wants_it(text: str, reason: str) -> None:
    page = f"<a href=https://example.com/a>{text}</A ><a name=x>www.example.org</a>"
    assert outcome(page.replace("<a name=x>", "<b>"), skip_visible_urls=True)[0] == reason
    assert outcome(page.replace("<a name=x>", "<b>"))[0] == "tracked"


@pytest.mark.parametrize(
    ("url", "destination"),
    [
        ("https://example.com/", "https://example.com/?utm_source=mail&utm_campaign=a%20b"),
        ("https://example.com/#f", "https://example.com/?utm_source=mail&utm_campaign=a%20b#f"),
        ("https://example.com/?", "https://example.com/?utm_source=mail&utm_campaign=a%20b"),
        (
            "https://example.com/?a=b&amp;utm_source=x#f?",
            "https://example.com/?a=b&utm_source=x&utm_campaign=a%20b#f?",
        ),
        (
            "https://example.com/?utm_campaign&amp;utm_source=",
            "https://example.com/?utm_campaign&utm_source=",
        ),
    ],
)
def test_utm_parameters_are_added_once_and_before_the_fragment(url: str, destination: str) -> None:
    settings = {"utm": (("utm_source", "mail"), ("utm_campaign", "a b"))}
    assert outcome(f'<a href="{url}">x</a>', **settings)[1] == destination


@pytest.mark.parametrize(
    ("base", "href", "destination"),
    [
        ('<base href="https://example.com/mail/">', "a?b", "https://example.com/mail/a?b"),
        ('<base target=_blank><base href="http://example.com/">', "//x.example", "http://x.example/"),
        ("<base href=http://a.example><base href=http://b.example>", "/c", "http://a.example/c"),
        ("<!--[if mso]><base href=http://a.example><![endif]-->", "https://x.example", "https://x.example/"),
    ],
)  # fmt: skip
def test_relative_links_lead_where_the_pages_base_says(
    base: str, href: str, destination: str
) -> None:
    assert outcome(f"{base}<a href={href}>x</a>")[1] == destination


def test_an_anchor_stays_within_the_message_even_where_there_is_a_base() -> None:
    assert outcome("<base href=https://example.com><a href=#top>x</a>")[0] == "anchor"


@pytest.mark.parametrize(
    ("charset", "page", "destination"),
    [
        ("utf-8", "ü", "https://example.com/%C3%BC?%C3%BC"),
        ("iso-8859-1", "ü€", "https://example.com/%C3%BC%E2%82%AC?%FC%80"),
        ("windows-1251", "я", "https://example.com/%D1%8F?%FF"),
        ("shift_jis", "表", "https://example.com/%E8%A1%A8?%95\\"),
        ("us-ascii", "ü", "https://example.com/%C3%BC?%FC"),
    ],
)
def test_a_query_leaves_in_the_charset_of_the_message(
    charset: str, page: str, destination: str
) -> None:
    codec = {"iso-8859-1": "cp1252", "us-ascii": "latin-1"}.get(charset, charset)
    html = f"<a href='https://example.com/{page}?{page}'>x</a>".encode(codec)
    result = rewriter().html(html, ANN, charset=charset)
    assert destinations(result.data) == [destination]


@pytest.mark.parametrize(
    ("head", "charset", "read_as"),
    [
        (b"\xef\xbb\xbf", "iso-8859-1", "utf-8"),  # the mark is stronger than the header
        (b'<meta charset="windows-1252">', "utf-8", "utf-8"),
        (b'<meta charset="windows-1252">', "", "cp1252"),
        (b"<meta http-equiv=x content='text/html; charset=koi8-r'>", "x-unknown", "koi8-r"),
        (b"<meta charset=utf-16>", "", "utf-8"),
        (b"", "", "utf-8"),
        (b"\xff", "", "cp1252"),
        (b"", "rot13", "utf-8"),
    ],
)
def test_the_charset_is_the_one_that_a_reader_would_take(
    head: bytes, charset: str, read_as: str
) -> None:
    html = head + "<a href='https://example.com/ü'>x</a>".encode()
    [destination] = destinations(rewriter().html(html, ANN, charset=charset).data)
    assert unquote(destination) == "https://example.com/" + "ü".encode().decode(read_as)


def test_a_charset_that_nobody_knows_is_warned_of() -> None:
    cautions = rewriter().html(b"<a href=https://example.com/>", ANN, charset="x-none").cautions
    assert [caution.code for caution in cautions] == ["unknown-charset"]


def test_a_destination_too_long_for_a_token_stays_and_is_warned_of() -> None:
    page = f'<a href="https://example.com/{"a1" * 5000}">x</a>'
    result = rewriter().html(page, ANN)
    assert result.data == page
    assert [caution.code for caution in result.cautions] == ["too-long"]


def test_an_opted_out_link_and_a_tracked_one_come_back_as_they_were() -> None:
    page = b"<A HREF = 'https://a.example/&amp;'>a</A ><a href=https://b.example/ id=b>b</a>"
    data = rewriter().html(page, ANN).data
    assert restored(data, [b"https://a.example/&amp;", b"https://b.example/"]) == page
