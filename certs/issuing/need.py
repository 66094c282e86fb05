"""The need: why a name needs a new certificate, and from when on; what people ask for. Pure.

It knows nothing of the CA and of DNS, so that whoever shows certificates loads neither.
"""

from dataclasses import dataclass
from typing import Final

from certs import renewal
from certs.renewal import Window
from certs.vault.certificates import Kept
from certs.vault.progress import State

NEVER: Final = float(1 << 40)


@dataclass(frozen=True, slots=True)
class Need:
    """Why a name needs a new certificate."""

    why: str
    renews: bool = False  # tell the CA which certificate this one replaces
    by_time: bool = False  # a clock says so, and clocks may be wrong


def need(kept: Kept | None, state: State, directory: str, request: str, now: float) -> Need | None:
    """Tell whether a name needs a new certificate, and why."""
    if kept is None:
        return Need("it has none")
    if kept.revoked_at:
        return Need("the last one was revoked")
    if kept.directory != directory:
        return Need(f"the last one is of another CA, {kept.directory}")
    if request == renewing(kept.generation):
        return Need("it was asked for", renews=True)
    if now >= renew_at(kept, state):
        return Need("it is time", renews=True, by_time=True)
    return None


def renewing(generation: int) -> str:
    """Word the request to renew one certificate: once it was renewed, the request is met."""
    return f"renew {generation}"


def revoking(generation: int, reason: int) -> str:
    """Word the request to revoke one certificate, for a reason of RFC 5280 §5.3.1."""
    return f"revoke {generation} {reason}"


def revocation(kept: Kept | None, request: str) -> int | None:
    """Return the reason for which a certificate is to be revoked; None if it isn't."""
    if kept is None or kept.revoked_at:
        return None
    word, _, rest = request.partition(f" {kept.generation} ")
    return int(rest) if word == "revoke" and rest.isdecimal() else None


def renew_at(kept: Kept, state: State) -> float:
    """Return when a certificate is to be renewed."""
    told = state.window_end and state.window_generation == kept.generation
    window = Window(state.window_start, state.window_end) if told else None
    seed = f"{kept.name}/{kept.generation}"
    return renewal.renew_at(kept.not_before, kept.not_after, window, seed)
