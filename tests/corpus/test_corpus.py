"""Pages and messages that others wrote come out the same but for links and pixel."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from rewriter.rewriter import Rewriter
from tests.corpus.conformance import conformance_inputs
from tests.corpus.messages import message_faults, pages
from tests.corpus.pages import page_faults
from tests.corpus.sources import Kind, Source, sources
from tests.rewriter.html.sender import rewriter

SENDER = rewriter(opens=True)
THOROUGH = rewriter(
    opens=True,
    pixel="both",
    text_links=True,
    amp=True,
    utm=(("utm_source", "news"),),
    unsubscribe_html='<p><a href="%unsubscribe_url%">Unsubscribe</a></p>',
    unsubscribe_text="Unsubscribe: %unsubscribe_url%\n",
)

PARTS = 4

# What no mail holds: the pixel opens a body, after which no frameset is taken.
EXCUSED = "</body><frameset></frameset>"


def each(*kinds: Kind) -> pytest.MarkDecorator:
    """Run a test for each source of some kinds, in parts that processes share out."""
    found = [
        pytest.param(source, part, id=f"{source}-{part + 1}")
        for kind in kinds
        for source in sources(kind)
        for part in range(min(PARTS, len(source.files) or 1))
    ]
    return pytest.mark.parametrize(("source", "part"), found)


def files(source: Source, part: int) -> list[Path]:
    """Give the files of a part of a source, or skip loudly."""
    if not source.files:
        pytest.skip(f"NO CORPUS: {source} is not in build/corpus; `make corpus` fetches it")
    return source.files[part::PARTS]


def faults_by_name(found: Iterable[tuple[str, Iterator[str]]]) -> dict[str, list[str]]:
    """Leave only those that have faults."""
    listed = ((name, list(faults)) for name, faults in found)
    return {name: faults for name, faults in listed if faults}


@each("pages")
def test_a_template_comes_out_the_same_but_for_links_and_pixel(source: Source, part: int) -> None:
    found = ((path.name, page_faults(SENDER, path.read_bytes())) for path in files(source, part))
    assert faults_by_name(found) == {}


@each("messages")
def test_the_pages_of_real_messages_come_out_the_same_but_for_links_and_pixel(
    source: Source, part: int
) -> None:
    found = (
        (path.name, page_faults(SENDER, page, charset))
        for path in files(source, part)
        for page, charset in pages(path.read_bytes())
    )
    assert faults_by_name(found) == {}


@pytest.mark.parametrize("sender", [SENDER, THOROUGH], ids=["as-it-comes", "with-all-it-can"])
@each("messages")
def test_a_real_message_comes_out_the_same_but_for_links_and_pixel(
    source: Source, part: int, sender: Rewriter
) -> None:
    found = ((path.name, message_faults(sender, path.read_bytes())) for path in files(source, part))
    assert faults_by_name(found) == {}


@each("conformance")
def test_html5libs_own_inputs_come_out_the_same_but_for_links_and_pixel(
    source: Source, part: int
) -> None:
    found = (
        (f"{name}: {page!r}", page_faults(SENDER, page.encode(), "utf-8"))
        for name, page in conformance_inputs(files(source, part))
        if page != EXCUSED
    )
    assert faults_by_name(found) == {}
