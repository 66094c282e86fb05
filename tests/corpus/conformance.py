"""html5lib's own conformance inputs, as its source distribution carries them.

In: its files. Out: the pages that its tests of tokenizer and tree construction read, but for those
that no encoding can hold.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_DATA = re.compile(r"(?:\A|\n\n?)#data\n(.*?)\n#errors", re.DOTALL)
_ESCAPED = re.compile(r"\\u([0-9A-Fa-f]{4})")
_SURROGATE = re.compile("[\ud800-\udfff]")


def conformance_inputs(files: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """Give each input with its name."""
    for path in files:
        read = _of_tree_construction if path.suffix == ".dat" else _of_tokenizer
        for number, page in enumerate(read(path.read_bytes().decode()), 1):
            if not _SURROGATE.search(page):
                yield f"{path.name} {number}", page


def _of_tree_construction(text: str) -> list[str]:
    return _DATA.findall(text)


def _of_tokenizer(text: str) -> Iterator[str]:
    for test in json.loads(text).get("tests", ()):
        page: str = test["input"]
        if test.get("doubleEscaped"):
            page = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), page)
        yield page
