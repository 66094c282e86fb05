"""The standing of a name: its state and its certificate in one answer, for people and programs.

In: what the vault holds. Out: a frozen value. Nothing here changes anything.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from certs import expiry
from certs.expiry import Alert, Severity
from certs.issuing.need import NEVER, renew_at
from certs.vault.certificates import Certificates, Kept
from certs.vault.database import Vault
from certs.vault.progress import Phase, Progress, State

Status = Literal["active", "processing", "expired", "error"]

STOPPED: Final[Mapping[Phase, Severity]] = {"rejected": "error", "suspended": "warning"}


class Standing(msgspec.Struct, frozen=True):
    """How a name is. `status` is Mailgun's word for it; times are in Unix seconds, 0 for none.

    `says` is what is being waited for since `since`, `fix` what the operator should do, and
    `next_at` when it is looked at again. `stage` names the worst alert that its expiry calls for.
    """

    name: str
    status: Status
    phase: Phase
    says: str
    fix: str
    code: str
    since: int
    next_at: int
    proven_at: int
    generation: int
    directory: str
    not_before: int
    not_after: int
    renew_at: int
    stage: expiry.Kind | Literal[""]


async def standings(vault: Vault, now: float) -> list[Standing]:
    """Return how every wanted name is. Raises VaultUnavailable."""
    kept = {one.name: one for one in await Certificates(vault).all()}
    return [standing(state, kept.get(state.name), now) for state in await Progress(vault).all()]


async def standing_of(vault: Vault, name: str, now: float) -> Standing | None:
    """Return how a name is; None if it isn't wanted. Raises VaultUnavailable."""
    state = await Progress(vault).of(name)
    return standing(state, await Certificates(vault).of(name), now) if state else None


def standing(state: State, kept: Kept | None, now: float) -> Standing:
    """Put together how a name is."""
    stage = expiry.stage(kept.not_before, kept.not_after, now) if kept else None
    return Standing(
        name=state.name,
        status=_status(state, kept, now),
        phase=state.phase,
        says=state.says or "It was registered and will be looked at within seconds.",
        fix=state.fix,
        code=state.code,
        since=int(state.since),
        next_at=int(state.next_at) if state.next_at < NEVER else 0,
        proven_at=int(state.proven_at),
        generation=kept.generation if kept else 0,
        directory=kept.directory if kept else "",
        not_before=kept.not_before if kept else 0,
        not_after=kept.not_after if kept else 0,
        renew_at=int(renew_at(kept, state)) if kept else 0,
        stage=stage.kind if stage else "",
    )


def _status(state: State, kept: Kept | None, now: float) -> Status:
    if kept:
        return "active" if now < kept.not_after else "expired"
    return "error" if state.phase in STOPPED else "processing"


def alerts(found: Sequence[Standing], now: float) -> list[Alert]:
    """Return what the operator must hear of, be it said before or not."""
    return [alert for one in found for alert in (_expiring(one, now), _stopped(one, now)) if alert]


def _expiring(one: Standing, now: float) -> Alert | None:
    if not one.stage:
        return None
    reached = next(each for each in (*expiry.STAGES, expiry.MISSED) if each.kind == one.stage)
    return Alert(
        kind=reached.kind,
        name=one.name,
        severity=reached.severity,
        says=f"{expiry.sentence(one.not_after, now)} {one.says}",
        fix=one.fix,
        occasion=one.generation,
        at=now,
        not_after=one.not_after,
    )


def _stopped(one: Standing, now: float) -> Alert | None:
    severity = STOPPED.get(one.phase)
    if severity is None:
        return None
    return Alert(
        kind="rejected" if one.phase == "rejected" else "suspended",
        name=one.name,
        severity=severity,
        says=one.says,
        fix=one.fix,
        occasion=one.since,
        at=now,
        not_after=one.not_after,
    )
