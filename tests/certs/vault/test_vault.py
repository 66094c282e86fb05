import asyncio
import datetime
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import update

from certs.expiry import Alert
from certs.vault import tables
from certs.vault.accounts import Accounts
from certs.vault.alerts import Alerts
from certs.vault.attempts import Attempt
from certs.vault.certificates import Certificates, Draft
from certs.vault.database import Vault, VaultError, VaultUnavailable
from certs.vault.examined import Unfit, Validity, examine
from certs.vault.leases import LONGEST, LeaseLost, Leases
from certs.vault.master import MasterKey
from certs.vault.progress import Progress
from tests.certs.vault.conftest import Place
from tests.patience import PATIENCE
from tests.servers.authority import Authority
from tests.servers.ports import free_port
from tracker.shared.vault import place

pytestmark = pytest.mark.anyio

NAME = "click.example.com"
NOW = 1_795_000_000.0
ISSUED = Attempt(NOW, NAME, "example.com", "ca", "issued")


@pytest.fixture
async def vault(at: Place) -> AsyncIterator[Vault]:
    opened = await Vault.open(at(), MasterKey(bytes(32)), patience=PATIENCE)
    yield opened
    await opened.close()


def _draft() -> Draft:
    return Draft(NAME, "ca", ec.generate_private_key(ec.SECP256R1()), "", "", NOW)


async def test_the_account_of_a_ca_is_made_once_however_many_ask(vault: Vault) -> None:
    found = await asyncio.gather(*(Accounts(vault).of("https://ca.test/dir") for _ in range(8)))
    assert len({one.key.private_numbers() for one in found}) == 1
    assert len(await Accounts(vault).all()) == 1
    assert (await Accounts(vault).of("https://other.test/dir")).key != found[0].key


def _sealed(folder: Path, secrets: list[bytes]) -> None:
    for path in folder.glob("certs.db*"):
        assert path.stat().st_mode & 0o077 == 0
        assert not any(secret in path.read_bytes() for secret in secrets)


@pytest.mark.parametrize("at", ["file"], indirect=True)
async def test_no_key_is_in_the_file_in_clear_and_no_stranger_reads_it(
    vault: Vault, tmp_path: Path
) -> None:
    account, draft = await Accounts(vault).of("ca"), _draft()
    held = await Leases(vault, "one").take(NAME, NOW)
    assert held is not None
    async with vault.writing() as connection:
        await Certificates(vault).put_draft(connection, draft)
    await Certificates(vault).commit(held, draft, b"the chain", Validity(1, 2), ISSUED)
    secrets = [one.private_numbers().private_value.to_bytes(32) for one in (account.key, draft.key)]
    _sealed(tmp_path, secrets)


async def test_another_master_key_is_refused_and_changes_nothing(vault: Vault, at: Place) -> None:
    account = await Accounts(vault).of("ca")
    with pytest.raises(VaultError, match="restore the right one from a backup"):
        await Vault.open(at(), MasterKey(b"1" * 32))
    again = await Accounts(vault).of("ca")
    assert again.key.private_numbers() == account.key.private_numbers()


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("CREATE TABLE event (id)", "of another program"),
        ("CREATE TABLE vault (only_one, version)", "the vault can't answer"),
    ],
)
async def test_a_file_of_another_program_is_refused(
    tmp_path: Path, statement: str, says: str
) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute(statement)
    other.close()
    with pytest.raises((VaultError, VaultUnavailable), match=says):
        await Vault.open(path, MasterKey(bytes(32)))


async def test_a_file_that_another_process_makes_a_vault_of_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "certs.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr("certs.busy.sleep", lambda _: other.rollback())
        opened = await Vault.open(path, MasterKey(bytes(32)), patience=PATIENCE)
    await opened.close()


async def test_a_vault_of_a_newer_version_is_refused(vault: Vault, at: Place) -> None:
    async with vault.writing() as connection:
        await connection.execute(update(tables.vault).values(version=99))
    with pytest.raises(VaultError, match="newer version"):
        await Vault.open(at(), MasterKey(bytes(32)))


async def test_whoever_takes_a_lease_at_the_same_time_as_others_has_it_alone(vault: Vault) -> None:
    taken = await asyncio.gather(*(Leases(vault, str(one)).take(NAME, NOW) for one in range(8)))
    assert len([lease for lease in taken if lease]) == 1


async def test_two_machines_that_open_a_vault_at_once_both_have_it(at: Place) -> None:
    master = MasterKey(bytes(32))
    opening = (Vault.open(at(), master, patience=PATIENCE) for _ in range(2))
    both = await asyncio.gather(*opening)
    of = [await Accounts(vault).of("ca") for vault in both]
    assert len({one.key.private_numbers() for one in of}) == 1
    for vault in both:
        await vault.close()


async def test_a_server_that_is_away_is_told_in_a_sentence() -> None:
    url = f"postgresql://tracker:secret@127.0.0.1:{free_port()}/tracker"
    with pytest.raises(VaultUnavailable, match="the server can't be reached") as away:
        await Vault.open(place(url), MasterKey(bytes(32)))
    assert "secret" not in str(away.value)


async def test_a_lease_is_one_holders_until_it_ends(vault: Vault) -> None:
    one, other = Leases(vault, "one", 60), Leases(vault, "other", 60)
    first = await one.take(NAME, NOW)
    assert first is not None
    assert await other.take(NAME, NOW + 59) is None
    await one.extend(first, NOW + 59)
    assert await other.take(NAME, NOW + 61) is None
    second = await other.take(NAME, NOW + 120)
    assert second is not None
    assert second.fence > first.fence
    with pytest.raises(LeaseLost):
        await one.extend(first, NOW + 120)


async def test_a_released_lease_is_free_at_once(vault: Vault) -> None:
    one, other = Leases(vault, "one", 60), Leases(vault, "other", 60)
    held = await one.take(NAME, NOW)
    assert held is not None
    await one.release(held)
    assert await other.take(NAME, NOW) is not None


async def test_a_lease_of_a_clock_that_ran_ahead_blocks_nobody(vault: Vault) -> None:
    assert await Leases(vault, "ahead", 60).take(NAME, NOW + 3 * 86_400) is not None
    await Progress(vault).want([NAME], NOW)
    assert await Progress(vault).due(NOW, 10, ()) == [NAME]
    assert await Leases(vault, "right", 60).take(NAME, NOW) is not None
    assert LONGEST < 3 * 86_400


async def test_whoever_lost_the_lease_commits_nothing(vault: Vault) -> None:
    held = await Leases(vault, "one", 60).take(NAME, NOW)
    assert held is not None
    async with vault.writing() as connection:
        await Certificates(vault).put_draft(connection, draft := _draft())
    await Leases(vault, "other", 60).take(NAME, NOW + 61)
    with pytest.raises(LeaseLost):
        await Certificates(vault).commit(held, draft, b"chain", Validity(1, 2), ISSUED)
    assert await Certificates(vault).of(NAME) is None
    assert await Certificates(vault).draft(NAME) is not None


async def test_a_commit_changes_chain_key_and_generation_together_and_tells_of_it(
    vault: Vault,
) -> None:
    held = await Leases(vault, "one").take(NAME, NOW)
    assert held is not None
    for generation, chain in ((1, b"first"), (2, b"second")):
        before = await vault.revision()
        made = await Certificates(vault).commit(held, _draft(), chain, Validity(1, 2), ISSUED)
        assert (made.generation, made.chain_pem) == (generation, chain)
        assert await Certificates(vault).bundle(NAME) == made
        assert await vault.revision() > before


async def test_an_alert_is_raised_once_and_kept_until_it_was_delivered(vault: Vault) -> None:
    alert = Alert("expired", NAME, "error", "It expired.", "", 1, NOW)
    assert await Alerts(vault).raise_(alert, deliver=True)
    assert not await Alerts(vault).raise_(alert, deliver=True)
    assert await Alerts(vault).undelivered() == [alert]
    await Alerts(vault).delivered(alert, NOW)
    assert await Alerts(vault).undelivered() == []


KEY = ec.generate_private_key(ec.SECP256R1())
HOURS = datetime.timedelta(hours=1)
TODAY = datetime.datetime.now(datetime.UTC)


def test_a_certificate_that_fits_is_taken() -> None:
    valid = examine(Authority().issue(NAME, key=KEY).chain_pem, KEY, NAME, TODAY.timestamp())
    assert valid.not_before < TODAY.timestamp() < valid.not_after


@pytest.mark.parametrize(
    ("chain", "says"),
    [
        (Authority().issue(NAME).chain_pem, "another key"),
        (Authority().issue("other.example.com", key=KEY).chain_pem, "not for click.example.com"),
        (Authority().issue("*.example.com", key=KEY).chain_pem, "not for click.example.com"),
        (Authority().issue(NAME, key=KEY, not_after=TODAY - HOURS).chain_pem, "has expired"),
        (Authority().issue(NAME, key=KEY, not_before=TODAY + HOURS).chain_pem, "not valid yet"),
        (
            Authority().issue(NAME, key=KEY).chain_pem.split(b"-----END")[0]
            + b"-----END CERTIFICATE-----\n"
            + Authority().root_pem,
            "chain is broken",
        ),
        (Authority("(STAGING) Pretend Pear X1").issue(NAME, key=KEY).chain_pem, "test CA"),
        (Authority("Pebble Root CA 1a2b3c").issue(NAME, key=KEY).chain_pem, "test CA"),
        (b"", "not one of PEM certificates"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not one of PEM"),
        (b"x" * 100_000, "more than 65536 bytes"),
    ],
)
def test_a_certificate_that_does_not_fit_is_refused(chain: bytes, says: str) -> None:
    with pytest.raises(Unfit, match=says):
        examine(chain, KEY, NAME, TODAY.timestamp())


def test_a_key_on_another_curve_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    with pytest.raises(Unfit, match="P-256"):
        examine(Authority().issue(NAME, key=key).chain_pem, key, NAME, TODAY.timestamp())
