"""Events of any kind can be posted, are stored once, and are found as Mailgun's would be."""

from typing import Any

import httpx
import msgspec
import pytest

from tests.tracker.api.caller import calling, serving
from tests.tracker.ingest.samples import DOMAIN, SAMPLES, TIME
from tracker.api.ingest import MOST_LINES
from tracker.store.database import Store
from tracker.store.posted import KINDS, MOST_BYTES

pytestmark = pytest.mark.anyio
EVENTS = f"/v1/{DOMAIN}/events"
LINES = {"Content-Type": "application/x-ndjson"}


def lines(*events: dict[str, Any] | bytes) -> bytes:
    return b"\n".join(one if isinstance(one, bytes) else msgspec.json.encode(one) for one in events)


async def listed(client: httpx.AsyncClient, **filters: str) -> list[dict[str, Any]]:
    answer = await client.get(f"/v3/{DOMAIN}/events", params={"ascending": "yes", **filters})
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.mark.parametrize("name", SAMPLES)
async def test_an_event_of_each_kind_is_kept_whole(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.post(EVENTS, json=SAMPLES[name])
    assert answer.status_code == 200
    assert answer.json()["events"] == [{"line": 1, "status": "accepted", "id": SAMPLES[name]["id"]}]
    [found] = await listed(client, event=SAMPLES[name]["event"])
    assert found == SAMPLES[name] | {"domain": {"name": DOMAIN}, "origin": "api"}


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"event": "failed"}, ["failed, permanently", "failed, later", "failed, for now"]),
        ({"severity": "temporary"}, ["failed, for now"]),
        ({"list": "crew@harbour.example", "event": "NOT list_uploaded"}, [
            "list_member_uploaded", "list_member_upload_error",
        ]),
        ({"attachment": "tides.pdf"}, ["complained"]),
        ({"recipients": "dan@quay.example"}, ["accepted", "stored"]),
        ({"tags": "tides"}, ["clicked"]),
        ({"subject": '"low tide"', "event": "rejected OR stored"}, ["stored", "rejected"]),
        ({"size": ">1000 <3000", "event": "delivered"}, ["delivered"]),
        ({"from": "post@harbour.example", "event": "complained"}, ["complained"]),
        ({"message-id": "20260921.7.1F2E@harbour.example", "event": "opened"}, ["opened"]),
        ({"begin": str(TIME), "end": str(TIME + 1)}, ["accepted", "accepted, routed"]),
    ],
)  # fmt: skip
async def test_each_is_found_by_what_it_says(
    client: httpx.AsyncClient, filters: dict[str, str], names: list[str]
) -> None:
    answer = await client.post(EVENTS, content=lines(*SAMPLES.values()), headers=LINES)
    assert answer.json()["accepted"] == len(SAMPLES)
    found = await listed(client, **filters)
    assert [event["id"] for event in found] == [SAMPLES[name]["id"] for name in names]


def test_every_kind_that_is_taken_has_a_sample_but_ours() -> None:
    assert {sample["event"] for sample in SAMPLES.values()} == set(KINDS) - {"resubscribed"}


async def test_a_recipient_who_came_back_elsewhere_may_be_written_to_again(
    client: httpx.AsyncClient,
) -> None:
    left = {"event": "unsubscribed", "timestamp": TIME, "recipient": "cleo@quay.example"}
    back = left | {"event": "resubscribed", "timestamp": TIME + 1}
    asked = {"address": "cleo@quay.example"}
    said = []
    for event in (left, back):
        assert (await client.post(EVENTS, json=event)).json()["accepted"] == 1
        said.append(
            (await client.get(f"/v1/{DOMAIN}/suppressed", params=asked)).json()["suppressed"]
        )
    assert said == [True, False]


async def test_what_is_posted_again_is_a_duplicate(client: httpx.AsyncClient) -> None:
    opened, clicked = SAMPLES["opened"], SAMPLES["clicked"]
    first = await client.post(EVENTS, content=lines(opened, opened), headers=LINES)
    again = await client.post(EVENTS, content=lines(opened, clicked), headers=LINES)
    assert [verdict["status"] for verdict in first.json()["events"]] == ["accepted", "duplicate"]
    assert [verdict["status"] for verdict in again.json()["events"]] == ["duplicate", "accepted"]
    assert len(await listed(client)) == 2


async def test_an_event_without_an_id_gets_one_from_its_content(
    client: httpx.AsyncClient,
) -> None:
    event = {name: value for name, value in SAMPLES["delivered"].items() if name != "id"}
    turned = dict(reversed(event.items()))
    first = (await client.post(EVENTS, json=event)).json()["events"][0]
    again = (await client.post(EVENTS, json=turned)).json()["events"][0]
    other = (await client.post(EVENTS, json=event | {"recipient": "dan@quay.example"})).json()
    assert (first["status"], again["status"]) == ("accepted", "duplicate")
    assert again["id"] == first["id"] != other["events"][0]["id"]


async def test_a_higher_revision_takes_the_place_of_what_was_posted(
    client: httpx.AsyncClient,
) -> None:
    await client.post(EVENTS, json=SAMPLES["clicked"])
    verdict = {"kind": "machine", "reasons": ["burst: 4 links"]}
    answer = await client.post(
        EVENTS, json=SAMPLES["clicked"] | {"verdict": verdict, "revision": 1}
    )
    assert answer.json()["revised"] == 1
    assert (await listed(client))[0]["verdict"] == verdict


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not an event: "),
        (b"[]", "not an event: it should be a JSON object"),
        (b"[" * 5000, "not an event: "),
        (b'{"event":"x","timestamp":1,"n":' + b"[" * 5000 + b"]" * 5000 + b"}", "not an event: "),
        (b'"\xff"', "not an event: "),
        (b'{"event":"x","timestamp":1,"n":1e999}', "not an event: "),
        ({"event": "opened"}, "not an event: Object missing required field `timestamp`"),
        ({"timestamp": 1}, "not an event: Object missing required field `event`"),
        ({"event": "", "timestamp": 1}, "not an event: `event` takes 1 to 64 characters"),
        ({"event": "x", "timestamp": -1}, "not an event: `timestamp` is given in seconds"),
        ({"event": "x", "timestamp": "now"}, "not an event: Expected `float`, got `str`"),
        ({"event": "x", "timestamp": 1, "id": 7}, "not an event: Expected `str`, got `int`"),
        (
            {"event": "x", "timestamp": 1, "domain": {"name": "other.example"}},
            "not an event of harbour.example: its `domain` is other.example",
        ),
        ({"event": "x", "timestamp": 1, "pad": "x" * MOST_BYTES}, "not an event: it has more than"),
        (
            {"event": "open", "timestamp": 1},
            "not an event: there is no kind `open`; there are accepted, rejected, delivered,",
        ),
        (
            {"event": "opened", "timestamp": 1, "message": {"recipients": ["a@b.c", "a\0"]}},
            "not an event: a text can't hold a NUL character - at `$.message.recipients[1]`",
        ),
    ],
)
async def test_a_line_that_is_no_event_is_refused_alone(
    client: httpx.AsyncClient, line: dict[str, Any] | bytes, reason: str
) -> None:
    body = lines(SAMPLES["opened"], line, b"", SAMPLES["clicked"])
    answer = await client.post(EVENTS, content=body, headers=LINES)
    assert answer.status_code == 200
    verdicts = answer.json()["events"]
    assert [(one["line"], one["status"]) for one in verdicts] == [
        (1, "accepted"),
        (2, "refused"),
        (4, "accepted"),
    ]
    assert verdicts[1]["reason"].startswith(reason)
    alone = await client.post(EVENTS, content=lines(line), headers=LINES)
    assert alone.status_code == 400
    assert alone.json()["message"] == verdicts[1]["reason"]


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"", "application/json", 400),
        (b"\n\n", "application/x-ndjson", 400),
        (b"{}\n" * (MOST_LINES + 1), "application/x-ndjson", 413),
        (b" " * ((16 << 20) + 1), "application/json", 413),
    ],
)
async def test_a_body_that_cant_be_taken_is_told_why(
    client: httpx.AsyncClient, body: bytes, media: str, status: int
) -> None:
    answer = await client.post(EVENTS, content=body, headers={"Content-Type": media})
    assert answer.status_code == status
    assert answer.json()["message"]


async def test_a_store_that_is_locked_takes_none_and_says_so(
    client: httpx.AsyncClient, store: Store, store_url: str
) -> None:
    hasty = await Store.open(store_url, patience=0.1)
    async with store.writing(), calling(serving(hasty)) as other:
        answer = await other.post(EVENTS, json=SAMPLES["opened"])
    await hasty.close()
    assert (answer.status_code, await listed(client)) == (503, [])


async def test_what_was_posted_counts(client: httpx.AsyncClient) -> None:
    await client.post(EVENTS, content=lines(*SAMPLES.values()), headers=LINES)
    query = {"event": ["accepted", "delivered", "failed"], "start": str(TIME), "end": str(TIME)}
    answer = await client.get(f"/v3/{DOMAIN}/stats/total", params=query)
    [point] = answer.json()["stats"]
    assert point["accepted"] == {"incoming": 1, "outgoing": 1, "total": 2}
    assert point["delivered"]["total"] == 1
    assert point["failed"]["permanent"]["delayed-bounce"] == 1
