import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs import renewal
from certs.issuing import budget
from certs.issuing.budget import LIMITS, free_at
from certs.renewal import DAY, HOUR, Window, renew_at, wait

START = 1_795_000_000.0


@pytest.mark.parametrize(
    ("life", "earliest", "latest"),
    [
        (90 * DAY, 57 * DAY, 60 * DAY),  # a third of the life left, give or take
        (45 * DAY, 28.5 * DAY, 30 * DAY),
        (160 * HOUR, 72 * HOUR, 80 * HOUR),  # half of it below ten days
    ],
)
@given(name=st.text())
def test_a_certificate_is_renewed_at_a_share_of_its_life(
    life: float, earliest: float, latest: float, name: str
) -> None:
    assert earliest <= renew_at(START, START + life, None, name) - START <= latest


@given(st.text(), st.floats(0, 25 * DAY), st.floats(-DAY, 5 * DAY))
def test_the_window_of_the_ca_comes_before_our_own_rule(name: str, at: float, long: float) -> None:
    window = Window(START + at, START + at + long)
    renewed = renew_at(START, START + 45 * DAY, window, name)
    assert window.start <= renewed <= max(window.start, window.end)


@given(st.text(), st.floats(0, 1000 * DAY))
def test_a_window_that_leaves_no_time_is_not_waited_for(name: str, at: float) -> None:
    window = Window(START + at, START + at + DAY)
    assert renew_at(START, START + 45 * DAY, window, name) <= START + 31.5 * DAY


def test_names_are_spread_over_the_window_and_stay_where_they_fell() -> None:
    window = Window(START, START + DAY)
    end = START + 45 * DAY
    drawn = [renew_at(START, end, window, f"click.{number}.example") for number in range(200)]
    assert drawn == [
        renew_at(START, end, window, f"click.{number}.example") for number in range(200)
    ]
    quarters = {int((at - START) // (DAY / 4)) for at in drawn}
    assert quarters == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (renewal.BACK_OFF, [60, 600, 6_000, 86_400, 86_400]),
        (renewal.PREFLIGHT, [5, 60, 120, 300, 600, 1_800, 3_600, 3_600]),
    ],
)
@given(name=st.text())
def test_failures_in_a_row_are_followed_by_the_tables_steps(
    table: tuple[float, ...], expected: list[float], name: str
) -> None:
    for failures, step in enumerate(expected, 1):
        assert step * 0.9 <= wait(table, failures, name) <= step * 1.1


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("click.example.com", "example.com"),
        ("a.b.c.example.com", "example.com"),
        ("example.com", "example.com"),
        ("click.shop.co.uk", "shop.co.uk"),
        ("click.shop.com.au", "shop.com.au"),
        ("co.uk", "co.uk"),
        ("click.example.de", "example.de"),
    ],
)
def test_names_are_counted_by_the_domain_that_was_registered(name: str, domain: str) -> None:
    assert budget.registered(name) == domain


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.says)
@given(ages=st.lists(st.floats(-DAY, 30 * DAY), max_size=400))
def test_no_more_fit_into_a_window_than_the_ca_allows(
    limit: budget.Limit, ages: list[float]
) -> None:
    now = START
    times = [now - age for age in ages]
    at = free_at(limit, times, now)
    before = [when for when in times if when <= now]
    assert sum(at - limit.seconds < when for when in before) < limit.most
    if sum(now - limit.seconds < when for when in before) < limit.most:
        assert at == now


@pytest.mark.parametrize(
    ("what", "by", "most", "seconds"),
    [
        ("ordered", "directory", 300, 3 * HOUR),
        ("issued", "registered", 50, 7 * DAY),
        ("issued", "name", 5, 7 * DAY),
        ("unproven", "name", 5, HOUR),
        ("issued", "name", 8, DAY),
    ],
)
def test_the_limits_are_those_of_lets_encrypt_and_one_of_our_own(
    what: str, by: str, most: int, seconds: float
) -> None:
    assert (what, by, most, seconds) in [
        (one.what, one.by, one.most, one.seconds) for one in LIMITS
    ]
