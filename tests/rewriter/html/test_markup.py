"""Where the links of a page are, against html5lib's tokenizer."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriter.html.grammar import attributes
from rewriter.html.markup import scan
from rewriter.switches import meaning
from tests.rewriter.html.oracle import start_tags

# What tokenizers stumble over, in any order: the way to reach each state and to leave it wrongly.
BITS = (
    "<", ">", "/", "!", "-", '"', "'", "=", " ", "\t", "\f", "\v", "?", "x", "&amp;", "é", "\0",
    "<a", "</a>", "href", "<a href=", "<A HREF='", "<area href=\"", "<abbr ", "<p", "<br/>", "</",
    "<!", "<!--", "-->", "--!>", "<!-->", "<!--->", "<!doctype ", "<![if !mso]>", "<?xml ",
    "<script>", "</script>", "<script ", "<!--<script>", "<style>", "</style", "<title>",
    "</title>", "<textarea ", "<xmp>", "<noscript>", "<iframe>", "<noembed>", "<plaintext>",
    "</body>", "<svgx>", "<base href=", "]]>", "<![CDATA[",
)  # fmt: skip


def found(page: str) -> list[tuple[str, str | None]]:
    html = page.encode("utf-8", "surrogatepass")
    links = []
    for tag in scan(html).links:
        href = attributes(html, tag.attributes, tag.end).get(b"href")
        value = meaning(html[href.value_start : href.value_end], "utf-8") if href else None
        # html5lib has made its line ends one before; a URL has none of them anyway.
        links.append((tag.name.decode(), value and re.sub("\r\n?", "\n", value)))
    return links


def expected(page: str) -> list[tuple[str, str | None]]:
    return [(name, found.get("href")) for name, found in start_tags(page) if name in ("a", "area")]


@pytest.mark.parametrize(
    ("page", "hrefs"),
    [
        ('<a href="x">', ["x"]),
        ("<a href='x'>", ["x"]),
        ("<a href=x>", ["x"]),
        ("<a href=x/>", ["x/"]),
        ("<a href = x >", ["x"]),
        ("<a\nhref\t=\r\n'x\ny'>", ["x\ny"]),
        ("<A HREF=x>", ["x"]),
        ("<a href=x href=y>", ["x"]),
        ("<a/href=x>", ["x"]),
        ('<a b="c"href=x>', ["x"]),
        ("<a href>", [""]),
        ("<a href=>", [""]),
        ("<a =href=x>", []),
        ("<a data-href=x>", []),
        ('<a title="a > b" href=x>', ["x"]),
        ("<a title='<a href=y>' href=x>", ["x"]),
        ("<area href=x>", ["x"]),
        ("<article href=x><abbr href=x><areas href=x>", []),
        ("<a\vhref=x>", []),  # a vertical tab is no white space
        ('<a href="x', []),
        ("<a href=x", []),
        ('<p title="><a href=x>', []),
        ("a < b <a href=x>", ["x"]),
        ("<!-- <a href=x> --><a href=y>", ["y"]),
        ("<!--><a href=x>", ["x"]),
        ("<!---><a href=x>", ["x"]),
        ("<!--a--!><a href=x>", ["x"]),
        ("<!-- a -- > <a href=x>", []),
        ('<!doctype html "><a href=x>', ["x"]),
        ("<?php echo '>' ?><a href=x>", ["x"]),
        ("</ <a href=x><a href=y>", ["y"]),
        ("<style><a href=x></style><a href=y>", ["y"]),
        ("<STYLE></styles></style ><a href=y>", ["y"]),
        ("<title><a href=x>", []),
        ("<script>'<!--<script>'</script><a href=x></script><a href=y>", ["y"]),
        ("<script><!--><script></script><a href=y>", ["y"]),
        ("<noscript><a href=x></noscript>", ["x"]),
        ("<plaintext></plaintext><a href=x>", []),
        ("<![if !mso]><a href=x><![endif]>", ["x"]),
        ("<!--[if mso]><a href=x><v:rect href='y' /><![endif]-->", ["x", "y"]),
        ("<!--[if mso]><a href='x<![endif]--><a href=y>", ["y"]),
        ("<!--[IF !mso]><!--><a href=x><!--<![endif]-->", ["x"]),
        ("<!--[if !mso]><!-- --><a href=x><!-- <![endif]-->", ["x"]),
        ("<!--[if mso]><style><a href=x></style><a href=y><![endif]-->", ["y"]),
        ("<V:ROUNDRECT href=x><v:fill href=y><vx href=z>", ["x", "y"]),
        ("<svg><a href=x></a></svg><a href=y>", ["x", "y"]),
        ("<svg><style><a href=x></style></svg>", ["x"]),
        ("<svg><title><style><a href=x></style></title></svg><a href=y>", ["y"]),
        ("<svg><foreignObject><style><a href=x></style></foreignObject></svg><a href=y>", ["y"]),
        ("<svg/><style><a href=x></style>", []),
        ("<svg><style/><a href=x></svg>", ["x"]),
        ("<svg><![CDATA[<a href=x>]]></svg><a href=y>", ["y"]),
        ("<![CDATA[<a href=x>]]>", []),  # outside of foreign content, a comment up to ">"
        ("<svg><p><style><a href=x></style>", []),  # a paragraph ends the picture
        ("<svg><font><style><a href=x></style>", ["x"]),
        ("<svg><font color=red><style><a href=x></style>", []),
        ("<math><mi><style><a href=x></style></mi></math><a href=y>", ["y"]),
        ("<math><annotation-xml><style><a href=x></style>", ["x"]),
        ("<math><annotation-xml encoding=text/html><style><a href=x></style>", []),
        ("<svg><desc><svg><title></title></svg></desc><style><a href=x>", ["x"]),
        ("<svg></x></svg><style><a href=x>", []),
        ("<svg><!-- </svg> --><style><a href=x>", ["x"]),
        ("<svg></p><style><a href=x>", []),
    ],
)
def test_a_link_is_found_where_a_mail_client_would_show_one(page: str, hrefs: list[str]) -> None:
    assert [href for _, href in found(page) if href is not None] == hrefs


@given(st.lists(st.sampled_from(BITS), max_size=20).map("".join))
def test_any_markup_gives_the_links_that_html5lib_finds(bits: str) -> None:
    page = bits.replace("<!--[if", "<!--(if") + "<a href=z>"
    assert found(page) == expected(page)


@pytest.mark.parametrize(
    ("page", "whole"),
    [
        ("<p>a</p>", "<p>a</p>"),
        ("<p>a</p", "<p>a"),
        ("<p>a<p title='", "<p>a"),
        ("<p>a<!-- b", "<p>a"),
        ("<p>a<style>b", "<p>a"),
        ("<p>a<!doctype", "<p>a"),
        ("<p>a</", "<p>a"),
        ("<p>a<", "<p>a<"),
        ("<p>a</p><svg><g", "<p>a</p><svg>"),
        ("<svg><title><style>", "<svg><title>"),
        ("<svg><!--", "<svg>"),
    ],
)
def test_a_page_is_complete_up_to_what_has_no_end(page: str, whole: str) -> None:
    assert page[: scan(page.encode()).whole] == whole


@pytest.mark.parametrize(
    ("page", "before"),
    [
        ("<body>a</body></html>", "<body>a"),
        ("a</BODY\n>", "a"),
        ("a</body>b</body>", "a</body>b"),
        ("a</body><!-- </body> --><style></body></style>", "a"),
        ("<svg>a</body>", "<svg>a"),
        ("a</bodyx>", None),
    ],
)
def test_the_body_ends_at_its_last_end_tag_that_is_markup(page: str, before: str | None) -> None:
    body_end = scan(page.encode()).body_end
    assert (None if body_end is None else page[:body_end]) == before
