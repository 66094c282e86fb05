import pytest

from rewriter.config import Config
from rewriter.links import Policy
from rewriter.mime.text import plan_text

from .sender import DOMAIN, TOKENS, UNSUBSCRIBE, page, payloads, restored, rewritten

POLICY = Policy(Config(tracking_domain=DOMAIN, text_links=True), TOKENS)


def destinations(text: str, *, charset: str = "utf-8", delsp: bool = False) -> list[str]:
    plan = plan_text(text.encode(charset), POLICY, charset=charset, delsp=delsp)
    return [link.destination for link in plan.links if link.tracked]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("see https://example.com/a?b=c#d now", "https://example.com/a?b=c#d"),
        ("see https://example.com/a.", "https://example.com/a"),
        ("see https://example.com/a, and", "https://example.com/a"),
        ("(https://example.com/a)", "https://example.com/a"),
        ("https://example.com/a_(b)", "https://example.com/a_(b)"),
        ("(see https://example.com/a_(b)).", "https://example.com/a_(b)"),
        ("<https://example.com/a.>", "https://example.com/a."),
        ("<URL:https://example.com/a>", "https://example.com/a"),
        ("<https://example.com/\n  long/\r\npath>", "https://example.com/long/path"),
        ('"https://example.com/a"', "https://example.com/a"),
        ("*https://example.com/a*", "https://example.com/a"),
        ("[docs](https://example.com/a)", "https://example.com/a"),
        ("HTTPS://EXAMPLE.COM/A", "https://example.com/A"),
        ("https://example.com/ä", "https://example.com/%C3%A4"),
        ("„https://example.com/a”", "https://example.com/a"),
        ("https://example.com/a。", "https://example.com/a"),
        ("https://example.com/a \nnext", "https://example.com/a"),
    ],
)
def test_a_url_is_found_as_a_reader_would_mean_it(text: str, url: str) -> None:
    assert destinations(text) == [url]


@pytest.mark.parametrize(
    "text",
    [
        "mailto:a@example.com",
        "http:// nothing",
        "ahttps://example.com",
        "svn+https://example.com/",
        "https://click.example.com/c/GIOJ.EAHq.Abc",
        "https://%recipient.host%/",
        "<%unsubscribe_url%>",
    ],
)
def test_what_is_no_link_to_track_stays(text: str) -> None:
    assert destinations(text) == []


@pytest.mark.parametrize(
    ("text", "delsp", "url"),
    [
        ("https://example.com/lo \nng next", True, "https://example.com/long"),
        ("https://example.com/lo \nng next", False, "https://example.com/lo"),
        ("https://example.com/lo  \nng next", True, "https://example.com/lo"),
        ("https://example.com/lo \n> quoted", True, "https://example.com/lo"),
        ("https://example.com/lo \n", True, "https://example.com/lo"),
    ],
)
def test_a_flowed_url_goes_on_where_its_format_says_so(text: str, delsp: bool, url: str) -> None:
    assert destinations(text, delsp=delsp) == [url]


TEXT = b"See <https://example.com/\n a> and (https://example.com/b?c=d).\n-- \nus\n"


def test_text_links_are_tracked_where_asked() -> None:
    message = page(TEXT, kind=b"text/plain; format=flowed; delsp=yes")
    out = bytes(rewritten(message, text_links=True))
    assert restored(out) == message.replace(b"/\n a", b"/a")


def test_text_links_stay_where_nobody_asked() -> None:
    assert bytes(rewritten(page(TEXT, kind=b"text/plain"))) == page(TEXT, kind=b"text/plain")


def test_inline_pgp_stays() -> None:
    signed = b"-----BEGIN PGP SIGNED MESSAGE-----\n\n" + TEXT
    message = page(signed, kind=b"text/plain")
    outcome = rewritten(message, text_links=True)
    assert bytes(outcome) == message
    assert [notice.code for notice in outcome.notices] == ["signed"]


FOOTER = "\n\nAbmelden für immer: <%unsubscribe_url%>\n"


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (b"text/plain; charset=utf-8", "für".encode()),
        (b"text/plain; charset=iso-8859-1", "für".encode("latin-1")),
        (b"text/plain; charset=x-none", b"f?r"),
    ],
)
def test_a_footer_comes_in_the_charset_of_the_text(kind: bytes, word: bytes) -> None:
    message = page(b"Hello\r\n", b"Content-Transfer-Encoding: 8bit", kind=kind)
    out = bytes(rewritten(message.replace(b"\n", b"\r\n"), unsubscribe_text=FOOTER))
    assert b"\r\n\r\nAbmelden " + word + b" immer: <https://click.example.com/u/" in out


def test_a_text_with_an_unsubscribe_link_gets_no_footer() -> None:
    message = page(b"Bye: %unsubscribe_url%\n", kind=b"text/plain")
    out = payloads(bytes(rewritten(message, unsubscribe_text=FOOTER)))[0]
    assert len(UNSUBSCRIBE.findall(out)) == 1
    assert b"Abmelden" not in out
