"""`tracker certificates`: how they are, and what can be asked for. It works on the vault itself."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, TypeVar

import msgspec
import typer

from certs.issuing import need
from certs.issuing.standing import Standing, standing_of, standings
from certs.vault.database import Vault, VaultError, VaultUnavailable
from certs.vault.master import MasterKey, MasterKeyError
from certs.vault.progress import Progress
from tracker.commands.options import AsJson, Config, configured
from tracker.commands.shown import printable
from tracker.commands.stored import log_change
from tracker.domains import BadSetting, canonical_tracking_name
from tracker.mistake import Exit, Mistake
from tracker.settings import Settings
from tracker.shared.vault import place

app = typer.Typer(no_args_is_help=True, help="Certificates of tracking domains.")

# RFC 5280 §5.3.1, those that Let's Encrypt takes from an account.
REASONS: Final = {"unspecified": 0, "key-compromise": 1, "superseded": 4, "ended": 5}
WORST: Final = {"expired": 2, "error": 2, "processing": 1, "active": 0}  # exit statuses

Name = Annotated[str, typer.Argument(metavar="NAME", help="A tracking domain.")]
Result = TypeVar("Result")


@app.command()
def status(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A tracking domain; without one, all.", show_default=False
        ),
    ] = "",
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Show how certificates are, and what is being waited for; exit with 0, 1 or 2 as it is bad."""
    settings = configured(config)
    found = _run(settings, _one(_canonical(name)) if name else _all)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    elif not found:
        typer.echo("No tracking domain waits for a certificate: see 'tracker domains add'.")
    for one in () if as_json else found:
        _show(one)
    return max((_badness(one) for one in found), default=0)


@app.command()
def renew(name: Name, config: Config = None) -> None:
    """Renew a certificate now; the back office does it within a second, within the CA's limits."""
    name = _canonical(name)

    async def ask(vault: Vault) -> None:
        (found,) = await _one(name)(vault)
        await Progress(vault).ask(name, need.renewing(found.generation))

    settings = configured(config)
    _run(settings, ask)
    log_change(settings, "certificate.renew", name)
    typer.echo(f"{name} is to be renewed: see 'tracker certificates status {name}'")


@app.command()
def revoke(
    name: Name,
    reason: Annotated[
        str, typer.Option(help=f"Why: {', '.join(REASONS)}.", show_default=True)
    ] = "unspecified",
    config: Config = None,
) -> None:
    """Revoke a certificate at the CA, and get another one with a new key at once."""
    name = _canonical(name)
    if reason not in REASONS:
        raise Mistake(f"'{reason}' is none of the reasons {', '.join(REASONS)}", Exit.USAGE)

    async def ask(vault: Vault) -> None:
        (found,) = await _one(name)(vault)
        if not found.generation:
            raise Mistake(f"{name} has no certificate to revoke", Exit.DATA)
        await Progress(vault).ask(name, need.revoking(found.generation, REASONS[reason]))

    settings = configured(config)
    _run(settings, ask)
    log_change(settings, "certificate.revoke", name, after={"reason": reason})
    typer.echo(f"{name} is to be revoked: see 'tracker certificates status {name}'")


def _show(one: Standing) -> None:
    until = f", until {_day(one.not_after)}" if one.not_after else ""
    renewal = f", renewed about {_day(one.renew_at)}" if one.phase == "active" else ""
    typer.echo(f"{one.name}  {one.status} ({one.phase} since {_minute(one.since)}){until}{renewal}")
    typer.echo(f"    {printable(one.says)}")
    for line in one.fix.splitlines():
        typer.echo(f"    {printable(line)}")
    if one.phase != "active" and one.next_at:
        typer.echo(f"    It is looked at again at {_minute(one.next_at)}.")


def _badness(one: Standing) -> int:
    return max(WORST[one.status], 1 if one.stage or one.phase != "active" else 0)


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


def _minute(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def _canonical(name: str) -> str:
    try:
        return canonical_tracking_name(name)
    except BadSetting as error:
        raise Mistake(str(error), Exit.USAGE) from error


async def _all(vault: Vault) -> list[Standing]:
    return await standings(vault, time.time())


def _one(name: str) -> Callable[[Vault], Awaitable[list[Standing]]]:
    async def find(vault: Vault) -> list[Standing]:
        if found := await standing_of(vault, name, time.time()):
            return [found]
        raise Mistake(
            f"{name} is no tracking domain that the back office has taken up: see 'tracker domains"
            " list', and whether the back office runs",
            Exit.DATA,
        )

    return find


def _run(settings: Settings, work: Callable[[Vault], Awaitable[Result]]) -> Result:
    """Do something with the vault. Raises Mistake."""

    async def done() -> Result:
        async with _opened(settings) as vault:
            return await work(vault)

    return asyncio.run(done())


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Vault]:
    at = place(settings.vault_place)
    if isinstance(at, Path) and not at.exists():
        raise Mistake(
            f"there is no vault {at}: no back office with 'edge.tls_listen' has run there yet",
            Exit.NO_INPUT,
        )
    try:
        vault = await Vault.open(at, MasterKey.load(settings.master_key_path))
    except (MasterKeyError, VaultError) as error:
        raise Mistake(str(error), Exit.DATA) from error
    except VaultUnavailable as error:
        raise Mistake(str(error), Exit.UNAVAILABLE) from error
    try:
        yield vault
    except VaultUnavailable as error:
        raise Mistake(str(error), Exit.UNAVAILABLE) from error
    finally:
        await vault.close()
