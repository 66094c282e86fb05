"""Certificates: how each tracking domain's is, and Mailgun's calls to have one and to ask for it.

In: the vault, which is None while it isn't open or where TLS isn't ours to end. Out: what it holds,
without any key.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from starlette.requests import Request

from certs.issuing import need
from certs.issuing.standing import Standing, Status, standing_of, standings
from certs.vault.database import Vault, VaultUnavailable
from certs.vault.progress import Progress
from tracker.api.answer import Answer, Refused, answered
from tracker.api.grant import Grant
from tracker.api.operation import Operation
from tracker.domains import BadSetting, canonical_tracking_name
from tracker.store import audit

ABSENT: Final = (
    "certificates are not looked after here: set 'edge.tls_listen', or see the log for what keeps"
    " the vault from being opened"
)


class Listed(msgspec.Struct, frozen=True):
    """Every tracking domain that is to have a certificate of ours."""

    items: Sequence[Standing]


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """Mailgun's answer on a certificate; `error` says what is being waited for."""

    status: Status
    error: str = ""


class Begun(msgspec.Struct, frozen=True):
    """Mailgun's answer to a request that takes a while."""

    message: str
    location: str


class CertificateApi:
    """The operations, on a vault that may come and go."""

    def __init__(self, vault: Callable[[], Vault | None]) -> None:
        self._vault = vault

    def operations(self) -> Sequence[Operation]:
        """Return what can be done with certificates."""
        return (
            Operation(
                "GET",
                "/v1/certificates",
                self.all,
                "read",
                "See how every certificate is",
                answers={200: Listed},
            ),
            Operation(
                "GET",
                "/v2/x509/{name}/status",
                self.status,
                "read",
                "See how a tracking domain's certificate is",
                answers={200: Told},
            ),
            Operation(
                "POST",
                "/v2/x509/{name}",
                self.issue,
                "write",
                "Have a certificate for a tracking domain",
                answers={202: Begun},
            ),
            Operation(
                "PUT",
                "/v2/x509/{name}",
                self.renew,
                "write",
                "Have another certificate for a tracking domain",
                answers={202: Begun},
            ),
        )

    async def all(self, _request: Request) -> Answer:
        """Answer with every name; 503 while the vault can't be asked."""
        try:
            return answered(Listed(await standings(self._opened(), time.time())))
        except VaultUnavailable as error:
            raise Refused(str(error), 503) from error

    async def status(self, request: Request) -> Answer:
        """Answer in Mailgun's words; 404 for a name that isn't registered, 503 to try later."""
        _, found = await self._found(request)
        return answered(Told(found.status, "" if found.status == "active" else found.says))

    async def issue(self, request: Request) -> Answer:
        """Look at the name at once; 409 where it has a certificate, as Mailgun answers."""
        vault, found = await self._found(request)
        if found.status == "active":
            raise Refused(f"{found.name} has a certificate already", 409)
        return await self._asked(request, vault, found)

    async def renew(self, request: Request) -> Answer:
        """Renew the name's certificate at once, within the CA's limits."""
        return await self._asked(request, *await self._found(request))

    async def _asked(self, request: Request, vault: Vault, found: Standing) -> Answer:
        try:
            await Progress(vault).ask(found.name, need.renewing(found.generation))
        except VaultUnavailable as error:
            raise Refused(str(error), 503) from error
        grant: Grant = request.state.grant
        entry = audit.entry(grant.who, "certificate.renew", found.name)
        await audit.Audit(request.app.state.store).add(entry)
        where = f"/v2/x509/{found.name}/status"
        return answered(Begun("Initiated x509 key pair generation", where), 202)

    async def _found(self, request: Request) -> tuple[Vault, Standing]:
        vault = self._opened()
        try:
            name = canonical_tracking_name(request.path_params["name"])
            found = await standing_of(vault, name, time.time())
        except BadSetting as error:
            raise Refused(str(error)) from error
        except VaultUnavailable as error:
            raise Refused(str(error), 503) from error
        if found is None:
            raise Refused(f"{name} is no tracking domain with a certificate of ours", 404)
        return vault, found

    def _opened(self) -> Vault:
        if (vault := self._vault()) is None:
            raise Refused(ABSENT, 503)
        return vault
