"""Settings: `THREADLINE_…` variables over one TOML file over defaults.

The file is `$THREADLINE_CONFIG`, else `threadline.toml` in the data folder, if there. Nested names use a double
underscore: `THREADLINE_KAFKA__BOOTSTRAP=broker:9093`, `THREADLINE_SOURCES__TWILIO__AUTH_TOKEN=…`.
"""

import os
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from app.declared import register
from app.sending.settings import Callbacks, Relay, Secrets, Sending
from schemas.facts import OURS

#: Where `threadline up` keeps the keys that it made, within the data folder: one a line.
KEYS_FILE = Path("secrets", "keys")

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]


class Source(BaseModel):
    """One configured provider account. Keys beside these are the adapter's own settings: a value, or a list of values
    while a secret is being rotated."""

    model_config = ConfigDict(extra="allow")

    adapter: str | None = None
    client: str = "default"
    url: str | None = Field(default=None, description="public URL of the door as this provider is told it")
    accept_unsigned: bool = False
    account: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="the provider's account: sources of one adapter that name the same one share its message ids",
    )

    def provider(self, name: str) -> str:
        """Whose the provider's ids are, of this source of that name: the source's own, unless an account is named."""
        return name if self.account is None else f"{self.adapter or name}:{self.account}"

    @cached_property
    def values(self) -> dict[str, tuple[str, ...]]:
        """The adapter's settings, each as a tuple of its values."""
        extra: dict[str, Any] = self.model_extra or {}
        return {k: tuple(map(str, v)) if isinstance(v, list) else (str(v),) for k, v in extra.items()}


class Postgres(BaseModel):
    """An outside PostgreSQL (`dsn`, with `sslmode` and the like in it), or the embedded one where it is empty.

    `dsn` connects as the service role; `owner_dsn` as the role that owns the schema (migrate, rebuild)."""

    dsn: SecretStr | None = None
    owner_dsn: SecretStr | None = None
    pool: int = 8


class Kafka(BaseModel):
    """An outside Kafka (`bootstrap`, host:port, comma separated), or the embedded one where it is empty."""

    bootstrap: str | None = None
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    partitions: int = Field(default=4, ge=1)
    replication: int = Field(default=1, ge=1)
    flush_every_message: bool = Field(default=True, description="fsync before acknowledging; right for one broker")


class Door(BaseModel):
    """The webhook door. Sizes in bytes, times in seconds."""

    host: str = "127.0.0.1"
    port: int = 8080
    max_body: int = 1 << 20
    max_header_bytes: int = Field(default=32 << 10, ge=4096, le=64 << 10)
    max_headers: int = Field(default=100, ge=20)
    max_connections: int = Field(
        default=10_000, ge=16, description="at once; fewer where the process may open fewer files"
    )
    header_timeout: float = Field(
        default=10.0, gt=0, description="for a request's head, and the first after connecting"
    )
    idle_timeout: float = Field(default=75.0, gt=0, description="between two requests of one connection")
    body_timeout: float = Field(default=60.0, gt=0, description="for a body, whatever its rate")
    body_grace: float = Field(default=5.0, ge=0, description="before a body's rate counts")
    body_rate: int = Field(default=4096, ge=0, description="bytes a second that a body must come with, at the least")
    trusted_proxies: list[IPvAnyNetwork] = Field(
        default=[], description="networks whose X-Forwarded-For says who calls; limits are then counted by that"
    )
    max_in_flight: int = 2000
    keep_timeout: float = Field(default=2.0, description="how long Kafka may take before a webhook is spooled")
    spool_max: int = 1 << 30


class Api(BaseModel):
    """The API, the metrics and the description of the HTTP process. `metrics` and `description` are `open` to anyone, or
    need a key (`metrics:read`; any key): by default they are open where the process listens on loopback alone."""

    rate: float = Field(default=3000.0, gt=0, description="requests a second that one key may make, in each process")
    burst: int = Field(default=6000, ge=1, description="requests that one key may make at a stretch")
    metrics: Literal["open", "key"] | None = None
    description: Literal["open", "key"] | None = None
    metrics_port: int | None = Field(
        default=None, ge=1, le=65535, description="a port of its own for /metrics, /healthz and /readyz, open to anyone"
    )


class Worker(BaseModel):
    """The stream process."""

    host: str = "127.0.0.1"
    port: int = 8081
    fast_batches: bool = Field(default=True, description="read record batches; off: stock Faust")
    batch: int = Field(default=1000, ge=1, le=10000, description="most records of one transaction")
    stall_after: float = Field(
        default=60.0, description="seconds with lag and no progress before the worker ends itself"
    )
    retain_raw_days: int = Field(default=30, ge=1)


class Telemetry(BaseModel):
    """Logs, traces, metrics."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    sample: float = Field(default=0.01, ge=0, le=1, description="share of webhooks that are traced")
    trust_traceparent: bool = Field(default=False, description="continue a caller's trace (behind your own gateway)")
    otlp_endpoint: str | None = Field(default=None, description="OTLP/HTTP collector, e.g. http://localhost:4318")


class Settings(BaseSettings):
    """All of them. Raises pydantic.ValidationError where one does not fit; the command line words it."""

    model_config = SettingsConfigDict(env_prefix="THREADLINE_", env_nested_delimiter="__", extra="ignore")

    data: Path = Path(".threadline")
    adapters: Path | None = Field(
        default=None, description="folder of providers' definitions; `adapters` in the data folder if not set"
    )
    postgres: Postgres = Postgres()
    kafka: Kafka = Kafka()
    door: Door = Door()
    api: Api = Api()
    worker: Worker = Worker()
    sending: Sending = Sending()
    telemetry: Telemetry = Telemetry()
    secrets: Secrets = Secrets()
    callbacks: Callbacks = Callbacks()
    relay: Relay = Relay()
    sources: dict[str, Source] = {}

    @model_validator(mode="after")
    def _declared(self) -> "Settings":
        """Whoever reads the settings, in whichever process, knows the providers that files describe: a source may be
        one of them."""
        register(self.adapters or self.data / "adapters")
        return self

    @model_validator(mode="after")
    def _no_source_is_ours(self) -> "Settings":
        """What Threadline says itself, and what a provider says, must not be taken for each other."""
        if any(name.strip().casefold() == OURS for name in self.sources):
            raise ValueError(f"a source cannot be called {OURS!r}, which is what Threadline calls itself")
        return self

    @model_validator(mode="after")
    def _kept_keys(self) -> "Settings":
        """Every process and command of a data folder has the keys that `threadline up` made there."""
        if not self.secrets.keys:
            try:
                kept = (self.data / KEYS_FILE).read_text("ascii").split()
            except OSError:  # none was made, or it is another account's
                return self
            self.secrets = Secrets(keys=[SecretStr(key) for key in kept])
        return self

    def by_account(self) -> dict[str, str]:
        """Of the sources that name an account: whose the provider's ids are (see `Source.provider`)."""
        return {name: source.provider(name) for name, source in self.sources.items() if source.account is not None}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables over the file over defaults."""
        data = Path(os.environ.get("THREADLINE_DATA", ".threadline"))
        file = Path(os.environ.get("THREADLINE_CONFIG", data / "threadline.toml"))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)


def worded(error: Exception) -> str:
    """A line for each fault: the setting, and what is wrong with it. Never what was given: it may be a secret."""
    faults = error.errors(include_input=False, include_url=False) if isinstance(error, ValidationError) else []
    return "\n".join(
        f"  {'.'.join(map(str, one['loc'])) or ''}{': ' if one['loc'] else ''}{one['msg'].removeprefix('Value error, ')}"
        for one in faults
    )
