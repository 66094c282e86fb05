"""What CAs send is read once, at the border: a value, or a problem that can be shown."""

import email.utils

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from certs.acme import Problem, wire
from certs.acme.problem import shown
from certs.acme.wire import Answer, alternates, decoded, refusal, retry_after
from tests.certs.acme.lies import documents

MONTH = 31 * 86400
NOW = 1_800_000_000


def answer(
    body: bytes = b"", status: int = 200, date: float | None = None, **headers: str
) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer("https://ca.example/x", status, httpx.Headers(named), body, date)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0),
        ("17", 17),
        (" 17 ", 17),
        ("999999999", MONTH),
        (email.utils.formatdate(NOW + 90, usegmt=True), 90),
        (email.utils.formatdate(NOW - 90, usegmt=True), 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MONTH),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 5000, None),
        ("Fri, 99 Dec 9999 99:99:99 GMT", None),
    ],
)
def test_how_long_to_wait_is_read_or_not_there(said: str, seconds: int | None) -> None:
    headers = httpx.Headers([(b"retry-after", said.encode())])
    assert retry_after(Answer("", 429, headers, b"", NOW), now=NOW + 12345) == seconds
    assert retry_after(Answer("", 429, headers, b"", None), now=NOW) == seconds


KINDS = [
    wire.Account,
    wire.Authorization,
    wire.Directory,
    wire.Order,
    wire.ProblemDocument,
    wire.SentRenewalInfo,
]


@given(documents, st.sampled_from(KINDS))
@example(b'{"status": "\\ud800"}', wire.Order)
@example(b"9" * 5000, wire.Order)
def test_any_bytes_are_a_value_or_a_problem(body: bytes, kind: type) -> None:
    read: object
    try:
        read = decoded(answer(body), kind)
    except Problem as problem:
        read = problem
    assert isinstance(read, kind) or (isinstance(read, Problem) and read.type == "badAnswer")
    assert isinstance(read, kind) or str(read).isprintable()


@given(documents, st.integers(300, 599), st.text(max_size=40), st.none() | st.integers(0, 2**33))
def test_any_refusal_is_a_problem_that_can_be_shown(
    body: bytes, status: int, said: str, date: int | None
) -> None:
    headers = httpx.Headers([(b"retry-after", said.encode())])
    problem = refusal(Answer("https://ca.example/x", status, headers, body, date), NOW)
    assert problem.type.isascii()
    assert problem.type.isalpha()
    assert str(problem).isprintable()
    assert len(str(problem)) < 12_000
    assert problem.retry_after is None or 0 <= problem.retry_after <= MONTH


@given(st.text())
def test_what_is_shown_is_one_printable_line(text: str) -> None:
    assert shown(text).isprintable()
    assert len(shown(text, 10)) <= 11


def test_links_to_other_chains_are_found_in_one_header_or_many() -> None:
    one = '<https://ca.example/dir>;rel="index", <https://ca.example/1>;rel="alternate"'
    many = [("link", one), ("link", "<https://ca.example/2> ; rel=alternate"), ("link", "<a")]
    found = alternates(Answer("", 200, httpx.Headers(many), b"", None))
    assert found == ("https://ca.example/1", "https://ca.example/2")


def test_no_more_links_are_taken_than_a_ca_has_chains() -> None:
    many = [("link", f'<https://ca.example/{n}>;rel="alternate"') for n in range(1000)]
    assert len(alternates(Answer("", 200, httpx.Headers(many), b"", None))) == 8
