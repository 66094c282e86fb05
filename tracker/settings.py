"""The settings: what can be set, its default, and what it does; one frozen value once it is read.

Promise: every setting is a field here or of a table in `tracker.sections`, and `docs/settings.md`
shows the same. Where settings are read from is `tracker.source`.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tracker.sections import (
    Acme,
    Alerts,
    Api,
    Consume,
    Dns,
    Edge,
    Geo,
    Log,
    Retention,
    Rules,
    Section,
    Spool,
    Store,
    Vault,
    Webhooks,
)
from tracker.setting_types import Sinks
from tracker.sinks.url import SinkUrl

PREFIX = "TRACKER_"
VAULT = "certs.db"  # within `data`


class Settings(BaseSettings):
    """Everything that can be set; nothing has to be."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        enable_decoding=False,
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    data: Path = Field(
        default=Path("data"),
        description="The folder of all that must survive: keyring, API key, spool, store.",
    )
    keyring: Path = Field(
        default=Path("keyring.json"), description="The keyring, looked for within `data`."
    )
    sinks: Sinks = Field(
        default=(SinkUrl.parse("store"),),
        description="Where events go: `store`, `stdout`, `file:` and a path, or a URL, each with"
        " parameters behind a `?`. [sinks.md](sinks.md) has them all.",
    )
    edge: Edge = Edge()
    spool: Spool = Spool()
    api: Api = Api()
    dns: Dns = Dns()
    acme: Acme = Acme()
    vault: Vault = Vault()
    alerts: Alerts = Alerts()
    geo: Geo = Geo()
    rules: Rules = Rules()
    store: Store = Store()
    consume: Consume = Consume()
    retention: Retention = Retention()
    webhooks: Webhooks = Webhooks()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings names it
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment overrule the file, which comes in as arguments."""
        return env_settings, init_settings

    @property
    def keyring_path(self) -> Path:
        """Where the keyring is; an absolute `keyring` needs no `data`."""
        return self.data / self.keyring

    @property
    def master_key_path(self) -> Path:
        """Where the key of the vault is."""
        return self.data / self.vault.master_key

    @property
    def vault_place(self) -> str:
        """Where certificates and their keys are kept: a path, or a URL that may hold a password."""
        if self.vault.database or not self.store.url:
            return str(self.data / (self.vault.database or VAULT))
        return self.store.url

    @property
    def rules_folder(self) -> Path:
        """Where newer rule tables are."""
        return self.data / self.rules.folder

    @property
    def workers(self) -> int:
        """How many edge workers to start."""
        return self.edge.workers or len(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table: a setting as it is written in the file, and what it does."""

    name: str
    default: str
    description: str


def variable(name: str) -> str:
    """Name a setting as the environment does."""
    return PREFIX + name.replace(".", "_").upper()


def _table(model: type[BaseModel], prefix: str = "") -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        if isinstance(field.default, Section):
            yield from _table(type(field.default), f"{name}.")
        else:
            default = model.model_construct().model_dump(mode="json", include={name})[name]
            yield Setting(prefix + name, written(default), field.description or "")


def written(value: object) -> str:
    """Write a value as the file would; JSON and TOML agree on the few forms that are used."""
    return json.dumps(value)


TABLE = tuple(_table(Settings))


def value(settings: Settings, name: str) -> str:
    """Return a setting's value as the file would hold it."""
    found: Any = settings.model_dump(mode="json")
    for part in name.split("."):
        found = found[part]
    return written(found)
