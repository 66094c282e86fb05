"""`tracker token show`: what a tracked link says, and whether this keyring made it."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rewriter.keyring import BadDomain, Keyring, KeyringError
from rewriter.tokens import KINDS, BadToken, Context, Link, Tokens, open_link
from tracker.commands.options import AsJson, Config, configured
from tracker.commands.shown import printable
from tracker.mistake import Exit, Mistake

app = typer.Typer(no_args_is_help=True, help="The signed tokens in tracked links.")

KIND_NAMES = {b"o": "open", b"c": "click", b"u": "unsubscribe"}


@dataclass(frozen=True, slots=True)
class Tracked:
    """A tracked URL, taken apart."""

    domain: str
    kind: bytes
    token: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """What could be read of a tracked URL. `verdict` says in words whether it verifies."""

    kind: str
    domain: str
    verifies: bool
    verdict: str
    link: Link | None
    context: Context | None


def parse(url: str) -> Tracked:
    """Take a tracked URL apart; raise Mistake if it is none."""
    parts = urlsplit(url)
    kind, _, token = parts.path.removeprefix("/").partition("/")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Mistake(f"{url!r} is no http or https URL", Exit.USAGE)
    if kind.encode() not in KINDS or not token or not token.isascii():
        raise Mistake(f"{url!r} is no tracked link: those lead to /o/…, /c/… or /u/…", Exit.USAGE)
    return Tracked(parts.hostname, kind.encode(), token.encode())


def read(tracked: Tracked, keyring: Keyring | KeyringError) -> Reading:
    """Read what can be read; without a keyring that is the link frame alone."""
    link_frame, _, rest = tracked.token.partition(b".")
    context: Context | None = None
    verifies = False
    try:
        link: Link | None = open_link(link_frame)
    except BadToken:
        link = None
    if isinstance(keyring, KeyringError):
        verdict = f"not checked: {keyring}"
    else:
        try:
            tokens = Tokens(keyring.for_domain(tracked.domain))
            tokens.verify(tracked.kind, tracked.token)
            verifies, verdict = True, "verifies: it was made with this keyring, for this domain"
            context = tokens.open_context(rest.partition(b".")[0])
        except (BadToken, BadDomain, KeyringError) as error:
            verdict = f"does not verify: {error}"
    return Reading(KIND_NAMES[tracked.kind], tracked.domain, verifies, verdict, link, context)


def rows(reading: Reading) -> list[tuple[str, str]]:
    """Name and write what a reading holds, leaving out what is empty."""
    facts: dict[str, Any] = {"kind": reading.kind, "tracking domain": reading.domain}
    if reading.link is not None:
        facts |= asdict(reading.link)
    if reading.context is not None:
        facts |= {f"mail's {name}": fact for name, fact in asdict(reading.context).items()}
        sent_at = datetime.fromtimestamp(reading.context.sent_at, UTC)
        facts["mail's sent_at"] = sent_at.isoformat() if reading.context.sent_at else ""
    return [(name.replace("_", " "), _text(fact)) for name, fact in facts.items() if fact]


def _text(fact: object) -> str:
    if isinstance(fact, tuple):
        items = ("=".join(item) if isinstance(item, tuple) else item for item in fact)
        return printable(", ".join(items))
    return printable(fact)


@app.command()
def show(
    url: Annotated[str, typer.Argument(metavar="URL", show_default=False)],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show where a tracked link leads and, with the right keyring, whose mail it was.

    Exit status 65 if it does not verify.
    """
    tracked = parse(url)
    path = configured(config).keyring_path
    try:
        keyring: Keyring | KeyringError = Keyring.load(path)
    except KeyringError as error:
        keyring = error
    reading = read(tracked, keyring)
    if as_json:
        typer.echo(msgspec.json.encode(reading).decode())
    else:
        table = Table(show_header=False)
        for name, text in rows(reading):
            table.add_row(name, Text(text))
        console = Console()
        console.print(table)
        console.print(Text(reading.verdict, "green" if reading.verifies else "red"))
    if not reading.verifies:
        raise typer.Exit(Exit.DATA)
