"""Certificates: the issuer in the back office, between the register of domains and the vault.

In: the register of domains. Out: certificates in the folder that edge workers read, and in the
register since when HTTPS is proven.

Promise: the office works without the vault. While it is away, the workers go on with what they
have, and it is opened as soon as it can be.
"""

import asyncio
import contextlib
import logging
import secrets
import socket
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from prometheus_client.registry import Collector

from certs.acme import ExternalAccount
from certs.cache import Cache
from certs.doctor import Expected
from certs.issuing.authority import Authority, Terms
from certs.issuing.desk import Desk
from certs.issuing.issuer import Issuer, Overview
from certs.vault.accounts import Accounts
from certs.vault.database import Vault, VaultError, VaultUnavailable
from certs.vault.leases import Leases
from certs.vault.master import MasterKey, MasterKeyError
from tracker.health import Check
from tracker.mistake import Exit, Mistake
from tracker.office import CertificateSettings, issuance
from tracker.office.alerts import deliver
from tracker.shared.vault import place
from tracker.store.database import StoreUnavailable
from tracker.store.domains import Domains, NotRegistered

TRY_EVERY: Final = 10.0  # seconds between two attempts to open a vault that can't be opened
WHO: Final = "office"  # in the audit log

logger = logging.getLogger(__name__)


class Certificates:
    """The issuer, for as long as the office runs. `vault` is None while it isn't open.

    Raises Mistake.
    """

    def __init__(
        self,
        settings: CertificateSettings,
        domains: Domains,
        *,
        try_every: float = TRY_EVERY,
    ) -> None:
        self.vault: Vault | None = None
        self._settings = settings
        self._try_every = try_every
        self._domains = domains
        self._terms = _terms(settings)
        self._issuer: Issuer | None = None
        self._trouble = ""
        self._revision = -1
        self._names: Collection[str] = ()

    @property
    def overview(self) -> Overview:
        """How all certificates are."""
        found = self._issuer.overview if self._issuer else Overview()
        return replace(found, trouble=self._trouble) if self._trouble else found

    async def run(self, stopping: asyncio.Event) -> None:
        """Look after certificates until told to stop, whenever the vault can be opened."""
        while not stopping.is_set():
            try:
                await self._work(stopping)
            except (MasterKeyError, VaultError, VaultUnavailable, OSError) as error:
                self._tell(str(error))
            except Exception:
                # Whatever it is, hits are forwarded and certificates served all the same.
                logger.exception("certificates_failed")
                self._trouble = "a fault of the program, which the log shows"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), self._try_every)

    def checks(self) -> dict[str, Check]:
        """Tell how certificates are, for `/readyz`."""
        return {"certificates": issuance.check(self.overview)}

    def figures(self) -> Sequence[Collector]:
        """Return what there is to count, for `/metrics`."""
        return [issuance.Figures(lambda: self.overview)]

    async def _work(self, stopping: asyncio.Event) -> None:
        settings = self._settings
        at = place(settings.vault)
        # A vault whose master key is gone needs that one back: another would open nothing. One that
        # machines share has the key that opens their keyring, which is made with that.
        new = isinstance(at, Path) and not await asyncio.to_thread(at.exists)
        key = MasterKey.make if new else MasterKey.load
        master = await asyncio.to_thread(key, Path(settings.master_key))
        async with contextlib.AsyncExitStack() as closing:
            self.vault = await Vault.open(at, master)
            closing.push_async_callback(self._close, self.vault)
            cache = Cache(Path(settings.cache), master)
            authority = Authority(self._terms, Accounts(self.vault), cache, time.time)
            closing.push_async_callback(authority.close)
            desk = Desk(
                vault=self.vault,
                cache=cache,
                authority=authority,
                edge=_edge(settings),
                proven=self._proven,
                clock=time.time,
            )
            leases = Leases(self.vault, f"{socket.gethostname()}/{secrets.token_hex(8)}")
            self._issuer = Issuer(desk, leases, self._wanted, deliver=bool(settings.webhook))
            self._tell("")
            if settings.webhook:
                posting = asyncio.create_task(_deliver(self.vault, settings.webhook, leases))
                closing.callback(posting.cancel)
            await self._issuer.run(stopping)

    async def _close(self, vault: Vault) -> None:
        self.vault = None
        await vault.close()

    async def _wanted(self) -> Collection[str] | None:
        """Return the names that are to have certificates of ours."""
        try:
            revision = await self._domains.revision()
            if revision != self._revision:
                found = await self._domains.tracking()
                self._names = [one.name for one in found if one.tls == "own" and not one.suspended]
                self._revision = revision
        except StoreUnavailable:
            return None
        return self._names

    async def _proven(self, name: str, at: float) -> None:
        """Let new links to the name use https, from now on."""
        try:
            await self._domains.change(name, who=WHO, https_proven_at=int(at))
        except NotRegistered:
            return  # it was removed meanwhile
        except StoreUnavailable as error:
            raise VaultUnavailable(str(error)) from error

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            logger.error("certificates_not_looked_after", extra={"why": trouble})
        self._trouble = trouble


async def _deliver(vault: Vault, url: str, leases: Leases) -> None:
    while True:
        with contextlib.suppress(VaultUnavailable):
            await deliver(vault, url, leases)
        await asyncio.sleep(TRY_EVERY)


def _terms(settings: CertificateSettings) -> Terms:
    """Return what was settled with the CA. Raises Mistake."""
    return Terms(
        directory=settings.directory,
        terms_agreed=settings.terms_agreed,
        contact=settings.contact,
        external_account=_external_account(settings.eab_key_id, settings.eab_hmac_key_file),
        profile=settings.profile,
        challenge=settings.challenge,
        ca_file=Path(settings.ca_file) if settings.ca_file else None,
    )


def _external_account(key_id: str, file: str) -> ExternalAccount | None:
    if not key_id and not file:
        return None
    if not key_id or not file:
        raise Mistake("set both of acme.eab_key_id and acme.eab_hmac_key_file", Exit.CONFIG)
    try:
        return ExternalAccount.parse(key_id, Path(file).read_text("ascii").strip())
    except OSError as error:
        raise Mistake(
            f"cannot read acme.eab_hmac_key_file {file}: {error.strerror}", Exit.CONFIG
        ) from error
    except ValueError as error:
        raise Mistake(
            f"acme.eab_hmac_key_file {file} doesn't hold a key as CAs give it, in base64url",
            Exit.CONFIG,
        ) from error


def _edge(settings: CertificateSettings) -> Expected:
    """Return this edge as it should look from outside.

    A CA of one's own is for networks of one's own: names may lead to private addresses there, and
    its root is the one to trust.
    """
    return Expected(
        edge_host=settings.edge_host,
        addresses=settings.edge_addresses,
        resolvers=settings.resolvers,
        roots=Path(settings.ca_file) if settings.ca_file else None,
        allow_private=bool(settings.ca_file),
    )
