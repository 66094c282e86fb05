"""A domain is registered under one name, and holds only what pages and programs can use."""

from base64 import b64encode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domains import (
    MOST_LOGO,
    BadSetting,
    Snapshot,
    Theme,
    TrackingDomain,
    canonical_name,
    canonical_tracking_name,
)

PNG = "data:image/png;base64," + b64encode(b"\x89PNG\r\n\x1a\n").decode()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("click.example.com", "click.example.com"),
        (" Click.EXAMPLE.com. ", "click.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("klick。例え.jp", "klick.xn--r8jz45g.jp"),
        ("localhost", "localhost"),
    ],
)
def test_a_name_is_written_as_browsers_look_it_up(text: str, name: str) -> None:
    assert canonical_tracking_name(text) == name


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not a host name"),
        ("https://click.example.com", "is not a host name"),
        ("click.example.com:443", "is not a host name"),
        ("click..example.com", "is not a host name"),
        ("-click.example.com", "is not a host name"),
        ("*.example.com", "is not a host name"),
        ("a" * 64 + ".example.com", "is not a host name"),
        ("192.0.2.7", "is an address"),
        ("my_click.example.com", "underscore"),
        ("click.example.com\nevil", "is not a host name"),
    ],
)
def test_what_is_no_name_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(BadSetting, match=says):
        canonical_tracking_name(text)


@given(st.text(max_size=80))
def test_whatever_is_typed_becomes_a_name_that_stays_the_same_or_is_refused(text: str) -> None:
    try:
        name = canonical_name(text)
    except BadSetting:
        return
    assert name.isascii()
    assert canonical_name(name) == name


@pytest.mark.parametrize(
    ("domain", "scheme"),
    [
        (TrackingDomain("c.example"), "http"),
        (TrackingDomain("c.example", https_proven_at=1), "https"),
        (TrackingDomain("c.example", tls="external"), "https"),
        (TrackingDomain("c.example", web_scheme="https"), "https"),
        (TrackingDomain("c.example", web_scheme="http", https_proven_at=1), "http"),
    ],
)
def test_new_links_use_https_once_it_was_proven_unless_told_otherwise(
    domain: TrackingDomain, scheme: str
) -> None:
    assert domain.scheme == scheme


@pytest.mark.parametrize(
    "theme",
    [
        {"accent": "#1a2B3c", "ground": "#ffffff", "sender": "Müller & Söhne"},
        {"logo": PNG},
        {"logo": "data:image/svg+xml;base64," + b64encode(b"\n<svg/>").decode()},
        {"logo": "data:image/webp;base64," + b64encode(b"RIFF....WEBP").decode()},
    ],
)
def test_a_theme_holds_colours_a_name_and_a_picture(theme: dict[str, str]) -> None:
    assert msgspec.to_builtins(Theme(**theme)) == theme


@pytest.mark.parametrize(
    ("theme", "says"),
    [
        ({"accent": "red;}body{display:none"}, "written as"),
        ({"ground": "#fff"}, "written as"),
        ({"sender": "x" * 101}, "100 characters"),
        ({"sender": "Bank\u202eknaB"}, "can be seen"),
        ({"logo": "https://example.com/logo.png"}, "data: URI"),
        ({"logo": "data:text/html;base64,PGI+"}, "data: URI"),
        ({"logo": "data:image/png;base64,!!!"}, "isn't base64"),
        ({"logo": "data:image/png;base64,PGI+"}, "something else"),
        ({"logo": PNG + "A" * MOST_LOGO}, "are the most"),
    ],
)
def test_a_theme_that_could_harm_a_page_is_refused(theme: dict[str, str], says: str) -> None:
    with pytest.raises(BadSetting, match=says):
        Theme(**theme)


@pytest.mark.parametrize(
    ("field", "text", "says"),
    [
        ("app_site_association", "[]", "not an object"),
        ("asset_links", "{}", "not a list"),
        ("asset_links", "[", "not a list"),
        ("app_site_association", '{"a":"' + "x" * 131_072 + '"}', "up to 131072 bytes"),
    ],
)
def test_what_apps_are_told_is_json_of_the_right_form(field: str, text: str, says: str) -> None:
    with pytest.raises(BadSetting, match=says):
        TrackingDomain("c.example", **{field: text})  # type: ignore[arg-type]  # it is a text's field


def test_a_damaged_value_in_a_snapshot_is_found_when_it_is_read() -> None:
    content = b'{"tracking":{"a":{"name":"a","theme":{"accent":"red"}}}}'
    with pytest.raises(msgspec.ValidationError, match="written as"):
        msgspec.json.decode(content, type=Snapshot)
