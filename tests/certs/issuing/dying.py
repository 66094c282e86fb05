"""An office that looks after one name and kills itself at a step: a process for tests.

python -m tests.certs.issuing.dying STEP    with the world as JSON on standard input
"""

import asyncio
import functools
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec

from certs.acme import Acme
from certs.acme.values import Progress
from certs.issuing.visit import visit
from certs.vault.accounts import Accounts
from certs.vault.certificates import Certificates
from certs.vault.leases import Leases
from certs.vault.progress import Progress as States
from tests.certs.issuing.world import Facts, World


class Told(msgspec.Struct):
    """The world of the process that dies."""

    folder: str
    name: str
    https_port: int
    directory: str
    ca_file: str
    roots: bytes
    resolver: str
    http_port: int


class Step(NamedTuple):
    """Die when this method is entered, or when it has done its work."""

    of: type
    method: str
    when: Literal["before", "after"]


STEPS: Final = {
    "the CA has made the account": Step(Accounts, "set_url", "before"),
    "the key is kept and the CA hasn't heard": Step(Acme, "issue", "before"),
    "the CA has the order and its URL isn't kept": Step(Certificates, "ordered", "before"),
    "the order's URL is kept": Step(Certificates, "ordered", "after"),
    "the certificate came and isn't kept": Step(Certificates, "commit", "before"),
    "the certificate is kept and not in the cache": Step(Certificates, "commit", "after"),
}
# What the ACME client tells of on its way.
ON_THE_WAY: Final = {
    "the CA believes that the name is ours": "authorised",
    "the CA has the signing request": "finalised",
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(step: Step) -> None:
    method = getattr(step.of, step.method)

    def before(*arguments: Any, **named: Any) -> Any:
        die()

    async def after(*arguments: Any, **named: Any) -> Any:
        await method(*arguments, **named)
        die()

    setattr(step.of, step.method, before if step.when == "before" else after)


def arm_on_the_way(wanted: str) -> None:
    issue = Acme.issue

    @functools.wraps(issue)
    async def dying(*arguments: Any, progress: Progress, **named: Any) -> Any:
        async def heard(step: Any, url: str) -> None:
            await progress(step, url)
            if step == wanted:
                die()

        return await issue(*arguments, progress=heard, **named)

    setattr(Acme, "issue", dying)  # noqa: B010 - a test takes the method's place


async def main(step: str, told: Told) -> None:
    facts = Facts(told.directory, Path(told.ca_file), told.roots, told.resolver, told.http_port)
    world = World(None, facts, Path(told.folder), told.name, told.https_port)
    if step in ON_THE_WAY:
        arm_on_the_way(ON_THE_WAY[step])
    else:
        arm(STEPS[step])
    async with world.desk() as desk:
        # A lease that ends soon: whoever follows need not wait for a dead holder.
        leases = Leases(desk.vault, "the one that dies", seconds=1)
        while (state := await States(desk.vault).of(world.name)) and not state.proven_at:
            await visit(desk, leases, world.name)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], msgspec.json.decode(sys.stdin.buffer.read(), type=Told)))
