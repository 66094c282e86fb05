"""`tracker status` says how everything does, whether the back office runs or not."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rewriter.keyring import Keyring
from tests.patience import wait_for
from tests.servers.ports import free_port
from tests.tracker.forwarding.parts import Kept, Office, Worker, click, token
from tests.tracker.operation.conftest import Said, Tracker
from tests.tracker.operation.running import running
from tracker.commands.status import heard
from tracker.counters import Counter


def told(tracker: Tracker) -> dict[str, Any]:
    said = tracker("status", "--json")
    found: dict[str, Any] = json.loads(said.out)
    assert said.status == {"ok": 0, "degraded": 1, "down": 2}[found["status"]]
    return found


@pytest.fixture
def worker(folder: Path, tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    # What runs on this machine at the usual port isn't to be asked.
    monkeypatch.setenv("TRACKER_API_LISTEN", f"127.0.0.1:{free_port()}")
    tracker("keys", "new")
    (folder / "data" / "spool").mkdir(parents=True)
    worker = Worker(folder / "data" / "spool")
    yield worker
    worker.die()


def office(folder: Path, *names: str) -> None:
    """Let a back office have worked, and gone."""
    opened = Office(folder / "data", *map(Kept, names))
    asyncio.run(opened.drain())
    opened.ledger.close()


def test_without_a_data_folder_nothing_has_run(tracker: Tracker) -> None:
    said = tracker("status")
    assert (said.status, "nothing has run here yet" in said.err) == (66, True)


def test_before_a_back_office_ran_hits_wait_and_nothing_is_lost(
    folder: Path, tracker: Tracker, worker: Worker
) -> None:
    worker.write(click(token(Keyring.load(folder / "data" / "keyring.json"))))
    found = told(tracker)
    assert found["statuses"]["office"] == "down"
    assert "what else stands here was read from files" in found["checks"]["office"]
    assert found["checks"]["edge"] == "1 edge worker alive"
    assert found["checks"]["sinks"].startswith("no back office has run here yet; ")
    assert found["checks"]["sinks"].endswith(" bytes of hits wait")


def test_files_tell_how_far_a_sink_came_and_what_died(
    folder: Path, tracker: Tracker, worker: Worker
) -> None:
    keyring = Keyring.load(folder / "data" / "keyring.json")
    worker.write(click(token(keyring)), click("no token at all"))
    office(folder, "store")
    found = told(tracker)
    assert found["checks"]["sink store"] == (
        "has every hit; 1 dead letter: see 'tracker dead list'"
    )
    assert found["checks"]["losses"] == "none, ever"
    worker.write(click(token(keyring)))
    assert "bytes of hits wait for it" in told(tracker)["checks"]["sink store"]


def test_losses_are_counted_and_a_worker_that_loses_now_is_a_limp(
    folder: Path, tracker: Tracker, worker: Worker
) -> None:
    worker.counters.cells[Counter.LOST] = 3
    office(folder, "store")
    found = told(tracker)
    assert found["checks"]["losses"] == "3 hits answered and never written"
    assert found["statuses"]["losses"] == "degraded"


def test_a_broken_store_is_down_and_everything_else_is_still_told(
    folder: Path, tracker: Tracker, worker: Worker
) -> None:
    office(folder, "store")
    (folder / "data" / "store.db").write_bytes(b"some other file" * 1000)
    found = told(tracker)
    assert found["statuses"]["store"] == "down"
    assert "file is not a database" in found["checks"]["store"]
    assert found["checks"]["places"] == "no City database: every place is Unknown"
    assert "agents.toml 20" in found["checks"]["rules"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"<h1>It works!</h1>", "another program listens there"),
        (b'{"status": "ok"}', "another program listens there"),
        (b'{"status": "ok", "checks": {"edge": "x"}}', "that tracker has another data folder"),
        (
            b'{"status": "ok", "checks": {"edge": "x"}, "folder": "theirs"}',
            "that tracker has another data folder",
        ),
    ],
)
def test_what_somebody_else_answers_on_the_port_is_not_taken_for_ours(
    answer: bytes, says: str
) -> None:
    office, parts = heard(answer, "http://127.0.0.1:8026", "ours")
    assert (office.status, parts) == ("down", {})
    assert office.says == (
        f"is not what answers at http://127.0.0.1:8026: {says};"
        " what else stands here was read from files"
    )


@pytest.mark.parametrize("host", ["a..b", f"{'x' * 70}.example"])
def test_a_host_that_can_be_none_is_told_as_one_that_does_not_answer(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    tracker("keys", "new")
    monkeypatch.setenv("TRACKER_API_LISTEN", f"{host}:8026")
    assert f"does not answer at http://{host}:8026" in tracker("status").out.replace("\n", "")


def test_a_running_system_is_asked(
    folder: Path, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker("keys", "new")
    with running("serve") as serving:
        api = serving.addresses[-1]
        monkeypatch.setenv("TRACKER_API_LISTEN", api)
        answers: list[Said] = []

        def is_well() -> bool:
            answers.append(tracker("status"))
            return answers[-1].status == 0

        wait_for(is_well, "all to be well")
    said = answers[-1]
    assert said.status == 0, said.out
    assert re.search(rf"ok +office +answers at http://{api}\n", said.out)
    assert re.search(r"ok +sink store +up to date\n", said.out)
