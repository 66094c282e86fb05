"""The outcome: what a name's state becomes after a look at it, and when to look again. Pure.

In: the state before, what happened, the time. Out: the state after, in words for the operator.
"""

from typing import Final

import msgspec

from certs import renewal
from certs.acme.problem import UNREACHABLE, Problem
from certs.doctor.finding import Finding
from certs.issuing.need import NEVER, renew_at
from certs.vault.certificates import Kept
from certs.vault.progress import Phase, State

LONGEST: Final = 31 * renewal.DAY  # no CA's limit lasts longer; one that says so is mistaken

# Which findings say that a name leads elsewhere: after a week of them it is suspended.
LEFT: Final = ("cname", "address", "cdn", "dns")
DNS: Final = (*LEFT, "caa", "edge")

# What the CA will go on refusing until a person changes something.
LASTING: Final = {
    "rejectedIdentifier": "Choose another tracking domain, or ask the CA why it refuses this one.",
    "unsupportedIdentifier": "Choose another tracking domain: the CA takes host names only.",
}
# What keeps every name waiting until a person settles it.
UNSETTLED: Final = {
    "userActionRequired": "Read the CA's terms, set 'acme.terms_agreed = true'",
    "externalAccountRequired": "Set 'acme.eab_key_id' and 'acme.eab_hmac_key_file' to what the CA"
    " gave you",
    "invalidContact": "Set 'acme.contact' to a mail address that the CA takes",
    "unsupportedContact": "Set 'acme.contact' to a mail address",
}
# The CA looked at the name and didn't see our answer: these count as failed validations.
UNPROVEN: Final = frozenset(
    {"connection", "dns", "incorrectResponse", "tls", "unauthorized", "caa"}
)
# The order may be alive behind these: the next visit goes on with it instead of making another.
PASSING: Final = frozenset(
    {UNREACHABLE, "timedOut", "badAnswer", "serverInternal", "badNonce", "rateLimited", "unknown"}
)


def active(state: State, kept: Kept, now: float, skew: float = 0) -> State:
    """Rest: look again at the renewal, or when the CA is to be asked for its window.

    `skew` is how many seconds our clock is ahead of the CA's, by which certificates are dated.
    """
    at = renew_at(kept, state)
    here = at + skew
    says = "HTTPS is served and was proven on every address."
    return msgspec.structs.replace(
        _moved(state, "active", now, (says, "", ""), min(here, state.window_ask_at or here)),
        failures=0,
        waits=0,
        waiting_since=0,
        held_until=0,
        renew_at=at,
    )


def committed(state: State, kept: Kept, now: float, skew: float = 0) -> State:
    """Go on from a new certificate: links flip once HTTPS is seen on every address."""
    if state.proven_at:
        return active(state, kept, now, skew)
    says = "The certificate is there; HTTPS is to be seen on every address before links use it."
    moved = _moved(state, "proving", now, (says, "", ""), now)
    return msgspec.structs.replace(moved, failures=0, waits=0, waiting_since=0, held_until=0)


def unproven(state: State, found: Finding, now: float) -> State:
    """Look again for HTTPS, which isn't seen everywhere yet: links stay on http."""
    waits = state.waits + 1 if state.phase == "proving" else 1
    after = renewal.wait(renewal.PROOF, waits, state.name)
    moved = _moved(state, "proving", now, (found.says, found.fix, found.code), now + after)
    return msgspec.structs.replace(moved, waits=waits)


def waiting(state: State, found: Finding, now: float) -> State:
    """Look again, without the CA, at a name that isn't ready, as a finding says."""
    area = found.code.partition(".")[0]
    since = (state.waiting_since or now) if area in LEFT else 0
    phase: Phase = "dns" if area in DNS else "preflight"
    waits = state.waits + 1 if state.phase in {"dns", "preflight", "suspended"} else 1
    after = renewal.wait(renewal.PREFLIGHT, waits, state.name)
    if since and now - since >= renewal.SUSPEND_AFTER:
        phase, after = "suspended", renewal.SUSPENDED
    moved = _moved(state, phase, now, (found.says, _cure(found), found.code), now + after)
    return msgspec.structs.replace(moved, waits=waits, waiting_since=since)


def ordering(state: State, why: str, now: float) -> State:
    """Say that the CA is asked now."""
    says = f"The CA is asked for a certificate: {why}."
    moved = _moved(state, "ordering", now, (says, "", ""), now)
    return msgspec.structs.replace(moved, waits=0, waiting_since=0)


def limited(state: State, until: float, says: str, now: float) -> State:
    """Leave the CA alone until there is room for an order."""
    fix = "Nothing needs doing; it goes on by itself."
    moved = _moved(state, "limited", now, (says, fix, "limited"), until)
    return msgspec.structs.replace(moved, held_until=until)


def refused(state: State, problem: Problem, now: float) -> State:
    """Decide what to do after the CA refused or couldn't be heard."""
    says = problem.sentence[:1].upper() + problem.sentence[1:]
    if fix := LASTING.get(problem.type):
        fix += f" Then run 'tracker certificates renew {state.name}'."
        return _moved(state, "rejected", now, (says, fix, problem.type), NEVER)
    if fix := UNSETTLED.get(problem.type):
        fix += ", and restart the tracker."
        return _moved(state, "paused", now, (says, fix, problem.type), now + renewal.PAUSED)
    if problem.type == "rateLimited":
        asked = renewal.RATE_LIMITED if problem.retry_after is None else problem.retry_after
        return limited(state, now + min(asked, LONGEST), says, now)
    return failed(state, says, problem.type, now, min(problem.retry_after or 0, LONGEST))


def failed(state: State, says: str, code: str, now: float, at_least: float = 0) -> State:
    """Try again after an order that came to nothing: soon at first, then ever later."""
    failures = state.failures + 1
    after = max(renewal.wait(renewal.BACK_OFF, failures, state.name), at_least)
    fix = f"Run 'tracker domains check {state.name}' if this stays."
    moved = _moved(state, "backing-off", now, (says, fix, code), now + after)
    return msgspec.structs.replace(moved, failures=failures)


def _cure(found: Finding) -> str:
    """Say what to do, with the zone line to paste."""
    return "\n".join(filter(None, (found.fix, found.paste)))


def _moved(
    state: State,
    phase: Phase,
    now: float,
    told: tuple[str, str, str],
    next_at: float,
) -> State:
    says, fix, code = told
    since = state.since if phase == state.phase else now
    return msgspec.structs.replace(
        state, phase=phase, since=since, says=says, fix=fix, code=code, next_at=next_at
    )
