"""Every `tracker` command that the documents show is one, with the options that it takes."""

from pathlib import Path
from typing import Final

import pytest

from tests.commands import understood, written

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def test_a_command_is_found_wherever_a_page_shows_one() -> None:
    page = "`tracker status` or\n\n    tracker keys new\n\n```console\none$ tracker serve\n```\n"
    assert list(written(page)) == [["status"], ["keys", "new"], ["serve"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_is_one(page: Path) -> None:
    assert [said for said in map(understood, written(page.read_text())) if said] == []
