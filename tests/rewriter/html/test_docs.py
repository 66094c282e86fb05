"""What the documentation shows is what happens."""

import doctest
from pathlib import Path
from typing import get_args

from rewriter.report import REASONS, Reason

DOCUMENT = Path(__file__).parents[3] / "docs" / "rewriting.md"


def test_every_example_of_the_documentation_does_what_it_says() -> None:
    outcome = doctest.testfile(str(DOCUMENT), module_relative=False)
    assert outcome.failed == 0
    assert outcome.attempted > 10


def test_every_reason_is_explained_to_people() -> None:
    assert set(REASONS) == set(get_args(Reason))
    text = DOCUMENT.read_text()
    assert [reason for reason in REASONS if f"`{reason}`" not in text] == []
