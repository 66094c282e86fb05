"""The back office: one process that forwards hits to every sink and answers the API.

`python -m tracker.office` takes its settings from the first line of its standard input.
"""

from typing import Literal

import msgspec


class CertificateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the back office is told about certificates: the CA, the vault, and how the edge looks.

    `cache` is the folder that edge workers read. `eab_…` are of an account that the CA gave out.
    """

    directory: str
    vault: str
    master_key: str
    cache: str
    terms_agreed: bool = False
    contact: str = ""
    eab_key_id: str = ""
    eab_hmac_key_file: str = ""
    profile: str = ""
    challenge: Literal["http-01", "tls-alpn-01"] = "http-01"
    ca_file: str = ""
    webhook: str = ""
    edge_host: str = ""
    edge_addresses: tuple[str, ...] = ()
    resolvers: tuple[str, ...] = ()


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the back office is told about webhooks.

    `allow` are networks that they may lead to though they aren't public, `history` is in days.
    """

    allow: tuple[str, ...] = ()
    history: int = 7


class OfficeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the back office is told at birth, as JSON.

    `data` is the folder of its own files, `spool` where the edge workers write, `listen_fds` the
    listening sockets of the API, which it inherits, `geo_databases` City databases (`.mmdb`),
    `geo_update` whose is fetched each day, `rules` the folder of rule tables newer than ours.
    Where the store is `shared` with other machines, `master_key` is the file with the key that
    opens what they share. `retention_days` is how long events are kept, 0 for ever. `sinks` are the
    URLs of where events go, `spool_limit` how many bytes may wait for them (0: any number),
    `spool_reserve` how many of the disk stay free. `api_rate` is in requests a second and key.
    Without `certificates` none are ordered. An office that `waits` tells on its listeners what
    keeps it from starting until that is mended; another one leaves with it.
    """

    data: str
    spool: str
    keyring: str
    store: str
    listen_fds: list[int]
    api_key: str
    shared: bool = False
    master_key: str = ""
    api_rate: float = 0
    api_public_url: str = ""
    geo_databases: list[str] = []
    geo_update: Literal["off", "dbip", "geolite2"] = "off"
    geo_mirror: str = ""
    retention_days: int = 0
    webhooks: WebhookSettings = WebhookSettings()
    rules: str = ""
    sinks: tuple[str, ...] = ("store",)
    spool_limit: int = 0
    spool_reserve: int = 0
    certificates: CertificateSettings | None = None
    waits: bool = False
    log_format: Literal["json", "text"] = "json"
