"""What the office tells of webhooks, in words and figures."""

from prometheus_client import CollectorRegistry, generate_latest

from tracker.office.webhooks import Figures, check
from tracker.store.webhook_queue import Waiting
from tracker.store.webhooks import Hook
from tracker.webhooks.overview import Overview

NOW = 1_790_000_000.0


def hook(number: int, failing_for: int | None = None, trouble: str = "") -> Hook:
    since = None if failing_for is None else int(NOW) - failing_for
    url = f"https://app-{number}.example.com/hook?secret=s"
    return Hook(number, "news.example", "opened", url, 1, False, 0, since, trouble)


def test_without_webhooks_there_is_nothing_to_tell() -> None:
    assert check(Overview(NOW)).says == "none is registered"


def test_urls_that_take_events_are_counted_with_what_waits() -> None:
    told = check(Overview(NOW, hooks=[hook(1), hook(2)], waiting={1: Waiting(3, 5)}))
    assert (told.status, told.says) == ("ok", "2 URLs posted to; 3 events queued")


def test_a_url_that_fails_is_named_without_its_secret_and_matters_after_an_hour() -> None:
    for seconds, status, since in ((600, "ok", "10 min"), (7_200, "degraded", "2 h")):
        hooks = [hook(1), hook(2, seconds, "it answers 500")]
        told = check(Overview(NOW, hooks=hooks, waiting={2: Waiting(9, 5)}))
        assert told.status == status
        assert told.says == (
            f"1 of 2 URLs fail for {since}: https://app-2.example.com of news.example"
            " (it answers 500); 9 events queued"
        )


def test_a_store_that_is_away_is_the_reason_that_nothing_is_posted() -> None:
    told = check(Overview(NOW, "the store can't answer: it is locked"))
    assert told.status == "degraded"
    assert told.says == "nothing new is posted: the store can't answer: it is locked"


def test_prometheus_reads_the_queue_and_what_fails() -> None:
    overview = Overview(
        NOW,
        hooks=[hook(1), hook(2, 60, "no answer")],
        waiting={1: Waiting(3, int((NOW - 30) * 1e6)), 2: Waiting(4, int((NOW - 90) * 1e6))},
        posted={"delivered": 7, "again": 2},
    )
    registry = CollectorRegistry()
    registry.register(Figures(lambda: overview))
    text = generate_latest(registry).decode()
    for line in (
        "tracker_webhooks 2.0",
        "tracker_webhooks_failing 1.0",
        "tracker_webhook_queue 7.0",
        "tracker_webhook_oldest_seconds 90.0",
        'tracker_webhook_deliveries_total{outcome="delivered"} 7.0',
        'tracker_webhook_deliveries_total{outcome="again"} 2.0',
    ):
        assert line in text.splitlines()
