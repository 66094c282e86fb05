"""`tracker domains`: the register of tracking domains, and what is done to a sender's mail.

It works beside a back office that runs and without one; what it changes is published a second
after the change, or when the office starts.
"""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table

from tracker.commands import domains_sending
from tracker.commands.options import AsJson, Config, configured
from tracker.commands.registered import given, plainly, register, register_made
from tracker.commands.shown import printable
from tracker.commands.stored import who
from tracker.domains import (
    MOST_APP_LINKS,
    Theme,
    Tls,
    TrackingDomain,
    WebScheme,
    canonical_name,
    canonical_tracking_name,
    logo,
)
from tracker.mistake import Exit, Mistake
from tracker.published import encode
from tracker.settings import Settings
from tracker.store.domains import NotRegistered

MOST_FILE: Final = MOST_APP_LINKS + 1  # bytes; what is larger is refused for its size

app = typer.Typer(no_args_is_help=True, help="Tracking domains, and what is done to your mail.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A tracking domain.")]
Sending = Annotated[
    str | None,
    typer.Option(
        metavar="DOMAIN", help="Whose mail has links that lead there.", show_default=False
    ),
]
Scheme = Annotated[
    WebScheme | None,
    typer.Option(help="What new links begin with; auto is https once HTTPS has been proven."),
]
Certificate = Annotated[
    Tls | None,
    typer.Option(help="own: a certificate is ordered; external: a proxy in front has one."),
]


@app.command()
def add(
    name: Name,
    sending_domain: Sending = None,
    web_scheme: Scheme = None,
    tls: Certificate = None,
    config: Config = None,
) -> None:
    """Register a tracking domain, and say what to do next."""
    settings = configured(config)
    with plainly():
        domain = TrackingDomain(
            canonical_tracking_name(name),
            sending_domain=canonical_name(sending_domain) if sending_domain else "",
            web_scheme=web_scheme or "auto",
            tls=tls or settings.edge.tls,
        )
        leads = asyncio.run(_add(settings, domain))
    typer.echo("\n".join(_next_steps(settings, domain, leads)))


@app.command("list")
def list_(config: Config = None, as_json: AsJson = False) -> None:
    """Show every tracking domain."""
    found = asyncio.run(_tracking(configured(config)))
    if as_json:
        typer.echo(msgspec.json.encode([shown(domain) for domain in found]).decode())
    elif not found:
        typer.echo("No tracking domain is registered: see 'tracker domains add --help'.")
    else:
        names = ("name", "links begin with", "mail of", "certificate", "HTTPS proven")
        table = Table(*(Column(name, overflow="fold") for name in names), box=None)
        for domain in found:
            table.add_row(*_row(domain))
        Console().print(table)


@app.command()
def show(name: Name, config: Config = None, as_json: AsJson = False) -> None:
    """Show all that is set for a tracking domain."""
    with plainly():
        domain = asyncio.run(_get(configured(config), canonical_name(name)))
    if as_json:
        typer.echo(msgspec.json.encode(shown(domain)).decode())
        return
    for field, value in shown(domain).items():
        typer.echo(f"{field:<22}{_told(value)}")


@app.command("set")
def set_(
    name: Name,
    *,
    sending_domain: Sending = None,
    web_scheme: Scheme = None,
    tls: Certificate = None,
    suspended: Annotated[
        bool | None,
        typer.Option("--suspended/--resumed", help="Whether its certificate is left to expire."),
    ] = None,
    sender: Annotated[str | None, typer.Option(help="Whose pages they are.")] = None,
    accent: Annotated[str | None, typer.Option(help="The pages' colour, as #1a2b3c.")] = None,
    ground: Annotated[str | None, typer.Option(help="What they stand on, as #ffffff.")] = None,
    logo_file: Annotated[
        str | None, typer.Option("--logo", metavar="FILE", help="A PNG, SVG or WebP picture.")
    ] = None,
    app_site_association: Annotated[
        str | None, typer.Option(metavar="FILE", help="JSON: which of Apple's apps open links.")
    ] = None,
    asset_links: Annotated[
        str | None, typer.Option(metavar="FILE", help="JSON: which Android apps open links.")
    ] = None,
    config: Config = None,
) -> None:
    """Change what is set for a tracking domain; an empty value takes a setting back."""
    theme = given(sender=sender, accent=accent, ground=ground)
    with plainly():
        if logo_file is not None:
            theme["logo"] = logo(_read(logo_file)) if logo_file else ""
        if sending_domain:
            sending_domain = canonical_name(sending_domain)
        fields = given(
            sending_domain=sending_domain, web_scheme=web_scheme, tls=tls, suspended=suspended
        )
        for field, file in given(
            app_site_association=app_site_association, asset_links=asset_links
        ).items():
            fields[field] = _read(file).decode("utf-8", "replace") if file else ""
        if not fields and not theme:
            raise Mistake("nothing to set: see 'tracker domains set --help'", Exit.USAGE)
        domain = asyncio.run(_set(configured(config), canonical_name(name), fields, theme))
    typer.echo(f"{domain.name} is changed; new links begin with {domain.scheme}://{domain.name}/")


@app.command()
def remove(name: Name, config: Config = None) -> None:
    """Take a tracking domain out of the register. Links that were sent go on leading on."""
    with plainly():
        canonical = canonical_name(name)
        asyncio.run(_remove(configured(config), canonical))
    typer.echo(
        f"{canonical} is no longer registered. Links that were sent go on leading on as long as its"
        " DNS record leads here and the keyring has its key. Its certificate isn't renewed any"
        " more: once that has expired, https:// links fail. Keep it registered until nobody reads"
        " that mail any more."
    )


@app.command()
def snapshot(config: Config = None) -> None:
    """Print what is registered, for rewriters on other machines: put it beside their keyring."""
    typer.echo(asyncio.run(_snapshot(configured(config))), nl=False)


def shown(domain: TrackingDomain) -> dict[str, Any]:
    """Give a domain as `--json` and the API show it, with the scheme of new links."""
    fields = msgspec.structs.asdict(domain)
    fields |= {"theme": msgspec.structs.asdict(domain.theme), "scheme": domain.scheme}
    return {name: value for name, value in fields.items() if name != "removed"}


def _row(domain: TrackingDomain) -> Iterator[str]:
    yield domain.name
    yield f"{domain.scheme}://"
    yield domain.sending_domain or "-"
    yield "suspended" if domain.suspended else domain.tls
    yield _date(domain.https_proven_at)


def _date(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat() if at else "not yet"


def _told(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_told(text)}" for name, text in value.items() if text) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = printable(value) if value else "-"
    return text if len(text) <= 60 else f"{text[:57]}... ({len(text)} characters)"


def _next_steps(settings: Settings, domain: TrackingDomain, leads: str) -> Iterator[str]:
    """Say what the operator does now, and what happens by itself."""
    yield f"{domain.name} is registered."
    yield ""
    if host := settings.dns.edge_host:
        yield "Paste this line into its DNS zone ('tracker domains dns' has your provider's form):"
        yield f"  {domain.name}. 300 IN CNAME {host}."
    else:
        yield "Let a CNAME record lead it to this edge; with dns.edge_host set in the settings, the"
        yield "line to paste stands here."
    yield f"Then see that it is right: tracker domains check {domain.name}"
    yield ""
    yield from _certificate(settings, domain)
    if domain.sending_domain and leads == domain.name:
        yield f"Links of new mail of {domain.sending_domain} lead there, wherever a rewriter has"
        yield "this register (domains.json) beside its keyring."
    elif domain.sending_domain:
        yield f"Links of new mail of {domain.sending_domain} still lead to {leads}. To move them:"
        yield f"tracker domains sending {domain.sending_domain} --tracking-domain {domain.name}"


def _certificate(settings: Settings, domain: TrackingDomain) -> Iterator[str]:
    if domain.tls == "external":
        yield "Its certificate is the proxy's in front: none is ordered here."
    elif not settings.edge.tls_listen:
        yield "No certificate is ordered as long as the edge speaks no TLS (edge.tls_listen)."
    elif not settings.acme.terms_agreed:
        yield "No certificate is ordered before you agree to the CA's terms (acme.terms_agreed)."
    else:
        yield "Once the record is seen, a certificate is ordered by itself."
    if domain.scheme == "http" and domain.web_scheme == "auto":
        yield "New links begin with http:// until HTTPS has been proven from outside."


def _read(file: str) -> bytes:
    with Path(file).open("rb") as opened:
        return opened.read(MOST_FILE)


async def _add(settings: Settings, domain: TrackingDomain) -> str:
    """Register it; return where its sending domain's links lead now."""
    async with register_made(settings) as domains:
        await domains.add(domain, who=who())
        if not domain.sending_domain:
            return ""
        return (await domains.sending(domain.sending_domain)).tracking_domain


async def _tracking(settings: Settings) -> list[TrackingDomain]:
    async with register(settings) as domains:
        return await domains.tracking()


async def _get(settings: Settings, name: str) -> TrackingDomain:
    async with register(settings) as domains:
        if (found := await domains.get(name)) is None:
            raise NotRegistered(name)
        return found


async def _set(
    settings: Settings, name: str, fields: dict[str, Any], theme: dict[str, str]
) -> TrackingDomain:
    async with register(settings) as domains:
        if theme:
            found = await domains.get(name)
            fields["theme"] = msgspec.structs.replace(found.theme if found else Theme(), **theme)
        return await domains.change(name, who=who(), **fields)


async def _remove(settings: Settings, name: str) -> None:
    async with register(settings) as domains:
        await domains.remove(name, who=who())


async def _snapshot(settings: Settings) -> str:
    async with register(settings) as domains:
        return encode(await domains.snapshot()).decode()


app.command("sending")(domains_sending.sending)
