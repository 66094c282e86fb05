"""Mailgun's own JavaScript client, pointed at the API, works unchanged."""

from tests.sdk.conftest import EVENTS, Live
from tests.tracker.ingest.samples import SAMPLES
from tests.tracker.stats.happenings import HOUR, MONDAY

DAY = {"start": str(MONDAY), "end": str(MONDAY + 23 * HOUR)}
TAGS = "domains.domainTags"


def test_events_are_paged_through(node: Live) -> None:
    found: list[str] = []
    page = ""
    while True:
        query = {"ascending": "yes", "limit": 9} | ({"page": page} if page else {})
        [result] = node.javascript(("events.get", [node.domain, query]))
        events = result["value"]["items"]
        if not events:
            break
        found += [event["id"] for event in events]
        page = result["value"]["pages"]["next"]["page"]
    assert len(found) == len(set(found)) == len(EVENTS) + len(SAMPLES)


def test_stats_are_counted_for_a_domain_and_for_the_account(node: Live) -> None:
    query = {"event": ["opened", "delivered"], "resolution": "day", **DAY}
    results = node.javascript(
        ("stats.getDomain", [node.domain, query]), ("stats.getAccount", [query])
    )
    for result in results:
        [day] = result["value"]["stats"]
        assert day["time"] == "2026-02-16T00:00:00.000Z"
        assert day["opened"] == {"total": 4, "unique": 4}
        assert day["delivered"] == {"smtp": 3, "http": 0, "total": 3}


def test_tags_are_listed_described_counted_and_deleted(node: Live) -> None:
    node.post(EVENTS[-1].document.replace(b'"other"', b'"spare"').replace(b'"id":"', b'"id":"js-'))
    where = [node.domain, "spare"]
    listed, again, updated, tag, stats, countries, deleted, gone = node.javascript(
        (f"{TAGS}.list", [node.domain, {"limit": 2}]),
        (f"{TAGS}.list", [node.domain, {"limit": 2, "page": "?page=next&tag=spare"}]),
        (f"{TAGS}.update", [*where, "kept for later"]),
        (f"{TAGS}.get", where),
        (f"{TAGS}.statistic", [*where, {"event": "opened", **DAY}]),
        (f"{TAGS}.countries", where),
        (f"{TAGS}.destroy", where),
        (f"{TAGS}.get", where),
    )
    assert len(listed["value"]["items"]) == 2
    assert (
        listed["value"]["pages"]["next"]["iteratorPosition"] == listed["value"]["items"][1]["tag"]
    )
    assert [item["tag"] for item in again["value"]["items"]] == ["tides"]
    assert updated["value"]["message"] == "Tag updated"
    assert tag["value"]["description"] == "kept for later"
    assert tag["value"]["last-seen"] == "2026-02-16T05:00:00.000Z"
    assert stats["value"]["stats"][0]["opened"]["total"] == 1
    assert countries["value"]["country"]["unknown"]["opened"] == 1
    assert deleted["value"]["message"] == "Tag deleted"
    assert (gone["status"], gone["error"]) == (404, "no event had such a tag")


def test_a_mistake_is_told_as_mailgun_tells_it(node: Live) -> None:
    [result] = node.javascript(("stats.getDomain", [node.domain, {"event": "read"}]))
    assert result["status"] == 400
    assert result["error"].startswith("`event` is one of accepted, ")
