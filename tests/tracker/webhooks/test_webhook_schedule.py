"""What an answer means, and when it is tried again: Mailgun's rules, as a table."""

import pytest

from tracker.webhooks.schedule import SECOND, again_at, judged

MINUTE, HOUR = 60, 3600


@pytest.mark.parametrize("attempt", [1, 4, 8])
@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "delivered"), (406, "refused")],
)
def test_200_and_406_end_it(status: int, outcome: str, attempt: int) -> None:
    assert judged(status, attempt) == outcome


@pytest.mark.parametrize("status", [0, 201, 204, 301, 400, 401, 404, 410, 429, 500, 503])
def test_anything_else_is_tried_again_seven_times(status: int) -> None:
    assert [judged(status, attempt) for attempt in range(1, 9)] == [""] * 7 + ["failed"]


def test_it_is_tried_again_after_longer_and_longer() -> None:
    waits = [again_at(0, attempt) // SECOND for attempt in range(1, 8)]
    assert waits == [
        *(10 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE),
        *(1 * HOUR, 2 * HOUR, 4 * HOUR),
    ]
