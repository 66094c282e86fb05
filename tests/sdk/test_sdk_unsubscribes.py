"""Mailgun's own clients keep the table of unsubscribes, unchanged."""

from pathlib import Path

import pytest
from mailgun.client import Client

from tests.sdk.conftest import Live

# An event of the samples is an unsubscription, and so is in the table already.
CLEO = "cleo@quay.example"
ANN, BOB = "ann@example.com", "bob@example.com"
ADDED = "Address has been added to the unsubscribes table"
UNKNOWN = "Address not found in unsubscribers table"

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def test_the_python_client_adds_lists_imports_and_removes(live: Live, tmp_path: Path) -> None:
    file = tmp_path / "unsubscribes.csv"
    file.write_text(f"address,tags\n{BOB},news\n")
    with Client(auth=("api", live.key), api_url=live.url) as client:
        table, named = client.unsubscribes, {"domain": live.domain}
        added = table.create(**named, data={"address": ANN, "tag": "*"})
        assert added.json() == {"message": ADDED, "address": ANN}
        many = [{"address": f"r{number}@example.com", "tags": ["a", "b"]} for number in range(3)]
        posted = table.create(**named, data=many, headers={"Content-Type": "application/json"})
        assert posted.json()["message"].startswith("3 addresses")
        uploaded = client.unsubscribes_import.create(
            **named, files={"unsubscribe2_csv": ("file", file.read_bytes())}
        )
        assert uploaded.status_code == 202, uploaded.text
        listed = [row["address"] for row in table.stream(**named, filters={"limit": 2})]
        assert listed == [ANN, BOB, CLEO, "r0@example.com", "r1@example.com", "r2@example.com"]
        one = table.get(**named, unsubscribe_address=BOB)
        assert one.json()["tags"] == ["news"]
        table.delete(**named, unsubscribe_address=BOB)
        gone = table.get(**named, unsubscribe_address=BOB)
        assert (gone.status_code, gone.json()) == (404, {"message": UNKNOWN})


def test_the_javascript_client_adds_pages_and_removes(node: Live) -> None:
    kind = "unsubscribes"
    many = [{"address": f"r{number}@example.com", "tags": ["a"]} for number in range(3)]
    added, posted, listed, one, removed, gone = node.javascript(
        ("suppressions.create", [node.domain, kind, {"address": ANN, "tag": "*"}]),
        ("suppressions.create", [node.domain, kind, many]),
        ("suppressions.list", [node.domain, kind, {"limit": 2}]),
        ("suppressions.get", [node.domain, kind, "r1@example.com"]),
        ("suppressions.destroy", [node.domain, kind, ANN]),
        ("suppressions.get", [node.domain, kind, ANN]),
    )
    assert added["value"]["message"] == ADDED
    assert posted["value"]["message"].startswith("3 addresses")
    assert [item["address"] for item in listed["value"]["items"]] == [ANN, CLEO]
    after = listed["value"]["pages"]["next"]["page"]
    [further] = node.javascript(("suppressions.list", [node.domain, kind, {"page": after}]))
    assert [item["address"] for item in further["value"]["items"]] == [
        "r0@example.com",
        "r1@example.com",
    ]
    assert one["value"]["tags"] == ["a"]
    assert removed["value"]["address"] == ANN
    assert (gone["status"], gone["error"]) == (404, UNKNOWN)
