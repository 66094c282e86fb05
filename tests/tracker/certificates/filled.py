"""A vault with names in every state that a person may meet."""

import time

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from certs.vault.attempts import Attempt
from certs.vault.certificates import Certificates, Draft
from certs.vault.database import Vault
from certs.vault.examined import Validity
from certs.vault.leases import Leases
from certs.vault.progress import Progress, State

DAY = 86_400
ACTIVE, EXPIRED = "active.example.com", "expired.example.com"
WAITING, REJECTED = "waiting.example.com", "rejected.example.com"
ESCAPE = "\x1b[31m"  # what a stranger's DNS may have put into a sentence


async def fill(vault: Vault) -> None:
    now = time.time()
    states = (
        State(ACTIVE, "active", now, "All is well.", next_at=now + DAY),
        State(EXPIRED, "backing-off", now, "The CA can't be reached.", next_at=now + 60),
        State(WAITING, "dns", now, f"It leads to {ESCAPE}.", "Paste:\na CNAME", next_at=now + 60),
        State(REJECTED, "rejected", now, "The CA refuses.", "Choose another.", next_at=1 << 41),
    )
    await Progress(vault).want([one.name for one in states], now)
    for one in states:
        await _put(vault, one)
    await _certified(vault, ACTIVE, now - DAY, now + 80 * DAY)
    await _certified(vault, EXPIRED, now - 91 * DAY, now - DAY)


async def only(vault: Vault, name: str) -> None:
    await Progress(vault).want([name], time.time())


async def _put(vault: Vault, state: State) -> None:
    held = await Leases(vault, "test").take(state.name, time.time())
    assert held is not None
    await Progress(vault).put(held, msgspec.structs.replace(state))
    await Leases(vault, "test").release(held)


async def _certified(vault: Vault, name: str, start: float, end: float) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    held = await Leases(vault, "test").take(name, time.time())
    assert held is not None
    await Certificates(vault).commit(
        held,
        Draft(name, "https://ca.test/dir", key, "", "", start),
        b"the chain",
        Validity(int(start), int(end)),
        Attempt(start, name, "example.com", "https://ca.test/dir", "issued"),
    )
    await Leases(vault, "test").release(held)
