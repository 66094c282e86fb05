"""`tracker domains check` and `tracker domains dns`: what hinders a domain, and what to paste.

Exit status of `check`: 0 where all is well, 1 with warnings, 2 with errors.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
import typer

from certs import doctor
from certs.acme import Acme, Problem, new_key
from certs.cache import THUMBPRINTS
from certs.doctor import Expected, Finding, Severity
from certs.doctor.finding import finding
from certs.doctor.zone import Line, find, hosted, lines
from certs.issuing.authority import KNOWN_ISSUERS
from certs.lookup import resolvers
from tracker.commands.options import AsJson, Config, configured
from tracker.commands.stored import exists, stored
from tracker.domains import BadSetting, TrackingDomain, canonical_name, canonical_tracking_name
from tracker.mistake import Exit, Mistake
from tracker.published import Published
from tracker.roles import CERTIFICATES, PUBLISHED
from tracker.settings import Settings
from tracker.store.domains import Domains

STATUS: Final = {"ok": 0, "warning": 1, "error": 2}
# For the CA's directory; what it would tell isn't worth a longer wait.
PATIENCE: Final = 8.0

Name = Annotated[str, typer.Argument(metavar="NAME", help="A tracking domain.")]


class Report(msgspec.Struct, frozen=True):
    """What `--json` prints."""

    name: str
    status: Severity
    findings: list[Finding]


def check(name: Name, config: Config = None, as_json: AsJson = False) -> int:
    """Look at a domain's DNS, ports and certificate; exit with 0, 1 or 2 as it is bad."""
    report = asyncio.run(_examined(configured(config), _canonical(name)))
    if as_json:
        typer.echo(msgspec.json.encode(report).decode())
    else:
        typer.echo("\n".join(_written(report)))
    return STATUS[report.status]


async def _examined(settings: Settings, name: str) -> Report:
    domain = await _registered(settings, name)
    expected, told = await _asked(_edge(settings, domain), settings)
    findings = [*_unregistered(name, domain), *told, *await doctor.check(name, expected)]
    return Report(name, doctor.worst(findings), findings)


async def _registered(settings: Settings, name: str) -> TrackingDomain | None:
    """Look into the register, else, where there is an edge alone, into what was published."""
    if not exists(settings):
        return Published(settings.data / PUBLISHED).current().tracking.get(name)
    async with stored(settings) as store:
        return await Domains(store).get(name)


def _unregistered(name: str, domain: TrackingDomain | None) -> list[Finding]:
    if domain:
        return []
    return [
        finding(
            "edge.unregistered",
            f"{name} isn't registered here, so it gets no certificate.",
            fix=f"Run 'tracker domains add {name}'.",
        )
    ]


def _edge(settings: Settings, domain: TrackingDomain | None) -> Expected:
    own_ca = Path(settings.acme.ca_file) if settings.acme.ca_file else None
    return Expected(
        edge_host=settings.dns.edge_host,
        addresses=settings.dns.edge_addresses,
        thumbprints=_thumbprints(settings.data / CERTIFICATES / THUMBPRINTS),
        challenge=settings.acme.challenge,
        resolvers=tuple(map(str, settings.dns.resolvers)),
        roots=own_ca,
        external="external" in {settings.edge.tls, domain.tls if domain else ""},
        https=not domain or domain.web_scheme != "http",
        allow_private=bool(own_ca),
    )


def _thumbprints(path: Path) -> tuple[str, ...]:
    try:
        return tuple(path.read_text("ascii").split())
    except FileNotFoundError:
        return ()


async def _asked(expected: Expected, settings: Settings) -> tuple[Expected, list[Finding]]:
    """Ask the CA's directory by what name CAA records know it, and what time it is."""
    if expected.external:
        return expected, []
    try:
        # The directory is there for everyone: a key that is no account's will do.
        async with Acme.open(
            settings.acme.directory, new_key(), ca_file=expected.roots, patience=PATIENCE
        ) as acme:
            issuers, skew = acme.meta.caa_identities, acme.skew
    except ValueError as error:
        raise Mistake(f"acme.directory: {error}", Exit.CONFIG) from error
    except Problem as problem:
        host = urlsplit(settings.acme.directory).hostname or ""
        return replace(expected, issuers=KNOWN_ISSUERS.get(host, ())), [
            finding(
                "ca.unreachable",
                f"The CA isn't heard: {problem.sentence}.",
                fix=f"Let this machine connect to {settings.acme.directory}.",
            )
        ]
    return replace(expected, issuers=issuers, skew=skew), []


def _written(report: Report) -> Iterator[str]:
    """Write one line a finding, aligned, what to do beneath it."""
    width = max(len(each.code) for each in report.findings)
    for each in report.findings:
        yield f"{each.severity:<7}  {each.code:<{width}}  {each.says}"
        for label, text in (("fix", each.fix), ("paste", each.paste)):
            if text:
                yield f"{'':<{width + 11}}{label + ':':<7}{text}"
    yield f"{report.name}: {_summary(report.findings)}"


def _summary(findings: Sequence[Finding]) -> str:
    counts = {
        what: sum(each.severity == what for each in findings) for what in ("error", "warning")
    }
    told = [f"{count} {what}{'s' * (count > 1)}" for what, count in counts.items() if count]
    return ", ".join(told) or "all is well"


def dns(
    name: Name,
    provider: Annotated[str, typer.Option(help="This one's form only.", show_default="all")] = "",
    zone: Annotated[
        str, typer.Option(help="The DNS zone that holds the record.", show_default="DNS is asked")
    ] = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Print the DNS record that leads a domain here, as each provider wants it."""
    settings = configured(config)
    if not settings.dns.edge_host:
        raise Mistake("set dns.edge_host to the host name that records should name", Exit.CONFIG)
    written, here = asyncio.run(_forms(settings, _canonical(name), zone))
    chosen = [line for line in written if provider in {"", line.provider}]
    if not chosen:
        known = ", ".join(line.provider for line in written)
        raise Mistake(f"--provider is {provider!r}, and may be {known}", Exit.USAGE)
    if as_json:
        typer.echo(msgspec.json.encode(chosen).decode())
        return
    chosen.sort(key=lambda line: line.provider != here)
    typer.echo("\n\n".join(_form(line, here) for line in chosen))


async def _forms(settings: Settings, name: str, zone: str) -> tuple[list[Line], str]:
    """Write the record for each provider, and tell which of them has the zone, if DNS does."""
    here = ""
    if not zone:
        found = await find(name, resolvers(tuple(map(str, settings.dns.resolvers))))
        if found is None:
            raise Mistake(
                f"DNS doesn't tell which zone {name} belongs to: name it by --zone, such as"
                f" --zone {'.'.join(name.split('.')[-2:])}",
                Exit.DATA,
            )
        zone, here = found.zone, hosted(found.servers)
    zone = _canonical_zone(name, zone)
    return lines(name, zone, settings.dns.edge_host), here


def _canonical_zone(name: str, text: str) -> str:
    try:
        zone = canonical_name(text)
    except BadSetting as error:
        raise Mistake(f"--zone: {error}", Exit.DATA) from error
    if zone == name:
        raise Mistake(
            f"{name} is a zone of its own, where no CNAME can stand: choose a name beneath it, such"
            f" as click.{name}",
            Exit.DATA,
        )
    if not name.endswith(f".{zone}"):
        raise Mistake(f"{name} doesn't lie in the zone {zone}", Exit.DATA)
    return zone


def _form(line: Line, here: str) -> str:
    """Write a provider's form; what is to be pasted stands alone on its line."""
    served = "  (serves this zone)" if line.provider == here else ""
    return "\n".join(
        filter(None, (f"# {line.title}{served}", line.note and f"# {line.note}", line.paste))
    )


def _canonical(name: str) -> str:
    try:
        return canonical_tracking_name(name)
    except BadSetting as error:
        raise Mistake(str(error), Exit.DATA) from error
