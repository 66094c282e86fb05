"""Real messages: those that Python's own mail reader is tested with, where they are installed."""

import sysconfig
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriter.mime.structure import read_structure

from .sender import PAGE, TRACKED, codes, page, payloads, restored, rewritten

# CPython's Lib/test/test_email/data; Debian packs it as libpython3-testsuite.
DATA = Path(sysconfig.get_path("stdlib")) / "test" / "test_email" / "data"
MESSAGES = sorted(DATA.glob("*.txt"))


@pytest.mark.skipif(not MESSAGES, reason="NO CORPUS: this Python comes without its own tests")
def test_cpythons_messages_come_out_as_they_went_in_but_for_links_and_pixel() -> None:
    for path in MESSAGES:
        message = path.read_bytes()
        out = bytes(rewritten(message, text_links=True))
        before, after = payloads(message), payloads(out)
        assert [restored(content).strip() for content in after] == [
            restored(content).strip() for content in before
        ], path.name


FIELDS = st.lists(
    st.sampled_from(
        [b"Received: by x\r\n\twith y", b"X-A: 1", b"X-Empty:", b"DKIM-Signature: v=1;\r\n b=x"]
    ),
    max_size=3,
)
LEAVES = st.sampled_from(
    [
        b"\r\nplain https://example.com/\r\n",
        b"Content-Type: text/html\r\n\r\n" + PAGE,
        b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa4"
        + PAGE,
        b"Content-Type: text/html; name=x\r\n\r\n" + PAGE,
        b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n",
        b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\n" + PAGE,
        b"Content-Type: text/html",
        b"",
    ]
)


@st.composite
def entities(draw: st.DrawFn, depth: int = 0) -> bytes:
    if depth == 3 or draw(st.booleans()):
        return draw(LEAVES)
    kind = draw(st.sampled_from([b"mixed", b"alternative", b"related", b"signed", b"digest"]))
    boundary = draw(st.sampled_from([b"b", b"bb", b"=_x(1)", b"--", b"a b"]))
    fields = draw(FIELDS)
    children = draw(st.lists(entities(depth + 1), max_size=3))
    closing = draw(st.sampled_from([b"--\r\nepilogue\r\n", b"--", b""]))
    head = b"".join(field + b"\r\n" for field in fields)
    head += b'Content-Type: multipart/%b; boundary="%b"\r\n\r\n' % (kind, boundary)
    return (
        head
        + b"".join(b"\r\n--" + boundary + b"\r\n" + child for child in children)
        + b"\r\n--"
        + boundary
        + closing
    )


@given(entities())
def test_nothing_but_links_and_pixel_changes_in_any_structure(entity: bytes) -> None:
    message = b"To: ann@example.net\r\n" + entity
    outcome = rewritten(message, dkim="warn")
    assert restored(bytes(outcome)) == message


@given(st.binary(max_size=200), st.booleans())
def test_garbage_comes_out_as_it_went_in(garbage: bytes, headed: bool) -> None:
    message = page(garbage) if headed else garbage
    out = bytes(rewritten(message))
    assert restored(out) == message


@given(st.data())
def test_a_message_cut_anywhere_comes_out_whole(data: st.DataObject) -> None:
    entity = data.draw(entities())
    message = b"To: ann@example.net\r\n" + entity
    cut = message[: data.draw(st.integers(0, len(message)))]
    assert restored(bytes(rewritten(cut))) == cut


@pytest.mark.skipif(not MESSAGES, reason="NO CORPUS: this Python comes without its own tests")
def test_every_part_that_is_a_page_is_tracked_unless_a_notice_says_why() -> None:
    for path in MESSAGES:
        message = path.read_bytes()
        outcome = rewritten(message)
        pages = [part for part in read_structure(message).parts if part.media.name == b"text/html"]
        if pages and not codes(outcome):
            assert b"/o/" in bytes(outcome) or TRACKED.search(bytes(outcome)), path.name
