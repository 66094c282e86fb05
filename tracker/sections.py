"""The sections of the settings: a frozen value for each table of the file."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tracker.listen import Address
from tracker.setting_types import (
    BusUrl,
    Directory,
    Domain,
    Host,
    IpAddress,
    Listed,
    Listen,
    Network,
    Resolver,
    Size,
    StoreUrl,
    WebAddress,
    Webhook,
    at_least_one,
    none_or_enough,
)


class Section(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Edge(Section):
    """What recipients' mail clients talk to."""

    listen: Annotated[Listed[Listen], AfterValidator(at_least_one)] = Field(
        default=(Address("127.0.0.1", 8025),),
        description="Where opens, clicks and unsubscribes arrive.",
    )
    tls_listen: Listed[Listen] = Field(
        default=(),
        description="Where the same arrives by HTTPS, such as 0.0.0.0:443. Empty: the edge speaks"
        " no TLS itself.",
    )
    tls: Literal["own", "external"] = Field(
        default="own",
        description="Whose certificates the tracking domains have: `own` ones, ordered and renewed"
        " here, or those of an `external` proxy or CDN in front, so that none are ordered.",
    )
    workers: int = Field(
        default=0, ge=0, le=256, description="Worker processes; 0 starts one for each core."
    )
    tracking_domains: Listed[Domain] = Field(
        default=(),
        description="The only host names that are answered, beside registered ones. Empty: every"
        " name, since a token proves by itself which one it was made for.",
    )
    trusted_proxies: str = Field(
        default="127.0.0.1",
        description="Addresses and networks, separated by commas, whose X-Forwarded-For is"
        " believed.",
    )
    late_after: float = Field(
        default=0.25,
        gt=0,
        le=60,
        description="Seconds that a reader waits for a slow disk before being answered all the"
        " same; the hit is still written.",
    )
    queue_limit: int = Field(
        default=20_000,
        ge=1,
        description="Hits that a worker holds for a slow disk; beyond them hits are lost and"
        " counted.",
    )


class Spool(Section):
    """How much of its disk hits may take that wait for a sink."""

    limit: Annotated[Size, AfterValidator(none_or_enough)] = Field(
        default=0,
        description="How much hits may take that wait for sinks, such as 10GB. Beyond it a sink"
        " that is behind loses its turn, and is brought what it missed from the store. 0: what the"
        " disk has.",
    )
    reserve: Size = Field(
        default=1_000_000_000,
        description="What of the disk is left free, in any case, before a sink loses its turn.",
    )


class Api(Section):
    """What programs and people who look at events talk to."""

    listen: Listen = Field(
        default=Address("127.0.0.1", 8026),
        description="Where the API, health and metrics answer.",
    )
    public_url: WebAddress = Field(
        default="",
        description="What links to the API begin with, such as https://api.example.com, where a"
        " proxy stands before it. Empty: what a request was sent to.",
    )
    rate: float = Field(
        default=0,
        ge=0,
        description="Requests a second that each API key may make; 0 lets it make any number.",
    )


class Dns(Section):
    """What the DNS of tracking domains should lead to, and who is asked about it."""

    edge_host: Host = Field(
        default="",
        description="The host that the CNAME records of tracking domains name.",
    )
    edge_addresses: Listed[IpAddress] = Field(
        default=(),
        description="The edge's public addresses. Empty: those that `dns.edge_host` has.",
    )
    resolvers: Listed[Resolver] = Field(
        default=(),
        description="Who is asked about tracking domains, such as 9.9.9.9 or 127.0.0.1:5353; of"
        " several each is asked, and disagreement is told. Empty: the system's.",
    )


class Acme(Section):
    """The authority that certificates for tracking domains are asked of."""

    directory: Directory = Field(
        default="https://acme-v02.api.letsencrypt.org/directory",
        description="The CA's ACME directory; Let's Encrypt's production one unless set.",
    )
    terms_agreed: bool = Field(
        default=False,
        description="Whether you have read the CA's terms and agree to them. Without that no"
        " certificate is asked for.",
    )
    contact: str = Field(
        default="", description="A mail address that the CA may write to; many don't any more."
    )
    eab_key_id: str = Field(
        default="", description="The key id of an account that the CA gave out beforehand."
    )
    eab_hmac_key_file: str = Field(
        default="", description="The file with that account's HMAC key, as the CA printed it."
    )
    profile: str = Field(
        default="",
        description="The kind of certificate, such as `tlsserver` or `shortlived` at Let's"
        " Encrypt. Empty: the CA's usual one.",
    )
    challenge: Literal["http-01", "tls-alpn-01"] = Field(
        default="http-01",
        description="How the CA looks at a domain: on port 80, or on port 443 (`tls-alpn-01`).",
    )
    ca_file: str = Field(
        default="",
        description="The roots to trust, in PEM, instead of the public ones: for a CA of your own."
        " Tracking domains may then lead to private addresses.",
    )


class Vault(Section):
    """Where certificates and their keys are kept."""

    master_key: Path = Field(
        default=Path("master.key"),
        description="The key that private keys, and secrets that machines share, are encrypted"
        " under, looked for within `data`; a systemd credential `master.key` comes before it. Made"
        " once; keep a copy elsewhere.",
    )
    database: str = Field(
        default="",
        description="The vault, a file looked for within `data`. Empty: the database of"
        " `store.url`, which machines share, or else `certs.db`.",
    )


class Alerts(Section):
    """Who hears of certificates that are about to expire."""

    webhook: Webhook = Field(
        default="",
        description="A URL that gets a small JSON document by POST for each alert, once for each"
        " certificate, and again until it answers 2xx. Empty: alerts are in the log alone.",
    )


class Geo(Section):
    """Where in the world an address is."""

    databases: Listed[Path] = Field(
        default=(),
        description="City databases (`.mmdb`). Without one every place is `Unknown`.",
    )
    update: Literal["off", "dbip", "geolite2"] = Field(
        default="off",
        description="Whose City database the back office fetches each day, into `geo` within"
        " `data`: `dbip` takes no key, `geolite2` takes geoipupdate's variables.",
    )
    mirror: str = Field(
        default="", description="Where it is fetched instead of at the provider's own address."
    )


class Rules(Section):
    """Rule tables that are newer than the release, for `tracker rules update`."""

    folder: Path = Field(
        default=Path("rules"),
        description="The folder of the tables that take the place of the release's own, looked for"
        " within `data`.",
    )
    tables: str = Field(
        default="",
        description="URL or folder that holds `agents.toml` and `networks.toml`; empty: none.",
    )
    egress: str = Field(
        default="https://mask-api.icloud.com/egress-ip-ranges.csv",
        description="URL or path of the list of Apple's egress addresses; empty: none.",
    )
    crawlers: str = Field(
        default="https://raw.githubusercontent.com/monperrus/crawler-user-agents/master/"
        "crawler-user-agents.json",
        description="URL or path of the crawler list; empty: none.",
    )


class Store(Section):
    """Where events, figures, suppressions and what is registered are kept."""

    url: StoreUrl = Field(
        default="",
        description="A PostgreSQL database for the store, such as"
        " postgresql://tracker@db.example.com/tracker?sslmode=verify-full; its password may stand"
        " in PGPASSWORD or a passfile instead. Empty: the file `store.db` within `data`.",
    )


class Consume(Section):
    """What brings events from the bus into the store: `tracker consume`."""

    url: BusUrl = Field(
        default="",
        description="The stream that events come from, such as nats://one:4222,two:4222/EVENTS."
        " Empty: the one that `sinks` names.",
    )
    durable: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = Field(
        default="store",
        description="What the bus calls the store: all that feed one store say the same, and those"
        " of another something else.",
    )
    batch: int = Field(
        default=1_000, ge=1, le=10_000, description="Events that are stored at once, at most."
    )
    listen: Listen = Field(
        default=Address("127.0.0.1", 8027),
        description="Where its health and metrics answer.",
    )


class Retention(Section):
    """How long what is stored is kept."""

    events: int = Field(
        default=0,
        ge=0,
        le=36_500,
        description="Days after which an event is removed from the store; 0 keeps it for ever."
        " Figures stay.",
    )


class Webhooks(Section):
    """Which URLs events may be posted to, and how long it is known what they said."""

    allow: Listed[Network] = Field(
        default=(),
        description="Networks that webhooks may lead to though they aren't public, such as"
        " 10.1.0.0/16: your own receivers. Empty: public addresses only.",
    )
    history: int = Field(
        default=7,
        ge=1,
        le=365,
        description="Days for which it is known what was delivered and what was said to it.",
    )


class Log(Section):
    """What an operator reads."""

    format: Literal["auto", "json", "text"] = Field(
        default="auto", description="`auto` is text on a terminal and JSON elsewhere."
    )
