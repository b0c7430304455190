"""Settings: read from `THREADLINE_…` variables, then from one TOML file, then from the defaults.

The file is `$THREADLINE_CONFIG`, else `threadline.toml` in the data folder, if it exists. Nested names use a double
underscore: `THREADLINE_KAFKA__BOOTSTRAP=broker:9093`, `THREADLINE_SOURCES__TWILIO__AUTH_TOKEN=…`.
"""

import os
from pathlib import Path

from pydantic import Field, PrivateAttr, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from adapters import ADAPTERS, PROVIDERS
from adapters.checked import faults, names_of
from adapters.contract import Adapter
from app import variables
from app.declared import read
from app.settings.archive import Archive
from app.settings.auditing import Audit
from app.settings.erasing import Erasure
from app.settings.identity import Identity, IssuerName, faults_of
from app.settings.keys import Kms, Sealing, Secrets, Transit
from app.settings.login import Login
from app.settings.retention import Retention
from app.settings.sections import Api, Blobs, Door, Kafka, Postgres, SecurityProtocol, Source, Telemetry, Worker
from app.settings.sending import Callbacks, Relay, Sending
from app.settings.tls import Tls
from schemas.event_data import OURS

__all__ = [
    "KEYS_FILE",
    "Api",
    "Archive",
    "Audit",
    "Blobs",
    "Callbacks",
    "Door",
    "Erasure",
    "Kafka",
    "Kms",
    "Login",
    "Postgres",
    "Relay",
    "Retention",
    "Sealing",
    "Secrets",
    "SecurityProtocol",
    "Sending",
    "Settings",
    "Source",
    "Telemetry",
    "Tls",
    "Transit",
    "Worker",
    "settings_file",
]

#: The file in the data folder that holds the keys which `threadline up` generated, one a line.
KEYS_FILE = Path("secrets", "keys")


class Settings(BaseSettings):
    """All settings. Processes and commands get them from `app.settings.loading.load`. Raises pydantic.ValidationError if one is
    invalid."""

    model_config = SettingsConfigDict(
        env_prefix="THREADLINE_", env_nested_delimiter="__", extra="forbid", hide_input_in_errors=True
    )

    data: Path = Field(
        default=Path(".threadline"),
        description="folder of the embedded servers, the spool, the keys, and threadline.toml",
    )
    adapters: Path | None = Field(
        default=None, description="folder of providers' definition files; if not set, `adapters` in the data folder"
    )
    postgres: Postgres = Postgres()
    kafka: Kafka = Kafka()
    door: Door = Door()
    blobs: Blobs = Blobs()
    api: Api = Api()
    identity: Identity = Identity()
    issuers: dict[IssuerName, Identity] = {}
    login: Login = Login()
    worker: Worker = Worker()
    sending: Sending = Sending()
    telemetry: Telemetry = Telemetry()
    secrets: Secrets = Secrets()
    sealing: Sealing = Sealing()
    callbacks: Callbacks = Callbacks()
    relay: Relay = Relay()
    retention: Retention = Retention()
    archive: Archive = Archive()
    audit: Audit = Audit()
    erasure: Erasure = Erasure()
    sources: dict[str, Source] = {}
    _declared: dict[str, Adapter] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _usable(self) -> "Settings":
        """Read the definition files, since a source may be of a provider that one of them describes. Refuse unusable ones,
        unknown variables, a source with the name that marks Threadline's own events, and settings of sources that their
        adapters do not know or cannot use: all in one error, a line for each."""
        self._declared, wrong = read(self.definitions_folder)
        wrong += variables.strangers(type(self))
        wrong += faults_of(self.identity, self.issuers, self.login.url)
        if 0 < self.retention.audit < self.erasure.approval_days:
            wrong.append("erasure.approval_days cannot be more than retention.audit, which an approval asks")
        for name, source in self.sources.items():
            if name.strip().casefold() == OURS:
                wrong.append(f"a source cannot be named {OURS!r}: that is the source of Threadline's own events")
            if (adapter := self.adapter_of(name)) is not None:
                wrong += [_said(name, key, adapter, fault) for key, fault in faults(adapter, source.values)]
        if wrong:
            self._refuse(wrong)
        return self

    def _refuse(self, wrong: list[str]) -> None:
        raise ValueError("\n  ".join(wrong))

    @model_validator(mode="after")
    def _kept_keys(self) -> "Settings":
        """Read the keys that `threadline up` generated in the data folder, if none are set."""
        if not self.secrets.keys:
            try:
                kept = (self.data / KEYS_FILE).read_text("ascii").split()
            except OSError:  # none were generated, or another user owns the file
                return self
            given = self.secrets
            self.secrets = Secrets(
                keys=[SecretStr(key) for key in kept], wrapped=given.wrapped, transit=given.transit, kms=given.kms
            )
        return self

    @property
    def declared(self) -> dict[str, Adapter]:
        """The adapters of the definition files. `app.declared.register` adds them to the registry, where they are
        looked up."""
        return self._declared

    def declare(self, adapters: dict[str, Adapter]) -> None:
        """Replace the adapters of the definition files."""
        self._declared = adapters

    def adapter_of(self, name: str) -> Adapter | None:
        """Return the adapter of the source with this name, or None if there is none."""
        adapter = self.sources[name].adapter or name
        return self._declared.get(adapter) or (ADAPTERS[adapter] if adapter in PROVIDERS else None)

    @property
    def definitions_folder(self) -> Path:
        """The folder of the definition files."""
        return self.adapters or self.data / "adapters"

    @property
    def blobs_folder(self) -> Path:
        """The folder of the blobs."""
        return self.blobs.folder or self.data / "blobs"

    def all_issuers(self) -> dict[str, Identity]:
        """Return the issuers by their names. The name of a single one, of the table `identity`, is empty."""
        return {"": self.identity} if self.identity.issuer is not None else dict(self.issuers)

    def by_account(self) -> dict[str, str]:
        """Return the namespace of the provider's ids (`Source.provider`) for each source that names an account."""
        return {name: source.provider(name) for name, source in self.sources.items() if source.account is not None}

    def job_ids(self) -> dict[str, frozenset[str]]:
        """Return the channels on which a source's ids are those of jobs (`Adapter.job_ids`), for each source."""
        adapters = {name: self.adapter_of(name) for name in self.sources}
        return {name: adapter.job_ids for name, adapter in adapters.items() if adapter is not None}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where values come from, the first winning: the arguments, the variables, the file. Defaults come
        last."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, settings_file())


def settings_file() -> Path:
    """Return the path of the settings file, which need not exist."""
    data = Path(os.environ.get("THREADLINE_DATA", ".threadline"))
    return Path(os.environ.get("THREADLINE_CONFIG") or data / "threadline.toml")


def _said(source: str, key: str, adapter: Adapter, fault: str) -> str:
    """Return the fault of a source's setting with its name, and where its value comes from. An unknown key is left out, since
    it may be a secret in the wrong place."""
    known = key in names_of(adapter)
    where = variables.origin(("sources", source, key), settings_file())
    if not known and where.startswith(variables.PREFIX):
        where = "the environment"
    return f"sources.{source}{f'.{key}' if known else ': a key'} {fault}{f' (from {where})' if where else ''}"
