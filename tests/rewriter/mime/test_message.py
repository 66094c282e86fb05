"""What becomes of a message: awkward ones of our own, each with what must hold."""

import binascii
from pathlib import Path

import pytest

from rewriter.config import Config
from rewriter.keyring import Keyring
from rewriter.links import Policy
from rewriter.mime.letterhead import Letterhead
from rewriter.mime.message import Refused, plan_message
from rewriter.rewriter import Rewriter
from rewriter.tokens import open_link

from .sender import (
    DOMAIN,
    PAGE,
    TOKENS,
    TRACKED,
    UNSUBSCRIBE,
    codes,
    contexts,
    page,
    payloads,
    restored,
    rewritten,
)

NEWSLETTER = Path(__file__).parents[3] / "deploy" / "demo" / "newsletter.eml"

QP = b"Content-Transfer-Encoding: quoted-printable"
BASE64 = b"Content-Transfer-Encoding: base64"
LONG = b'<p><a href="https://example.com/%b">x</a> %b</p>\n' % (b"p" * 50, b"y " * 480)


def crlf(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def alternative(*parts: bytes) -> bytes:
    body = b"".join(b"\n--=_b\n" + part for part in parts)
    return page(
        b"preamble\n" + body + b"\n--=_b--\nepilogue\n", kind=b"multipart/mixed; boundary==_b"
    )


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("a page", page()),
        ("a page with CRLF", crlf(page())),
        ("a page without a final line end", page(PAGE.rstrip())),
        ("an mbox line", b"From news@example.org Thu Oct  1 07:30:00 2026\n" + page()),
        ("8bit in Latin-1", page(b"<p>caf\xe9 " + PAGE, b"Content-Transfer-Encoding: 8bit")),
        ("an unknown charset", page(b"<p>\x81\xff " + PAGE, kind=b"text/html; charset=x-none")),
        ("a charset that is wrong", page(b"<p>caf\xe9 " + PAGE, kind=b"text/html; charset=utf-8")),
        ("UTF-16 that is none", page(PAGE, kind=b"text/html; charset=utf-16")),
        (
            "Shift_JIS",
            page("<p>表示 ".encode("cp932") + PAGE, kind=b"text/html; charset=shift_jis"),
        ),
        ("parts", alternative(b"\ntext\n", b"Content-Type: text/html\n\n" + PAGE)),
        ("parts with CRLF", crlf(alternative(b"\ntext\n", b"Content-Type: text/html\n\n" + PAGE))),
        ("a part that was cut off", alternative(b"Content-Type: text/html\n\n" + PAGE)[:-24]),
        ("mixed line ends", page(PAGE.replace(b"\n", b"\r\n") + b"<p>\n<p>\r\n")),
        ("zero bytes", page(b"\0<p>" + PAGE)),
        ("blanks at line ends", page(b"<p> \t \n  " + PAGE)),
    ],
)
def test_every_other_byte_stays_as_it_came(what: str, message: bytes) -> None:
    outcome = rewritten(message)
    assert TRACKED.search(bytes(outcome))
    assert restored(bytes(outcome)) == message


@pytest.mark.parametrize("eol", [b"\n", b"\r\n"])
@pytest.mark.parametrize(
    ("header", "encoded"),
    [
        (QP, PAGE.replace(b"=", b"=3D").replace(b"Hello", b"H=\nello").replace(b"m/a", b"m/=\na")),
        (QP, PAGE.replace(b"=", b"=3d").replace(b"<p>", b"<p> \n").replace(b"</p>", b"=C3=A9</p>")),
        (BASE64, binascii.b2a_base64(PAGE)),
        (BASE64, binascii.b2a_base64(PAGE * 9)[:-1]),
        (
            BASE64,
            b"\n".join(binascii.b2a_base64(PAGE)[at : at + 40] for at in (0, 40, 80)) + b"\n\n",
        ),
    ],
)
def test_an_encoded_page_decodes_to_the_page_with_its_links_tracked(
    header: bytes, encoded: bytes, eol: bytes
) -> None:
    message = alternative(b"Content-Type: text/html\n" + header + b"\n\n" + encoded, b"\nfile")
    message = message.replace(b"\n", eol)
    out = bytes(rewritten(message))
    before, after = payloads(message), payloads(out)
    assert TRACKED.search(after[0])
    assert [restored(content) for content in after] == before
    assert max(map(len, out.splitlines())) <= 998
    start = message.index(eol + eol, message.index(header)) + 2 * len(eol)
    assert out.startswith(message[:start])
    assert out.endswith(message[message.index(eol + b"--=_b" + eol + eol + b"file") :])


@pytest.mark.parametrize("eol", [b"\n", b"\r\n"])
@pytest.mark.parametrize("headers", [(), (b"Content-Transfer-Encoding: 7bit",)])
def test_a_part_whose_lines_grow_too_long_becomes_quoted_printable(
    headers: tuple[bytes, ...], eol: bytes
) -> None:
    message = page(LONG, *headers).replace(b"\n", eol)
    out = bytes(rewritten(message))
    assert out.count(QP + eol) == 1
    assert max(map(len, out.split(eol))) <= 76
    assert restored(payloads(out)[0]) == payloads(message)[0]


def test_binary_parts_may_have_lines_of_any_length() -> None:
    message = page(LONG, b"Content-Transfer-Encoding: binary")
    assert restored(bytes(rewritten(message))) == message


def test_what_is_seven_bit_stays_so() -> None:
    message = page(PAGE, b"Content-Transfer-Encoding: 7bit")
    assert bytes(rewritten(message, unsubscribe_html="<p>Abmelden für immer")).isascii()


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_text_is_edited_in_its_own_width(codec: str) -> None:
    text = "<p>表示 😀 <a href='https://example.com/ä?q=ä'>" + PAGE.decode()
    encoded = binascii.b2a_base64(text.encode(codec))
    message = page(encoded, BASE64, kind=b"text/html; charset=" + codec.encode())
    (decoded,) = payloads(bytes(rewritten(message)))
    out = decoded.decode(codec).encode()
    assert TRACKED.search(out)
    assert restored(out).decode() == text.replace("/ä?q=ä", "/%C3%A4?q=%C3%A4")


def test_kanji_that_look_like_markup_are_no_markup() -> None:
    # In ISO-2022-JP these are `<a href="` and the like, two characters a kanji.
    text = "<p>勝殻薗蔵 <a href='https://example.com/'>表</a>示</p>\n"
    message = page(text.encode("iso2022_jp"), kind=b"text/html; charset=iso-2022-jp")
    out = bytes(rewritten(message))
    assert len(TRACKED.findall(out)) == 1
    assert restored(out) == message


def test_the_escapes_of_iso_2022_jp_go_with_the_url_they_stood_in() -> None:
    text = "<a href='https://example.com/表示?q=1'>漢字</a>\n"
    message = page(text.encode("iso2022_jp"), kind=b"text/html")
    out = bytes(rewritten(message))
    assert b"/%E8%A1%A8%E7%A4%BA" in restored(out)
    assert out.endswith("漢字</a>\n".encode("iso2022_jp")) or b"/o/" in out


ATTACHED = b"Content-Disposition: attachment; filename=a.html"


@pytest.mark.parametrize(
    ("what", "message", "code"),
    [
        ("an attachment", page(PAGE, ATTACHED), "attachment"),
        ("a file name", page(PAGE, b"Content-Disposition: inline; filename=a.html"), "attachment"),
        ("a name", page(kind=b"text/html; name=a.html"), "attachment"),
        ("an unknown encoding", page(PAGE, b"Content-Transfer-Encoding: x-uue"), "encoding"),
        ("broken base64", page(b"PGE+!!", BASE64), "damaged"),
        ("base64 cut short", page(b"PGEgaHJlZ", BASE64), "damaged"),
        ("UTF-7", page(kind=b"text/html; charset=utf-7"), "charset"),
        ("HZ", page(kind=b"text/html; charset=hz-gb-2312"), "charset"),
        ("EBCDIC", page(kind=b"text/html; charset=cp037"), "charset"),
        ("UTF-16 cut short", page(b"<\0p\0\n", kind=b"text/html; charset=utf-16"), "charset"),
        ("a signed message", page(kind=b"multipart/signed; boundary=b"), "signed"),
        ("two types", page(PAGE, b"Content-Type: text/plain"), "ambiguous"),
    ],
)
def test_what_cannot_be_edited_safely_is_left_alone(what: str, message: bytes, code: str) -> None:
    outcome = rewritten(message, list_unsubscribe=True)
    assert code in codes(outcome)
    assert payloads(bytes(outcome)) == payloads(message)


@pytest.mark.parametrize("kind", [b"application/pdf", b"image/svg+xml", b"text/x-amp-html"])
def test_what_is_no_page_stays(kind: bytes) -> None:
    assert bytes(rewritten(page(kind=kind))) == page(kind=kind)


def test_amp_links_are_tracked_where_asked_and_get_no_pixel() -> None:
    out = bytes(rewritten(page(kind=b"text/x-amp-html"), amp=True))
    assert TRACKED.search(out)
    assert b"/o/" not in out


def test_a_message_has_one_pixel_however_many_pages() -> None:
    part = b"Content-Type: text/html\n\n" + PAGE
    out = bytes(rewritten(alternative(part, part, part)))
    assert out.count(b"/o/") == 1
    assert len(TRACKED.findall(out)) == 3


def test_rewriting_twice_changes_nothing() -> None:
    once = bytes(rewritten(NEWSLETTER.read_bytes(), list_unsubscribe=True, text_links=True))
    again = rewritten(once, list_unsubscribe=True, text_links=True)
    assert bytes(again) == once
    assert "already-rewritten" in codes(again)


def test_privacy_off_gives_the_message_back() -> None:
    message = page(PAGE, b"X-Mailgun-Track: yes")
    assert bytes(rewritten(message, privacy="off")) == message


def test_each_token_says_whose_mail_it_was() -> None:
    out = bytes(rewritten(NEWSLETTER.read_bytes(), list_unsubscribe=True))
    (context,) = set(contexts(out))
    assert context.recipient == "ada.reader@example.net"
    assert context.message_id == "harbour-42.ada@news.example.com"
    assert context.sending_domain == "news.example.com"
    assert context.sent_at == 1790832600
    assert context.tags == ("harbour-letter", "autumn")
    assert context.variables == (("issue", "42"), ("crew", "no"))


def test_one_plan_serves_every_recipient() -> None:
    config = Config(tracking_domain=DOMAIN, list_unsubscribe=False)
    plan = plan_message(page(), Policy(config, TOKENS))
    for recipient in ("ann@example.net", "bob@example.net"):
        out = bytes(plan.render(Letterhead(recipient=recipient)))
        assert {context.recipient for context in contexts(out)} == {recipient}
        assert restored(out) == page()


def test_the_library_does_what_the_command_does() -> None:
    rewriter = Rewriter(Config(tracking_domain=DOMAIN), Keyring.new())
    out = bytes(rewriter.message(page(), Letterhead(recipient="bob@example.net")))
    (token,) = (found[1] for found in TRACKED.finditer(out))
    assert open_link(token).destination == "https://example.com/a?b=1"


SIGNED = page(PAGE, b"DKIM-Signature: v=1; a=rsa-sha256;", b" b=abc")


def test_a_signature_that_breaks_is_warned_of() -> None:
    outcome = rewritten(SIGNED)
    assert "dkim" in codes(outcome)
    assert restored(bytes(outcome)) == SIGNED


def test_a_signature_is_taken_out_where_asked() -> None:
    assert restored(bytes(rewritten(SIGNED, dkim="strip"))) == page()


def test_a_signed_message_stays_where_asked() -> None:
    outcome = rewritten(SIGNED, dkim="refuse")
    assert bytes(outcome) == SIGNED
    assert codes(outcome) == {"dkim-refused"}


def test_a_signature_over_what_stays_is_kept() -> None:
    message = page(b"text\n", b"DKIM-Signature: v=1", kind=b"text/plain")
    assert bytes(rewritten(message, dkim="strip")) == message


def test_a_page_that_gmail_clips_is_warned_of() -> None:
    assert "clipping" in codes(rewritten(page(PAGE + b"<p>\n" * 26_000)))


def test_a_digest_of_the_body_goes_stale() -> None:
    assert "stale" in codes(rewritten(page(PAGE, b"Content-MD5: Q2hlY2s=")))


@pytest.mark.parametrize(
    "message",
    [
        page(PAGE, b"Content-Transfer-Encoding: x-uue"),
        page(kind=b"text/html; charset=utf-7"),
        page(PAGE, b"Content-Type: text/plain"),
        page(PAGE, b"X-Mailgun-Track: perhaps"),
    ],
)
def test_strict_refuses_what_is_not_rewritten_whole(message: bytes) -> None:
    with pytest.raises(Refused):
        rewritten(message, strict=True)


def test_what_is_too_long_for_a_token_leaves_the_message_as_it_came() -> None:
    incompressible = "".join(str(number * number) for number in range(3000)).encode()
    message = page(PAGE, b'X-Mailgun-Variables: {"a": "%b"}' % incompressible)
    outcome = rewritten(message)
    assert bytes(outcome) == message
    assert codes(outcome) == {"too-long"}


def test_an_unsubscribe_placeholder_becomes_a_link_in_every_part() -> None:
    out = bytes(rewritten(NEWSLETTER.read_bytes()))
    text, html, _ = payloads(out)
    assert UNSUBSCRIBE.search(text)
    assert UNSUBSCRIBE.search(html)
    assert b"%unsubscribe_url%" not in out


def test_a_placeholder_in_the_name_of_a_field_is_no_link() -> None:
    message = page(b"<p>", b"X-%unsubscribe_url%: a")
    assert b"\nX-%unsubscribe_url%: a\n" in bytes(rewritten(message))


@pytest.mark.parametrize("field", [b"Content-Description", b"Received", b"DKIM-Signature"])
def test_a_placeholder_in_what_is_not_for_readers_is_no_link(field: bytes) -> None:
    message = page(b"<p>", field + b": %unsubscribe_url%")
    assert field + b": %unsubscribe_url%\n" in bytes(rewritten(message))


def test_a_part_that_becomes_quoted_printable_keeps_line_ends_of_both_kinds() -> None:
    message = page(b"a\r\nb\n" + b"c" * 1000 + b"\r\n" + PAGE)
    [before], [after] = payloads(message), payloads(bytes(rewritten(message)))
    assert restored(after) == before
