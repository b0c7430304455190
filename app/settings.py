"""Settings: `THREADLINE_…` variables over one TOML file over defaults.

The file is `$THREADLINE_CONFIG`, else `threadline.toml` in the data folder, if there. Nested names use a double
underscore: `THREADLINE_KAFKA__BOOTSTRAP=broker:9093`, `THREADLINE_SOURCES__TWILIO__AUTH_TOKEN=…`.
"""

import os
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from adapters import ADAPTERS
from adapters.checked import faults
from app import variables
from app.declared import register
from app.sending.settings import Callbacks, Part, Relay, Secrets, Sending

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
    body_timeout: float = Field(default=10.0, description="seconds that a body may take to come")
    max_in_flight: int = Field(default=2000, description="webhooks at work at once; more get 429")
    keep_timeout: float = Field(default=2.0, description="how long Kafka may take before a webhook is spooled")
    spool_max: int = Field(default=1 << 30, description="bytes that are kept on disk while Kafka is away")


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
    def _known(self) -> "Settings":
        """What is misspelt in the environment, or in a source, and secrets that cannot be used, are refused."""
        wrong = [
            f"sources.{name}.{key} {fault}"
            for name, source in self.sources.items()
            if (adapter := ADAPTERS.get(source.adapter or name)) is not None
            for key, fault in faults(adapter, source.values)
        ]
        if wrong := [*variables.strangers(type(self)), *wrong]:
            raise ValueError("\n  ".join(wrong))
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
    if not isinstance(error, ValidationError):
        return ""
    return "\n".join(_line(one) for one in error.errors(include_input=False, include_url=False))


def _line(fault: Any) -> str:
    path = tuple(map(str, fault["loc"]))
    unknown = fault["type"] == "extra_forbidden"
    words = variables.no_setting(Settings, path) if unknown else fault["msg"].removeprefix("Value error, ")
    return f"  {'.'.join(path)}{': ' if path else ''}{words}"
