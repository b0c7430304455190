"""Settings: `THREADLINE_…` variables over one TOML file over defaults.

The file is `$THREADLINE_CONFIG`, else `threadline.toml` in the data folder, if there. Nested names use a double
underscore: `THREADLINE_KAFKA__BOOTSTRAP=broker:9093`, `THREADLINE_SOURCES__TWILIO__AUTH_TOKEN=…`.
"""

import os
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    PrivateAttr,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from adapters import ADAPTERS
from adapters.checked import faults
from adapters.contract import Adapter
from app import variables
from app.declared import read
from app.sending.settings import Callbacks, Part, Relay, Secrets, Sending
from schemas.event_data import OURS

#: Where `threadline up` keeps the keys that it made, within the data folder: one a line.
KEYS_FILE = Path("secrets", "keys")

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]


class Source(BaseModel):
    """One configured provider account. Keys beside these are the adapter's own settings: a value, or a list of values
    while a secret is being rotated."""

    model_config = ConfigDict(extra="allow")

    adapter: str | None = Field(default=None, description="its adapter; if not set, the one of its own name")
    client: str = Field(default="default", description="whose it is")
    url: str | None = Field(default=None, description="public URL of the door as this provider is told it")
    accept_unsigned: bool = Field(default=False, description="take what nothing is configured to verify")
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


class Postgres(Part):
    """An outside PostgreSQL (`dsn`, with `sslmode` and the like in it), or the embedded one where it is empty.

    `dsn` connects as the service role; `owner_dsn` as the role that owns the schema (migrate, rebuild)."""

    dsn: SecretStr | None = Field(
        default=None, description="where an outside PostgreSQL is, as the service role; if not set, the embedded one"
    )
    owner_dsn: SecretStr | None = Field(
        default=None, description="the same as the role that owns the schema (migrate, rebuild)"
    )
    pool: int = Field(default=8, description="connections of one process")


class Kafka(Part):
    """An outside Kafka (`bootstrap`, host:port, comma separated), or the embedded one where it is empty."""

    bootstrap: str | None = Field(
        default=None, description="an outside Kafka, host:port, several with commas; if not set, the embedded one"
    )
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    username: str | None = Field(default=None, description="who connects, by SASL")
    password: SecretStr | None = Field(default=None, description="its password")
    ca_file: Path | None = Field(default=None, description="the authority of the brokers' certificates, PEM")
    cert_file: Path | None = Field(default=None, description="our certificate, PEM, where the brokers ask for one")
    key_file: Path | None = Field(default=None, description="its key, PEM")
    partitions: int = Field(default=4, ge=1, description="of each topic that is made")
    replication: int = Field(default=1, ge=1, description="copies of each topic that is made")
    flush_every_message: bool = Field(default=True, description="fsync before acknowledging; right for one broker")


class Door(Part):
    """The webhook door. Sizes in bytes, times in seconds."""

    host: str = Field(default="127.0.0.1", description="where the HTTP process listens; 0.0.0.0: everywhere")
    port: int = Field(default=8080, description="its port: webhooks, API, pages, health, metrics")
    max_body: int = Field(default=1 << 20, description="bytes of one webhook")
    max_header_bytes: int = Field(default=32 << 10, ge=4096, le=64 << 10, description="bytes of a request's head")
    max_headers: int = Field(default=100, ge=20, description="header lines of one request")
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
    max_in_flight: int = Field(default=2000, description="webhooks at work at once; more get 429")
    keep_timeout: float = Field(default=2.0, description="how long Kafka may take before a webhook is spooled")
    spool_max: int = Field(default=1 << 30, description="bytes that are kept on disk while Kafka is away")


class Api(Part):
    """The API, the metrics and the description of the HTTP process. `metrics` and `description` are `open` to anyone, or
    need a key (`metrics:read`; any key): by default they are open where the process listens on loopback alone."""

    rate: float = Field(default=3000.0, gt=0, description="requests a second that one key may make, in each process")
    burst: int = Field(default=6000, ge=1, description="requests that one key may make at a stretch")
    metrics: Literal["open", "key"] | None = Field(
        default=None, description="/metrics: open to anyone, or by a key with metrics:read"
    )
    description: Literal["open", "key"] | None = Field(
        default=None, description="/openapi.json and /docs: open to anyone, or by any key"
    )
    metrics_port: int | None = Field(
        default=None, ge=1, le=65535, description="a port of its own for /metrics, /healthz and /readyz, open to anyone"
    )


class Worker(Part):
    """The stream process."""

    host: str = Field(default="127.0.0.1", description="where the worker listens")
    port: int = Field(default=8081, description="its port: health and metrics")
    fast_batches: bool = Field(default=True, description="read record batches; off: stock Faust")
    batch: int = Field(default=1000, ge=1, le=10000, description="most records of one transaction")
    stall_after: float = Field(
        default=60.0, description="seconds with lag and no progress before the worker ends itself"
    )
    retain_raw_days: int = Field(default=30, ge=1, description="days that webhooks are kept as they came")


class Telemetry(Part):
    """Logs, traces, metrics."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    sample: float = Field(default=0.01, ge=0, le=1, description="share of webhooks that are traced")
    trust_traceparent: bool = Field(default=False, description="continue a caller's trace (behind your own gateway)")
    otlp_endpoint: str | None = Field(default=None, description="OTLP/HTTP collector, e.g. http://localhost:4318")


class Settings(BaseSettings):
    """All of them. Raises pydantic.ValidationError where one does not fit; the command line words it."""

    model_config = SettingsConfigDict(
        env_prefix="THREADLINE_", env_nested_delimiter="__", extra="forbid", hide_input_in_errors=True
    )

    data: Path = Field(
        default=Path(".threadline"),
        description="folder of the embedded servers, the spool, the keys, and threadline.toml",
    )
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
    _declared: dict[str, Adapter] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _read_definitions(self) -> "Settings":
        """Read the providers that files describe: a source may be one of them."""
        self._declared = read(self.adapters or self.data / "adapters")
        return self

    @model_validator(mode="after")
    def _known(self) -> "Settings":
        """What is misspelt in the environment, or in a source, and secrets that cannot be used, are refused."""
        wrong = [
            f"sources.{name}.{key} {fault}"
            for name, source in self.sources.items()
            if (adapter := self._adapter(source.adapter or name)) is not None
            for key, fault in faults(adapter, source.values)
        ]
        if wrong := [*variables.strangers(type(self)), *wrong]:
            raise ValueError("\n  ".join(wrong))
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

    @property
    def declared(self) -> dict[str, Adapter]:
        """The adapters of the definition files. Looking a source's adapter up needs them registered first: `register`."""
        return self._declared

    def _adapter(self, name: str) -> Adapter | None:
        return self._declared.get(name) or ADAPTERS.get(name)

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
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, settings_file())


def settings_file() -> Path:
    """Where the file of settings is, whether or not there is one."""
    data = Path(os.environ.get("THREADLINE_DATA", ".threadline"))
    return Path(os.environ.get("THREADLINE_CONFIG", data / "threadline.toml"))


def worded(error: Exception) -> str:
    """Return a line for each fault: the setting, what is wrong with it, and the variable or the file that it comes from.
    The value is left out: it may be a secret."""
    if not isinstance(error, ValidationError):
        return ""
    return "\n".join(_line(one) for one in error.errors(include_input=False, include_url=False))


def _line(fault: Any) -> str:
    path = tuple(map(str, fault["loc"]))
    unknown = fault["type"] == "extra_forbidden"
    words = variables.no_setting(Settings, path) if unknown else fault["msg"].removeprefix("Value error, ")
    where = variables.origin(path, settings_file())
    return f"  {'.'.join(path)}{': ' if path else ''}{words}{f' (from {where})' if where else ''}"
