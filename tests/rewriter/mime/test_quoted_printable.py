import quopri
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rewriter.mime.quoted_printable import MAX_LINE, QuotedPrintable, encode
from rewriter.splice import Edit, splice

EOLS = (b"\n", b"\r\n")


def spliced(raw: bytes, *edits: Edit, eol: bytes = b"\n") -> bytes:
    return b"".join(QuotedPrintable(raw, eol).splice(edits))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"a=3Db", b"a=b"),
        (b"a=3db", b"a=b"),
        (b"a=\nb", b"ab"),
        (b"a=\r\nb", b"ab"),
        (b"a=  \r\nb", b"ab"),
        (b"a  \r\nb", b"a\r\nb"),
        (b"a=20\nb", b"a \nb"),
        (b"a=", b"a"),
        (b"a=zb", b"a=zb"),
        (b"a==3D", b"a=="),
        (b"", b""),
    ],
)
def test_text_is_read_as_mail_readers_read_it(raw: bytes, text: bytes) -> None:
    assert QuotedPrintable(raw, b"\n").text == text


@pytest.mark.parametrize(
    ("raw", "edit", "expected"),
    [
        (b"ab=3D cd", Edit(4, 6, b"X"), b"ab=3D X"),
        (b"ab=3D cd", Edit(2, 3, b"X"), b"abX cd"),
        (b"one\nt=\nwo\nthree", Edit(4, 7, b"2"), b"one\n2\nthree"),
        (b"one\nt=\nwo\nthree", Edit(4, 5, b"T"), b"one\nT=\nwo\nthree"),
        (b"caf=C3=A9", Edit(3, 5, "è".encode()), b"caf=C3=A8"),
        (b"a=3D", Edit(2, 2, b"<"), b"a=3D<"),
        (b"end  \n", Edit(3, 3, b"!"), b"end!  \n"),
        (b"end x\nnext", Edit(4, 5, b""), b"end =\n\nnext"),
    ],
)
def test_only_what_is_edited_changes(raw: bytes, edit: Edit, expected: bytes) -> None:
    assert spliced(raw, edit) == expected


def test_a_line_that_an_edit_makes_too_long_is_folded() -> None:
    out = spliced(b"x" * 40 + b"<url>" + b"y" * 30 + b"\nnext\n", Edit(41, 44, b"u" * 100))
    assert max(map(len, out.splitlines())) == MAX_LINE
    assert out.endswith(b"\nnext\n")


def test_no_line_of_ours_begins_with_a_dot_that_a_relay_could_eat() -> None:
    out = spliced(b"<>", Edit(1, 1, b"." * 500))
    assert not any(line.startswith(b".") for line in out.splitlines()[1:])


RAW = st.lists(
    st.sampled_from(
        [b"a", b"=3D", b"=c3=A4", b" ", b"\t", b"x=\n", b"x= \r\n", b"\n", b"\r\n", b"xyz" * 20]
    ),
    max_size=30,
).map(b"".join)


@st.composite
def bodies_and_edits(draw: st.DrawFn) -> tuple[bytes, list[Edit]]:
    raw = draw(RAW)
    length = len(QuotedPrintable(raw, b"\n").text)
    places = sorted(draw(st.lists(st.integers(0, length), max_size=6)))
    new = st.sampled_from([b"", b"x", b"https://t.example/" + b"t" * 200, b"<p>\n ", b"\xc3\xa4="])
    return raw, [
        Edit(start, end, draw(new)) for start, end in zip(places[::2], places[1::2], strict=False)
    ]


@given(bodies_and_edits(), st.sampled_from(EOLS))
def test_an_edited_body_decodes_to_the_edited_text(
    case: tuple[bytes, list[Edit]], eol: bytes
) -> None:
    raw, edits = case
    text = QuotedPrintable(raw, eol).text
    # Nothing that plans an edit takes a line end apart.
    assume(
        not any(text[at - 1 : at + 1] == b"\r\n" for e in edits for at in (e.start, e.end) if at)
    )
    edits = [Edit(e.start, e.end, e.new.replace(b"\n", eol)) for e in edits]
    out = spliced(raw, *edits, eol=eol)
    assert QuotedPrintable(out, eol).text == splice(text, edits)
    widest = max(map(len, raw.split(b"\n")), default=0)
    assert max(map(len, out.split(b"\n"))) <= max(MAX_LINE + 1, widest + 1)


@given(st.binary(), st.sampled_from(EOLS))
def test_a_body_encoded_whole_is_read_back_by_others(text: bytes, eol: bytes) -> None:
    encoded = encode(text, eol)
    assert max(map(len, re.split(rb"\r?\n", encoded))) <= MAX_LINE
    assert encoded.isascii()
    assert quopri.decodestring(encoded) == text
