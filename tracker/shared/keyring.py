"""The shared keyring: what becomes of a machine's keys and those in the store.

In: two keyrings, and what machines tell of the keys that they have. Out: one keyring.

Promise: a key verifies on every machine before it signs on any; one that is retired stays so; none
of this machine's is given up for another.
"""

from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from certs.vault.master import CannotOpen, MasterKey
from rewriter.keyring import Keyring, KeyringError, Secret
from tracker.store.signing import Machine, SealedKey, SealedKeyring

EMPTY: Final = Keyring(keys=())
# A machine that hasn't been heard of for so long is taken for gone: nobody waits for it.
GONE_AFTER: Final = 86_400  # seconds


def united(shared: Keyring, ours: Keyring) -> Keyring:
    """Return the shared keyring with what this machine's has beyond it. Raises KeyringError."""
    if ours.domain:
        raise KeyringError(
            f"this machine's keyring was exported for {ours.domain}, and machines share a whole one"
        )
    if not shared.keys:
        return ours
    own = {key.id: key for key in ours.keys}
    _same(shared, own)
    joined = tuple(_retired(key, own.get(key.id)) for key in shared.keys)
    known = {key.id for key in shared.keys}
    fresh = tuple(_waiting(key) for key in ours.keys if key.id not in known)
    # The last key that signs is retired by a person alone, who is told what that means.
    keys = joined if any(key.signs for key in joined) else shared.keys
    return Keyring(keys=(*keys, *fresh))


def grown(keyring: Keyring) -> Keyring:
    """Return the keyring with a new key, which waits until every machine has it."""
    if not keyring.keys:
        return Keyring.new()
    *others, last = keyring.rotated().keys
    return Keyring(keys=(*others, _waiting(last)))


def released(keyring: Keyring, ids: Collection[int]) -> Keyring:
    """Return the keyring with some keys that wait no longer."""
    return Keyring(
        keys=tuple(
            msgspec.structs.replace(key, waits=msgspec.UNSET) if key.id in ids else key
            for key in keyring.keys
        )
    )


def lacking(key: int, machines: Iterable[Machine], now: float) -> list[Machine]:
    """Return the machines that are in use and don't have a key."""
    return [one for one in machines if abs(now - one.seen_at) < GONE_AFTER and key not in one.holds]


def waiting(keyring: Keyring) -> list[int]:
    """Return the ids of the keys that wait to sign."""
    return [key.id for key in keyring.keys if key.waits is True and not key.retired]


def sealed(revision: int, keyring: Keyring, master: MasterKey) -> SealedKeyring:
    """Seal a keyring for the store, in the place of the one of a revision."""
    return SealedKeyring(revision, tuple(_sealed(key, master) for key in keyring.keys))


def opened(kept: SealedKeyring, master: MasterKey) -> Keyring:
    """Open a keyring of the store. Raises KeyringError."""
    if others := {key.master for key in kept.keys} - {master.id}:
        raise KeyringError(
            f"the shared keyring is sealed under the master key {', '.join(sorted(others))}, and"
            f" this machine's is {master.id}: give it the master key of the other machines"
        )
    return Keyring(keys=tuple(_opened(key, master) for key in kept.keys))


def _same(shared: Keyring, own: dict[int, Secret]) -> None:
    other = [
        key.id for key in shared.keys if key.id in own and own[key.id].material() != key.material()
    ]
    if other:
        raise KeyringError(
            f"this machine's key {other[0]} is another than the shared key {other[0]}: if no mail"
            " was signed with this machine's keyring, move it away, and the shared one comes in"
            " its place"
        )


def _retired(key: Secret, ours: Secret | None) -> Secret:
    if key.retired or ours is None or not ours.retired:
        return key
    return msgspec.structs.replace(key, retired=ours.retired)


def _waiting(key: Secret) -> Secret:
    return msgspec.structs.replace(key, waits=True)


def _sealed(key: Secret, master: MasterKey) -> SealedKey:
    return SealedKey(
        id=key.id,
        secret=master.seal(key.secret.encode(), _use(key.id)),
        master=master.id,
        created=key.created,
        retired=key.retired or "",
        waits=key.waits is True,
    )


def _opened(key: SealedKey, master: MasterKey) -> Secret:
    try:
        secret = master.open(key.secret, _use(key.id)).decode("ascii")
    except (CannotOpen, UnicodeDecodeError) as error:
        raise KeyringError(
            f"key {key.id} of the shared keyring is damaged: restore the store from a backup"
        ) from error
    waits = True if key.waits else msgspec.UNSET
    return Secret(key.id, secret, key.created, key.retired or None, waits)


def _use(key: int) -> str:
    return f"keyring/{key}"
