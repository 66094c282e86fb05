"""The sums of docs/scale.md are those of today, and say what they should."""

from pathlib import Path

import pytest

from bench import scale

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"


def test_the_page_says_what_the_sums_come_to() -> None:
    text = PAGE.read_text()
    assert scale.written(text) == text, "run python -m bench.scale --into docs/scale.md"


def test_a_document_without_a_place_for_the_sums_is_refused() -> None:
    with pytest.raises(ValueError, match=r"there is no <!-- bench\.scale sums -->"):
        scale.written("# How far it goes")


@pytest.mark.parametrize(
    ("gigabytes", "dollars"),
    [
        (0, 0),
        (100, 9),
        (10_240, 921.6),
        (51_200, 921.6 + 40_960 * 0.085),
        (200_000, 921.6 + 40_960 * 0.085 + 102_400 * 0.07 + 46_400 * 0.05),
    ],
)
def test_traffic_costs_less_the_more_there_is(gigabytes: float, dollars: float) -> None:
    assert scale.tiered(gigabytes) == pytest.approx(dollars)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (0.01, "< 0.1"),
        (0.5, "0.5"),
        (2.0, "2"),
        (23.1, "23"),
        (1157.4, "1,200"),
        (578704, "580,000"),
    ],
)
def test_a_number_has_no_more_figures_than_are_known(value: float, says: str) -> None:
    assert scale.number(value) == says


def test_a_store_is_asked_for_no_more_than_its_one_writer_can_do() -> None:
    for need in scale.NEEDS:
        assert need.behind / need.cells <= scale.STORE_RATE.value * scale.FULL
