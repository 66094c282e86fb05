"""The pages that a recipient may see, read back by a strict HTML parser."""

import base64
import hashlib
import re
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.edge import pages

EVERY_PAGE = {
    "ask": pages.unsubscribe_ask("The Harbour Letter"),
    "ask without a name": pages.unsubscribe_ask(),
    "done": pages.UNSUBSCRIBE_DONE,
    "later": pages.UNSUBSCRIBE_LATER,
    "damaged": pages.LINK_DAMAGED,
    "not found": pages.NOT_FOUND,
    "home": pages.TRACKING_DOMAIN_HOME,
}
every_page = pytest.mark.parametrize("page", EVERY_PAGE.values(), ids=EVERY_PAGE.keys())

LISTED_ATTRIBUTES = {  # every attribute that a page uses; none of them fetches or runs anything
    *("lang", "charset", "name", "content", "method", "aria-hidden"),
    *("viewBox", "d", "x", "y", "width", "height", "rx", "cx", "cy", "r"),
}


def parsed(page: bytes) -> Element:
    parser: Any = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree: Element = parser.parse(page, transport_encoding="utf-8")
    return tree


def only(tree: Element, path: str) -> Element:
    (element,) = tree.findall(path)
    return element


def text_of(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]


@every_page
def test_a_screen_reader_finds_the_language_the_main_part_and_one_heading(page: bytes) -> None:
    tree = parsed(page)

    assert tree.get("lang") == "en"
    heading = only(only(tree, "body/main"), ".//h1")
    assert text_of(heading) == text_of(only(tree, "head/title"))
    assert text_of(heading)


@every_page
def test_a_page_runs_nothing_and_fetches_nothing(page: bytes) -> None:
    elements = list(parsed(page).iter())

    assert not {tag(element) for element in elements} & {"script", "link", "img", "iframe", "base"}
    assert {name for element in elements for name in element.keys()} <= LISTED_ATTRIBUTES  # noqa: SIM118 an Element is no dict
    assert not re.search(r"url\(|@import|http-equiv", page.decode())


@every_page
def test_the_security_policy_allows_exactly_the_style_in_the_page(page: bytes) -> None:
    style = only(parsed(page), "head/style").text or ""
    sha256 = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    policy = dict(
        directive.strip().split(" ", 1) for directive in pages.CONTENT_SECURITY_POLICY.split(";")
    )
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{sha256}'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }


@every_page
def test_a_page_is_small_enough_for_a_bad_connection(page: bytes) -> None:
    assert len(page) < 4096


@pytest.mark.parametrize("name", ["ask", "ask without a name", "later"])
def test_a_page_that_asks_posts_to_its_own_address_with_nothing_to_fill_in(name: str) -> None:
    form = only(parsed(EVERY_PAGE[name]), "body/main/form")

    assert form.attrib == {"method": "post"}
    assert [tag(element) for element in form.iter()] == ["form", "button"]
    assert text_of(only(form, "button"))


@pytest.mark.parametrize("name", ["done", "damaged", "not found", "home"])
def test_a_page_that_only_tells_has_nothing_to_press(name: str) -> None:
    assert not [
        element
        for element in parsed(EVERY_PAGE[name]).iter()
        if tag(element) in {"form", "button", "a", "input"}
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ask", "no more mail of this kind from The Harbour Letter"),
        ("ask", "Nothing changes until you press it"),
        ("ask without a name", "no more mail of this kind from this sender"),
        ("done", "Your request is recorded"),
        ("later", "you are still subscribed"),
        ("later", "Nothing is lost"),
        ("damaged", "break a long link into two lines"),
        ("not found", "not among them"),
        ("home", "serves links in mail"),
    ],
)
def test_a_reader_is_told_what_happened_and_what_to_do(name: str, told: str) -> None:
    assert told in text_of(only(parsed(EVERY_PAGE[name]), "body/main"))


# What HTML cannot hold as text (controls, surrogates, non-characters), a strict parser refuses.
printable = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cn"], include_characters="<>&\"'{}"),
    min_size=1,
    max_size=300,
).filter(str.strip)


@given(sender=printable)
def test_whatever_a_link_says_of_its_sender_is_shown_and_never_becomes_markup(sender: str) -> None:
    tree = parsed(pages.unsubscribe_ask(sender))

    assert only(tree, ".//bdi").text == sender
    assert [tag(e) for e in tree.iter()] == [tag(e) for e in parsed(EVERY_PAGE["ask"]).iter()]


def luminance(colour: str) -> float:
    """Return the relative luminance of `#rgb` or `#rrggbb` as WCAG 2.2 defines it."""
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    channels = [byte / 255 for byte in bytes.fromhex(digits)]
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "paper"),
    [("text", "card"), ("soft", "card"), ("on-accent", "accent"), ("accent", "card")],
)
def test_text_stands_out_from_what_it_is_set_on(scheme: str, ink: str, paper: str) -> None:
    light, dark = re.findall(r":root\{([^}]*)\}", pages.STYLE)
    colours = dict(re.findall(r"--([\w-]+):(#\w+)", light if scheme == "light" else dark))

    darker, lighter = sorted((luminance(colours[ink]), luminance(colours[paper])))
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_a_button_is_tall_enough_for_a_thumb() -> None:
    (height,) = re.findall(r"button\{[^}]*min-height:([\d.]+)rem", pages.STYLE)
    assert float(height) * 16 >= 44
