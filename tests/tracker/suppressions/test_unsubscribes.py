"""Who wants no more mail: from events and by hand, as Mailgun lists it and as senders ask."""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from itertools import permutations
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracker.api.caller import calling, scoped, serving
from tests.tracker.store.documents import DOMAIN, document
from tracker.api.answer import Refused
from tracker.api.unsubscribes_given import from_csv as imported
from tracker.cli import main
from tracker.store.database import Store
from tracker.store.row import row
from tracker.store.suppressions import Suppression, Suppressions

pytestmark = pytest.mark.anyio

ANN = "ann@example.com"
PATH = f"/v3/{DOMAIN}/unsubscribes"


@pytest.fixture
async def client(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(serving(store)) as client:
        yield client


def event(number: int, kind: str = "unsubscribed", **fields: Any) -> bytes:
    return document(number, event=kind, **{"recipient": ANN, **fields})


async def tags(store: Store, address: str = ANN) -> list[str]:
    found = await Suppressions(store).of(DOMAIN, [address])
    return list(found[address].tags) if found else []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["*"]),
        ({"link": {"category": "domain"}, "tags": ["news"]}, ["*"]),
        ({"link": {"category": "tag"}, "tags": ["News", "weekly"]}, ["news", "weekly"]),
        ({"link": {"category": "tag"}}, ["*"]),
        ({"link": {"category": "list", "name": "Sailing.example"}}, ["list:sailing.example"]),
        ({"link": {"category": "list", "name": ""}}, ["*"]),
        ({"link": 7}, ["*"]),
    ],
)
async def test_who_unsubscribes_is_suppressed_for_what_they_meant(
    store: Store, fields: dict[str, Any], expected: list[str]
) -> None:
    await store.insert([row(event(1, **fields))])
    assert await tags(store) == expected


async def test_only_asking_for_it_suppresses(store: Store) -> None:
    others = [row(event(n, kind)) for n, kind in enumerate(("opened", "clicked", "complained"))]
    await store.insert([*others, row(event(9, recipient=""))])
    assert await tags(store) == []


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
async def test_the_last_decision_holds_in_whatever_order_they_come_in(
    store: Store, order: tuple[int, ...]
) -> None:
    kinds = {1: "unsubscribed", 2: "resubscribed", 3: "unsubscribed"}
    for number in order:
        await store.insert([row(event(number, kinds[number]))])
    assert await tags(store) == ["*"]
    await store.insert([row(event(4, "resubscribed"))])
    await store.insert([row(event(1))])
    assert await tags(store) == []


async def test_the_table_is_mailguns(store: Store, client: httpx.AsyncClient) -> None:
    await store.insert([row(event(0))])
    added = await client.post(PATH, data={"address": "Bob@Example.com", "tag": "news"})
    assert added.json() == {
        "message": "Address has been added to the unsubscribes table",
        "address": "bob@example.com",
    }
    one = (await client.get(f"{PATH}/{ANN}")).json()
    assert one == {
        "address": ANN,
        "tags": ["*"],
        "created_at": "Tue, 14 Nov 2023 22:13:20 GMT",
    }
    listed = (await client.get(PATH)).json()
    assert [item["address"] for item in listed["items"]] == [ANN, "bob@example.com"]
    assert list(listed["paging"]) == ["first", "next", "previous", "last"]
    removed = await client.delete(f"{PATH}/{ANN}")
    assert removed.json() == {"message": "Unsubscribe event has been removed", "address": ANN}
    for gone in (await client.get(f"{PATH}/{ANN}"), await client.delete(f"{PATH}/{ANN}")):
        assert gone.status_code == 404
        assert gone.json() == {"message": "Address not found in unsubscribers table"}


async def test_one_tag_is_taken_back_and_the_others_stay(client: httpx.AsyncClient) -> None:
    await client.post(PATH, json=[{"address": ANN, "tags": ["news", "offers"]}])
    await client.delete(f"{PATH}/{ANN}", params={"tag": "News"})
    assert (await client.get(f"{PATH}/{ANN}")).json()["tags"] == ["offers"]
    assert (await client.delete(f"{PATH}/{ANN}", params={"tag": "news"})).status_code == 404


async def test_what_was_taken_back_by_hand_is_not_undone_by_an_older_event(
    store: Store, client: httpx.AsyncClient
) -> None:
    await client.post(PATH, data={"address": ANN})
    await client.delete(f"{PATH}/{ANN}")
    await store.insert([row(event(1))])
    assert await tags(store) == []
    await client.post(PATH, data={"address": ANN, "created_at": "Tue, 14 Nov 2023 22:13:20 GMT"})
    assert await tags(store) == ["*"], "whoever adds an address means it now"


async def test_pages_lead_through_all_addresses_both_ways(client: httpx.AsyncClient) -> None:
    names = [f"r{number:02}@example.com" for number in range(7)]
    added = await client.post(PATH, json=[{"address": name} for name in reversed(names)])
    assert added.json()["message"] == "7 addresses have been added to the unsubscribes table"
    page = (await client.get(PATH, params={"limit": 3})).json()
    seen = []
    while page["items"]:
        seen.append([item["address"] for item in page["items"]])
        page = (await client.get(page["paging"]["next"])).json()
    assert seen == [names[:3], names[3:6], names[6:]]
    last = (await client.get(page["paging"]["last"])).json()
    assert [item["address"] for item in last["items"]] == names[4:]
    before = (await client.get(last["paging"]["previous"])).json()
    assert [item["address"] for item in before["items"]] == names[1:4]
    some = (await client.get(PATH, params={"term": "R05"})).json()
    assert [item["address"] for item in some["items"]] == [names[5]]


CSV = "address, tags, created_at\nann@example.com, news offers,\n\nBob@example.com,,1700000000\n"


@pytest.mark.parametrize(
    "text", [CSV, "\ufeff" + CSV.replace("\n", "\r\n"), "ann@example.com\nbob@example.com\n"]
)
async def test_a_file_is_imported(store: Store, client: httpx.AsyncClient, text: str) -> None:
    files = {"file": ("unsubscribes.csv", text.encode(), "text/csv")}
    answer = await client.post(f"{PATH}/import", files=files)
    assert answer.status_code == 202
    assert await tags(store, "bob@example.com") == ["*"]
    assert await tags(store) in (["news", "offers"], ["*"])


async def test_a_file_with_wrong_lines_adds_nothing_and_names_them(
    store: Store, client: httpx.AsyncClient
) -> None:
    text = "address,tags\nann@example.com,\nno address,\n=cmd@,x\n"
    files = {"file": ("unsubscribes.csv", text.encode(), "text/csv")}
    answer = await client.post(f"{PATH}/import", files=files)
    assert answer.status_code == 400
    assert "nothing was added; line 3: " in answer.json()["message"]
    assert "line 4: " in answer.json()["message"]
    assert await tags(store) == []


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"data": {"address": "ann"}}, "`address` should be one such as"),
        ({"data": {"address": "Ann <ann@example.com>"}}, "the address alone"),
        ({"data": {"tag": "news"}}, "`address` should be one such as"),
        ({"data": {"address": ANN, "tag": "x" * 129}}, "a tag has 1 to 128 characters"),
        ({"data": {"address": ANN, "created_at": "yesterday"}}, "`created_at` is a time"),
        ({"json": [{"address": ANN}, {"address": "x"}]}, "address 2: `address` should be"),
        ({"json": [{"adress": ANN}]}, "missing required field `address`"),
        ({"json": [{"address": ANN}] * 1001}, "up to 1000 addresses"),
        ({"content": b"address=ann@example.com"}, "the body should be a form"),
    ],
)
async def test_what_cannot_be_added_is_said(
    client: httpx.AsyncClient, given_: dict[str, Any], says: str
) -> None:
    answer = await client.post(PATH, **given_)
    assert answer.status_code in {400, 415}
    assert says in answer.json()["message"]


async def test_senders_ask_before_they_send(store: Store, client: httpx.AsyncClient) -> None:
    people = [{"address": ANN}, {"address": "bob@example.com", "tags": ["news"]}]
    await client.post(PATH, json=people)
    asked = f"/v1/{DOMAIN}/suppressed"
    one = await client.get(asked, params={"address": "ANN@example.com"})
    assert one.json() == {"address": ANN, "suppressed": True, "tags": ["*"]}
    bob = await client.get(asked, params={"address": "bob@example.com", "tag": "offers"})
    assert (bob.json()["suppressed"], bob.json()["tags"]) == (False, ["news"])
    addresses = ["Ann@Example.com", "bob@example.com", "eve@example.com"]
    many = await client.post(asked, json={"addresses": addresses, "tags": ["news"]})
    assert many.json() == {"suppressed": ["Ann@Example.com", "bob@example.com"]}
    lines = "".join(f'"{address}"\n' for address in addresses)
    headers = {"content-type": "application/x-ndjson"}
    assert (await client.post(asked, content=lines, headers=headers)).json() == {
        "suppressed": ["Ann@Example.com"]
    }
    sender = await scoped(store, "send", DOMAIN)
    allowed = await client.post(asked, json={"addresses": [ANN]}, auth=sender)
    assert allowed.status_code == 200
    assert (await client.get(PATH, auth=sender)).status_code == 403
    for wrong in ({"addresses": ["x"] * 10_001}, {"address": ANN}, [ANN]):
        assert (await client.post(asked, json=wrong)).status_code == 400


async def test_changes_stand_in_the_log_without_the_address(client: httpx.AsyncClient) -> None:
    await client.post(PATH, data={"address": ANN})
    await client.delete(f"{PATH}/{ANN}")
    await client.post(PATH, json=[{"address": ANN}, {"address": "bob@example.com"}])
    log = await client.get("/v1/audit")
    assert [entry["action"] for entry in log.json()["items"]] == [
        "suppression.import",
        "suppression.remove",
        "suppression.add",
    ]
    assert ANN not in log.text


@given(st.text(alphabet='abc@.,;"\n\r\t =-\x00é\ufeff', max_size=80))
def test_a_file_is_read_or_refused_whatever_it_holds(text: str) -> None:
    rows: list[Suppression] = []
    with contextlib.suppress(Refused):
        rows = imported(text)
    assert all("@" in one.address and one.tags for one in rows)


def run(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    return leaving.value.code


async def _suppress(path: Path) -> None:
    store = await Store.open(path)
    await store.insert([row(event(1, tags=["news"], link={"category": "tag"}))])
    await store.close()


def test_a_script_asks_by_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir(mode=0o700)
    asyncio.run(_suppress(tmp_path / "data" / "store.db"))
    ask = ("suppressed", "--domain", DOMAIN)
    assert run(*ask, "Ann@example.com") == 0
    assert run(*ask, "Ann@example.com", "--tag", "News") == 1
    assert "ann@example.com has unsubscribed: news" in capsys.readouterr().out
    assert run(*ask) == 64
    assert "name one address" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO("Ann@example.com\nbob@example.com\n\n"))
    assert run(*ask, "--tag", "news", "--filter") == 0
    assert capsys.readouterr().out == "bob@example.com\n"
