"""What runs on a machine: settings in, the children that the supervisor keeps alive out."""

import socket
import sys
from collections.abc import Sequence
from importlib.resources import files

import msgspec

from tracker import logs
from tracker.consume import ConsumeSettings
from tracker.edge.settings import WorkerSettings
from tracker.office import CertificateSettings, OfficeSettings, WebhookSettings
from tracker.settings import Settings
from tracker.sinks.url import SinkUrl
from tracker.supervise import Child

API_KEY = "api.key"
SPOOL = "spool"
CERTIFICATES = "certs"
PUBLISHED = "domains.json"
# OpenSSL reads it at birth alone; an operator's own OPENSSL_CONF comes first.
TLS_GROUPS = (("OPENSSL_CONF", str(files("certs.front") / "openssl.cnf")),)
STORE = "store.db"


def store(settings: Settings) -> str:
    """Return where the store is: a path, or a URL that may hold a password."""
    return settings.store.url or str(settings.data / STORE)


def edge(
    settings: Settings,
    listeners: Sequence[socket.socket],
    tls_listeners: Sequence[socket.socket] = (),
) -> list[Child]:
    """Return the workers that answer recipients, all on the same sockets."""
    descriptors = [listener.fileno() for listener in listeners]
    tls_descriptors = [listener.fileno() for listener in tls_listeners]
    told = WorkerSettings(
        listen_fds=descriptors,
        spool=str(settings.data / SPOOL),
        keyring=str(settings.keyring_path),
        tls_listen_fds=tls_descriptors,
        certificates=str(settings.data / CERTIFICATES),
        master_key=str(settings.master_key_path),
        published=str(settings.data / PUBLISHED),
        trusted_proxies=settings.edge.trusted_proxies,
        tracking_domains=list(settings.edge.tracking_domains),
        late_after=settings.edge.late_after,
        queue_limit=settings.edge.queue_limit,
        log_format=logs.form(settings.log.format),
    )
    return [
        _child(
            f"edge-{number}",
            "tracker.edge.worker",
            told,
            descriptors + tls_descriptors,
            environment=TLS_GROUPS if tls_descriptors else (),
        )
        for number in range(1, settings.workers + 1)
    ]


def office(settings: Settings, listener: socket.socket, *, vital: bool = True) -> Child:
    """Return the back office, which forwards hits and answers the API.

    Beside edge workers it isn't vital: recipients are answered while a person mends what keeps it
    from starting.
    """
    told = OfficeSettings(
        data=str(settings.data),
        spool=str(settings.data / SPOOL),
        keyring=str(settings.keyring_path),
        store=store(settings),
        listen_fds=[listener.fileno()],
        api_key=str(settings.data / API_KEY),
        shared=bool(settings.store.url),
        master_key=str(settings.master_key_path),
        api_rate=settings.api.rate,
        api_public_url=settings.api.public_url,
        geo_databases=[str(path) for path in settings.geo.databases],
        geo_update=settings.geo.update,
        geo_mirror=settings.geo.mirror,
        retention_days=settings.retention.events,
        webhooks=WebhookSettings(allow=settings.webhooks.allow, history=settings.webhooks.history),
        rules=str(settings.rules_folder),
        sinks=tuple(map(str, settings.sinks)),
        spool_limit=settings.spool.limit,
        spool_reserve=settings.spool.reserve,
        certificates=_certificates(settings),
        waits=not vital,
        log_format=logs.form(settings.log.format),
    )
    return _child("office", "tracker.office", told, told.listen_fds, vital=vital)


def consumer(settings: Settings, bus: SinkUrl, listener: socket.socket) -> Child:
    """Return what brings events from the bus into the store."""
    told = ConsumeSettings(
        address=bus.address,
        options=bus.options,
        store=store(settings),
        durable=settings.consume.durable,
        batch=settings.consume.batch,
        listen_fds=[listener.fileno()],
        log_format=logs.form(settings.log.format),
    )
    return _child("consumer", "tracker.consume", told, told.listen_fds)


def _certificates(settings: Settings) -> CertificateSettings | None:
    """Return what is to be known of certificates; None where TLS isn't ours to end."""
    if not settings.edge.tls_listen or settings.edge.tls == "external":
        return None
    acme, dns = settings.acme, settings.dns
    return CertificateSettings(
        directory=acme.directory,
        vault=settings.vault_place,
        master_key=str(settings.master_key_path),
        cache=str(settings.data / CERTIFICATES),
        terms_agreed=acme.terms_agreed,
        contact=acme.contact,
        eab_key_id=acme.eab_key_id,
        eab_hmac_key_file=acme.eab_hmac_key_file,
        profile=acme.profile,
        challenge=acme.challenge,
        ca_file=acme.ca_file,
        webhook=settings.alerts.webhook,
        edge_host=dns.edge_host,
        edge_addresses=dns.edge_addresses,
        resolvers=tuple(str(resolver) for resolver in dns.resolvers),
    )


def _child(
    name: str,
    module: str,
    told: WorkerSettings | OfficeSettings | ConsumeSettings,
    inherits: Sequence[int],
    *,
    vital: bool = True,
    environment: tuple[tuple[str, str], ...] = (),
) -> Child:
    # -P: a file in the current folder must not stand in for a module of the same name.
    command = (sys.executable, "-P", "-m", module)
    return Child(name, command, msgspec.json.encode(told), tuple(inherits), vital, environment)
