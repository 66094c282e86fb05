"""An order: from a name that leads here to a certificate in the vault.

Promise: the CA is asked only for a name whose records and addresses were seen to lead here. The
key of an order is in the vault before the CA hears of it, and its URL right after: a process that
takes over goes on with that order instead of making another.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from certs import doctor
from certs.acme import Acme, Issued, Problem, Step
from certs.acme.chain import certificate_id
from certs.doctor import Finding
from certs.issuing import budget, outcome
from certs.issuing.desk import Desk
from certs.issuing.need import Need
from certs.renewal import DAY
from certs.vault import attempts, tables
from certs.vault.bundle import Bundle
from certs.vault.certificates import Draft
from certs.vault.examined import Unfit, examine
from certs.vault.leases import Lease, fenced
from certs.vault.progress import State

# A CA forgets an order that wasn't finished; Let's Encrypt does so after 7 days.
ORDER_LIVES: Final = 6 * DAY

logger = logging.getLogger(__name__)


class NoRoom(Exception):
    """One more order doesn't fit into the CA's limits before `until`."""

    def __init__(self, limit: budget.Limit, until: float) -> None:
        super().__init__(f"There may be {limit.says}, and they are used up.")
        self.until = until


class NotReady(Exception):
    """The name doesn't lead here, or not everywhere, which the finding says."""

    def __init__(self, found: Finding) -> None:
        super().__init__(found.says)
        self.found = found


async def obtain(desk: Desk, held: Lease, state: State, why: Need) -> State:
    """Get a certificate; return what the name's state becomes, whether there is one or not.

    Raises LeaseLost, VaultUnavailable and VaultError: what was begun is gone on with next time.
    """
    now = desk.clock()
    if state.held_until > now:
        return outcome.limited(state, state.held_until, state.says, now)
    try:
        draft = await _unfinished(desk, held.name)
        if draft is None:
            await _ready(desk, held.name)
            draft = await _draft(desk, held, why)
        await desk.progress.put(held, outcome.ordering(state, why.why, now))
        async with desk.orders:
            bundle = await _issued(desk, held, draft)
    except NotReady as error:
        desk.failed(error.found.code)
        return outcome.waiting(state, error.found, desk.clock())
    except NoRoom as error:
        return outcome.limited(state, error.until, str(error), desk.clock())
    except Unfit as error:
        says = f"The CA's certificate can't be used: {error}."
        await _given_up(desk, held, "failed", says, "unfit")
        return outcome.failed(state, says, "unfit", desk.clock())
    except Problem as problem:
        return await _came_to_nothing(desk, held, state, problem)
    await _cached(desk, bundle)
    logger.info(
        "certificate_committed", extra={"domain": held.name, "generation": bundle.generation}
    )
    kept = await desk.certificates.of(held.name)
    assert kept is not None  # noqa: S101 - it was committed, and nothing removes it
    return outcome.committed(state, kept, desk.clock(), desk.authority.ahead)


async def _unfinished(desk: Desk, name: str) -> Draft | None:
    """Return the order that somebody began, if the CA still knows it."""
    draft = await desk.certificates.draft(name)
    alive = draft and draft.order_url and draft.begun_at > desk.clock() - ORDER_LIVES
    return draft if draft and alive and draft.directory == desk.directory else None


async def _ready(desk: Desk, name: str) -> None:
    """Look at everything that the CA will look at, without it. Raises NotReady, Problem."""
    _no_error(await doctor.cname(name, desk.expected))
    _no_error(await doctor.caa(name, desk.expected))
    _no_error(await doctor.preflight(name, desk.expected))
    if not desk.authority.issuers:
        await desk.authority.client()  # whose directory tells which CAA records allow it
        _no_error(await doctor.caa(name, desk.expected))


def _no_error(findings: Sequence[Finding]) -> None:
    for found in findings:
        if found.severity == "error":
            raise NotReady(found)


async def _draft(desk: Desk, held: Lease, why: Need) -> Draft:
    """Keep a fresh key for an order, if there is room for one. Raises NoRoom."""
    now, name = desk.clock(), held.name
    bundle = await desk.certificates.bundle(name) if why.renews else None
    replaces = certificate_id(bundle.chain_pem) if bundle else ""
    key = await asyncio.to_thread(ec.generate_private_key, ec.SECP256R1())
    draft = Draft(name, desk.directory, key, replaces, "", now)
    by = {"directory": desk.directory, "registered": budget.registered(name), "name": name}
    async with desk.vault.writing() as connection:
        await fenced(connection, held)
        for limit in budget.LIMITS:
            if replaces and not limit.always:
                continue
            column = tables.attempt.c[limit.by]
            counted = await attempts.times(
                connection,
                limit.what,
                column,
                by[limit.by],
                now - limit.seconds,
                exempt=limit.always,
            )
            if (until := budget.free_at(limit, counted, now)) > now:
                raise NoRoom(limit, until)
        await desk.certificates.put_draft(connection, draft)
    return draft


async def _issued(desk: Desk, held: Lease, draft: Draft) -> Bundle:
    """Let the CA issue, examine what it gives, commit it. Raises Problem, Unfit."""
    acme = await desk.authority.client()
    try:
        issued = await _ordered(desk, acme, held, draft)
    except Problem as problem:
        if problem.type != "accountDoesNotExist":
            raise
        await desk.authority.readmit(acme)
        draft = replace(draft, order_url="")  # it was the lost account's
        issued = await _ordered(desk, acme, held, draft)
    trusted_by_nobody = desk.authority.terms.ca_file is not None
    valid = examine(
        issued.chain_pem,
        draft.key,
        held.name,
        desk.authority.now,
        test_issuers=trusted_by_nobody,
    )
    if draft.replaces and not issued.replaced:
        await desk.attempts.counted(issued.order_url)
    noted = desk.attempt(held.name, "issued", order_url=issued.order_url, exempt=issued.replaced)
    return await desk.certificates.commit(held, draft, issued.chain_pem, valid, noted)


async def _ordered(desk: Desk, acme: Acme, held: Lease, draft: Draft) -> Issued:
    async def progress(step: Step, order_url: str) -> None:
        if step == "ordered" and order_url != draft.order_url:
            exempt = bool(draft.replaces)
            order = desk.attempt(held.name, "ordered", order_url=order_url, exempt=exempt)
            await desk.certificates.ordered(held, order)

    return await acme.issue(
        held.name,
        signing_request(held.name, draft.key),
        desk.authority.respond,
        profile=desk.authority.terms.profile,
        replaces=draft.replaces,
        challenge=desk.authority.terms.challenge,
        order_url=draft.order_url,
        progress=progress,
    )


async def _came_to_nothing(desk: Desk, held: Lease, state: State, problem: Problem) -> State:
    """Forget the order unless it may be alive, and decide when to try again."""
    desk.authority.heard(problem)
    if problem.type in outcome.UNSETTLED:
        desk.failed(problem.type)  # every name waits for the same person, who is told by the state
    elif problem.type in outcome.PASSING:
        _told(desk, held.name, problem.sentence, problem.type)
    else:
        what: attempts.What = "unproven" if problem.type in outcome.UNPROVEN else "failed"
        await _given_up(desk, held, what, problem.sentence, problem.type)
    return outcome.refused(state, problem, desk.clock())


async def _given_up(desk: Desk, held: Lease, what: attempts.What, says: str, reason: str) -> None:
    _told(desk, held.name, says, reason)
    await desk.certificates.discard(held, desk.attempt(held.name, what, says))


def _told(desk: Desk, name: str, says: str, reason: str) -> None:
    desk.failed(reason)
    logger.warning("certificate_refused", extra={"domain": name, "why": says, "reason": reason})


async def _cached(desk: Desk, bundle: Bundle) -> None:
    try:
        await asyncio.to_thread(desk.cache.put, bundle)
    except OSError as error:
        # The issuer brings the cache up to date with the vault every few seconds.
        logger.error("cache_unwritable", extra={"domain": bundle.name, "why": str(error)})


def signing_request(name: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return what asks a CA for a certificate of one name, in DER (RFC 2986)."""
    asked = x509.SubjectAlternativeName([x509.DNSName(name)])
    # No common name: it holds 64 characters at most, and nobody reads it (RFC 9525 §2).
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    signed = builder.add_extension(asked, critical=False).sign(key, hashes.SHA256())
    return signed.public_bytes(Encoding.DER)
