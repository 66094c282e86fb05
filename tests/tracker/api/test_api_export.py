"""Exports, by API and by command: whole, in order, and harmless to open."""

import asyncio
import csv
import io
import json
from pathlib import Path

import httpx
import pyarrow.parquet
import pytest

from tests.tracker.store.documents import DOMAIN, START, document
from tracker.cli import main
from tracker.export.columns import COLUMNS
from tracker.export.walk import PAGE
from tracker.store.database import Store
from tracker.store.row import row

pytestmark = pytest.mark.anyio

EXPORT = f"/v1/{DOMAIN}/events/export"


async def fill(store: Store, count: int, domain: str = "") -> None:
    await store.insert([row(document(number), domain) for number in range(count)])


def ids(text: str) -> list[str]:
    return [json.loads(line)["id"] for line in text.splitlines()]


async def test_an_export_holds_every_event_once_and_in_order(
    store: Store, client: httpx.AsyncClient
) -> None:
    await fill(store, 2 * PAGE + 1)
    await fill(store, 5, "other.example")
    answer = await client.get(EXPORT)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert ids(answer.text) == [f"id-{number:04}" for number in range(2 * PAGE + 1)]


async def test_an_export_takes_a_range_and_filters(store: Store, client: httpx.AsyncClient) -> None:
    await fill(store, 10)
    wanted = {
        "begin": str(START + 3),
        "end": str(START + 8),
        "recipient": "r4@example.org OR NOT r5",
    }
    listed = await client.get(f"/v3/{DOMAIN}/events", params={**wanted, "ascending": "yes"})
    answer = await client.get(EXPORT, params=wanted)
    assert ids(answer.text) == [item["id"] for item in listed.json()["items"]]
    assert ids(answer.text)


async def test_every_form_says_the_same(store: Store, client: httpx.AsyncClient) -> None:
    await fill(store, 3)
    lines, table, columns = [
        await client.get(EXPORT, params={"format": name}) for name in ("jsonl", "csv", "parquet")
    ]
    rows = list(csv.DictReader(io.StringIO(table.text)))
    records = pyarrow.parquet.read_table(io.BytesIO(columns.content)).to_pylist()
    for line, cells, record in zip(lines.text.splitlines(), rows, records, strict=True):
        event = json.loads(line)
        assert event["id"] == cells["id"] == record["id"]
        assert event["timestamp"] == float(cells["timestamp"]) == record["timestamp"]
        assert "|".join(event["tags"]) == cells["tags"] == record["tags"]
        assert list(cells) == list(record) == [column.name for column in COLUMNS]


async def test_an_export_of_nothing_is_a_whole_file(client: httpx.AsyncClient) -> None:
    table = await client.get(EXPORT, params={"format": "csv"})
    columns = await client.get(EXPORT, params={"format": "parquet"})
    assert table.text.splitlines() == [",".join(column.name for column in COLUMNS)]
    assert pyarrow.parquet.read_table(io.BytesIO(columns.content)).num_rows == 0


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
async def test_no_spreadsheet_takes_a_cell_for_a_formula(
    store: Store, client: httpx.AsyncClient, start: str
) -> None:
    hostile = f'{start}HYPERLINK("http://evil.example","x")'
    client_info = {"user-agent": hostile, "client-name": "unknown"}
    await store.insert([row(document(1, client_info=client_info))])
    answer = await client.get(EXPORT, params={"format": "csv"})
    (cells,) = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert cells["user-agent"] == f"'{hostile}"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("format=xlsx", "`format` is one of jsonl, csv, parquet"),
        ("limit=3", "an export takes no `limit`"),
        ("ascending=no", "an export takes no `ascending`"),
        ("begin=yesterday", "`begin` is a time"),
        ("size=x", "size"),
    ],
)
async def test_what_an_export_cannot_do_is_said(
    client: httpx.AsyncClient, query: str, says: str
) -> None:
    answer = await client.get(f"{EXPORT}?{query}")
    assert answer.status_code == 400
    assert says in answer.json()["message"]


def run(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    return leaving.value.code


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hold two domains' events in the data folder of the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir(mode=0o700)
    asyncio.run(_filled(tmp_path / "data" / "store.db"))
    return tmp_path


async def _filled(path: Path) -> None:
    store = await Store.open(path)
    await fill(store, 3)
    await fill(store, 2, "other.example")
    await store.close()


def test_the_command_exports_every_domain(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("export", "-o", "events.jsonl") == 0
    assert "5 events written" in capsys.readouterr().err
    assert len(ids((data / "events.jsonl").read_text())) == 5
    assert sorted(path.name for path in data.iterdir()) == ["data", "events.jsonl"]
    assert (data / "events.jsonl").stat().st_mode & 0o077 == 0


def test_the_command_takes_a_domain_a_time_and_a_filter(data: Path) -> None:
    assert run("export", "--domain", DOMAIN, "--filter", "event=opened", "-o", "some.jsonl") == 0
    assert len(ids((data / "some.jsonl").read_text())) == 3
    assert run("export", "--domain", DOMAIN, "--end", "1999-12-31", "-o", "none.jsonl") == 0
    assert (data / "none.jsonl").read_bytes() == b""


def test_an_export_that_fails_leaves_the_file_before_it(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "events.jsonl").write_text("as before")
    (data / "data" / "store.db").write_bytes(b"no database at all" * 1000)
    assert run("export", "-o", "events.jsonl") == 65
    assert "store.db" in capsys.readouterr().err
    assert (data / "events.jsonl").read_text() == "as before"
    assert sorted(path.name for path in data.iterdir()) == ["data", "events.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--begin", "yesterday"), "--begin is a time such as 2026-11-01"),
        (("--filter", "clicked"), "--filter is a name, an = and an expression"),
        (("--filter", "colour=red"), "colour"),
    ],
)
def test_a_wrong_option_is_named(
    data: Path, arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("export", *arguments) == 64
    assert says in capsys.readouterr().err
