"""Hostile pages cost no more than honest ones of their size.

Work is counted, not timed: how many bytes every pattern of the scanner reads, where one that finds
nothing counts as having read to the end. The patterns themselves are possessive, so none reads a
byte more often than it has alternatives.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from rewriter import links, placeholders, switches
from rewriter.html import foreign, grammar, markup, page, pixel, rawtext, visible
from rewriter.html.page import plan_page
from tests.rewriter.html.sender import rewriter

SIZE = 20_000  # bytes
READ_AT_MOST = 16  # times each byte: the scan, four looks for the pixel's token, the attributes

MODULES = (foreign, grammar, links, markup, page, pixel, placeholders, rawtext, switches, visible)

HOSTILE = (
    "<", ">", "</", "<a ", "<a", "<!--", "<!-", "--", "-->", "<!-->", '<a href="', "<a href='",
    "<a href=", "<a x=", "<a = = ", "<a a=b ", '<td x="" ', "<td x='' ", '"', "'", " ", "\n", "/",
    "<p\n", "<svg>", "</svg>", "<svg x>a</svg", "<svg><title>", "<svg><b>", "<svg><g>", "</g>",
    "<svg><!--", "<svg><![CDATA[", "<svg></p>", "<math><mi>", "<math><mi><svg>", "<font ",
    "<style>", "</style", "<style></style>", "<script>", "<script><!--", "<script><!--<script>",
    "<!--<script>", "</script", "<title>", "<title></title>", "<textarea>", "<plaintext>", "<![if ",
    "<!--[if mso]>", "<!--[if mso]><a <a <a ", "<!--[if mso]><![endif]-->",
    "<!--[if mso]><!--", "<v:rect href='x'", "<v:", "<?", "<!doctype ", "</body>", "</body ",
    "<body>",
    "<base>", "<base x>", "<head>", "<meta ", "--!", "<a href=x>", "<a href=https://a.b/>",
    "<a href='https://a.b/?{{'>", "<a class='untracked '>", "<a ses:no-track>", "{{",
    "{{ses:openTracker}}", "%unsubscribe_url%", "%unsubscribe_url", "<a href=%unsubscribe_url%>",
    "&", "&#", "\0", "<a>www.a.a", "<area><", "/..", "[[", "*|", "a.", "é", "%e2", "<a href='http://click.example.com/c/a.b.c'>",
)  # fmt: skip
BEFORE = (
    "", "<a href='https://a.b/", "<a href='https://", "<!--", "<!--[if mso]>", "<svg>",
    "<a href=x>", "<a class='untracked",
)  # fmt: skip
AFTER = "'></a>"


class Reader:
    """A compiled pattern that counts how far it reads."""

    def __init__(self, pattern: re.Pattern[Any], work: list[int]) -> None:
        self._pattern = pattern
        self._work = work

    def match(self, text: Any, *span: int) -> Any:
        return self._read(self._pattern.match(text, *span), text, *span)

    def search(self, text: Any, *span: int) -> Any:
        return self._read(self._pattern.search(text, *span), text, *span)

    def fullmatch(self, text: Any, *span: int) -> Any:
        return self._read(self._pattern.fullmatch(text, *span), text, *span)

    def finditer(self, text: Any, *span: int) -> Iterator[Any]:
        self._read(None, text, *span)
        return self._pattern.finditer(text, *span)

    def sub(self, new: Any, text: Any) -> Any:
        self._read(None, text)
        return self._pattern.sub(new, text)

    def split(self, text: Any, maxsplit: int = 0) -> Any:
        self._read(None, text)
        return self._pattern.split(text, maxsplit)

    def _read(self, found: Any, text: Any, start: int = 0, end: int | None = None) -> Any:
        end = len(text) if end is None else end
        self._work[0] += (found.end() if found else end) - start + 1
        return found


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count what the scanner's patterns read from here on."""
    counted = [0]
    readers: dict[re.Pattern[Any], Reader] = {}
    for module in MODULES:
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                reader = readers.setdefault(value, Reader(value, counted))
                monkeypatch.setattr(module, name, reader)
            elif name == "_END" and isinstance(value, dict):
                ends = {key: Reader(pattern, counted) for key, pattern in value.items()}
                monkeypatch.setattr(module, name, ends)
    return counted


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("bit", HOSTILE)
def test_no_page_makes_the_scanner_read_it_over_and_over(
    work: list[int], before: str, bit: str
) -> None:
    html = (before + bit * (SIZE // len(bit)) + AFTER).encode()
    policy = rewriter(opens=True, pixel="both", skip_visible_urls=True).policy
    work[0] = 0
    plan_page(html, policy)
    assert 0 < work[0] <= READ_AT_MOST * len(html)
