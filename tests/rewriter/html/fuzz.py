"""Fuzz the HTML half: pages cut up and put together again, for as long as it is told.

    python -m tests.rewriter.html.fuzz [--seconds 60] [--seed 1]

Each page must come through without an error, the same but for links and pixel, unchanged the second
time, and with the links that html5lib finds. A page that doesn't is printed with its seed.
"""

import argparse
import random
import re
import sys
import time
from collections.abc import Sequence

from rewriter.report import TRACKED
from tests.rewriter.html.generated import PAGES
from tests.rewriter.html.sender import ANN, restored, rewriter
from tests.rewriter.html.test_markup import BITS, expected, found
from tests.rewriter.html.test_page import PIXEL

_CUT = re.compile(r"(?<=[<>\"'=\s])|(?=[<>\"'=\s])")
# html5lib's tokenizer alone knows no foreign content; comments and VML are open to Outlook only.
_OURS_ALONE = re.compile(r"<!--\[if|<v:|<svg|<math", re.IGNORECASE)
SENDER = rewriter(opens=True)


def page(chance: random.Random) -> str:
    """Give a run of pieces of the pages that mail has, some of them replaced by others."""
    pieces = _CUT.split(chance.choice(PAGES))
    begins = chance.randrange(len(pieces))
    run = pieces[begins : begins + chance.randrange(1, 200)]
    for _ in range(chance.randrange(8)):
        at = chance.randrange(len(run))
        run[at : at + chance.randrange(3)] = [chance.choice((*BITS, *pieces))]
        run = run or [""]
    return "".join(run)


def fault(text: str) -> str:
    """Say what is wrong with how a page is rewritten, or nothing."""
    html = text.encode()
    result = SENDER.html(html, ANN, charset="utf-8")
    originals = [html[link.start : link.end] for link in result.links if link.reason in TRACKED]
    if restored(PIXEL.sub(b"", result.data), originals) != html:
        return "a byte outside of the links changed"
    if SENDER.html(result.data, ANN, charset="utf-8").data != result.data:
        return "rewriting twice is not once"
    if not _OURS_ALONE.search(text) and found(text) != expected(text):
        return "html5lib finds other links"
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz until the time is over or a fault is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    until = time.monotonic() + chosen.seconds
    seed = chosen.seed
    while time.monotonic() < until:
        text = page(random.Random(seed))  # noqa: S311 - it has to be the same each time
        if said := fault(text):
            sys.stderr.write(f"seed {seed}: {said}\n{text!r}\n")
            return 1
        seed += 1
    sys.stdout.write(f"{seed - chosen.seed} pages, no fault\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
