"""`tracker keys new|use|retire`: changes of the keys, which the store is told of."""

from typing import Annotated

import typer
from rich.console import Console

from certs.vault.master import placed
from rewriter.keyring import Keyring
from tracker.commands import shared_keys
from tracker.commands.options import Config, Yes, configured
from tracker.commands.stored import log_change
from tracker.mistake import Exit, Mistake
from tracker.settings import Settings

KeyId = Annotated[
    int, typer.Argument(metavar="ID", help="The id that `list` shows.", show_default=False)
]


def new(config: Config = None) -> None:
    """Add a key; the first one makes the keyring.

    It signs from now on or, where machines share a store, once each of them has it.
    """
    settings = configured(config)
    if settings.store.url:
        _tell_shared(settings, shared_keys.new(settings))
        return
    path = settings.keyring_path
    keyring = Keyring.load(path).rotated() if path.exists() else Keyring.new()
    keyring.save(path)
    log_change(settings, "key.new", str(keyring.keys[-1].id))
    Console().print(f"key {keyring.keys[-1].id} signs from now on; the keyring is {path}")


def _tell_shared(settings: Settings, keyring: Keyring) -> None:
    made = keyring.keys[-1]
    if made.signs:
        Console(soft_wrap=True).print(
            f"key {made.id} is shared, and signs from now on; this machine's copy is"
            f" {settings.keyring_path}. Give {placed(settings.master_key_path)} to every other"
            " machine: it opens what they share."
        )
    else:
        Console(soft_wrap=True).print(
            f"key {made.id} is shared: it signs once every machine has had it for half a minute;"
            " 'tracker keys list' tells which lack it"
        )


def use(key: KeyId, config: Config = None, yes: Yes = False) -> None:
    """Let a shared key sign that still waits for a machine: its links fail there until then."""
    settings = configured(config)
    if not settings.store.url:
        raise Mistake("keys wait only where 'store.url' has machines share them", Exit.USAGE)
    if not yes:
        typer.confirm(
            f"Links signed with key {key} lead nowhere on a machine that lacks it. Go on?",
            abort=True,
        )
    shared_keys.use(settings, key)
    Console().print(f"key {key} signs from now on")


def retire(key: KeyId, config: Config = None, yes: Yes = False) -> None:
    """Let a key neither sign nor verify: links that it signed lead nowhere from then on."""
    settings = configured(config)
    path = settings.keyring_path
    shared = bool(settings.store.url)
    keyring = (shared_keys.listed(settings).keyring if shared else Keyring.load(path)).retire(key)
    if not yes:
        typer.confirm(f"Links signed with key {key} will stop working. Go on?", abort=True)
    if shared:
        shared_keys.retire(settings, key)
    else:
        keyring.save(path)
        log_change(settings, "key.retire", str(key))
    Console().print(f"key {key} is retired" + (" on every machine" if shared else ""))
