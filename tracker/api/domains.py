"""The register of domains over HTTP: `/v1/tracking-domains`, `/v1/sending-domains`, the snapshot.

A key for some sending domains sees and changes what belongs to them, and registers names beneath
them alone: it must not take a name that is somebody else's.
"""

from typing import Any, Final

import msgspec
from starlette.requests import Request

from tracker.api.answer import Answer, Refused, answered
from tracker.api.body import decoded
from tracker.api.grant import Grant
from tracker.api.operation import DOMAIN, Operation
from tracker.api.tracking import refusing, register
from tracker.domains import (
    SendingDomain,
    Snapshot,
    Theme,
    Tls,
    TrackingDomain,
    WebScheme,
    canonical_name,
    canonical_tracking_name,
)
from tracker.published import encode
from tracker.store.domains import AlreadyRegistered, InUse, NotRegistered

JSON: Final = "application/json"
NAME: Final = "name"


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to set for a tracking domain; what isn't named stays."""

    sending_domain: str | msgspec.UnsetType = msgspec.UNSET
    web_scheme: WebScheme | msgspec.UnsetType = msgspec.UNSET
    tls: Tls | msgspec.UnsetType = msgspec.UNSET
    suspended: bool | msgspec.UnsetType = msgspec.UNSET
    app_site_association: str | msgspec.UnsetType = msgspec.UNSET
    asset_links: str | msgspec.UnsetType = msgspec.UNSET
    theme: Theme | msgspec.UnsetType = msgspec.UNSET


class Leads(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where links of a sending domain's new mail lead; empty: nowhere yet."""

    tracking_domain: str


class Registered(msgspec.Struct, frozen=True):
    """A tracking domain; `scheme` is what new links begin with."""

    name: str
    sending_domain: str
    web_scheme: WebScheme
    scheme: str
    tls: Tls
    https_proven_at: int
    suspended: bool
    app_site_association: str
    asset_links: str
    theme: dict[str, str]


class AllRegistered(msgspec.Struct, frozen=True):
    """Tracking domains, in the order of their names."""

    items: list[Registered]


class Said(msgspec.Struct, frozen=True):
    """What was done."""

    message: str


async def listed(request: Request) -> Answer:
    """Answer with every tracking domain that the key is for."""
    found = await register(request).tracking()
    return answered(AllRegistered([_shown(one) for one in found if _theirs(_grant(request), one)]))


async def one(request: Request) -> Answer:
    """Answer with a tracking domain, 404 if there is none of this name."""
    return answered(_shown(await _existing(request)))


async def put(request: Request) -> Answer:
    """Register a tracking domain (201), or change it (200); 400 tells what is wrong."""
    name, grant = _name(request), _grant(request)
    fields = _wanted(await request.body())
    domains = register(request)
    before = await domains.get(name)
    if before and not _theirs(grant, before):
        raise Refused(f"{name} isn't registered for this key's domains", 403)
    sending = fields.get("sending_domain", before.sending_domain if before else "")
    grant.check("write", sending or None)
    try:
        with refusing():
            if before:
                return answered(_shown(await domains.change(name, who=grant.who, **fields)))
            _check_beneath(grant, name, sending)
            domain = TrackingDomain(canonical_tracking_name(name), **fields)
            await domains.add(domain, who=grant.who)
            return answered(_shown(domain), 201)
    except AlreadyRegistered as error:
        raise Refused(str(error), 409) from error
    except NotRegistered as error:
        raise Refused(str(error), 404) from error


async def delete(request: Request) -> Answer:
    """Take a tracking domain out of the register; 409 while links of new mail lead there."""
    domain = await _existing(request)
    try:
        await register(request).remove(domain.name, who=_grant(request).who)
    except NotRegistered as error:
        raise Refused(str(error), 404) from error
    except InUse as error:
        raise Refused(f"{error}: let them lead elsewhere first", 409) from error
    return answered(Said(f"{domain.name} is no longer registered; its links go on leading on"))


async def sending(request: Request) -> Answer:
    """Answer with all that is set for a sending domain."""
    with refusing():
        name = canonical_name(request.path_params[DOMAIN])
    return answered(await register(request).sending(name))


async def lead(request: Request) -> Answer:
    """Let links of a sending domain's new mail lead to a registered tracking domain."""
    leads = decoded(await request.body(), Leads)
    domains, grant = register(request), _grant(request)
    with refusing():
        name = canonical_name(request.path_params[DOMAIN])
        there = canonical_name(leads.tracking_domain) if leads.tracking_domain else ""
        if (found := await domains.get(there)) and not _theirs(grant, found):
            raise Refused(f"{there} isn't registered for this key's domains", 403)
        return answered(await domains.change_sending(name, who=grant.who, tracking_domain=there))


async def snapshot(request: Request) -> Answer:
    """Answer with what rewriters on other machines put beside their keyring."""
    found, grant = await register(request).snapshot(), _grant(request)
    if grant.domains:
        sending = {name: one for name, one in found.sending.items() if name in grant.domains}
        used = {one.tracking_domain for one in sending.values()}
        found = Snapshot(
            tracking={
                name: one
                for name, one in found.tracking.items()
                if name in used or _theirs(grant, one)
            },
            sending=sending,
        )
    return Answer(encode(found))


def _grant(request: Request) -> Grant:
    grant: Grant = request.state.grant
    return grant


def _theirs(grant: Grant, domain: TrackingDomain) -> bool:
    return not grant.domains or domain.sending_domain in grant.domains


def _check_beneath(grant: Grant, name: str, sending_domain: str) -> None:
    if grant.domains and not name.endswith(f".{sending_domain}"):
        raise Refused(
            f"this key registers names beneath its sending domain, such as click.{sending_domain}",
            403,
        )


def _name(request: Request) -> str:
    with refusing():
        return canonical_name(request.path_params[NAME])


async def _existing(request: Request) -> TrackingDomain:
    name = _name(request)
    found = await register(request).get(name)
    if found is None or not _theirs(_grant(request), found):
        raise Refused(f"{name} isn't registered", 404)
    return found


def _wanted(body: bytes) -> dict[str, Any]:
    fields = msgspec.structs.asdict(decoded(body, Wanted))
    given = {name: value for name, value in fields.items() if value is not msgspec.UNSET}
    if given.get("sending_domain"):
        with refusing():
            given["sending_domain"] = canonical_name(given["sending_domain"])
    return given


def _shown(domain: TrackingDomain) -> Registered:
    fields = msgspec.structs.asdict(domain)
    fields |= {"theme": msgspec.structs.asdict(domain.theme), "scheme": domain.scheme}
    return Registered(**{name: fields[name] for name in Registered.__struct_fields__})


ONE: Final = "/v1/tracking-domains/{name}"
SENDING: Final = "/v1/sending-domains/{domain}"
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/tracking-domains",
        listed,
        "read",
        "List tracking domains",
        answers={200: AllRegistered},
        domainless=True,
    ),
    Operation(
        "GET",
        ONE,
        one,
        "read",
        "Tell of a tracking domain",
        answers={200: Registered},
        domainless=True,
    ),
    Operation(
        "PUT",
        ONE,
        put,
        "write",
        "Register a tracking domain, or change it",
        body={JSON: Wanted},
        answers={200: Registered, 201: Registered},
        domainless=True,
    ),
    Operation(
        "DELETE",
        ONE,
        delete,
        "write",
        "Take a tracking domain out of the register",
        answers={200: Said},
        domainless=True,
    ),
    Operation(
        "GET",
        SENDING,
        sending,
        "read",
        "Tell what is set for a sending domain",
        answers={200: SendingDomain},
    ),
    Operation(
        "PUT",
        SENDING,
        lead,
        "write",
        "Let links of new mail lead to a tracking domain",
        body={JSON: Leads},
        answers={200: SendingDomain},
    ),
    Operation(
        "GET",
        "/v1/domains/snapshot",
        snapshot,
        "rewrite",
        "Fetch the register, for rewriters on other machines",
        answers={200: Snapshot},
        domainless=True,
    ),
)
