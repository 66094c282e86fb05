"""The back office as a process: what it is told, how it works, how it ends."""

import asyncio
import shutil
import signal
from base64 import urlsafe_b64encode
from pathlib import Path

import httpx
import msgspec
import pytest
from msgspec.structs import replace

from rewriter.keyring import Keyring
from tests.patience import PATIENCE, wait_for
from tests.tracker.forwarding.parts import Worker, click, token
from tests.tracker.office.process import first_event, orphaned, told, working
from tracker.hit import Hit
from tracker.mistake import Exit, Mistake
from tracker.office.work import STATUSES, opened
from tracker.store.database import Store


@pytest.fixture(autouse=True)
def _made(tmp_path: Path, migrated_file: Path) -> None:
    """Have a store there, as at every start but the first: to make one takes an office 0.3 s."""
    shutil.copy(migrated_file, tmp_path / "store.db")


def stored(data: Path) -> list[str]:
    """Return the ids in the store, in the order in which they came."""

    async def feed() -> list[bytes]:
        store = await Store.open(data / "store.db")
        events = await store.feed(0, 100_000)
        await store.close()
        return [event.document for event in events]

    return [msgspec.json.decode(document)["id"] for document in asyncio.run(feed())]


def readiness(url: str) -> httpx.Response:
    return httpx.get(f"{url}/readyz", timeout=PATIENCE)


def checks(url: str) -> dict[str, str]:
    """Ask what was looked at; nothing where whoever was asked has just left."""
    try:
        found: dict[str, str] = readiness(url).json()["checks"]
    except httpx.TransportError:
        return {}
    return found


def ids(hits: list[Hit]) -> list[str]:
    return [urlsafe_b64encode(hit.id).rstrip(b"=").decode() for hit in hits]


def test_an_office_whose_parent_is_gone_forwards_what_there_is_and_goes(
    tmp_path: Path, keyring: Keyring, worker: Worker
) -> None:
    hits = [click(token(keyring)) for _ in range(3)]
    worker.write(*hits)
    worker.die()
    office = orphaned(told(tmp_path))
    assert (office.returncode, stored(tmp_path)) == (0, ids(hits))
    assert not list((tmp_path / "spool").iterdir())


def test_an_office_that_is_told_to_stop_forwards_what_there_is_and_goes(
    tmp_path: Path, keyring: Keyring, worker: Worker
) -> None:
    with working(tmp_path) as (office, url):
        assert httpx.get(f"{url}/healthz", timeout=PATIENCE).status_code == 200
        hits = [click(token(keyring)) for _ in range(3)]
        worker.write(*hits)
        office.send_signal(signal.SIGTERM)
        assert office.wait() == 0
    assert stored(tmp_path) == ids(hits)


def test_killed_while_it_forwards_the_next_office_brings_each_hit_once(
    tmp_path: Path, keyring: Keyring, worker: Worker
) -> None:
    minted = token(keyring)
    hits = [click(minted) for _ in range(2000)]
    for start in range(0, len(hits), 100):
        worker.write(*hits[start : start + 100])
    for _ in range(2):
        with working(tmp_path, "stdout", "store") as (office, _url):
            first_event(office)
            office.kill()
    while len(stored(tmp_path)) < len(hits):
        assert orphaned(told(tmp_path, sinks=("stdout", "store"))).returncode == 0
    assert stored(tmp_path) == ids(hits)


def test_health_and_figures_are_answered_without_a_key(
    tmp_path: Path, keyring: Keyring, worker: Worker
) -> None:
    worker.write(click(token(keyring)))
    with working(tmp_path, "stdout") as (office, url):
        first_event(office)
        ready, figures = (
            readiness(url),
            httpx.get(f"{url}/metrics", timeout=PATIENCE),
        )
    assert ready.json()["checks"]["edge"] == "1 edge worker alive"
    assert ready.json()["checks"]["places"] == "no City database: every place is Unknown"
    assert {"sink stdout", "spool", "store"} <= set(ready.json()["checks"])
    assert 'tracker_hits_total{kind="click"} 1.0' in figures.text


def test_no_address_and_no_token_reaches_the_log(
    tmp_path: Path, keyring: Keyring, worker: Worker
) -> None:
    minted = token(keyring, "ann@example.org")
    worker.write(click(minted), click("damaged"))
    said = orphaned(told(tmp_path)).stderr.decode()
    assert '"event":"dead_letters"' in said
    assert "ann@" not in said
    assert minted[:20] not in said
    assert "192.0.2.1" not in said


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        ("no keyring", "no keyring at"),
        ("bad ledger", "cannot use"),
        ("bad place", "the geo database"),
        ("bad spool", "cannot make the spool's folder"),
        ("bad sink", "there is no sink 'kafka'"),
    ],
)
def test_what_cannot_be_opened_is_told_by_name(
    tmp_path: Path, keyring: Keyring, mistake: str, sentence: str
) -> None:
    settings = told(tmp_path)
    match mistake:
        case "no keyring":
            (tmp_path / "keyring.json").unlink()
        case "bad ledger":
            (tmp_path / "forward.db").write_bytes(b"some other file" * 100)
        case "bad place":
            (tmp_path / "city.mmdb").write_text("no database")
            settings = replace(settings, geo_databases=[str(tmp_path / "city.mmdb")])
        case "bad spool":
            (tmp_path / "spool").write_text("no folder")
        case "bad sink":
            settings = replace(settings, sinks=("kafka",))

    async def start() -> None:
        async with opened(settings):
            pytest.fail("nothing was wrong")

    with pytest.raises((Mistake, *STATUSES), match=sentence):
        asyncio.run(start())


def test_a_store_that_is_damaged_stops_nothing_else_and_joins_in_once_it_is_mended(
    tmp_path: Path, keyring: Keyring, worker: Worker
) -> None:
    hit = click(token(keyring))
    worker.write(hit)
    (tmp_path / "store.db").write_bytes(b"some other file" * 100)
    with working(tmp_path, "stdout", "store") as (office, url):
        first_event(office)
        auth = ("api", (tmp_path / "api.key").read_text().strip())
        asked = httpx.get(f"{url}/v3/example.com/events", auth=auth, timeout=PATIENCE)
        ready = readiness(url)
        (tmp_path / "store.db").unlink()
        wait_for(
            lambda: readiness(url).json()["statuses"]["sink store"] == "ok",
            "the store to be delivered to",
        )
        office.send_signal(signal.SIGTERM)
        assert office.wait() == 0
    assert asked.status_code == 503
    assert asked.json()["message"].startswith(f"cannot open the store {tmp_path}/store.db: ")
    assert (ready.status_code, ready.json()["statuses"]["store"]) == (503, "down")
    assert stored(tmp_path) == ids([hit])


def test_a_key_file_that_others_can_read_opens_nothing_until_it_is_mended(
    tmp_path: Path, keyring: Keyring, worker: Worker
) -> None:
    worker.write(click(token(keyring)))
    (tmp_path / "api.key").write_text("key")
    (tmp_path / "api.key").chmod(0o644)
    with working(tmp_path, "stdout") as (office, url):
        first_event(office)

        def asked() -> int:
            answer = httpx.get(f"{url}/v3/example.com/tags", auth=("api", "key"), timeout=PATIENCE)
            return answer.status_code

        refused = asked()
        ready = readiness(url).json()
        (tmp_path / "api.key").chmod(0o600)
        assert (refused, asked()) == (401, 200)
        assert "api keys" not in readiness(url).json()["checks"]
    assert (ready["status"], ready["statuses"]["api keys"]) == ("degraded", "degraded")
    assert f"run 'chmod 600 {tmp_path}/api.key'" in ready["checks"]["api keys"]


def test_an_office_that_waits_tells_what_keeps_it_from_starting_and_starts_once_it_is_mended(
    tmp_path: Path, keyring: Keyring, worker: Worker
) -> None:
    hit = click(token(keyring))
    worker.write(hit)
    (tmp_path / "forward.db").write_bytes(b"some other file" * 100)
    with working(tmp_path, waits=True) as (office, url):
        ready = readiness(url)
        asked = httpx.post(f"{url}/v3/example.com/unsubscribes", timeout=PATIENCE)
        alive = httpx.get(f"{url}/healthz", timeout=PATIENCE)
        (tmp_path / "forward.db").unlink()
        wait_for(lambda: "sink store" in checks(url), "the office to have started")
        office.send_signal(signal.SIGTERM)
        assert office.wait() == 0
    assert (ready.status_code, ready.json()["status"]) == (503, "down")
    says = ready.json()["checks"]["office"]
    assert says.startswith(f"can't start: cannot use {tmp_path}/forward.db: ")
    assert f"move {tmp_path}/forward.db* aside" in says
    assert (asked.status_code, asked.json()["message"]) == (503, f"the back office {says}")
    assert alive.status_code == 200
    assert stored(tmp_path) == ids([hit])


def test_an_office_that_waits_goes_when_it_is_told_to(tmp_path: Path, keyring: Keyring) -> None:
    (tmp_path / "forward.db").write_bytes(b"some other file" * 100)
    with working(tmp_path, waits=True) as (office, url):
        assert readiness(url).status_code == 503
        office.send_signal(signal.SIGTERM)
        assert office.wait() == 0


@pytest.mark.parametrize(
    ("wrong", "status", "sentence"),
    [
        ({"keyring": "/nowhere"}, Exit.CONFIG, "tracker: no keyring at /nowhere"),
        ({"sinks": ("kafka",)}, Exit.CONFIG, "tracker: there is no sink 'kafka'"),
        ({"listen_fds": "none"}, Exit.CONFIG, "tracker: the office's settings on standard input"),
    ],
)
def test_a_mistake_ends_the_process_with_one_sentence(
    tmp_path: Path, keyring: Keyring, wrong: dict[str, object], status: Exit, sentence: str
) -> None:
    office = orphaned(replace(told(tmp_path), **wrong))
    *logged, said = office.stderr.decode().splitlines()
    assert (office.returncode, said[: len(sentence)]) == (status, sentence)
    assert all(line.startswith("{") for line in logged)
