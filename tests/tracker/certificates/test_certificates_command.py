import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from certs.vault.database import Vault
from certs.vault.master import MasterKey
from certs.vault.progress import Progress
from tests.tracker.certificates import filled
from tests.tracker.certificates.filled import ACTIVE, ESCAPE, EXPIRED, REJECTED, WAITING
from tests.tracker.operation.conftest import Tracker, folder, own_process, tracker

__all__ = ["folder", "own_process", "tracker"]


def _with_vault(work: Callable[[Vault], object]) -> object:
    Path("data").mkdir(exist_ok=True)

    async def done() -> object:
        master = MasterKey.make(Path("data/master.key"), environment={})
        vault = await Vault.open(Path("data/certs.db"), master)
        try:
            return await work(vault)  # type: ignore[misc]  # what the caller says it gives
        finally:
            await vault.close()

    return asyncio.run(done())


@pytest.fixture
def _filled(folder: Path) -> None:
    _with_vault(filled.fill)


@pytest.mark.usefixtures("_filled")
@pytest.mark.parametrize(
    ("name", "status", "says"),
    [
        (ACTIVE, 0, "active (active since"),
        (EXPIRED, 2, "expired (backing-off since"),
        (WAITING, 1, "processing (dns since"),
        (REJECTED, 2, "error (rejected since"),
    ],
)
def test_the_exit_status_is_as_bad_as_the_certificate(
    tracker: Tracker, name: str, status: int, says: str
) -> None:
    said = tracker("certificates", "status", name)
    assert said.status == status
    assert f"{name}  {says}" in said.out


@pytest.mark.usefixtures("_filled")
def test_what_is_waited_for_is_said_with_what_to_paste_and_no_escapes(tracker: Tracker) -> None:
    said = tracker("certificates", "status", WAITING)
    assert "Paste:" in said.out
    assert "    a CNAME" in said.out
    assert "It is looked at again at" in said.out
    assert ESCAPE not in said.out


@pytest.mark.usefixtures("_filled")
def test_programs_read_every_name_as_json(tracker: Tracker) -> None:
    said = tracker("certificates", "status", "--json")
    assert said.status == 2
    found = {one["name"]: one["status"] for one in json.loads(said.out)}
    assert found == {
        ACTIVE: "active",
        EXPIRED: "expired",
        REJECTED: "error",
        WAITING: "processing",
    }


@pytest.mark.usefixtures("_filled")
@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (("renew", ACTIVE), "renew 1"),
        (("renew", WAITING), "renew 0"),
        (("revoke", ACTIVE), "revoke 1 0"),
        (("revoke", ACTIVE, "--reason", "key-compromise"), "revoke 1 1"),
    ],
)
def test_what_is_asked_for_waits_in_the_vault_for_the_office(
    tracker: Tracker, arguments: tuple[str, ...], asked: str
) -> None:
    assert tracker("certificates", *arguments).status == 0
    assert _with_vault(lambda vault: Progress(vault).request(arguments[1])) == asked


@pytest.mark.usefixtures("_filled")
@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("status", "other.example.com"), 65, "is no tracking domain"),
        (("renew", "other.example.com"), 65, "is no tracking domain"),
        (("renew", "not a name"), 64, "is not a host name"),
        (("revoke", WAITING), 65, "has no certificate to revoke"),
        (("revoke", ACTIVE, "--reason", "whim"), 64, "none of the reasons unspecified"),
    ],
)
def test_a_mistake_is_one_sentence(
    tracker: Tracker, arguments: tuple[str, ...], status: int, says: str
) -> None:
    said = tracker("certificates", *arguments)
    assert said.status == status
    assert said.err.count("\n") == 1
    assert says in said.err


def test_without_a_vault_the_command_says_what_makes_one(tracker: Tracker) -> None:
    said = tracker("certificates", "status")
    assert said.status == 66
    assert "edge.tls_listen" in said.err


@pytest.mark.usefixtures("_filled")
def test_a_lost_master_key_is_named_and_none_is_made_in_its_place(tracker: Tracker) -> None:
    key = Path("data/master.key")
    key.unlink()
    said = tracker("certificates", "status")
    assert said.status == 65
    assert "restore it from a backup" in said.err
    assert not key.exists()
