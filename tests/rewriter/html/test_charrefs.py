"""Character references in attributes, against html5lib's tokenizer."""

from html.entities import html5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriter.html.charrefs import unescape
from tests.rewriter.html.oracle import start_tags

REFERENCES = st.sampled_from(
    [*(f"&{name}" for name in html5), "&", "&#", "&#x", ";", "=", "a", "1", " ", "&not", "it;"]
)
NUMBERS = st.integers(0, 0x120000).flatmap(
    lambda number: st.sampled_from(
        [f"&#{number};", f"&#{number}", f"&#x{number:x};", f"&#X{number:X}"]
    )
)


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("a=1&amp;b=2", "a=1&b=2"),
        ("a=1&b=2", "a=1&b=2"),
        ("id=1&section=2", "id=1&section=2"),  # no section sign
        ("id=1&sect=2", "id=1&sect=2"),
        ("id=1&sect;=2", "id=1§=2"),
        ("id=1&sect", "id=1§"),
        ("&copy2024", "&copy2024"),
        ("&notin;", "∉"),
        ("&notit;", "&notit;"),
        ("&#38;", "&"),
        ("&#x26", "&"),
        ("&#128;", "€"),
        ("&#129;", "\x81"),
        ("&#0;", "\ufffd"),
        ("&#xD800;", "\ufffd"),
        ("&#x110000;", "\ufffd"),
        ("&#" + "9" * 5000 + ";", "\ufffd"),
        ("&#" + "0" * 5000 + "38;", "&"),
        ("&;", "&;"),
    ],
)
def test_a_reference_in_an_attribute_means_what_a_browser_reads(value: str, meaning: str) -> None:
    assert unescape(value) == meaning


@given(st.lists(REFERENCES | NUMBERS, max_size=5).map("".join))
def test_any_mixture_of_references_reads_as_html5lib_reads_it(value: str) -> None:
    [(_, attributes)] = start_tags(f'<a href="{value}">')
    assert unescape(value) == attributes["href"]
