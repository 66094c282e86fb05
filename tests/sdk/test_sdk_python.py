"""Mailgun's own Python client, pointed at the API, works unchanged."""

from collections.abc import Iterator

import pytest
from mailgun.client import AsyncClient, Client

from tests.sdk.conftest import EVENTS, Live
from tests.tracker.ingest.samples import SAMPLES
from tests.tracker.stats.happenings import HOUR, MONDAY

# It says of its own service which endpoints are on their way out there, and that ours isn't HTTPS.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
DAY = {"start": str(MONDAY), "end": str(MONDAY + 23 * HOUR)}


@pytest.fixture
def client(live: Live) -> Iterator[Client]:
    with Client(auth=("api", live.key), api_url=live.url) as client:
        yield client


def test_every_event_is_streamed_once_over_the_pages(client: Client, live: Live) -> None:
    filters = {"ascending": "yes", "limit": 4}
    found = [event["id"] for event in client.events.stream(domain=live.domain, filters=filters)]
    assert len(found) == len(set(found)) == len(EVENTS) + len(SAMPLES)


def test_events_are_filtered(client: Client, live: Live) -> None:
    filters = {"event": "opened OR clicked", "recipient": "reader-1@example.net"}
    answer = client.events.get(domain=live.domain, filters=filters)
    assert [event["event"] for event in answer.json()["items"]] == ["opened", "clicked"]


def test_stats_are_counted(client: Client, live: Live) -> None:
    filters = {"event": ["opened", "delivered"], "resolution": "day", **DAY}
    answer = client.stats_total.get(domain=live.domain, filters=filters)
    [day] = answer.json()["stats"]
    assert day["opened"] == {"total": 4, "unique": 4}
    assert day["delivered"] == {"smtp": 3, "http": 0, "total": 3}


def test_tags_are_listed_described_and_told_apart(client: Client, live: Live) -> None:
    listed = [tag["tag"] for tag in client.tags.stream(domain=live.domain, filters={"limit": 1})]
    assert {"autumn", "tides"} <= set(listed)
    assert len(listed) == len(set(listed))
    named = {"domain": live.domain, "tag_name": "tides"}
    client.tags.put(**named, data={"description": "twice a day"})
    assert client.tags.get(**named).json()["description"] == "twice a day"


def test_a_tag_has_stats_and_aggregates(client: Client, live: Live) -> None:
    named = {"domain": live.domain, "tag_name": "autumn"}
    stats = client.tags_stats.get(**named, filters={"event": "clicked", **DAY}).json()
    assert (stats["tag"], stats["stats"][0]["clicked"]) == ("autumn", {"total": 3, "unique": 3})
    providers = client.tags_stats_aggregates_providers.get(**named).json()
    assert providers["provider"]["example.net"]["unique_opened"] == 3
    for endpoint in (client.tags_stats_aggregates_countries, client.tags_stats_aggregates_devices):
        assert endpoint.get(**named).status_code == 200


def test_a_tag_is_deleted(client: Client, live: Live) -> None:
    named = {"domain": live.domain, "tag_name": "other"}
    assert client.tags.delete(**named).json() == {"message": "Tag deleted"}
    assert client.tags.get(**named).status_code == 404


@pytest.mark.anyio
async def test_the_asynchronous_client_reads_the_same(live: Live) -> None:
    async with AsyncClient(auth=("api", live.key), api_url=live.url) as client:
        filters = {"ascending": "yes", "limit": 7}
        events = client.events.stream(domain=live.domain, filters=filters)
        found = [event["id"] async for event in events]
    assert len(found) == len(set(found)) == len(EVENTS) + len(SAMPLES)
