from typing import Any

import pytest

from rewriter.config import Config
from rewriter.mime.controls import Controls, read_controls
from rewriter.mime.headers import read_headers
from rewriter.tokens import open_link

from .sender import DOMAIN, PAGE, TRACKED, UNSUBSCRIBE, codes, contexts, page, restored, rewritten


def controls(headers: str, **settings: Any) -> Controls:
    data = headers.encode() + b"\n\n"
    return read_controls(
        read_headers(data, 0, len(data)), Config(tracking_domain=DOMAIN, **settings)
    )


@pytest.mark.parametrize(
    ("header", "before", "after"),
    [
        ("X-Mailgun-Track: no", {}, {"clicks": False, "opens": False}),
        (
            "X-Mailgun-Track: yes",
            {"clicks": False, "opens": False},
            {"clicks": True, "opens": True},
        ),
        ("x-mailgun-track: FALSE", {}, {"clicks": False, "opens": False}),
        ("X-Mailgun-Track-Opens: no", {}, {"clicks": True, "opens": False}),
        ("X-Mailgun-Track-Opens: true", {"opens": False}, {"opens": True}),
        (
            "X-Mailgun-Track-Clicks: no",
            {"text_links": True},
            {"clicks": False, "text_links": False},
        ),
        ("X-Mailgun-Track-Clicks: yes", {"clicks": False}, {"clicks": True, "text_links": True}),
        (
            "X-Mailgun-Track-Clicks: htmlonly",
            {"text_links": True},
            {"clicks": True, "text_links": False},
        ),
        ("X-Mailgun-Track-Pixel-Location-Top: yes", {}, {"pixel": "top"}),
        # The particular goes before the general, whichever stands first.
        ("X-Mailgun-Track-Clicks: yes\nX-Mailgun-Track: no", {}, {"clicks": True, "opens": False}),
    ],
)
def test_a_message_says_itself_whether_it_is_tracked(
    header: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    config = controls(header, **before).config
    assert {name: getattr(config, name) for name in after} == after


@pytest.mark.parametrize(
    ("headers", "tags", "variables", "configuration_set"),
    [
        ("X-Mailgun-Tag: a\nX-Mailgun-Tag: b\nX-Mailgun-Tag: a", ("a", "b"), (), ""),
        ("X-Mailgun-Tag: =?utf-8?q?spring?=", ("spring",), (), ""),
        (
            'X-Mailgun-Variables: {"a": 1}\nX-Mailgun-Variables: {"b": {"c": "d"},\n "a": "2"}',
            (),
            (("a", "2"), ("b", '{"c":"d"}')),
            "",
        ),
        ("X-SES-CONFIGURATION-SET: main", (), (), "main"),
        ("X-SES-MESSAGE-TAGS: a=b, c=d", (), (("a", "b"), ("c", "d")), ""),
    ],
)
def test_tags_and_variables_come_from_the_headers(
    headers: str,
    tags: tuple[str, ...],
    variables: tuple[tuple[str, str], ...],
    configuration_set: str,
) -> None:
    said = controls(headers)
    assert (said.tags, said.variables, said.configuration_set) == (
        tags,
        variables,
        configuration_set,
    )
    assert not said.notices


@pytest.mark.parametrize(
    "header",
    [
        "X-Mailgun-Track: maybe",
        "X-Mailgun-Track-Opens: htmlonly",
        "X-Mailgun-Tag: " + "x" * 129,
        "X-Mailgun-Tag: caf\u00e9",
        "X-Mailgun-Tag:",
        "X-Mailgun-Variables: [1]",
        "X-Mailgun-Variables: {",
        'X-Mailgun-Variables: {"a": "\\u001e"}',
        'X-Mailgun-Variables: {"a=b": "c"}',
        "X-SES-MESSAGE-TAGS: a",
        "X-SES-MESSAGE-TAGS: a=b c",
        "X-SES-CONFIGURATION-SET: a b",
    ],
)
def test_what_is_not_understood_changes_nothing_and_is_named(header: str) -> None:
    said = controls(header)
    assert said.config == Config(tracking_domain=DOMAIN)
    assert (said.tags, said.variables, said.configuration_set) == ((), (), "")
    (notice,) = said.notices
    assert notice.code == "control"
    assert header.partition(":")[0].lower() in notice.detail


def test_control_headers_are_taken_out() -> None:
    message = page(PAGE, b"X-Mailgun-Track: yes", b"X-SES-MESSAGE-TAGS: a=b,", b" c=d")
    out = bytes(rewritten(message))
    assert restored(out) == page()


def test_a_message_that_is_not_to_be_tracked_only_loses_the_header_that_says_so() -> None:
    assert bytes(rewritten(page(PAGE, b"X-Mailgun-Track: no"))) == page()


def test_a_link_goes_before_its_message() -> None:
    body = PAGE.replace(b"<a", b"<a disable-tracking=true")
    out = bytes(rewritten(page(body, b"X-Mailgun-Track-Clicks: yes")))
    assert not TRACKED.search(out)


def test_one_click_headers_are_put_in() -> None:
    out = bytes(rewritten(page(), list_unsubscribe=True))
    headers, _, _ = out.partition(b"\n\n")
    assert UNSUBSCRIBE.search(headers)
    assert headers.endswith(b">\nList-Unsubscribe-Post: List-Unsubscribe=One-Click")
    assert contexts(headers)[0].recipient == "ann@example.net"


@pytest.mark.parametrize(
    "own",
    [
        (b"List-Unsubscribe: <mailto:leave@example.org>",),
        (b"LIST-UNSUBSCRIBE: <https://example.org/u>", b"List-Unsubscribe-Post: x"),
    ],
)
def test_a_list_unsubscribe_of_the_senders_own_stays(own: tuple[bytes, ...]) -> None:
    message = page(PAGE, *own)
    assert restored(bytes(rewritten(message, list_unsubscribe=True))) == message


def test_a_placeholder_in_a_header_becomes_our_link_and_one_click() -> None:
    message = page(PAGE, b"List-Unsubscribe: <mailto:leave@example.org>,", b" <%unsubscribe_url%>")
    out = bytes(rewritten(message, list_unsubscribe=True))
    headers, _, _ = out.partition(b"\n\n")
    assert UNSUBSCRIBE.search(headers)
    assert headers.count(b"One-Click") == 1
    assert b"/c/" not in headers


def test_without_a_recipient_nobody_is_offered_one_click() -> None:
    message = page().replace(b"To: ann@example.net\n", b"To: ann@example.net, bob@example.net\n")
    outcome = rewritten(message, list_unsubscribe=True)
    assert b"List-Unsubscribe" not in bytes(outcome)
    assert "no-recipient" in {notice.code for notice in outcome.notices}


def test_a_part_that_is_left_alone_leaves_the_headers_to_us() -> None:
    body = b"--b\nContent-Type: message/rfc822\n\nSubject: x\n\ny\n--b--\n"
    message = page(body, b"X-Mailgun-Tag: x", kind=b"multipart/mixed; boundary=b")
    outcome = rewritten(message, list_unsubscribe=True)
    assert b"\nList-Unsubscribe: <https://click.example.com/u/" in bytes(outcome)
    assert b"X-Mailgun" not in bytes(outcome)
    assert codes(outcome) == {"embedded"}


def test_signed_mail_keeps_its_headers_too() -> None:
    message = page(kind=b"multipart/signed; boundary=b")
    outcome = rewritten(message, list_unsubscribe=True)
    assert bytes(outcome) == message
    assert codes(outcome) == {"signed"}


LISTS = [
    (("List-Id: The Harbour <News.Harbour.example>",), "news.harbour.example"),
    (("List-Id:\n =?utf-8?q?H=C3=A4fen?=\n <a-b.example>",), "a-b.example"),
    (('List-ID: "a <b.c>" <d.example>',), "d.example"),
    ((), ""),
    (("List-Id: the harbour letter",), ""),
    (("List-Id: <localonly>",), ""),
    (("List-Id: <%recipient_id%.example>",), ""),
    (("List-Id: <{{list}}.example>",), ""),
    (("List-Id: <h\xe4fen.example>",), ""),
    ((f"List-Id: <{'a' * 250}.example>",), ""),
    (("List-Id: <a.example>", "List-Id: <b.example>"), ""),
]


@pytest.mark.parametrize(("fields", "name"), LISTS)
def test_a_lists_unsubscribe_link_names_the_list_wherever_it_stands(
    fields: tuple[str, ...], name: str
) -> None:
    html = b"<p>%mailing_list_unsubscribe_url% {{amazonSESUnsubscribeUrl}} %unsubscribe_url%</p>"
    own = b"List-Unsubscribe: <%mailing_list_unsubscribe_url%>"
    message = page(html, own, *(field.encode("latin-1") for field in fields))
    found = UNSUBSCRIBE.finditer(bytes(rewritten(message)))
    scopes = [(link.category, link.name) for link in (open_link(one[1]) for one in found)]
    ended = ("list" if name else "domain", name)
    assert scopes == [ended, ended, ended, ("domain", "")]


@pytest.mark.parametrize(("tags", "scope"), [((), "domain"), ((b"X-Mailgun-Tag: news",), "tag")])
def test_what_ends_mail_of_no_tag_says_that_it_ends_all(
    tags: tuple[bytes, ...], scope: str
) -> None:
    out = bytes(rewritten(page(b"<p>%tag_unsubscribe_url%</p>", *tags)))
    assert [open_link(one[1]).category for one in UNSUBSCRIBE.finditer(out)] == [scope]


def test_a_lists_unsubscribe_link_in_text_and_footers_names_it_too() -> None:
    footer = "<%mailing_list_unsubscribe_url%>"
    for kind in (b"text/plain", b"text/html"):
        message = page(b"Hello\n", b"List-Id: <a.example>", kind=kind)
        out = bytes(rewritten(message, unsubscribe_text=footer, unsubscribe_html=footer))
        assert [open_link(one[1]).name for one in UNSUBSCRIBE.finditer(out)] == ["a.example"]
