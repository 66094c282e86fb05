"""What the documents lead to is there: files, headings, and the modules that they name."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
HEADING: Final = re.compile(r"(?m)^#{1,6} +(.+?) *$")
LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
NAMED: Final = re.compile(r"`((?:tracker|rewriter|certs|tests|bench|docs|deploy)/[\w./@-]+)`")
ELSEWHERE: Final = ("https://", "http://", "mailto:")
PATTERNS: Final = ("tracker/store/migrations/versions/rNNNN_name.py",)  # the form of a name
PAGES: Final = sorted(
    ROOT / name
    for name in (
        *("README.md", "CHANGELOG.md", "CONTRIBUTING.md"),
        *(str(file.relative_to(ROOT)) for file in (ROOT / "docs").glob("*.md")),
        *(str(file.relative_to(ROOT)) for file in (ROOT / "deploy").rglob("*.md")),
    )
)


def named(page: Path) -> str:
    """Name a page as a test's id."""
    return str(page.relative_to(ROOT))


def anchor(heading: str) -> str:
    """Return what a heading is linked by, as GitHub makes it."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def astray(page: Path) -> Iterator[str]:
    """Give the links of a page that lead nowhere in the project."""
    for link in LINK.findall(page.read_text()):
        if link.startswith(ELSEWHERE):
            continue
        path, _, place = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            yield f"there is no {link}"
        elif place and place not in map(anchor, HEADING.findall(target.read_text())):
            yield f"no heading is linked by {link}"


@pytest.mark.parametrize(
    ("heading", "linked_by"),
    [
        ("One machine with systemd", "one-machine-with-systemd"),
        ("`POST /v1/events`: what else", "post-v1events-what-else"),
        ("See [the rules](rules.md)", "see-the-rules"),
    ],
)
def test_a_heading_is_linked_as_its_words(heading: str, linked_by: str) -> None:
    assert anchor(heading) == linked_by


def test_a_link_that_leads_nowhere_is_found_out(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Here\n[a](gone.md) [b](#here) [c](page.md#there) [d](https://a.example/)\n")
    assert list(astray(page)) == ["there is no gone.md", "no heading is linked by page.md#there"]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert list(astray(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_module_that_a_page_names_is_there(page: Path) -> None:
    paths = set(NAMED.findall(page.read_text())) - set(PATTERNS)
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_the_readme_leads_to_every_page_of_docs() -> None:
    """A page that nobody leads to is a page that nobody reads."""
    everywhere = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in PAGES
        for link in LINK.findall(page.read_text())
    }
    assert [named(page) for page in (ROOT / "docs").glob("*.md") if page not in everywhere] == []
