"""`tracker domains sending`: what is done to the mail of a sending domain, shown or changed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from tracker.commands.options import AsJson, Config, configured
from tracker.commands.registered import given, plainly, register, register_made
from tracker.commands.stored import who
from tracker.domains import (
    MOST_FOOTER,
    Clicks,
    ClickTracking,
    OpenTracking,
    SendingDomain,
    UnsubscribeTracking,
    canonical_name,
)
from tracker.settings import Settings

Switch = Literal["yes", "no"]
CLICKS: dict[str, Clicks] = {"yes": True, "no": False, "htmlonly": "htmlonly"}


def sending(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="What the mail is from.")],
    *,
    tracking_domain: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where links of new mail lead.")
    ] = None,
    opens: Annotated[Switch | None, typer.Option(help="Whether there is a pixel.")] = None,
    pixel: Annotated[
        Literal["top", "bottom"] | None, typer.Option(help="Where in the page it is.")
    ] = None,
    clicks: Annotated[
        Literal["yes", "no", "htmlonly"] | None,
        typer.Option(help="Which links are tracked: those of HTML and text, none, of HTML."),
    ] = None,
    unsubscribe: Annotated[
        Switch | None, typer.Option(help="Whether mail without an unsubscribe link gets a footer.")
    ] = None,
    html_footer: Annotated[
        Path | None, typer.Option(metavar="FILE", help="It; %unsubscribe_url% is the link.")
    ] = None,
    text_footer: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The same for plain text.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show what is done to a sending domain's mail, after changing what options name."""
    with plainly():
        name = canonical_name(domain)
        if tracking_domain:
            tracking_domain = canonical_name(tracking_domain)
        groups = {
            "open": given(
                active=opens and opens == "yes", place_at_the_top=pixel and pixel == "top"
            ),
            "click": given(active=clicks and CLICKS[clicks]),
            "unsubscribe": given(
                active=unsubscribe and unsubscribe == "yes",
                html_footer=html_footer and _footer(html_footer),
                text_footer=text_footer and _footer(text_footer),
            ),
        }
        fields = given(tracking_domain=tracking_domain)
        found = asyncio.run(_changed(configured(config), name, fields, groups))
    typer.echo(msgspec.json.encode(found).decode() if as_json else "\n".join(_lines(found)))


def _footer(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(4 * MOST_FOOTER).decode("utf-8", "replace")


async def _changed(
    settings: Settings, name: str, fields: dict[str, Any], groups: dict[str, dict[str, Any]]
) -> SendingDomain:
    opened = register_made if fields or any(groups.values()) else register
    async with opened(settings) as domains:
        found = await domains.sending(name)
        for group, values in groups.items():
            if values:
                fields[group] = msgspec.structs.replace(getattr(found, group), **values)
        return await domains.change_sending(name, who=who(), **fields) if fields else found


def _lines(found: SendingDomain) -> Iterator[str]:
    yield f"links lead to   {found.tracking_domain or 'no tracking domain yet'}"
    yield f"opens           {_opens(found.open)}"
    yield f"clicks          {_clicks(found.click)}"
    yield f"unsubscribe     {_unsubscribe(found.unsubscribe)}"


def _opens(tracking: OpenTracking) -> str:
    place = "top" if tracking.place_at_the_top else "bottom"
    return f"a pixel at the {place}" if tracking.active else "no pixel, and no opened events"


def _clicks(tracking: ClickTracking) -> str:
    if not tracking.active:
        return "no link is tracked, and no clicked events"
    return "links in HTML" if tracking.active == "htmlonly" else "links in HTML and text"


def _unsubscribe(tracking: UnsubscribeTracking) -> str:
    if not tracking.active:
        return "no footer is added"
    return "a footer is added to mail without an unsubscribe link"
