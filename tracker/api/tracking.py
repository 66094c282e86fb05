"""Tracking settings: `/v3/domains/{domain}/tracking` in Mailgun's form.

What is set here is what rewriters do to a sending domain's mail and which hits become events, from
a second later on. A sending domain needs no registration: until something is set, it has defaults.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

import msgspec
from starlette.requests import Request

from rewriter.keyring import LABEL
from tracker.api.answer import Answer, Refused, answered
from tracker.api.form import MULTIPART, URLENCODED, once
from tracker.api.operation import DOMAIN, Endpoint, Operation
from tracker.domains import (
    BadSetting,
    ClickTracking,
    OpenTracking,
    SendingDomain,
    TrackingDomain,
    UnsubscribeTracking,
    canonical_name,
    canonical_tracking_name,
)
from tracker.store.domains import AlreadyRegistered, Domains

# What Mailgun's clients send for a switch; without the word the switch stays.
SWITCH: Final = {"yes": True, "true": True, "no": False, "false": False}
UPDATED: Final = "Domain tracking settings have been updated"
FORM: Final = {MULTIPART: dict[str, str], URLENCODED: dict[str, str]}
SCHEMES: Final = ("http", "https", "auto")


class Tracking(msgspec.Struct, frozen=True):
    """All settings of a sending domain; `web_scheme` is what its new links begin with."""

    open: OpenTracking
    click: ClickTracking
    unsubscribe: UnsubscribeTracking
    web_scheme: Literal["http", "https"]


class TrackingSettings(msgspec.Struct, frozen=True):
    """Mailgun's frame around them."""

    tracking: Tracking


class Changed(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was changed, as it is now."""

    message: str
    open: OpenTracking | None = None
    click: ClickTracking | None = None
    unsubscribe: UnsubscribeTracking | None = None
    web_prefix: str = ""
    web_scheme: str = ""


async def settings(request: Request) -> Answer:
    """Answer with a sending domain's settings."""
    sending = await _sending(request)
    leads = await register(request).get(sending.tracking_domain)
    tracking = Tracking(
        sending.open, sending.click, sending.unsubscribe, leads.scheme if leads else "http"
    )
    return answered(TrackingSettings(tracking))


async def set_open(request: Request) -> Answer:
    """Switch the pixel on or off, or put it elsewhere; 400 tells what is wrong."""
    form = await once(request)
    now = (await _sending(request)).open
    now = OpenTracking(
        _switched(form, "active", now.active),
        _switched(form, "place_at_the_top", now.place_at_the_top),
    )
    await _change(request, open=now)
    return answered(Changed(UPDATED, open=now))


async def set_click(request: Request) -> Answer:
    """Track links, none, or those of HTML alone; 400 tells what is wrong."""
    form = await once(request)
    now = (await _sending(request)).click
    htmlonly = form.get("active", "").lower() == "htmlonly"
    now = ClickTracking("htmlonly" if htmlonly else _switched(form, "active", now.active))
    await _change(request, click=now)
    return answered(Changed(UPDATED, click=now))


async def set_unsubscribe(request: Request) -> Answer:
    """Switch the footers on or off, or replace them; 400 tells what is wrong."""
    form = await once(request)
    now = (await _sending(request)).unsubscribe
    with refusing():
        now = UnsubscribeTracking(
            _switched(form, "active", now.active),
            form.get("html_footer", now.html_footer),
            form.get("text_footer", now.text_footer),
        )
    await _change(request, unsubscribe=now)
    return answered(Changed(UPDATED, unsubscribe=now))


async def set_web_prefix(request: Request) -> Answer:
    """Let new links lead to a host beneath the sending domain, registered if it isn't yet."""
    prefix = (await once(request)).get("web_prefix", "").lower()
    if not LABEL.fullmatch(prefix):
        raise Refused("web_prefix should be one label of a host name, such as email")
    sending = await _sending(request)
    domains = register(request)
    with refusing():
        name = canonical_tracking_name(f"{prefix}.{sending.name}")
    before = await domains.get(sending.tracking_domain)
    try:
        await domains.add(
            TrackingDomain(name, sending.name, tls=before.tls if before else "own"),
            who=request.state.grant.who,
        )
    except AlreadyRegistered as error:
        found = await domains.get(name)
        if found and found.sending_domain not in {"", sending.name}:
            raise Refused(
                f"{name} is the tracking domain of {found.sending_domain}", 409
            ) from error
    await _change(request, tracking_domain=name)
    return answered(Changed("Domain web prefix updated", web_prefix=prefix))


async def set_web_scheme(request: Request) -> Answer:
    """Let new links begin with http or https, or (`auto`) with https once that was proven."""
    scheme = (await once(request)).get("web_scheme", "").lower()
    if scheme not in SCHEMES:
        raise Refused(f"web_scheme should be one of {', '.join(SCHEMES)}")
    domains, grant = register(request), request.state.grant
    leads = await domains.get((await _sending(request)).tracking_domain)
    if leads is None:
        raise Refused("the domain has no tracking domain yet: set its web_prefix first")
    grant.check("write", leads.sending_domain or None)  # others' links may begin with it, too
    changed = await domains.change(leads.name, who=grant.who, web_scheme=scheme)
    return answered(Changed(UPDATED, web_scheme=changed.web_scheme))


def register(request: Request) -> Domains:
    """Return the register of domains."""
    return Domains(request.app.state.store)


@contextmanager
def refusing() -> Iterator[None]:
    """Refuse what is no name, or no value, and say why."""
    try:
        yield
    except BadSetting as error:
        raise Refused(str(error)) from error


async def _sending(request: Request) -> SendingDomain:
    with refusing():
        name = canonical_name(request.path_params[DOMAIN])
    return await register(request).sending(name)


async def _change(request: Request, **fields: Any) -> None:
    with refusing():
        name = canonical_name(request.path_params[DOMAIN])
        await register(request).change_sending(name, who=request.state.grant.who, **fields)


def _switched(form: dict[str, str], name: str, before: Any) -> Any:
    if name not in form:
        return before
    word = form[name].lower()
    if word not in SWITCH:
        raise Refused(f"{name} should be one of {', '.join(SWITCH)}")
    return SWITCH[word]


def _setting(path: str, endpoint: Endpoint, summary: str) -> Operation:
    return Operation(
        "PUT",
        f"/v3/domains/{{domain}}/{path}",
        endpoint,
        "write",
        summary,
        body=FORM,
        answers={200: Changed},
    )


OPERATIONS: Final = (
    Operation(
        "GET",
        "/v3/domains/{domain}/tracking",
        settings,
        "read",
        "Tell what is done to a sending domain's mail",
        answers={200: TrackingSettings},
    ),
    _setting("tracking/open", set_open, "Switch the pixel on or off, or put it elsewhere"),
    _setting("tracking/click", set_click, "Track links, none, or those of HTML alone"),
    _setting("tracking/unsubscribe", set_unsubscribe, "Switch footers on or off, or replace them"),
    _setting("web_prefix", set_web_prefix, "Let links lead to a host beneath the sending domain"),
    _setting("web_scheme", set_web_scheme, "Let new links begin with http or https"),
)
