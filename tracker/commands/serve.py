"""`tracker serve`, `tracker edge`, `tracker office`: everything, or one role alone."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from socket import socket

from rewriter.keyring import Keyring, KeyringError
from tracker import folder, logs, roles
from tracker.commands.options import Config, configured
from tracker.listen import bind, bound
from tracker.mistake import Exit, Mistake
from tracker.sections import Edge
from tracker.settings import Settings
from tracker.supervise import Child, supervise

LOOK_EVERY = 0.5  # seconds between two looks at the keyring's file

logger = logging.getLogger(__name__)


def serve(config: Config = None) -> int:
    """Run everything on this machine: edge workers and one back office."""
    return run(configured(config), edge=True, office=True)


def edge(config: Config = None) -> int:
    """Run the edge workers alone; their hits wait in the spool for a back office."""
    return run(configured(config), edge=True)


def office(config: Config = None) -> int:
    """Run the back office alone: forwarder and API."""
    return run(configured(config), office=True)


def run(settings: Settings, *, edge: bool = False, office: bool = False) -> int:
    """Run the roles until a signal ends them; return the exit status.

    Raises Mistake or KeyringError, before anything is started, where they can't run.
    """
    logs.configure(logs.form(settings.log.format))
    folder.prepare(settings.data)
    if settings.store.url and not settings.keyring_path.exists():
        _fetch_keyring(settings)
    Keyring.load(settings.keyring_path)
    _consistent(settings.edge)
    with contextlib.ExitStack() as held:
        edges = [held.enter_context(bind(at, "edge.listen")) for at in settings.edge.listen if edge]
        secured = [
            held.enter_context(bind(at, "edge.tls_listen"))
            for at in settings.edge.tls_listen
            if edge
        ]
        stages = [roles.edge(settings, edges, secured)] if edge else []
        listeners = [*edges, *secured]
        if office:
            held.enter_context(folder.locked(settings.data))
            api = held.enter_context(bind(settings.api.listen, "api.listen"))
            stages.append([roles.office(settings, api, vital=not edge)])
            listeners = [*listeners, api]
        logger.info("listening", extra={"on": [str(bound(listener)) for listener in listeners]})
        return asyncio.run(_supervised(stages, listeners, settings.keyring_path))


def _fetch_keyring(settings: Settings) -> None:
    """Get the keyring that machines share, once: from then on the back office keeps it current."""
    from tracker.commands import shared_keys  # noqa: PLC0415 - it brings a database's client

    shared_keys.fetch(settings)


def _consistent(edge: Edge) -> None:
    if edge.tls_listen and edge.tls == "external":
        raise Mistake(
            'edge.tls is "external", so the edge has no certificates for edge.tls_listen: leave one'
            " of them out",
            Exit.CONFIG,
        )


async def _supervised(
    stages: Sequence[Sequence[Child]], listeners: Sequence[socket], keyring: Path
) -> int:
    watching = asyncio.create_task(_reload_with(keyring))
    try:
        return await supervise(stages, listeners, may_replace=lambda: _usable(keyring))
    finally:
        watching.cancel()


async def _reload_with(keyring: Path) -> None:
    """Reload whenever the keyring is replaced, so that a new key's links lead on at once."""
    version = _version(keyring)
    while True:
        await asyncio.sleep(LOOK_EVERY)
        if (now := _version(keyring)) != version:
            version = now
            os.kill(os.getpid(), signal.SIGHUP)


def _usable(keyring: Path) -> bool:
    """Tell whether workers could start with it: with a damaged one the running ones stay."""
    try:
        Keyring.load(keyring)
    except KeyringError as error:
        logger.error("keyring_refused", extra={"why": str(error)})
        return False
    return True


def _version(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns
