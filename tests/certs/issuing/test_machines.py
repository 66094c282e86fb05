"""Two machines with one vault: one orders, both answer the CA and serve what it gave."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from certs.issuing import need
from certs.vault.database import VaultError
from certs.vault.progress import Progress
from tests.certs.issuing.world import Shared, World, looking_after
from tests.patience import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def machines(world: World, postgres_url: str, tmp_path: Path) -> tuple[World, World]:
    """Make two machines that were given the same master key."""
    world.vault = postgres_url
    assert world.master
    other = replace(world, folder=tmp_path / "other", proven=[])
    other.folder.mkdir()
    (other.folder / "master.key").touch(0o600)
    (other.folder / "master.key").write_bytes((world.folder / "master.key").read_bytes())
    return world, other


def generation(machine: World) -> int:
    bundle = machine.cache.get(machine.name)
    return bundle.generation if bundle else 0


async def test_one_machine_orders_and_renews_and_both_serve_and_answer(
    machines: tuple[World, World], shared: Shared
) -> None:
    orders, issued = shared.ordered(), shared.issued()
    async with AsyncExitStack() as running:
        desks = [await running.enter_async_context(one.desk()) for one in machines]
        for number, (one, desk) in enumerate(zip(machines, desks, strict=True)):
            await running.enter_async_context(looking_after(one, desk, holder=f"office {number}"))
        await until(lambda: any(one.proven for one in machines), "HTTPS to be proven")
        await until(lambda: [generation(one) for one in machines] == [1, 1], "both to serve it")
        await Progress(desks[0].vault).ask(machines[0].name, need.renewing(1))
        await until(lambda: [generation(one) for one in machines] == [2, 2], "both to have another")
    first, second = (one.cache for one in machines)
    assert first.get(machines[0].name) == second.get(machines[0].name)
    assert first.thumbprints() == second.thumbprints() != ()
    assert (shared.ordered() - orders, shared.issued() - issued) == (2, 2)


async def test_a_machine_with_another_master_key_is_refused(
    machines: tuple[World, World],
) -> None:
    first, other = machines
    (other.folder / "master.key").unlink()
    async with first.desk():
        with pytest.raises(VaultError, match="sealed under the master key"):
            async with other.desk():
                pytest.fail("it opened what it has no key for")


async def test_two_machines_that_visit_a_name_at_once_make_one_order(
    machines: tuple[World, World], shared: Shared
) -> None:
    orders = shared.ordered()
    first, other = machines
    async with first.desk() as one, other.desk() as two:
        for _ in range(3):
            await asyncio.gather(first.visited(one, holder="one"), other.visited(two, holder="two"))
        assert await one.certificates.of(first.name) is not None
    assert shared.ordered() - orders == 1
