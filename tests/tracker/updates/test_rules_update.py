"""Newer rules are fetched, checked, and taken up; or those before stay."""

import json
import logging
from datetime import date
from importlib import resources
from ipaddress import ip_address
from pathlib import Path

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from rewriter.keyring import Keyring
from tests.tracker.operation.conftest import Tracker
from tests.tracker.updates.conftest import Host
from tracker import rules
from tracker.download import Unfetchable
from tracker.enrich import Knowledge, RulesError
from tracker.office.events import Events

TODAY = date(2026, 11, 21)
SHIPPED = resources.files("tracker.enrich") / "rules"
AGENTS = (SHIPPED / "agents.toml").read_text()
# Two neighbours a line apart, as Apple's list has them for each city.
EGRESS = "".join(f"172.224.{n}.0/31,US,US-CA,Town,\n172.224.{n}.2/31,DE,,,\n" for n in range(60))


def knowledge(folder: Path) -> Knowledge:
    return Knowledge.load(pseudonym_key=b"k", rules=folder)


def test_apples_list_becomes_a_table_of_joined_blocks(host: Host, tmp_path: Path) -> None:
    host.files["/egress"] = (EGRESS + "2a02:26f7::/64,DE,DE-BE,Berlin,\n").encode()
    assert rules.update(tmp_path, "apple-egress.json", f"{host.url}/egress", TODAY)
    table = json.loads((tmp_path / "apple-egress.json").read_text())
    (network,) = table["networks"]
    assert len(network["blocks"]) == 61
    assert (table["updated"], "121 blocks" in network["source"]) == (str(TODAY), True)
    networks = knowledge(tmp_path).networks
    found = networks.find(ip_address("172.224.3.1"))
    assert found is not None
    assert (found.means, found.evidence) == ("apple-egress", "172.224.3.0/30")
    assert networks.find(ip_address("104.28.1.1")) is None, "the release's blocks have given way"
    assert networks.find(ip_address("40.92.1.1")) is not None, "the others are still there"


def test_lines_of_neighbours_take_no_more_room_than_one(host: Host, tmp_path: Path) -> None:
    lines = (f"172.224.{n >> 7}.{(n & 127) << 1}/31,US,,Town {n}," for n in range(1 << 15))
    host.files["/egress"] = "\n".join(lines).encode()
    rules.update(tmp_path, "apple-egress.json", f"{host.url}/egress", TODAY)
    table = json.loads((tmp_path / "apple-egress.json").read_text())
    assert table["networks"][0]["blocks"] == ["172.224.0.0/16"]


WRONG = [
    ("apple-egress.json", EGRESS + "0.0.0.0/0,US,,,\n", "0.0.0.0/0 can't be"),
    ("apple-egress.json", EGRESS + "10.0.0.0/8,US,,,\n", "10.0.0.0/8 can't be"),
    ("apple-egress.json", EGRESS + "somewhere,US,,,\n", "line 121 .* should begin with a block"),
    ("apple-egress.json", "172.224.0.0/31,US,,,\n", "1 blocks, and 100 to 1999999 are plausible"),
    ("apple-egress.json", "<html>" + "\0" * 200, "should begin with a block|no CSV"),
    ("agents.toml", AGENTS.replace("agents = [", "agents = [ {"), "aren't valid"),
    ("agents.toml", 'source = ""\nupdated = 2026-11-21\nagents = []\n', "0 agents"),
    (
        "agents.toml",
        AGENTS.replace("agents = [", 'agents = [{match="Chrome", name="C", role="robot"},', 1),
        "would call this person's agent a robot: .*Chrome",
    ),
    ("networks.toml", "updated = 2026-11-21\nnetworks = []\n", "0 networks"),
    ("crawlers.json", "[]", "0 crawlers"),
    ("crawlers.json", json.dumps([{"pattern": "(x"}] * 200), "aren't valid"),
    ("crawlers.json", json.dumps([{"pattern": "Firefox"}] * 200), "call this person's agent"),
    ("crawlers.json", json.dumps([{"pattern": "a(?!b)"}] * 200), "isn't valid"),
]


@pytest.mark.parametrize(("name", "content", "why"), WRONG)
def test_a_table_that_cannot_be_right_leaves_the_one_before(
    host: Host, tmp_path: Path, name: str, content: str, why: str
) -> None:
    host.files["/table"] = content.encode()
    with pytest.raises(RulesError, match=why):
        rules.update(tmp_path, name, f"{host.url}/table", TODAY)
    assert list(tmp_path.iterdir()) == []


def test_what_is_too_large_is_not_read_to_its_end(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "LIMIT", 1 << 20)
    host.files["/table"] = b"#" * (1 << 21)
    with pytest.raises(Unfetchable, match="larger than the 1 MiB"):
        rules.update(tmp_path, "agents.toml", f"{host.url}/table", TODAY)


def test_the_command_updates_all_tables_and_shows_them(
    host: Host, folder: Path, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawlers = [*CRAWLER_USER_AGENTS_DATA, {"pattern": "Postmoose", "url": "https://moose.example"}]
    host.files = {
        "/egress.csv": EGRESS.encode(),
        "/crawlers.json": json.dumps(crawlers).encode(),
        "/agents.toml": AGENTS.encode(),
        "/networks.toml": (SHIPPED / "networks.toml").read_bytes(),
    }
    monkeypatch.setenv("TRACKER_RULES_TABLES", host.url)
    monkeypatch.setenv("TRACKER_RULES_EGRESS", f"{host.url}/egress.csv")
    monkeypatch.setenv("TRACKER_RULES_CRAWLERS", f"{host.url}/crawlers.json")
    said = tracker("rules", "update")
    assert (said.status, said.out.count(": new, from")) == (0, 4), said.err
    assert "no change" in tracker("rules", "update", "agents.toml").out
    tables = {row["name"]: row for row in json.loads(tracker("rules", "show", "--json").out)}
    assert tables["crawlers.json"]["rows"] == len(crawlers)
    assert tables["apple-egress.json"]["source"].endswith("rules/apple-egress.json")
    assert "agents.toml" in tracker("rules", "show").out
    del host.files["/egress.csv"]
    failed = tracker("rules", "update")
    assert failed.status == 69
    assert "not updated: apple-egress.json; they stay as they were" in failed.err
    unknown = tracker("rules", "update", "people.toml")
    assert (unknown.status, "there is no table 'people.toml'" in unknown.err) == (64, True)


def test_a_running_office_takes_new_rules_up_and_keeps_the_old_ones_from_a_broken_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Keyring.new().save(tmp_path / "keyring.json")
    at = tmp_path / "rules"
    at.mkdir()
    events = Events.open(tmp_path / "keyring.json", [], rules=at)
    (at / "agents.toml").write_text("agents = [")
    with caplog.at_level(logging.ERROR):
        caplog.clear()
        events.refresh()
        events.refresh()
    assert events.checks()["rules"].status == "degraded"
    assert [record.message for record in caplog.records] == ["rules_refused"]
    (at / "agents.toml").write_text(AGENTS)
    events.refresh()
    assert "rules" not in events.checks()
