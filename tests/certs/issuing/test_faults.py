"""What an issuer makes of a CA, a vault, a disk and a clock that fail."""

import asyncio
import contextlib
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import select

from certs.doctor import https_proof
from certs.issuing.visit import visit
from certs.vault.attempts import Attempts
from certs.vault.database import VaultUnavailable
from certs.vault.leases import LeaseLost, Leases
from certs.vault.tables import lease
from tests.certs.issuing.world import Shared, World, looking_after
from tests.patience import PATIENCE, until
from tests.servers.faulty import ALWAYS, Faulty, between, refuse, wrong_key
from tests.servers.ports import free_port

pytestmark = pytest.mark.anyio


@pytest.fixture
def ca(shared: Shared) -> Iterator[Faulty]:
    with between(shared.ca) as faulty:
        yield faulty


async def test_two_offices_that_race_make_one_order(world: World, shared: Shared) -> None:
    orders = shared.ordered()
    async with world.desk() as one, world.desk() as other:
        await asyncio.gather(
            *(world.visited(desk, holder=f"office {n}") for n, desk in enumerate([one, other] * 3))
        )
        found = await world.visited(one, times=2)
    assert (found.phase, found.generation) == ("active", 1)
    assert shared.ordered() - orders == 1


async def test_an_office_that_slept_past_its_lease_commits_nothing(world: World) -> None:
    async with world.desk() as desk:
        now = world.clock()
        slept = await Leases(desk.vault, "sleeper", seconds=1).take(world.name, now)
        assert slept is not None
        awake = Leases(desk.vault, "awake")
        assert await awake.take(world.name, now) is None
        assert await awake.take(world.name, now + 2) is not None
        with pytest.raises(LeaseLost):
            await desk.certificates.ordered(slept, desk.attempt(world.name, "ordered"))
        assert await Attempts(desk.vault).of(world.name) == []


async def test_an_office_that_is_overtaken_in_an_order_stops(world: World, ca: Faulty) -> None:
    ca.on("new-order", ca.hang)
    async with world.desk(directory=ca.directory) as desk:
        working = asyncio.create_task(visit(desk, Leases(desk.vault, "slow", 0.3), world.name))
        await until(lambda: ca.count("new-order") > 0, "the CA to be asked")
        assert await Leases(desk.vault, "other").take(world.name, world.clock() + 10) is not None
        with pytest.raises(LeaseLost):
            await working
        assert desk.failures == {}


async def test_a_lease_is_held_for_as_long_as_an_order_takes(world: World, ca: Faulty) -> None:
    ca.on("new-order", ca.hang)
    async with world.desk(directory=ca.directory) as desk:

        async def held_until() -> float:
            async with desk.vault.reading() as connection:
                return float((await connection.execute(select(lease.c.until))).scalar_one())

        working = asyncio.create_task(visit(desk, Leases(desk.vault, "slow", 0.3), world.name))
        await until(lambda: ca.count("new-order") > 0, "the CA to be asked")
        first = await held_until()
        while await held_until() <= first + 0.3:
            assert not working.done()
            await asyncio.sleep(0.02)
        working.cancel()
        await asyncio.wait([working])


async def test_a_rate_limit_is_kept_to_the_second(world: World, ca: Faulty) -> None:
    ca.on("new-order", refuse("rateLimited", "too many certificates", 429, retry_after="4711"))
    async with world.desk(directory=ca.directory) as desk:
        before = world.clock()
        found = await world.visited(desk)
        assert found.phase == "limited"
        assert before + 4711 - 1 <= found.next_at <= world.clock() + 4711
        assert "too many certificates" in found.says
        world.ahead = 4000  # a person asks, a process starts anew: the CA still isn't asked
        assert (await world.visited(desk)).phase == "limited"
        assert ca.count("new-order") == 1
        world.ahead = 4712
        assert (await world.visited(desk)).phase == "proving"


async def test_a_name_that_the_ca_rejects_is_left_alone_and_told(world: World, ca: Faulty) -> None:
    ca.on("new-order", refuse("rejectedIdentifier", "this name is blocked", 403), ALWAYS)
    async with world.desk(directory=ca.directory) as desk:
        found = await world.visited(desk)
        assert (found.status, found.phase, found.next_at) == ("error", "rejected", 0)
        assert "this name is blocked" in found.says
        assert f"tracker certificates renew {world.name}" in found.fix
        assert await desk.progress.due(world.clock() + 10 * 365 * 86_400, 10, ()) == []


async def test_a_certificate_for_another_key_is_never_kept(world: World, ca: Faulty) -> None:
    ca.on("certificate", wrong_key)
    async with world.desk(directory=ca.directory) as desk:
        found = await world.visited(desk)
        assert (found.phase, found.code, found.generation) == ("backing-off", "unfit", 0)
        assert "another key" in found.says
        assert world.cache.get(world.name) is None
        assert (await world.visited(desk)).generation == 1


async def test_a_certificate_of_a_test_ca_is_never_kept_where_a_public_one_is_wanted(
    world: World, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(shared.ca.ca_file))
    async with world.desk(ca_file=None) as desk:
        found = await world.visited(desk)
        assert (found.code, found.generation) == ("unfit", 0)
        assert "of a test CA" in found.says
        assert world.cache.get(world.name) is None


async def test_a_ca_that_cannot_be_reached_is_asked_ever_less_often(world: World) -> None:
    async with world.desk(directory=f"https://127.0.0.1:{free_port()}/dir") as desk:
        for step in (60, 600, 6_000, 86_400, 86_400):
            now = world.clock()
            found = await world.visited(desk)
            assert (found.phase, found.code) == ("backing-off", "unreachable")
            assert step * 0.9 <= found.next_at - now + 1 <= step * 1.1 + PATIENCE
            world.ahead += found.next_at - now


async def test_a_ca_that_hangs_holds_up_neither_the_start_nor_other_names(
    world: World, ca: Faulty, shared: Shared
) -> None:
    ca.on("directory", ca.hang, ALWAYS)
    other = "nowhere.example.test"
    async with world.desk(directory=ca.directory) as desk:
        await desk.progress.want([world.name, other], world.clock())

        async with looking_after(world, desk, other):
            await until(lambda: ca.count("directory") > 0, "the CA to be asked")

            async def phase() -> str:
                found = await desk.progress.of(other)
                return found.phase if found else ""

            while await phase() != "dns":
                await asyncio.sleep(0.02)


async def test_an_account_that_the_ca_lost_is_registered_again_with_its_key(
    world: World, ca: Faulty
) -> None:
    ca.on("new-order", refuse("accountDoesNotExist", "no such account", 400))
    async with world.desk(directory=ca.directory) as desk:
        before = desk.authority.thumbprint
        assert (await world.visited(desk)).generation == 1
        await desk.authority.prepare()
        assert desk.authority.thumbprint == before


@pytest.mark.parametrize("days", [-3, 3, 80])
async def test_a_clock_that_is_wrong_by_days_costs_no_second_order(
    world: World, shared: Shared, days: int
) -> None:
    orders = shared.ordered()
    world.ahead = days * 86_400
    async with world.desk() as desk:
        found = await world.visited(desk, times=4)
        assert found.generation == 1
        assert await desk.progress.due(world.clock(), 10, ()) == []
    assert shared.ordered() - orders == 1


async def test_a_vault_that_takes_nothing_keeps_the_ca_unasked(
    world: World, shared: Shared
) -> None:
    orders = shared.ordered()
    world.patience = 0.1
    async with world.desk() as desk:
        with contextlib.closing(
            sqlite3.connect(world.folder / "certs.db", PATIENCE, isolation_level=None)
        ) as other:
            other.execute("BEGIN IMMEDIATE")
            async with looking_after(world, desk) as issuer:
                await until(lambda: bool(issuer.overview.trouble), "the trouble to be told")
            assert "can't answer" in issuer.overview.trouble
        assert shared.ordered() == orders
        assert (await world.visited(desk, times=2)).phase == "active"


async def test_tls_survives_a_vault_that_is_gone(world: World) -> None:
    async with world.desk() as desk:
        await world.visited(desk, times=2)
        committed = await desk.certificates.bundle(world.name)
    for path in world.folder.glob("certs.db*"):
        path.unlink()
    assert committed is not None
    assert world.cache.get(world.name) == committed
    edge = replace(world.expected(), thumbprints=world.cache.thumbprints())
    assert [found.code for found in await https_proof(world.name, edge)] == ["https.ok"]


@contextmanager
def _full_disk(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_at_the_commit_costs_no_second_order(
    world: World, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = shared.ordered()
    async with world.desk() as desk:
        kept = type(desk.certificates).commit

        async def full(*arguments: object, **named: object) -> object:
            grown = (world.folder / "certs.db-wal").stat().st_size
            with _full_disk(grown):
                return await kept(*arguments, **named)  # type: ignore[arg-type]  # handed on as they came

        monkeypatch.setattr(type(desk.certificates), "commit", full)
        with pytest.raises(VaultUnavailable):
            await world.visited(desk)
        monkeypatch.undo()
        assert await desk.certificates.of(world.name) is None
        found = await world.visited(desk, times=2)
        assert (found.phase, found.generation) == ("active", 1)
    assert shared.ordered() - orders == 1
