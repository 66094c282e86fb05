import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.expiry import STAGES, sentence, stage
from certs.issuing.standing import alerts, standing
from certs.renewal import DAY, HOUR
from certs.vault.certificates import Kept
from certs.vault.progress import State

START = 1_795_000_000


@pytest.mark.parametrize(
    ("life", "left", "kind"),
    [
        (45 * DAY, 20 * DAY, ""),
        (45 * DAY, 14 * DAY, ""),  # it is being renewed
        (45 * DAY, 12 * DAY, "renewal-missed"),
        (45 * DAY, 7 * DAY, "expires-7"),
        (45 * DAY, 3 * DAY, "expires-3"),
        (45 * DAY, 1 * DAY, "expires-1"),
        (45 * DAY, 0, "expired"),
        (45 * DAY, -DAY, "expired"),
        (90 * DAY, 25 * DAY, ""),
        (90 * DAY, 24 * DAY, "renewal-missed"),
        (90 * DAY, 7 * DAY, "expires-7"),
        (160 * HOUR, 75 * HOUR, ""),
        (160 * HOUR, 69 * HOUR, "renewal-missed"),
        (160 * HOUR, 26 * HOUR, "renewal-missed"),
        (160 * HOUR, 24 * HOUR, "expires-7"),
        (160 * HOUR, 10 * HOUR, "expires-3"),
        (160 * HOUR, 3 * HOUR, "expires-1"),
    ],
)
def test_an_alert_is_raised_in_time_for_the_life_that_a_certificate_has(
    life: float, left: float, kind: str
) -> None:
    found = stage(START, START + life, START + life - left)
    assert (found.kind if found else "") == kind


@given(life=st.floats(HOUR, 400 * DAY), earlier=st.floats(0, 1), later=st.floats(0, 1))
def test_the_alert_never_gets_milder_while_time_goes_by(
    life: float, earlier: float, later: float
) -> None:
    order = [None, "renewal-missed", *(one.kind for one in reversed(STAGES))]
    first, second = sorted((earlier, later))
    found = [stage(START, START + life, START + life * share) for share in (first, second)]
    before, after = (order.index(one.kind if one else None) for one in found)
    assert before <= after


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (3 * DAY + HOUR, "The certificate expires in 3 days and was not renewed."),
        (HOUR, "The certificate expires in 1 hour and was not renewed."),
        (-2 * DAY, "The certificate expired 2 days ago, and is served all the same."),
        (-5, "The certificate expired less than a minute ago, and is served all the same."),
    ],
)
def test_the_alert_says_how_long_there_is(left: float, says: str) -> None:
    assert sentence(START + left, START) == says


def _kept(not_after: float) -> Kept:
    return Kept("click.example.com", 3, "ca", START - 44 * int(DAY), int(not_after), START, 0)


def test_an_alert_holds_what_is_in_the_way_and_what_to_do() -> None:
    state = State("click.example.com", "dns", START, "It leads elsewhere.", "Paste this line.")
    (alert,) = alerts([standing(state, _kept(START + DAY), START)], START)
    assert msgspec.to_builtins(alert) == {
        "kind": "expires-1",
        "name": "click.example.com",
        "severity": "error",
        "says": "The certificate expires in 1 day and was not renewed. It leads elsewhere.",
        "fix": "Paste this line.",
        "occasion": 3,
        "at": START,
        "not_after": START + DAY,
    }


@pytest.mark.parametrize(("phase", "severity"), [("rejected", "error"), ("suspended", "warning")])
def test_a_name_that_was_given_up_is_an_alert_without_any_certificate(
    phase: str, severity: str
) -> None:
    state = msgspec.convert({"name": "click.example.com", "phase": phase, "since": 7}, State)
    (alert,) = alerts([standing(state, None, START)], START)
    assert (alert.kind, alert.severity, alert.occasion) == (phase, severity, 7)


@pytest.mark.parametrize(
    ("phase", "left", "status"),
    [
        ("dns", None, "processing"),
        ("suspended", None, "error"),
        ("rejected", None, "error"),
        ("active", DAY, "active"),
        ("dns", DAY, "active"),
        ("dns", -DAY, "expired"),
        ("rejected", -DAY, "expired"),
    ],
)
def test_mailguns_word_for_a_certificate(phase: str, left: float | None, status: str) -> None:
    state = msgspec.convert({"name": "click.example.com", "phase": phase}, State)
    kept = None if left is None else _kept(START + left)
    assert standing(state, kept, START).status == status
