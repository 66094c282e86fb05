"""`tracker status`: how everything does, in plain words, whether the back office runs or not."""

import contextlib
import time
from http.client import HTTPConnection, HTTPException
from typing import Final

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from tracker import folder, roles, standing
from tracker.commands.options import AsJson, Config, configured
from tracker.commands.shown import printable
from tracker.health import Check, Health, Status, health
from tracker.mistake import Exit, Mistake
from tracker.room import Bound
from tracker.settings import Settings

ANSWER_WITHIN: Final = 5.0  # seconds
LONGEST: Final = 1 << 20  # bytes of an answer; ours has a few thousand
STATUSES: Final[dict[Status, int]] = {"ok": 0, "degraded": 1, "down": 2}
COLOURS: Final[dict[Status, str]] = {"ok": "green", "degraded": "yellow", "down": "bold red"}


def status(config: Config = None, as_json: AsJson = False) -> int:
    """Tell how everything does. Leaves with 0 if all is well, 1 with a limp, 2 if it is down."""
    settings = configured(config)
    if not settings.data.exists():
        raise Mistake(
            f"there is no data folder {settings.data}: nothing has run here yet", Exit.NO_INPUT
        )
    office, asked = _asked(settings)
    # The office knows more of each part than its files tell.
    read = standing.checks(_places(settings), time.time())
    found = health({"office": office, **read, **asked})
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        _show(found)
    return STATUSES[found.status]


def _asked(settings: Settings) -> tuple[Check, dict[str, Check]]:
    """Ask the back office how it is, and how all else is."""
    at = settings.api.listen
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(at.host, at.host)  # noqa: S104 - asked of it
    url = f"http://[{host}]:{at.port}" if ":" in host else f"http://{host}:{at.port}"
    try:
        # Not httpx: an operator who looks for a fault needn't wait for it to be imported.
        with contextlib.closing(HTTPConnection(host, at.port, timeout=ANSWER_WITHIN)) as office:
            office.request("GET", "/readyz")
            answer = office.getresponse().read(LONGEST)
    except (OSError, HTTPException, UnicodeError):  # the last of a host that is no name
        return _unasked(f"does not answer at {url}")
    return heard(answer, url, folder.mark(settings.data))


def heard(answer: bytes, url: str, mark: str) -> tuple[Check, dict[str, Check]]:
    """Read what answered there, which is ours if it has our data folder's mark."""
    try:
        said = msgspec.json.decode(answer, type=Health)
    except msgspec.MsgspecError:
        return _unasked(f"is not what answers at {url}: another program listens there")
    if said.folder != mark:
        return _unasked(f"is not what answers at {url}: that tracker has another data folder")
    parts = {name: Check(said.statuses.get(name, "ok"), says) for name, says in said.checks.items()}
    return Check("ok", f"answers at {url}"), parts


def _unasked(why: str) -> tuple[Check, dict[str, Check]]:
    return Check("down", f"{why}; what else stands here was read from files"), {}


def _places(settings: Settings) -> standing.Places:
    data = settings.data
    return standing.Places(
        data=data,
        spool=data / roles.SPOOL,
        store=roles.store(settings),
        certificates=data / roles.CERTIFICATES,
        master_key=settings.master_key_path,
        rules=settings.rules_folder,
        databases=settings.geo.databases,
        sinks=settings.sinks,
        bound=Bound(settings.spool.limit, settings.spool.reserve),
    )


def _show(found: Health) -> None:
    console = Console(highlight=False, soft_wrap=True)
    widest = max(map(len, found.checks), default=0)
    for name, says in found.checks.items():
        state = found.statuses[name]
        line = Text.assemble((f"{state:9}", COLOURS[state]), f"{name:{widest}}  ", printable(says))
        console.print(line)
