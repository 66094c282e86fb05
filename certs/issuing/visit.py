"""A visit: one name, brought one step further, by whoever holds its lease.

In: the state that the last visit left. Out: the state that this one leaves, with the time of the
next. What ends a visit halfway, be it kill -9, leaves all that the next one needs in the vault.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import msgspec

from certs import doctor
from certs.acme import Problem
from certs.issuing import need, outcome
from certs.issuing.desk import Desk
from certs.issuing.need import Need
from certs.issuing.order import obtain
from certs.renewal import ASK_AGAIN, DAY, HOUR
from certs.vault.certificates import Kept
from certs.vault.database import VaultUnavailable
from certs.vault.leases import Lease, LeaseLost, Leases
from certs.vault.progress import State

logger = logging.getLogger(__name__)


async def visit(desk: Desk, leases: Leases, name: str) -> None:
    """Bring a name one step further, unless another works on it.

    Raises LeaseLost, VaultUnavailable and VaultError.
    """
    held = await leases.take(name, desk.clock())
    if held is None:
        return
    try:
        async with _holding(desk, leases, held):
            state = await desk.progress.of(name)
            if state is not None:
                request = await desk.progress.request(name)
                await desk.progress.put(held, await _step(desk, held, state, request), request)
    finally:
        with contextlib.suppress(VaultUnavailable):
            await leases.release(held)


async def _step(desk: Desk, held: Lease, state: State, request: str) -> State:
    kept = await desk.certificates.of(held.name)
    if kept and (reason := need.revocation(kept, request)) is not None:
        if refused := await _revoke(desk, held, state, kept, reason):
            return refused
        kept = await desk.certificates.of(held.name)
    try:
        if why := await _need(desk, kept, state, request):
            return await obtain(desk, held, state, why)
    except Problem as problem:
        desk.authority.heard(problem)
        return outcome.refused(state, problem, desk.clock())
    assert kept is not None  # noqa: S101 - without one there is a need
    if not state.proven_at:
        return await _prove(desk, state, kept)
    if desk.clock() >= state.window_ask_at or state.window_generation != kept.generation:
        state = await _asked_when(desk, state, kept)
    return outcome.active(state, kept, desk.clock(), desk.authority.ahead)


async def _need(desk: Desk, kept: Kept | None, state: State, request: str) -> Need | None:
    """Tell whether a new certificate is needed, by the CA's clock. Raises Problem.

    With our own, were it ahead by weeks, each new certificate would be due for renewal at once.
    """
    told = kept, state, desk.directory, request
    why = need.need(*told, desk.authority.now)
    if why and why.by_time:
        await desk.authority.client()
        why = need.need(*told, desk.authority.now)
    return why


async def _prove(desk: Desk, state: State, kept: Kept) -> State:
    """Look at HTTPS from outside, on every address; links flip once it is there."""
    for found in await doctor.https_proof(state.name, desk.expected):
        if found.severity == "error":
            return outcome.unproven(state, found, desk.clock())
    now = desk.clock()
    await desk.proven(state.name, now)
    logger.info("https_proven", extra={"domain": state.name})
    proven = msgspec.structs.replace(state, proven_at=now)
    return outcome.active(proven, kept, now, desk.authority.ahead)


async def _asked_when(desk: Desk, state: State, kept: Kept) -> State:
    """Ask the CA when to renew (RFC 9773); without an answer the last one holds."""
    now = desk.clock()
    bundle = await desk.certificates.bundle(kept.name)
    assert bundle is not None  # noqa: S101 - it was there a moment ago, and nothing removes it
    try:
        acme = await desk.authority.client()
        window = await acme.renewal_info(bundle.chain_pem)
    except Problem as problem:
        desk.authority.heard(problem)
        return (
            msgspec.structs.replace(
                state, window_generation=kept.generation, window_ask_at=now + HOUR
            )
            if state.window_generation == kept.generation
            else _no_window(state, kept, now + HOUR)
        )
    if window is None:
        return _no_window(state, kept, now + ASK_AGAIN)
    return msgspec.structs.replace(
        state,
        window_generation=kept.generation,
        window_start=window.start,
        window_end=window.end,
        # Twice a day, or as seldom as the CA wants it (RFC 9773 §4.3.3), within reason.
        window_ask_at=now + max(ASK_AGAIN, min(window.retry_after, DAY)),
        window_explanation=window.explanation,
    )


def _no_window(state: State, kept: Kept, ask_at: float) -> State:
    return msgspec.structs.replace(
        state,
        window_generation=kept.generation,
        window_start=0,
        window_end=0,
        window_ask_at=ask_at,
        window_explanation="",
    )


async def _revoke(desk: Desk, held: Lease, state: State, kept: Kept, reason: int) -> State | None:
    """Revoke the certificate; return the state that this leaves where the CA refuses."""
    if kept.directory != desk.directory:
        says = f"The certificate is of {kept.directory}, and only that CA revokes it."
        return outcome.failed(state, says, "revoke", desk.clock())
    bundle = await desk.certificates.bundle(held.name)
    assert bundle is not None  # noqa: S101 - it was there a moment ago, and nothing removes it
    try:
        acme = await desk.authority.client()
        await acme.revoke(bundle.chain_pem, reason)
    except Problem as problem:
        desk.authority.heard(problem)
        return outcome.refused(state, problem, desk.clock())
    await desk.certificates.revoked(held, kept.generation, desk.attempt(held.name, "revoked"))
    logger.warning("certificate_revoked", extra={"domain": held.name, "reason": reason})
    return None


@contextlib.asynccontextmanager
async def _holding(desk: Desk, leases: Leases, held: Lease) -> AsyncIterator[None]:
    """Hold the lease for as long as the block takes; end the block where it is lost."""
    working = asyncio.current_task()
    assert working is not None  # noqa: S101 - this is a coroutine of some task
    lost = False

    async def extend() -> None:
        nonlocal lost
        while True:
            await asyncio.sleep(leases.seconds / 3)
            try:
                await leases.extend(held, desk.clock())
            except LeaseLost:
                lost = True
                working.cancel()
                return
            except VaultUnavailable:
                continue  # the fence keeps us from writing, should another take over

    extending = asyncio.create_task(extend())
    try:
        yield
    except asyncio.CancelledError:
        if not lost:
            raise
        working.uncancel()
        raise LeaseLost(f"another process works on {held.name} by now") from None
    finally:
        extending.cancel()
