"""Fuzzed pages: real ones in pieces, some of them replaced.

Each must come through the same but for links and pixel, unchanged the second time, and with the
links that html5lib's tokenizer finds.
"""

import re
from collections.abc import Iterator
from random import Random

from tests.corpus.pages import page_faults
from tests.corpus.sources import sources
from tests.rewriter.html.generated import PAGES
from tests.rewriter.html.sender import rewriter
from tests.rewriter.html.test_markup import BITS, expected, found

_CUT = re.compile(r"(?<=[<>\"'=\s])|(?=[<>\"'=\s])")
# html5lib's tokenizer alone knows no foreign content; comments and VML are open to Outlook only.
_OURS_ALONE = re.compile(r"<!--\[if|<v:|<svg|<math", re.IGNORECASE)
SENDER = rewriter(opens=True)
SEEDS = (
    *PAGES,
    *(
        path.read_bytes().decode("utf-8", "replace")
        for source in sources("pages")
        for path in source.files[:10]
    ),
)


def make(chance: Random) -> bytes:
    """Give a run of pieces of the pages that mail has, some of them replaced by others."""
    pieces = _CUT.split(chance.choice(SEEDS))
    begins = chance.randrange(len(pieces))
    run = pieces[begins : begins + chance.randrange(1, 200)]
    for _ in range(chance.randrange(8)):
        at = chance.randrange(len(run))
        run[at : at + chance.randrange(3)] = [chance.choice((*BITS, *pieces))]
        run = run or [""]
    return "".join(run).encode("utf-8", "replace")


def faults(page: bytes) -> Iterator[str]:
    """Say what is wrong with how a page is rewritten."""
    yield from page_faults(SENDER, page, "utf-8")
    text = page.decode()
    if not _OURS_ALONE.search(text) and found(text) != expected(text):
        yield "html5lib finds other links"
