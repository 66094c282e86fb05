"""`tracker demo`, which `make run` runs: the whole system, a tracked newsletter, its events.

It needs no settings. It keeps what it makes in the data folder, so that the links of an earlier run
still lead somewhere.
"""

import asyncio
import contextlib
import html
import logging
import os
import re
import subprocess
import sys
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from socket import socket
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from rewriter.keyring import Keyring
from rewriter.tokens import open_link
from tracker import folder, logs, roles
from tracker.api.keyfile import read_keys
from tracker.client import Client
from tracker.commands.options import Config, configured
from tracker.commands.shown import line, printable
from tracker.listen import Address, bind, bound
from tracker.mistake import Exit, Mistake
from tracker.sections import Log
from tracker.settings import Settings
from tracker.supervise import HOPELESS, Child, supervise

NEWSLETTER = Path("deploy/demo/newsletter.eml")
HOST = "localhost"  # what a browser on this machine can open
CLICKS_SHOWN = 4
LOG = "tracker.log"
READY_WITHIN = 15  # seconds after which a person is told where to look


@dataclass(frozen=True, slots=True)
class Tracked:
    """The tracked links of a message, each kind in the order of the message."""

    opens: list[str]
    clicks: list[str]
    unsubscribes: list[str]


def demo(
    message: Annotated[
        Path,
        typer.Argument(metavar="MESSAGE", help="A mail to track, as a file.", show_default=False),
    ] = NEWSLETTER,
    config: Config = None,
) -> int:
    """Start everything, track a newsletter, show its links and what comes of them."""
    settings = configured(config)
    settings = settings.model_copy(update={"log": Log(format="text")})
    mail = _read(message)
    folder.prepare(settings.data)
    if not settings.keyring_path.exists():
        Keyring.new().save(settings.keyring_path)
    with (
        folder.locked(settings.data),
        listen(settings.edge.listen[0], "edge.listen") as edge,
        listen(settings.api.listen, "api.listen") as api,
    ):
        url = f"http://{HOST}:{bound(edge).port}"
        tracked = settings.data / f"{message.stem}.tracked.eml"
        tracked.write_bytes(rewritten(mail, url, settings.keyring_path))
        console = Console(highlight=False)
        _introduce(console, links(tracked.read_bytes(), url), tracked)
        return _run(console, settings, edge, api)


def rewritten(mail: bytes, url: str, keyring: Path) -> bytes:
    """Run the rewriter as a sender does; raise Mistake with what it says if it fails."""
    rewriter = (sys.executable, "-P", "-m", "rewriter", "--strict")
    options = ("--keyring", str(keyring), "--tracking-url", url)
    ran = subprocess.run((*rewriter, *options), input=mail, capture_output=True, check=False)  # noqa: S603 - ours
    if ran.returncode:
        said = ran.stderr.decode(errors="replace").strip()
        raise Mistake(f"the mail could not be tracked: {said}", Exit.DATA)
    return ran.stdout


def links(mail: bytes, url: str) -> Tracked:
    """Find the tracked links in a message's HTML part and in its List-Unsubscribe header."""
    message = message_from_bytes(mail, policy=policy.default)
    body = message.get_body(("html",))
    text = html.unescape(body.get_content()) if body else ""
    header = str(message.get("List-Unsubscribe", ""))

    def found(kind: str) -> list[str]:
        return list(dict.fromkeys(re.findall(rf"{re.escape(url)}/{kind}/[\w.-]+", text + header)))

    return Tracked(found("o"), found("c"), found("u"))


def _read(message: Path) -> bytes:
    try:
        return message.read_bytes()
    except OSError as error:
        raise Mistake(
            f"cannot read the mail to track, {message}: {error.strerror}", Exit.NO_INPUT
        ) from error


def listen(address: Address, setting: str) -> socket:
    """Listen where the settings say, or on a free port if that one is taken."""
    try:
        return bind(address, setting)
    except Mistake as mistake:
        if mistake.status != Exit.UNAVAILABLE:
            raise
        return bind(Address(address.host, 0), setting)


def _introduce(console: Console, tracked: Tracked, file: Path) -> None:
    console.print(Text.assemble(("The mail, tracked: ", "bold"), str(file)), soft_wrap=True)
    console.print("Open these in a browser; what comes of it is shown below.\n")
    for url in tracked.opens[:1]:
        _show(console, "open", "the pixel", url)
    for url in tracked.clicks[:CLICKS_SHOWN]:
        _show(console, "click", _destination(url), url)
    for url in tracked.unsubscribes[:1]:
        _show(console, "unsubscribe", "asks first", url)


def _destination(url: str) -> str:
    frame = url.rpartition("/")[2].partition(".")[0]
    return printable(open_link(frame.encode()).destination)


def _show(console: Console, kind: str, what: str, url: str) -> None:
    console.print(Text.assemble((f"{kind:<12}", "bold"), (what, "dim")), soft_wrap=True)
    console.print(Text(f"    {url}", "blue"), soft_wrap=True)


def _run(console: Console, settings: Settings, edge: socket, api: socket) -> int:
    """Run everything until Ctrl-C; return the exit status. Raises Mistake if it can't start."""
    key_file = settings.data / roles.API_KEY
    client = Client(f"http://{bound(api)}", read_keys(key_file)[0])
    console.print(f"\nThe API: http://{bound(api)}, user api, password in {key_file}")
    stages = [roles.edge(settings, [edge]), [roles.office(settings, api)]]
    log = settings.data / LOG
    with _errors_to(log):
        logs.configure("text")
        logging.getLogger("httpx").setLevel(logging.WARNING)
        status = asyncio.run(_supervise(stages, [edge, api], _watch(client, console, log)))
    if status in HOPELESS:
        raise Mistake(f"it could not start: {log} says why", Exit(status))
    console.print(f"\nStopped. What was recorded is in {settings.data}/.")
    return status


async def _supervise(
    stages: Sequence[Sequence[Child]], listeners: Sequence[socket], watch: Coroutine[Any, Any, None]
) -> int:
    watching = asyncio.create_task(watch)
    try:
        return await supervise(stages, listeners)
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def _watch(client: Client, console: Console, log: Path) -> None:
    async with client:
        try:
            position = await asyncio.wait_for(client.until_ready(), READY_WITHIN)
        except TimeoutError:
            console.print(f"Not ready yet: {log} says why.")
            position = await client.until_ready()
        console.print("\n[bold]Ready.[/] Ctrl-C stops.\n")
        async for event in client.follow(position):
            console.print(line(event), soft_wrap=True)


@contextlib.contextmanager
def _errors_to(path: Path) -> Iterator[None]:
    """Send what this process and its children say on standard error to a file."""
    sys.stderr.flush()
    kept = os.dup(2)
    with path.open("ab") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
