"""kill -9 at each step of an order, and what the next office makes of it."""

import asyncio
import signal
import sys
import time

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from certs.vault.accounts import Accounts
from certs.vault.examined import examine
from tests.certs.issuing.dying import ON_THE_WAY, STEPS, Told
from tests.certs.issuing.world import Shared, World, looking_after
from tests.patience import until

pytestmark = pytest.mark.anyio

# The CA took an order and nobody can know its URL any more: it stays pending there until it ends,
# nothing is ever issued for it, and Let's Encrypt gives the same order to whoever asks again.
LOST_TO_US = "the CA has the order and its URL isn't kept"


async def _killed(world: World, step: str) -> None:
    facts = world.facts
    told = Told(
        str(world.folder),
        world.name,
        world.https_port,
        facts.directory,
        str(facts.ca_file),
        facts.roots,
        facts.resolver,
        facts.http_port,
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.certs.issuing.dying",
        step,
        stdin=asyncio.subprocess.PIPE,
    )
    await process.communicate(msgspec.json.encode(told))
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("step", [*STEPS, *ON_THE_WAY])
async def test_an_office_killed_in_an_order_leaves_one_that_the_next_goes_on_with(
    world: World, shared: Shared, step: str
) -> None:
    orders, issued = shared.ordered(), shared.issued()
    async with world.desk() as desk:
        (account,) = await Accounts(desk.vault).all()
    await _killed(world, step)
    async with world.desk() as desk, looking_after(world, desk):
        await until(lambda: world.proven == [world.name], "HTTPS to be proven")
        assert [one.directory for one in await Accounts(desk.vault).all()] == [account.directory]
        (still,) = await Accounts(desk.vault).all()
        assert still.key.private_numbers() == account.key.private_numbers()
        assert await desk.certificates.draft(world.name) is None
        bundle = await desk.certificates.bundle(world.name)
    assert bundle is not None
    assert bundle == world.cache.get(world.name)
    key = load_pem_private_key(bundle.key_pem, None)
    examine(bundle.chain_pem, key, world.name, time.time(), test_issuers=True)  # type: ignore[arg-type]  # an EC key
    assert shared.issued() - issued == 1
    assert shared.ordered() - orders == (2 if step == LOST_TO_US else 1)
