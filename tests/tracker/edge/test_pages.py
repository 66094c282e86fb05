"""The pages that a recipient may see, read back by a strict HTML parser."""

import base64
import hashlib
import re
from typing import Any, get_args
from xml.etree.ElementTree import Element

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriter.tokens import Link
from tracker.domains import Theme, logo
from tracker.edge import pages
from tracker.edge.language import ENGLISH, LANGUAGES, Scoped
from tracker.edge.look import DARK, LIGHT, RULES, contrast, look
from tracker.edge.pages import Brand, Page, State, Trouble

STATES: tuple[State, ...] = get_args(State)
TROUBLES: tuple[Trouble, ...] = get_args(Trouble)
PICTURE = logo(b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"></svg>')
HARBOUR = Brand("Harbour & Sons", Theme("#ffb000", "#0b3d2e", "Harbour & Sons", PICTURE))
BRANDS = {"shop.example.com": Brand("shop.example.com"), "themed": HARBOUR}
LINKS = {
    "all": Link(category="domain"),
    "tag": Link(category="tag"),
    "list": Link(name="news.harbour.example", category="list"),
}
EVERY_PAGE = {
    **{
        f"{code}, {state}, {scope}, {brand}": pages.unsubscribing(
            state, LINKS[scope], language, BRANDS[brand]
        )
        for code, language in LANGUAGES.items()
        for state in STATES
        for scope in LINKS
        for brand in BRANDS
    },
    **{
        f"{code}, {trouble}": pages.trouble(trouble, language)
        for code, language in LANGUAGES.items()
        for trouble in TROUBLES
    },
    "en, not found": pages.NOT_FOUND,
    "en, home": pages.TRACKING_DOMAIN_HOME,
}
every_page = pytest.mark.parametrize("name", EVERY_PAGE)

LISTED_ATTRIBUTES = {  # every attribute that a page uses; none of them fetches or runs anything
    *("lang", "dir", "charset", "name", "value", "content", "method", "class", "aria-hidden"),
    *("viewBox", "d", "x", "y", "width", "height", "rx", "cx", "cy", "r", "src", "alt"),
}


def parsed(page: Page) -> Element:
    parser: Any = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree: Element = parser.parse(page.body, transport_encoding="utf-8")
    return tree


def only(tree: Element, path: str) -> Element:
    (element,) = tree.findall(path)
    return element


def text_of(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def english(state: State, scope: str = "all", brand: str = "shop.example.com") -> Page:
    return pages.unsubscribing(state, LINKS[scope], ENGLISH, BRANDS[brand])


@every_page
def test_a_screen_reader_finds_the_language_the_main_part_and_one_heading(name: str) -> None:
    page = EVERY_PAGE[name]
    tree = parsed(page)

    assert tree.get("lang") == name[:2] == page.headers["content-language"]
    assert tree.get("dir") == ("rtl" if name[:2] == "ar" else "ltr")
    heading = only(only(tree, "body/main"), ".//h1")
    assert text_of(heading) == text_of(only(tree, "head/title"))
    assert text_of(heading)
    assert all(image.get("alt") for image in tree.iter("img"))


@every_page
def test_a_page_runs_nothing_and_fetches_nothing(name: str) -> None:
    page = EVERY_PAGE[name]
    elements = list(parsed(page).iter())

    assert not {tag(element) for element in elements} & {"script", "link", "iframe", "base"}
    assert {name for element in elements for name in element.keys()} <= LISTED_ATTRIBUTES  # noqa: SIM118 an Element is no dict
    assert not re.search(r"url\(|@import|http-equiv", page.body.decode())
    assert all(image.get("src", "").startswith("data:image/") for image in parsed(page).iter("img"))


@every_page
def test_the_security_policy_allows_exactly_the_style_in_the_page(name: str) -> None:
    page = EVERY_PAGE[name]
    style = only(parsed(page), "head/style").text or ""
    sha256 = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    policy = page.headers["content-security-policy"].split(";")
    assert dict(directive.strip().split(" ", 1) for directive in policy) == {
        "default-src": "'none'",
        "style-src": f"'sha256-{sha256}'",
        "img-src": "data:",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }


@every_page
def test_a_page_is_small_enough_for_a_bad_connection(name: str) -> None:
    assert len(EVERY_PAGE[name].body) < 4096


@every_page
def test_only_whoever_has_just_unsubscribed_can_take_it_back(name: str) -> None:
    _, kind, *_ = name.split(", ")
    forms = parsed(EVERY_PAGE[name]).findall("body/main/form")
    if kind in {"damaged", "not found", "home"}:
        assert forms == []
        return
    (form,) = forms
    assert form.attrib == {"method": "post"}, "it posts to the page's own address"
    assert [tag(element) for element in form.iter()] == ["form", "button"]
    button = only(form, "button")
    assert text_of(button)
    field = f"{button.get('name')}={button.get('value')}".encode()
    assert (field == pages.RESUBSCRIBE) == (kind in {"done", "later_back"})


@pytest.mark.parametrize(
    ("page", "told"),
    [
        (english("ask"), "no more mail from shop.example.com"),
        (english("ask", "tag"), "no more mail of this kind from shop.example.com"),
        (english("ask", "list", "themed"), "of the list news.harbour.example from Harbour & Sons"),
        (english("ask"), "Nothing changes until you press it"),
        (english("done"), "You get no more mail from shop.example.com"),
        (english("done", "tag"), "no more mail of this kind"),
        (english("done", "list"), "no more mail of the list news.harbour.example"),
        (english("done"), "Your request is recorded"),
        (english("back", "tag"), "mail of this kind from shop.example.com as before"),
        (EVERY_PAGE["en, later"], "you are still subscribed"),
        (EVERY_PAGE["en, later_back"], "you are still unsubscribed"),
        (EVERY_PAGE["en, damaged"], "break a long link into two lines"),
        (pages.NOT_FOUND, "not among them"),
        (pages.TRACKING_DOMAIN_HOME, "serves links in mail"),
    ],
)
def test_a_reader_is_told_what_happened_and_what_to_do(page: Page, told: str) -> None:
    assert told in text_of(only(parsed(page), "body/main"))


@pytest.mark.parametrize("link", [Link(), Link(category="list"), Link(category="other")])
@pytest.mark.parametrize("state", STATES)
def test_what_names_no_scope_is_said_to_be_all_mail(state: State, link: Link) -> None:
    assert pages.unsubscribing(state, link, ENGLISH, BRANDS["themed"]) == english(
        state, brand="themed"
    )


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("state", STATES)
def test_every_language_says_what_ends_and_whose_it_is(code: str, state: State) -> None:
    words: Scoped = getattr(LANGUAGES[code], state)
    named = [
        sorted(re.findall(r"\{[^}]*\}?|\}", text)) for text in (words.all, words.tag, words.list)
    ]
    assert named == [["{sender}"], ["{sender}"], ["{list}", "{sender}"]]
    assert len({words.all, words.tag, words.list}) == 3
    assert "{" not in "".join((words.heading, *words.paragraphs, words.button))


@pytest.mark.parametrize("code", LANGUAGES.keys() - {"en"})
def test_no_language_is_left_half_in_english(code: str) -> None:
    for part in (*STATES, *TROUBLES):
        ours, theirs = getattr(LANGUAGES[code], part), getattr(ENGLISH, part)
        assert not {ours.heading, *ours.paragraphs} & {theirs.heading, *theirs.paragraphs}
        assert len(ours.paragraphs) == len(theirs.paragraphs)
        assert bool(ours.button) == bool(theirs.button)


# What HTML cannot hold as text (controls, surrogates, non-characters), a strict parser refuses.
printable = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cn"], include_characters="<>&\"'{}"),
    min_size=1,
    max_size=100,
).filter(str.strip)


@given(name=printable, sender=printable)
def test_whatever_a_link_or_a_theme_says_is_shown_and_never_becomes_markup(
    name: str, sender: str
) -> None:
    brand = Brand(sender, Theme(sender="x", logo=PICTURE))
    tree = parsed(pages.unsubscribing("ask", Link(name=name, category="list"), ENGLISH, brand))

    assert [found.text for found in tree.iter("bdi")] == [name, sender]
    assert only(tree, ".//img").get("alt") == sender
    usual = parsed(english("ask", "list", "themed"))
    assert [tag(element) for element in tree.iter()] == [tag(element) for element in usual.iter()]


PAIRS = [("text", "card"), ("soft", "card"), ("on-accent", "accent"), ("accent", "card")]
colours = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


def schemes(style: str) -> list[dict[str, str]]:
    """Return the colours in light and in dark."""
    blocks = re.findall(r":root\{([^}]*)\}", style)
    return [dict(re.findall(r"--([\w-]+):(#\w+)", block)) for block in blocks]


@given(accent=st.just("") | colours, ground=st.just("") | colours)
def test_text_stands_out_whatever_colours_a_theme_names(accent: str, ground: str) -> None:
    light, dark = schemes(look(accent, ground).style)

    for scheme in (light, dark):
        assert all(contrast(scheme[ink], scheme[paper]) >= 4.5 for ink, paper in PAIRS)
    assert light["ground"] == (ground or LIGHT["ground"])
    assert dark["ground"] == DARK["ground"]


def test_a_colour_that_can_be_read_stays_as_the_theme_has_it() -> None:
    light, dark = schemes(look("#c2185b").style)
    assert light["accent"] == "#c2185b"
    assert dark["accent"] != "#c2185b"


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#ff0000", "#ff0000", 1.0)],
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == contrast(other, one) == pytest.approx(ratio, abs=0.01)


def test_a_button_is_tall_enough_for_a_thumb() -> None:
    (height,) = re.findall(r"button\{[^}]*min-height:([\d.]+)rem", RULES)
    assert float(height) * 16 >= 44
