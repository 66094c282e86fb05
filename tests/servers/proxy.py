"""A TCP proxy on loopback that breaks as networks do, and heals.

    with between("127.0.0.1:5432") as proxy:
        proxy.address      # where clients connect
        proxy.cut()        # reset every connection, and each that comes
        proxy.hang()       # take connections and bytes, and pass nothing on
        proxy.slow(0.05)   # pass each piece on after so many seconds
        proxy.heal()       # pass everything on, also what hung

What hung isn't lost but late, as on a network that sends again. Each of the four has happened to
all connections when it returns.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Final

# SO_LINGER with no time to linger: a close is a reset, not an end (socket(7)).
_RESET: Final = struct.pack("ii", 1, 0)
_PIECE: Final = 64 * 1024


class Proxy:
    """The proxy while it runs. Its methods may be called from any thread."""

    def __init__(self, target: str, loop: asyncio.AbstractEventLoop) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._loop = loop
        self._cutting = False
        self._delay = 0.0
        self._passing = asyncio.Event()
        self._passing.set()
        self._ends: set[asyncio.StreamWriter] = set()
        self._taken = 0
        self.address = ""

    @property
    def taken(self) -> int:
        """How many connections there have been."""
        return self._taken

    def cut(self) -> None:
        """Reset all connections, and each that comes."""
        self._become(cutting=True)

    def hang(self) -> None:
        """Pass nothing on, and tell nobody."""
        self._become(passing=False)

    def slow(self, delay: float) -> None:
        """Pass each piece on after a delay, in seconds."""
        self._become(delay=delay)

    def heal(self) -> None:
        """Pass everything on."""
        self._become()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until either side ends."""
        self._taken += 1
        self._ends.add(writer)
        try:
            await self._connect(reader, writer)
        except OSError:  # of the target's side; to the client it is all one
            _reset(writer)
        finally:
            self._ends.discard(writer)
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cutting:
            _reset(writer)
            return
        await self._passing.wait()
        onward_reader, onward_writer = await asyncio.open_connection(*self._target)
        self._ends.add(onward_writer)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, onward_writer))
                both.create_task(self._pump(onward_reader, writer))
        except* OSError:
            _reset(writer)
            _reset(onward_writer)
        finally:
            self._ends.discard(onward_writer)
            onward_writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(_PIECE):
            await asyncio.sleep(self._delay)
            await self._passing.wait()
            writer.write(piece)
            await writer.drain()
        await self._passing.wait()
        writer.write_eof()

    def _become(self, *, cutting: bool = False, passing: bool = True, delay: float = 0) -> None:
        def become() -> None:
            self._cutting, self._delay = cutting, delay
            (self._passing.set if passing else self._passing.clear)()
            for writer in self._ends if cutting else ():
                _reset(writer)

        _in(self._loop, become)


@contextmanager
def between(target: str) -> Iterator[Proxy]:
    """Stand before an address, host:port, until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    proxy = Proxy(target, loop)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        proxy.address = f"127.0.0.1:{listener.getsockname()[1]}"
        serving = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(proxy.take, sock=listener), loop
        ).result()
        try:
            yield proxy
        finally:
            proxy.cut()
            asyncio.run_coroutine_threadsafe(_end(serving), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


async def _end(serving: asyncio.Server) -> None:
    serving.close()
    # Each sees that it was cut: to cancel a task of a server's is to have asyncio complain of it.
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


def _in(loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
    """Run something in the loop's thread; return once it has run."""

    async def run() -> None:
        act()

    asyncio.run_coroutine_threadsafe(run(), loop).result()


def _reset(writer: asyncio.StreamWriter) -> None:
    transport = writer.transport
    plain = transport.get_extra_info("socket")
    if plain is not None and not transport.is_closing():
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
