"""What is told to one machine holds on every other, and stays while what they share is away."""

from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import msgspec

from rewriter.keyring import Keyring
from tests.cluster.part import Part
from tests.cluster.topology import KEYRING, Topology
from tests.patience import wait_for
from tests.storm.crowd import Crowd, Visit
from tracker.masked import masked
from tracker.published import Published
from tracker.shared.copy import FILE, Copy

OTHER = "click.other.example"
SOMEBODY, OTHERS = Visit(1_000_000_001, "u"), Visit(1_000_000_002, "c")


def newest(keyring: Path, into: Path) -> Path:
    """Write a keyring of the newest key alone, which signs: what a rewriter will have soon."""
    key = msgspec.structs.replace(Keyring.load(keyring).keys[-1], waits=msgspec.UNSET)
    Keyring((key,)).save(into)
    return into


def answered(machine: Part, visit: Visit, keyring: Path) -> bool:
    """Tell whether a machine takes a recipient for one who follows a link of ours."""
    crowd = Crowd.at(machine.addresses[0], keyring)
    crowd.come([visit])
    return crowd.done() == {visit}


def suppressed(machine: Part, visit: Visit) -> dict[str, Any]:
    """Ask a machine whether a recipient may be written to."""
    key = (machine.data / "api.key").read_text().split()[0]
    answer = httpx.get(
        f"http://{machine.addresses[1]}/v1/shop.example.com/suppressed",
        params={"address": visit.recipient},
        auth=("api", key),
        timeout=60,
    )
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def copied(machine: Part, visit: Visit) -> bool:
    """Tell whether a machine would know of a recipient without the store."""
    store = masked(machine.settings["TRACKER_STORE_URL"])
    if (copy := Copy.there(machine.data / FILE, store)) is None:
        return False
    with closing(copy):
        return visit.recipient in copy.suppressions("shop.example.com", [visit.recipient])


def test_what_one_machine_is_told_holds_on_the_other_also_without_the_store(
    topology: Topology, tmp_path: Path
) -> None:
    first, second = topology.edges
    first.tell("keys", "new")
    keyring = newest(first.data / KEYRING, tmp_path / "newest.json")
    first.tell("domains", "add", OTHER, "--sending-domain", "other.example")
    # Once more where the disk takes longer than somebody waits who unsubscribes.
    wait_for(lambda: answered(first, SOMEBODY, first.data / KEYRING), "somebody to unsubscribe")

    domains = Published(second.data / "domains.json")
    wait_for(lambda: answered(second, OTHERS, keyring), "the other machine to have the key")
    wait_for(lambda: OTHER in domains.current().tracking, "the other machine to have the domain")
    wait_for(lambda: copied(second, SOMEBODY), "the other machine to know who unsubscribed")
    assert "as_of" not in suppressed(second, SOMEBODY)

    topology.store.kill()
    second.kill()
    second.start()
    second.until("worker_started")
    assert answered(second, OTHERS, keyring)
    told = suppressed(second, SOMEBODY)
    assert told["suppressed"]
    assert told["as_of"] > 0

    topology.store.start()
    wait_for(lambda: "as_of" not in suppressed(second, SOMEBODY), "the store to be asked again")
    assert suppressed(second, SOMEBODY)["suppressed"]
