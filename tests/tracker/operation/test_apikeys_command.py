"""Keys to the API as an operator makes, sees and revokes them, and the log of it."""

import asyncio
import json
from pathlib import Path

import pytest

from tracker.api.keys import ApiKeys
from tracker.cli import main
from tracker.store.access import KeyRecords
from tracker.store.database import Store


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    return leaving.value.code


def opens(key: str) -> bool:
    async def granted() -> bool:
        store = await Store.open("data/store.db")
        try:
            return await ApiKeys((), KeyRecords(store)).grant(key) is not None
        finally:
            await store.close()

    return asyncio.run(granted())


def test_a_key_is_shown_once_and_opens_the_api_until_it_is_revoked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("apikeys", "new", "--name", "dashboard", "--domain", "News.Example") == 0
    told = capsys.readouterr()
    key = told.out.strip()
    assert "opens read for news.example" in told.err
    assert opens(key)

    assert run("apikeys", "list", "--json") == 0
    listed = capsys.readouterr().out
    (row,) = json.loads(listed)
    assert (row["name"], row["scope"], row["state"]) == ("dashboard", "read", "live")
    assert (row["domains"], row["used_at"]) == (["news.example"], None)
    assert key not in listed

    assert run("apikeys", "revoke", row["id"]) == 0
    assert not opens(key)
    assert run("apikeys", "revoke", row["id"]) == 65
    assert "see 'tracker apikeys list'" in capsys.readouterr().err


def test_the_log_tells_who_made_and_revoked_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    run("apikeys", "new", "--name", "dashboard", "--scope", "send")
    key = capsys.readouterr().out.strip()
    run("apikeys", "list", "--json")
    (row,) = json.loads(capsys.readouterr().out)
    run("apikeys", "revoke", row["id"])
    capsys.readouterr()

    assert run("audit", "--json") == 0
    log = capsys.readouterr().out
    entries = [json.loads(line) for line in log.splitlines()]
    assert [(one["action"], one["subject"]) for one in entries] == [
        ("apikey.revoke", row["id"]),
        ("apikey.new", row["id"]),
    ]
    assert all(one["who"].startswith("account ") for one in entries)
    assert key not in log


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--name", " "), "a key's name has 1 to 100 characters"),
        (("--name", "x", "--domain", "no domain"), "no domain"),
        (("--name", "x", "--scope", "all"), "'all' is not one of"),
        (("--name", "x", "--days", "0"), "greater than or equal to 1"),
    ],
)
def test_a_key_that_cannot_be_made_says_what_would_be_right(
    arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("apikeys", "new", *arguments) == 64
    assert says in capsys.readouterr().err
