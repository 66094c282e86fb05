"""One person's data, handed out and erased, by API and by command."""

import asyncio
import io
import json
from pathlib import Path

import pytest

from rewriter.keyring import Keyring
from rewriter.tokens import Context, Link, Tokens
from tests.openapi.live import live
from tests.tracker.store.documents import document, naming
from tracker.cli import main
from tracker.enrich.privacy import pseudonym, pseudonym_key
from tracker.forwarding import dead
from tracker.forwarding.dead import DeadLetters
from tracker.forwarding.ledger import Ledger
from tracker.hit import Hit
from tracker.store.database import Store
from tracker.store.row import row

pytestmark = pytest.mark.anyio

ANN = "ann@example.com"
BOB = "bob@example.com"


def event(number: int, recipient: str) -> bytes:
    return document(number, recipient=recipient)


async def fill(store: Store, keyring: Path) -> None:
    """Store events of two people; Ann's third is under the pseudonym that stands for her."""
    hidden = pseudonym(ANN, pseudonym_key(Keyring.load(keyring)))
    rows = [row(event(1, ANN)), row(event(2, BOB)), row(event(3, hidden))]
    await store.insert([*rows, row(event(4, ANN.upper()), "other.example")])


def dead_letter(keyring: Path, ledger: Ledger, recipient: str, number: int) -> None:
    tokens = Tokens(Keyring.load(keyring).for_domain("click.example"))
    context = tokens.seal_context(Context(recipient=recipient, sending_domain="news.example"))
    token = tokens.mint(b"c", tokens.seal_link(Link("https://example.com/")), context)
    hit = Hit(bytes([number] * 16), "c", 1, "click.example", token.decode(), "GET", "", "", {})
    with ledger.transaction() as connection:
        dead.put(connection, [dead.letter("store", hit, "refused", 1)])


def ids(text: str) -> list[str]:
    return [json.loads(line)["id"] for line in text.splitlines()]


async def test_a_person_is_told_all_that_is_kept_of_them_and_nothing_of_others(
    tmp_path: Path, store_url: str
) -> None:
    async with live(tmp_path, events=0, where=store_url) as api, api.client() as client:
        await fill(api.store, tmp_path / "keyring.json")
        answer = await client.get("/v1/recipients/Ann@Example.com")
        nobody = await client.get("/v1/recipients/nobody@example.com")
    assert sorted(ids(answer.text)) == ["id-0001", "id-0003", "id-0004"]
    assert (nobody.status_code, nobody.text) == (200, "")


async def test_what_is_erased_is_gone_everywhere_and_the_log_says_so_without_a_name(
    tmp_path: Path, store_url: str
) -> None:
    keyring = tmp_path / "keyring.json"
    async with live(tmp_path, events=0, where=store_url) as api, api.client() as client:
        await fill(api.store, keyring)
        ledger = Ledger.open(tmp_path / "forward.db")
        dead_letter(keyring, ledger, ANN, 1)
        dead_letter(keyring, ledger, BOB, 2)
        erased = await client.delete(f"/v1/recipients/{ANN}")
        left = await client.get(f"/v1/recipients/{ANN}")
        others = await client.get(f"/v1/recipients/{BOB}")
        log = await client.get("/v1/audit")
        letters = DeadLetters(ledger).count()
        kept = naming(tmp_path, ANN)
        ledger.close()
    assert erased.json() == {"events": 3, "dead-letters": 1}
    assert (left.text, ids(others.text), letters) == ("", ["id-0002"], {"store": 1})
    assert not kept, "the address is still on the disk"
    (entry,) = log.json()["items"]
    assert (entry["action"], entry["who"]) == ("recipient.erase", "key api.key")
    assert ANN not in log.text


async def test_what_comes_in_behind_an_erasure_is_left_out_under_whatever_name(
    tmp_path: Path, store_url: str
) -> None:
    async with live(tmp_path, events=0, where=store_url) as api, api.client() as client:
        hidden = pseudonym(ANN, pseudonym_key(Keyring.load(tmp_path / "keyring.json")))
        await client.delete(f"/v1/recipients/{ANN}")
        late, later = json.loads(event(1, ANN)), json.loads(event(2, ANN)) | {"timestamp": 5e9}
        said = [
            (await client.post("/v1/news.example/events", json=one)).json()["events"][0]["status"]
            for one in (late, late | {"recipient": hidden}, later, late | {"recipient": BOB})
        ]
        left = await client.get("/v3/news.example/events", params={"ascending": "yes"})
    assert said == ["duplicate", "duplicate", "accepted", "accepted"]
    assert [one["recipient"] for one in left.json()["items"]] == [BOB, ANN]


async def test_a_key_for_one_domain_reaches_the_persons_data_there_alone(
    tmp_path: Path, store_url: str
) -> None:
    async with live(tmp_path, events=0, where=store_url) as api:
        await fill(api.store, tmp_path / "keyring.json")
        reader = await api.key_for("read", "other.example")
        writer = await api.key_for("write", "other.example")
        async with api.client(reader) as client:
            answer = await client.get(f"/v1/recipients/{ANN}")
            refused = await client.delete(f"/v1/recipients/{ANN}")
        async with api.client(writer) as client:
            erased = await client.delete(f"/v1/recipients/{ANN}")
        async with api.client() as client:
            left = await client.get(f"/v1/recipients/{ANN}")
    assert ids(answer.text) == ["id-0004"]
    assert refused.status_code == 403
    assert erased.json()["events"] == 1
    assert sorted(ids(left.text)) == ["id-0001", "id-0003"]


def run(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    return leaving.value.code


def test_the_command_hands_out_and_erases_one_persons_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    Keyring.new().save(data / "keyring.json")
    asyncio.run(_filled(data))

    assert run("recipients", "export", ANN) == 0
    assert sorted(ids(capsys.readouterr().out)) == ["id-0001", "id-0003", "id-0004"]
    assert run("recipients", "erase", ANN, "--domain", "news.example", "--yes") == 0
    assert "2 events and 0 dead letters are erased" in capsys.readouterr().out
    assert run("recipients", "export", ANN) == 0
    assert ids(capsys.readouterr().out) == ["id-0004"]


def test_nothing_is_erased_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run("recipients", "erase", ANN) == 64
    assert "nothing was changed" in capsys.readouterr().err
    assert run("recipients", "erase", "ann", "--yes") == 64
    assert "such as ann@example.com" in capsys.readouterr().err


async def _filled(data: Path) -> None:
    store = await Store.open(data / "store.db")
    await fill(store, data / "keyring.json")
    await store.close()
