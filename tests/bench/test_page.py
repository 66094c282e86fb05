"""A report takes its place on a page, and no other."""

import pytest

from bench.page import put

BEGIN, END = "<!-- bench.edge -->", "<!-- /bench.edge -->"


def test_the_report_takes_the_place_of_the_one_before_and_of_nothing_else() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert put("new\n", "bench.edge", page) == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


@pytest.mark.parametrize("page", ["", f"{BEGIN} only", f"{END} before {BEGIN}", f"{END} only"])
def test_a_page_without_its_marks_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match=r"the page lacks <!-- bench\.edge -->"):
        put("new\n", "bench.edge", page)
