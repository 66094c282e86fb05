import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.api.answer import Refused
from tracker.api.listing import requested
from tracker.store.row import LATEST

NOW = 1_763_688_423_000_000
MAY = 1367571600_000_000  # Fri, 3 May 2013 09:00:00 UTC
JUNE = MAY + 86_400_000_000 * 31


def in_range(**own: str) -> tuple[int, int, bool]:
    listing = requested(own.items(), NOW)
    return listing.low, listing.high, listing.ascending


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, (0, NOW, False)),
        ({"ascending": "no"}, (0, NOW, False)),
        ({"ascending": "yes"}, (0, LATEST, True)),
        ({"begin": "1367571600", "ascending": "yes"}, (MAY, LATEST, True)),
        ({"begin": "1367571600", "ascending": "no"}, (0, MAY, False)),
        ({"begin": "1367571600", "end": "1370250000"}, (MAY, JUNE, True)),
        ({"begin": "1370250000", "end": "1367571600"}, (MAY, JUNE, False)),
        ({"begin": "1370250000", "end": "1367571600", "ascending": "no"}, (MAY, JUNE, False)),
        ({"begin": "1367571600", "end": "1367571600"}, (MAY, MAY, False)),
        ({"begin": "1367571600", "end": "1367571600", "ascending": "yes"}, (MAY, MAY, True)),
        ({"end": "1367571600"}, (MAY, NOW, False)),
        ({"end": "1367571600", "ascending": "yes"}, (0, MAY, True)),
        ({"ascending": "yes", "pretty": "yes"}, (0, LATEST, True)),
        ({"begin": "0", "ascending": "YES"}, (0, LATEST, True)),
        ({"begin": "1367571600", "ascending": "true"}, (MAY, LATEST, True)),
    ],
)
def test_times_and_direction_make_a_range(
    own: dict[str, str], expected: tuple[int, int, bool]
) -> None:
    assert in_range(**own) == expected


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("1367571600", MAY),
        ("1367571600.250001", MAY + 250_001),
        ("1.3675716e9", MAY),
        ("Fri, 3 May 2013 09:00:00 -0000", MAY),
        ("Fri, 03 May 2013 09:00:00 +0000", MAY),
        ("3 May 2013 11:00:00 +0200", MAY),
        ("Fri, 03 May 2013 09:00:00 GMT", MAY),
        ("Fri, 03 May 2013 04:00:00 EST", MAY),
    ],
)
def test_a_time_is_given_as_a_date_or_in_seconds(text: str, microseconds: int) -> None:
    assert in_range(begin=text, ascending="yes")[0] == microseconds


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ({"begin": "1367571600"}, "`begin` needs an `end`, or a direction"),
        (
            {"begin": "1", "end": "2", "ascending": "no"},
            "`ascending` contradicts the range, which runs up",
        ),
        (
            {"begin": "2", "end": "1", "ascending": "yes"},
            "`ascending` contradicts the range, which runs down",
        ),
        ({"begin": "yesterday", "ascending": "no"}, "`begin` is a time like"),
        ({"begin": "", "ascending": "no"}, "`begin` is a time like"),
        ({"begin": "-1", "ascending": "no"}, "`begin` is a time like"),
        ({"begin": "nan", "ascending": "no"}, "`begin` is a time like"),
        ({"begin": "snan", "ascending": "no"}, "`begin` is a time like"),
        ({"begin": "inf", "ascending": "no"}, "`begin` is a time like"),
        ({"begin": "1e999999", "ascending": "no"}, "`begin` is a time like"),
        ({"begin": "1367571600000", "ascending": "no"}, "`begin` is a time like"),
        ({"end": "Fri, 3 May 1913 09:00:00 -0000"}, "`end` is a time like"),
        ({"end": "Fri, 3 May 2013 99:00:00 -0000"}, "`end` is a time like"),
        ({"ascending": "up"}, "`ascending` is yes or no"),
        ({"limit": "0"}, "`limit` is a number from 1 to 300"),
        ({"limit": "301"}, "`limit` is a number from 1 to 300"),
        ({"limit": "-5"}, "`limit` is a number from 1 to 300"),
        ({"limit": "٣"}, "`limit` is a number from 1 to 300"),
        ({"limit": "9" * 10_000}, "`limit` is a number from 1 to 300"),
        ({"colour": "blue"}, "there is no filter field `colour`"),
        ({"subject": "("}, "`subject`: a term is missing at the end"),
    ],
)
def test_a_request_that_contradicts_itself_or_is_unclear_is_refused(
    own: dict[str, str], says: str
) -> None:
    with pytest.raises(Refused) as refusal:
        requested(own.items(), NOW)
    assert refusal.value.status == 400
    assert says in refusal.value.message


def test_a_parameter_of_the_range_is_given_once() -> None:
    with pytest.raises(Refused, match="`begin` is given more than once"):
        requested([("begin", "1"), ("begin", "2"), ("ascending", "yes")], NOW)


@given(st.text() | st.from_regex(r"\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ [-+]?\w+", fullmatch=True))
def test_any_text_is_a_time_or_is_refused(text: str) -> None:
    try:
        low, _, _ = in_range(begin=text, ascending="yes")
    except Refused as refusal:
        assert "`begin` is a time like" in refusal.message  # noqa: PT017 - it may pass as well
    else:
        assert 0 <= low <= LATEST
