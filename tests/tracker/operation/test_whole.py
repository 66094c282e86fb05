"""The whole system as an operator runs it: `serve`, and what the other commands then tell."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from rewriter.keyring import Keyring
from rewriter.tokens import Context, Link, Tokens
from tests.patience import PATIENCE, wait_for
from tests.servers.ports import free_port
from tests.tracker.operation.conftest import Said, Tracker
from tests.tracker.operation.running import Running, running
from tracker.mistake import Exit

TRACKING_DOMAIN = "127.0.0.1"


def click(edge: str, recipient: str, sending_domain: str = "shop.example") -> httpx.Response:
    """Follow a recipient's link."""
    tokens = Tokens(Keyring.load("data/keyring.json").for_domain(TRACKING_DOMAIN))
    context = Context("1@shop.example", recipient, sending_domain, 1_700_000_000)
    token = tokens.mint(
        b"c", tokens.seal_link(Link("https://x.example/")), tokens.seal_context(context)
    )
    url, headers = f"http://{edge}/c/{token.decode()}", {"user-agent": "Firefox"}
    answer = httpx.get(url, headers=headers, timeout=PATIENCE)
    assert answer.status_code == 302
    return answer


class Following:
    """`tracker events --follow --json` as a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def recipients(self, count: int) -> list[str]:
        """Wait for that many events; return whose they are."""
        assert self.process.stdout is not None
        lines = (self.process.stdout.readline() for _ in range(count))
        return [json.loads(line)["recipient"] for line in lines]


@contextmanager
def following(api: str, *arguments: str) -> Iterator[Following]:
    command = ["events", *arguments, "--follow", "--json", "--url", f"http://{api}"]
    # Where the tests run in the background Ctrl-C is ignored, which a process hands on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "tracker", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    signal.signal(signal.SIGINT, before)
    with process:
        try:
            yield Following(process)
        finally:
            process.kill()


def answering(api: str) -> None:
    """Return once the back office answers: who asks waits in the socket that it inherits."""
    httpx.get(f"http://{api}/healthz", timeout=PATIENCE).raise_for_status()


def check(api: str, name: str) -> str:
    """Say how one thing does."""
    found: dict[str, str] = httpx.get(f"http://{api}/readyz", timeout=PATIENCE).json()["statuses"]
    return found[name]


@pytest.fixture
def served(tracker: Tracker) -> Iterator[Running]:
    """Serve a fresh data folder; wait until the back office answers."""
    tracker("keys", "new")
    with running("serve") as serving:
        answering(serving.addresses[1])
        yield serving


def test_a_click_is_seen_by_whoever_follows(served: Running) -> None:
    edge, api = served.addresses
    with following(api) as everything, following(api, "shop.example") as shop:
        click(edge, "ann@example.net")
        assert everything.recipients(1) == shop.recipients(1) == ["ann@example.net"]
        click(edge, "bob@example.net", "other.example")
        click(edge, "cid@example.net")
        assert everything.recipients(2) == ["bob@example.net", "cid@example.net"]
        assert shop.recipients(1) == ["cid@example.net"]


def test_whoever_follows_may_come_before_the_office(tracker: Tracker) -> None:
    tracker("keys", "new")
    Path("data/api.key").write_text("mine\n")
    Path("data/api.key").chmod(0o600)
    api = f"127.0.0.1:{free_port()}"
    with following(api) as follower:
        assert follower.process.stderr is not None
        said = follower.process.stderr.readline()
        assert said.startswith(f"tracker: nothing answers at http://{api}: is the back office run")
        with running("serve", TRACKER_API_LISTEN=api) as serving:
            click(serving.addresses[0], "ann@example.net")
            assert follower.recipients(1) == ["ann@example.net"]


def test_whoever_follows_leaves_with_ctrl_c_and_no_traceback(served: Running) -> None:
    edge, api = served.addresses
    with following(api) as follower:
        click(edge, "ann@example.net")
        follower.recipients(1)
        follower.process.send_signal(signal.SIGINT)
        assert follower.process.stderr is not None
        # It may have had to wait for the store to be opened, and have said so: nothing else.
        said = follower.process.stderr.read().splitlines()
        assert [line for line in said if not line.endswith("(waiting; Ctrl-C leaves)")] == []
        assert follower.process.wait() == 128 + signal.SIGINT


def test_events_are_told_by_domain_kind_and_recipient(served: Running, tracker: Tracker) -> None:
    edge, api = served.addresses
    with following(api) as follower:
        for recipient in ("ann@example.net", "bob@example.net", "ann@example.net"):
            click(edge, recipient)
            follower.recipients(1)

    def told(*arguments: str) -> list[str]:
        said = tracker("events", *arguments, "--json", "--url", f"http://{api}")
        return [json.loads(line)["recipient"][:3] for line in said.out.splitlines()]

    assert told() == told("shop.example") == ["ann", "bob", "ann"]
    assert told("shop.example", "--limit", "2") == told("--limit", "2") == ["bob", "ann"]
    assert told("--recipient", "bob@example.net") == ["bob"]
    assert told("shop.example", "--recipient", "bob@example.net") == ["bob"]
    assert told("shop.example", "--event", "opened") == told("else.example") == []
    shown = tracker("events", "--url", f"http://{api}").out.splitlines()
    assert ["clicked" in line and "https://x.example/" in line for line in shown] == [True] * 3


def test_what_was_answered_before_the_stop_is_told_after_it(served: Running) -> None:
    recipients = {f"{number}@example.net" for number in range(20)}
    for recipient in recipients:
        click(served.addresses[0], recipient)
    served.process.send_signal(signal.SIGTERM)
    assert served.process.stderr is not None
    served.process.stderr.read()
    assert served.process.wait() == 0
    with running("office") as office, following(office.addresses[0]) as follower:
        assert set(follower.recipients(20)) == recipients


def test_a_killed_office_comes_back_and_nothing_is_missing(served: Running) -> None:
    edge, api = served.addresses
    with following(api) as follower:
        click(edge, "ann@example.net")
        assert follower.recipients(1) == ["ann@example.net"]
        children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children")
        office = next(
            int(pid)
            for pid in children.read_text().split()
            if b"tracker.office" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
        subprocess.run(["kill", "-9", str(office)], check=True)
        click(edge, "bob@example.net")
        assert follower.recipients(1) == ["bob@example.net"]


def test_an_unreadable_database_is_told_and_ends_nothing(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker("keys", "new")
    Path("data/store.db").write_text("no database at all " * 100)
    with running("office") as office:
        why = office.until("domains_not_published")["why"]
        answering(office.addresses[0])
        monkeypatch.setenv("TRACKER_API_LISTEN", office.addresses[0])
        said = tracker("status")
        assert office.process.poll() is None
    assert why.startswith("cannot open the store data/store.db: file is not a database")
    assert (said.status, why in said.out) == (2, True)


def test_readers_are_answered_while_the_database_is_unreadable_and_nothing_is_missing(
    tracker: Tracker,
) -> None:
    tracker("keys", "new")
    store = Path("data/store.db")
    store.write_text("no database at all " * 100)
    with running("serve") as serving:
        edge, api = serving.addresses
        click(edge, "ann@example.net")
        serving.until("domains_not_published")
        click(edge, "bob@example.net")
        store.unlink()
        wait_for(lambda: check(api, "store") == "ok", "a store to be made")
        with following(api) as follower:
            assert follower.recipients(2) == ["ann@example.net", "bob@example.net"]


def test_a_hit_whose_key_was_retired_too_early_is_kept_listed_and_replayed(
    tracker: Tracker,
) -> None:
    tracker("keys", "new")
    keyring = Path("data/keyring.json").read_bytes()
    with running("edge") as edge:
        click(edge.addresses[0], "ann@example.net")
        edge.process.terminate()
        edge.until("worker_stopped")
    tracker("keys", "new")
    tracker("keys", "retire", "1", "--yes")
    with running("office") as office:
        office.until("dead_letters", sink="store", letters=1)
        [letter] = json.loads(tracker("dead", "list", "--json").out)
        assert (letter["sink"], letter["state"]) == ("store", "dead")
        assert "unknown key" in letter["reason"]
        assert "unknown key" in tracker("dead", "list").out
        Path("data/keyring.json").write_bytes(keyring)
        assert tracker("dead", "replay", letter["id"]).out == "1 to be replayed\n"
        with following(office.addresses[0]) as follower:
            assert follower.recipients(1) == ["ann@example.net"]


def test_dead_letters_that_are_not_there_are_said_not_to_be(
    tracker: Tracker, served: Running
) -> None:
    assert tracker("dead", "list").out == "There are no dead letters.\n"
    assert tracker("dead", "replay").out == "0 to be replayed\n"
    assert tracker("dead", "replay", "nobody").status == Exit.DATA


def test_a_ledger_that_is_none_is_said_to_be_none(tracker: Tracker, folder: Path) -> None:
    assert tracker("dead", "list").status == Exit.NO_INPUT
    (folder / "data").mkdir()
    (folder / "data/forward.db").write_text("no database at all " * 100)
    said = tracker("dead", "list")
    assert said.status == Exit.DATA
    assert said.err.startswith("tracker: cannot use data/forward.db: ")


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("--url", "http://127.0.0.1:1"), Exit.UNAVAILABLE, "nothing answers at"),
        (("--url", "nonsense"), Exit.USAGE, "'nonsense' is no URL such as http:"),
        (("--key-file", "none"), Exit.NO_INPUT, "no API key at none"),
        (("--limit", "1000"), Exit.USAGE, "less than or equal to 300"),
    ],
)
def test_events_says_what_is_wrong(
    tracker: Tracker, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    Path("data").mkdir()
    Path("data/api.key").write_text("key")
    Path("data/api.key").chmod(0o600)
    said = tracker("events", *arguments)
    assert said.status == status
    assert sentence in said.err
    assert said.err.count("\n") == 1


def test_a_key_file_that_others_can_read_is_refused(tracker: Tracker) -> None:
    Path("api.key").write_text("key")
    Path("api.key").chmod(0o644)
    said = tracker("events", "--key-file", "api.key")
    assert said.status == Exit.CONFIG
    assert "chmod 600" in said.err


def test_a_wrong_key_is_refused(served: Running, tracker: Tracker) -> None:
    Path("wrong.key").write_text("wrong")
    Path("wrong.key").chmod(0o600)
    url = f"http://{served.addresses[1]}"
    said: Said = tracker("events", "--url", url, "--key-file", "wrong.key")
    assert (said.status, said.err) == (
        Exit.NO_PERMISSION,
        f"tracker: the API at {url} refuses the key\n",
    )


def test_the_edge_is_no_api(served: Running, tracker: Tracker) -> None:
    said = tracker("events", "--url", f"http://{served.addresses[0]}")
    assert said.status == Exit.USAGE
    assert "is not the API" in said.err
