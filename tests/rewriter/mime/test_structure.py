import pytest

from rewriter.mime.structure import MAX_DEPTH, read_structure


def parts_of(data: bytes) -> list[tuple[str, bytes, bytes]]:
    structure = read_structure(data)
    return [(part.path, part.media.name, data[part.body : part.end]) for part in structure.parts]


def left_alone(data: bytes) -> list[tuple[str, str]]:
    return [(notice.code, notice.part) for notice in read_structure(data).notices]


TWO_PARTS = b"""\
Content-Type: multipart/alternative; boundary=b

preamble
--b

text
--b
Content-Type: text/html

<p>
--b--
epilogue
"""


def test_a_message_without_mime_is_one_text() -> None:
    assert parts_of(b"Subject: hi\n\nhello\n") == [("1", b"text/plain", b"hello\n")]


@pytest.mark.parametrize("eol", [b"\n", b"\r\n"])
def test_parts_end_before_the_line_end_that_belongs_to_the_delimiter(eol: bytes) -> None:
    assert parts_of(TWO_PARTS.replace(b"\n", eol)) == [
        ("1", b"text/plain", b"text"),
        ("2", b"text/html", b"<p>"),
    ]


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("white space behind a delimiter", (b"--b\nContent", b"--b \t \nContent")),
        ("a quoted boundary", (b"boundary=b", b'boundary="b"')),
        ("a comment behind the type", (b"alternative;", b"alternative (both);")),
        ("a folded parameter", (b"; boundary", b";\n\tboundary")),
        ("an upper-case type and name", (b"multipart/alternative; b", b"Multipart/Alternative; B")),
        ("an extended parameter", (b"boundary=b", b"boundary*=us-ascii''%62")),
        ("a continued parameter", (b"boundary=b", b'boundary*0="";boundary*1=b')),
        ("no closing delimiter", (b"\n--b--\nepilogue\n", b"")),
        ("a line that only begins like a delimiter", (b"epilogue", b"--bb\n--b")),
        ("an mbox line before it", (b"Content-Type: multi", b"From a@b Thu\nContent-Type: multi")),
        (
            "Received lines that are folded",
            (b"Content-Type: m", b"Received: a\n\tb\nContent-Type: m"),
        ),
        ("white space before a colon", (b"Content-Type: multi", b"Content-Type : multi")),
    ],
)
def test_the_parts_are_found_despite(what: str, change: tuple[bytes, bytes]) -> None:
    message = TWO_PARTS.replace(*change, 1)
    assert message != TWO_PARTS
    assert [part[:2] for part in parts_of(message)] == [("1", b"text/plain"), ("2", b"text/html")]


@pytest.mark.parametrize(
    ("what", "message", "notice"),
    [
        ("no blank line before the body", b"Content-Type: text/html\n<p>", ("ambiguous", "")),
        (
            "two types",
            b"Content-Type: text/html\nContent-Type: text/plain\n\n<p>",
            ("ambiguous", ""),
        ),
        (
            "two transfer encodings",
            b"Content-Type: text/html\nContent-Transfer-Encoding: 7bit\n"
            b"Content-Transfer-Encoding: base64\n\n<p>",
            ("ambiguous", ""),
        ),
        ("no boundary", TWO_PARTS.replace(b"; boundary=b", b""), ("ambiguous", "")),
        ("a boundary nowhere", TWO_PARTS.replace(b"boundary=b", b"boundary=c"), ("ambiguous", "")),
        ("two boundaries", TWO_PARTS.replace(b"=b", b"=b; boundary=c"), ("ambiguous", "")),
        (
            "a multipart in base64",
            b"Content-Transfer-Encoding: base64\n" + TWO_PARTS,
            ("ambiguous", ""),
        ),
        (
            "a signed message",
            TWO_PARTS.replace(b"multipart/alternative", b"multipart/signed"),
            ("signed", ""),
        ),
        (
            "an encrypted message",
            TWO_PARTS.replace(b"multipart/alternative", b"multipart/encrypted"),
            ("encrypted", ""),
        ),
        ("S/MIME", b"Content-Type: application/pkcs7-mime\n\nx", ("encrypted", "")),
        (
            "a forwarded message",
            TWO_PARTS.replace(b"text/html", b"message/rfc822"),
            ("embedded", "2"),
        ),
        (
            "a digest's parts",
            TWO_PARTS.replace(b"multipart/alternative", b"multipart/digest"),
            ("embedded", "1"),
        ),
        ("a calendar", TWO_PARTS.replace(b"text/html", b"text/calendar"), ("calendar", "2")),
    ],
)
def test_what_readers_could_disagree_about_is_left_alone(
    what: str, message: bytes, notice: tuple[str, str]
) -> None:
    assert notice in left_alone(message)


@pytest.mark.parametrize(
    "message", [b"", b"Subject: x", b"Subject: x\n", b"Content-Type: text/html\r\r<p>"]
)
def test_a_message_without_a_body_has_no_parts(message: bytes) -> None:
    assert parts_of(message) == []
    assert left_alone(message) == []


def test_a_part_without_a_blank_line_has_no_place_for_anything() -> None:
    message = b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n--b--\n"
    assert parts_of(message) == []


def nested(depth: int) -> bytes:
    opened = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (level, level)
        for level in range(depth)
    )
    return opened + b"Content-Type: text/html\n\n<p>"


def test_nesting_is_followed_as_far_as_mail_has_it() -> None:
    assert [part[1] for part in parts_of(nested(MAX_DEPTH - 1))] == [b"text/html"]


def test_nesting_without_end_is_left_alone() -> None:
    assert parts_of(nested(1000)) == []
    assert left_alone(nested(1000))[0][0] == "ambiguous"


def test_a_flood_of_parts_is_left_alone() -> None:
    message = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n\n" * 20_000
    assert parts_of(message) == []
    assert left_alone(message) == [("ambiguous", "")]
