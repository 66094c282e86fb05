"""The process tree: children in stages, kept alive until told to stop, then drained in order.

In: what to run, each child with its settings and the sockets it inherits. Out: an exit status.
Promise: a child that dies is back at once, and later and later if it keeps dying. SIGTERM or
SIGINT drains the stages one after the other; a second signal ends everything where it stands.
SIGHUP replaces every child, one after the other, so that each reads its files anew. If the
supervisor itself is killed, its children see their standard input close, drain and go.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tracker.mistake import Exit

# Seconds by deaths in a row; the last repeats. Recipients wait in the listening socket's queue, so
# it stays short.
RESTART_AFTER = (0, 0.2, 0.5, 1, 2, 5)
SETTLED_AFTER = 10  # seconds of life after which a death is the first in a row again
DRAIN_WITHIN = 30  # seconds from SIGTERM to SIGKILL

# What a child says of its first start that no second start would change: it is passed on.
HOPELESS = frozenset(Exit) - {Exit.OK, Exit.SOFTWARE}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep alive. `settings` is one line of JSON, the first of its standard input.

    If a `vital` one can't start at all, nothing runs; any other is tried again until it can.
    `environment` adds to the supervisor's own, which overrules it.
    """

    name: str
    command: tuple[str, ...]
    settings: bytes
    inherits: tuple[int, ...] = ()
    vital: bool = True
    environment: tuple[tuple[str, str], ...] = ()


class Kept:
    """One child over its lives."""

    def __init__(self, child: Child, drain_within: float, hopeless: "asyncio.Future[int]") -> None:
        self.child = child
        self._drain_within = drain_within
        self._hopeless = hopeless
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._replacing = False
        self._task = asyncio.create_task(self._live(), name=child.name)

    async def drain(self) -> None:
        """Let the child finish, for good."""
        self._stopping.set()
        await self._finish()
        await self._task

    async def replace(self) -> None:
        """Let the child finish; another starts as soon as it is gone."""
        self._replacing = True
        await self._finish()

    def kill(self) -> None:
        """End the child where it stands."""
        self._stopping.set()
        self._signal(signal.SIGKILL)

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        deaths = 0
        first = True
        while not self._stopping.is_set():
            born = loop.time()
            status = await self._one_life()
            if self._stopping.is_set():
                return
            if first and status in HOPELESS and self.child.vital:
                if not self._hopeless.done():
                    self._hopeless.set_result(status)
                return
            first = False
            if self._replacing:
                self._replacing = False
                continue
            deaths = 0 if loop.time() - born > SETTLED_AFTER else deaths
            wait = RESTART_AFTER[min(deaths, len(RESTART_AFTER) - 1)]
            deaths += 1
            died = {"child": self.child.name, "status": status, "restart_in": wait}
            log.warning("child_died", extra=died)
            await self._pause(wait)

    async def _one_life(self) -> int:
        try:
            process = await self._start()
        except OSError as error:  # no memory or no process left: it may pass
            log.error("child_not_started", extra={"child": self.child.name, "why": error.strerror})
            return Exit.SOFTWARE
        self._process = process
        if self._stopping.is_set():
            self._signal(signal.SIGTERM)
        if (lifeline := process.stdin) is not None:
            # It stays open as long as this process lives: its end tells the child of ours.
            lifeline.write(self.child.settings + b"\n")
        log.info("child_started", extra={"child": self.child.name, "child_pid": process.pid})
        return await process.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self.child.command,
            stdin=asyncio.subprocess.PIPE,
            pass_fds=self.child.inherits,
            env=dict(self.child.environment) | os.environ,
            # Out of the terminal's process group: Ctrl-C reaches the supervisor alone, which
            # drains in order.
            start_new_session=True,
        )

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _finish(self) -> None:
        """Ask the child to finish what it has; kill it if that takes too long."""
        if (process := self._process) is None:
            return
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), self._drain_within)
        except TimeoutError:
            log.error("child_killed", extra={"child": self.child.name, "after": self._drain_within})
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


async def supervise(
    stages: Sequence[Sequence[Child]],
    listeners: Sequence[socket.socket] = (),
    drain_within: float = DRAIN_WITHIN,
    may_replace: Callable[[], bool] = lambda: True,
) -> int:
    """Keep the children alive until a signal; return the exit status.

    On the first SIGTERM or SIGINT the listeners close, so that new connections are refused as soon
    as the last child has closed its own, and each stage drains after the one before it has gone. A
    child that takes longer than `drain_within` seconds is killed. SIGHUP is ignored as long as
    `may_replace` says that children could not start anew.
    """
    loop = asyncio.get_running_loop()
    hopeless: asyncio.Future[int] = loop.create_future()
    kept = [[Kept(child, drain_within, hopeless) for child in stage] for stage in stages]
    everyone = [child for stage in kept for child in stage]
    with _signals() as signals:
        stop = asyncio.ensure_future(_stop(signals, everyone, may_replace))
        await asyncio.wait([stop, hopeless], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        for listener in listeners:
            listener.close()
        drained = asyncio.ensure_future(_drain(kept))
        again = asyncio.ensure_future(_stop(signals, (), may_replace))
        await asyncio.wait([drained, again], return_when=asyncio.FIRST_COMPLETED)
        again.cancel()
        at_once = not drained.done()
        if at_once:
            for child in everyone:
                child.kill()
        await drained
    if at_once:
        return 128 + again.result()
    return hopeless.result() if hopeless.done() else Exit.OK


@contextlib.contextmanager
def _signals() -> Iterator["asyncio.Queue[int]"]:
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[int] = asyncio.Queue()
    heeded = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    for number in heeded:
        loop.add_signal_handler(number, arrived.put_nowait, number)
    try:
        yield arrived
    finally:
        for number in heeded:
            loop.remove_signal_handler(number)


async def _stop(
    signals: "asyncio.Queue[int]", replaced: Sequence[Kept], may_replace: Callable[[], bool]
) -> int:
    """Wait for a signal to stop; at SIGHUP, replace children one after the other."""
    replacements = set()
    while (number := await signals.get()) == signal.SIGHUP:
        if may_replace():
            replacements.add(asyncio.create_task(_replace(replaced)))
    for replacement in replacements:
        replacement.cancel()
    return number


async def _replace(children: Sequence[Kept]) -> None:
    for kept in children:
        log.info("child_replaced", extra={"child": kept.child.name})
        await kept.replace()


async def _drain(stages: Sequence[Sequence[Kept]]) -> None:
    for stage in stages:
        log.info("draining", extra={"children": [kept.child.name for kept in stage]})
        await asyncio.gather(*(kept.drain() for kept in stage))
