"""`tracker token show`: what a tracked link says, and whether this keyring made it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from rewriter.keyring import BadDomain, Keyring, KeyringError
from rewriter.tokens import BadToken, Context, Link, Tokens, open_link
from tracker.commands.options import AsJson, Config, configured
from tracker.commands.shown import printable
from tracker.mistake import Exit, Mistake

app = typer.Typer(no_args_is_help=True, help="The signed tokens in tracked links.")

KIND_NAMES = {"o": "open", "c": "click", "u": "unsubscribe"}
Frame = TypeVar("Frame", Link, Context)


@dataclass(frozen=True, slots=True)
class Tracked:
    """A tracked URL, taken apart."""

    domain: str
    kind: str
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


# What `Tokens.verify` means by its reasons.
UNVERIFIED: Final = {
    "oversized": "it is longer than any link",
    "malformed": "a part of it is missing",
    "signature": "a character was changed, or it was made for another domain or with another key",
}


def parse(url: str) -> Tracked:
    """Take a tracked URL apart; raise Mistake if it is none."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise Mistake(f"{url!r} is no URL: {error}", Exit.USAGE) from error
    kind, _, token = parts.path.removeprefix("/").partition("/")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Mistake(f"{url!r} is no http or https URL", Exit.USAGE)
    kind = "c" if kind == "a" else kind  # a link for an app is a click by its token
    if kind not in KIND_NAMES or not token.isascii() or "." not in token:
        raise Mistake(
            f"{url!r} is no tracked link: those lead to /o/…, /c/…, /a/… or /u/…", Exit.USAGE
        )
    return Tracked(parts.hostname, kind, token.encode())


def read(tracked: Tracked, keyring: Path) -> Reading:
    """Read what can be read; without the right keyring that is the link frame alone.

    A context that opens is genuine even where the rest of the link was damaged, since its seal
    proves it (RFC 5297).
    """
    link_frame, context_frame, *_ = tracked.token.split(b".")
    told = Reading(
        kind=KIND_NAMES[tracked.kind],
        domain=tracked.domain,
        verifies=False,
        verdict="",
        link=_opened(open_link, link_frame),
        context=None,
    )
    try:
        tokens = Tokens(Keyring.load(keyring).for_domain(tracked.domain))
    except (KeyringError, BadDomain) as error:
        return replace(told, verdict=f"not checked: {error}")
    told = replace(told, context=_opened(tokens.open_context, context_frame))
    try:
        tokens.verify(tracked.kind.encode(), tracked.token)
    except BadToken as error:
        return replace(told, verdict=f"does not verify: {UNVERIFIED[error.reason]}")
    return replace(told, verifies=True, verdict="verifies: made with this keyring, for this domain")


def _opened(opening: Callable[[bytes], Frame], frame: bytes) -> Frame | None:
    try:
        return opening(frame)
    except BadToken:
        return None


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
    reading = read(parse(url), configured(config).keyring_path)
    if as_json:
        typer.echo(msgspec.json.encode(reading).decode())
    else:
        table = Table(
            "fact", Column("what", overflow="fold"), show_header=False
        )  # a URL stays whole
        for name, text in rows(reading):
            table.add_row(name, Text(text))
        console = Console()
        console.print(table)
        console.print(Text(reading.verdict, "green" if reading.verifies else "red"))
    if not reading.verifies:
        raise typer.Exit(Exit.DATA)
