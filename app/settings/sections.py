"""The tables of the settings, but for those of sending, which are in `app.settings.sending`."""

import re
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, SecretStr, field_validator, model_validator

from app.settings.dsn import readable
from app.settings.tls import Tls

#: A broker: a host's name or address (IPv6 in brackets), and its port.
_SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/@]+)(:\d{1,5})?")

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]


class Section(BaseModel):
    """A table of the settings. A name that it does not know is refused."""

    model_config = ConfigDict(extra="forbid")


class Source(BaseModel):
    """A configured provider account. Further keys are the adapter's own settings: a value, or a list of values while a
    secret is being rotated."""

    model_config = ConfigDict(extra="allow")

    adapter: str | None = Field(default=None, description="the adapter; if not set, the one with the source's name")
    client: str = Field(default="default", description="the client to which the account belongs")
    url: str | None = Field(default=None, description="the public URL to which this provider posts")
    client_names: list[str] | None = Field(
        default=None,
        min_length=1,
        description="names of client certificates, one of which a webhook's connection must have (with `door.tls.client_ca`): "
        "DNS names or URIs of the subject alternative name, else the common name",
    )
    accept_unsigned: bool = Field(
        default=False, description="accept webhooks unverified while no secret to verify them is configured"
    )
    max_body: int | None = Field(
        default=None, ge=1, description="most bytes of a webhook's body of this source, below `door.max_body`"
    )
    account: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="the account's id at the provider: sources of one adapter with the same account share its message ids",
    )

    def provider(self, name: str) -> str:
        """Return the namespace of the provider's ids: the source's name, or the account if one is set."""
        return name if self.account is None else f"{self.adapter or name}:{self.account}"

    @cached_property
    def values(self) -> dict[str, tuple[str, ...]]:
        """The adapter's settings, each as a tuple of its values."""
        extra: dict[str, Any] = self.model_extra or {}
        return {k: tuple(map(str, v)) if isinstance(v, list) else (str(v),) for k, v in extra.items()}


class Postgres(Section):
    """PostgreSQL: an external server (`dsn`, which may have `sslmode` and other options), or the embedded one if not set.

    `dsn` connects as the service role, `owner_dsn` as the role that owns the schema (migrate, rebuild)."""

    dsn: SecretStr | None = Field(
        default=None,
        description="connection string of an external PostgreSQL, as the service role; if not set, the embedded one",
    )
    owner_dsn: SecretStr | None = Field(
        default=None, description="the same, as the role that owns the schema (migrate, rebuild)"
    )
    direct_dsn: SecretStr | None = Field(
        default=None,
        description="the same as `dsn`, to the server itself, where `dsn` leads to a pooler in transaction mode",
    )
    pool: int = Field(default=8, ge=1, description="connections in the pool of one process")

    _readable = field_validator("dsn", "owner_dsn", "direct_dsn")(readable)

    @property
    def direct(self) -> str | None:
        """How to reach the server itself where `dsn` does not."""
        return self.direct_dsn.get_secret_value() if self.direct_dsn else None


class Kafka(Section):
    """Kafka: an external cluster (`bootstrap`), or the embedded broker if not set."""

    bootstrap: str | None = Field(
        default=None,
        description="brokers of an external Kafka, host:port, separated by commas; if not set, the embedded one",
    )
    security_protocol: SecurityProtocol = Field(
        default="PLAINTEXT", description="how connections to the brokers are encrypted and authenticated"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="PLAIN", description="how a client proves its password, with SASL"
    )
    username: str | None = Field(default=None, description="user name for SASL")
    password: SecretStr | None = Field(default=None, description="password for SASL")
    ca_file: Path | None = Field(default=None, description="file of the CA certificates that verify the brokers, PEM")
    cert_file: Path | None = Field(
        default=None, description="file of the client certificate, PEM, for brokers that require one"
    )
    key_file: Path | None = Field(default=None, description="file of its private key, PEM")
    partitions: int = Field(default=4, ge=1, description="partitions of a topic when it is created")
    replication: int = Field(default=1, ge=1, description="replicas of a topic when it is created")
    flush_every_message: bool = Field(
        default=True, description="fsync each record before acknowledging it; needed with a single broker"
    )

    @field_validator("bootstrap")
    @classmethod
    def _hosts_and_ports(cls, value: str | None) -> str | None:
        """Refuse what Kafka's clients cannot read, which they report only when they connect."""
        for server in value.split(",") if value else ():
            if not _SERVER.fullmatch(server.strip()):
                raise ValueError("must be host:port, or several, separated by commas")
        return value


class Door(Section):
    """The HTTP process and its limits on webhooks. Sizes in bytes, times in seconds."""

    host: str = Field(default="127.0.0.1", description="address on which the HTTP process listens; 0.0.0.0 for all")
    port: int = Field(
        default=8080, ge=1, le=65535, description="its port, for webhooks, API, pages, health and metrics"
    )
    tls: Tls = Tls()
    max_body: int = Field(
        default=48 << 20,
        description="most bytes of a webhook's body; the largest that a provider posts has 47 MB (Postmark)",
    )
    max_header_bytes: int = Field(default=32 << 10, ge=4096, le=64 << 10, description="most bytes of a request's head")
    max_headers: int = Field(default=100, ge=20, description="most header lines of a request")
    max_connections: int = Field(
        default=10_000, ge=16, description="most concurrent connections; fewer if the process may open fewer files"
    )
    header_timeout: float = Field(
        default=10.0, gt=0, description="seconds for a request's head, and from connecting to the first request"
    )
    idle_timeout: float = Field(default=75.0, gt=0, description="seconds between two requests on one connection")
    body_timeout: float = Field(default=60.0, gt=0, description="seconds for a body, whatever its rate")
    body_grace: float = Field(default=5.0, ge=0, description="seconds before `body_rate` applies")
    body_rate: int = Field(default=4096, ge=0, description="least bytes a second at which a body must arrive")
    trusted_proxies: list[IPvAnyNetwork] = Field(
        default=[],
        description="networks of proxies whose X-Forwarded-For is trusted; limits then apply to the address in it",
    )
    max_in_flight: int = Field(default=2000, description="most webhooks in progress; further ones get 429")
    keep_timeout: float = Field(
        default=2.0, description="seconds that Kafka may take before a webhook is spooled to disk"
    )
    spool_max: int = Field(default=1 << 30, description="most bytes spooled to disk while Kafka is away")


#: The name of a bucket: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_NAME = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"


class S3(Section):
    """A bucket of Amazon S3, or of a store with its protocol. A key that is not set is taken from the
    variables of AWS: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_DEFAULT_REGION."""

    bucket: str | None = Field(default=None, pattern=BUCKET_NAME, description="bucket of an S3-compatible store")
    endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[A-Za-z0-9.\[\]:-]+/?$",
        description="URL of the store (MinIO and others; the bucket is then in the path); if not set, Amazon's of the region",
    )
    region: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9-]{1,32}$",
        description="region of the bucket; if not set, `AWS_REGION` or `AWS_DEFAULT_REGION`, else us-east-1",
    )
    prefix: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9._-]+/)*$",
        max_length=500,
        description="the beginning of the objects' keys, such as threadline/",
    )
    access_key_id: str | None = Field(
        default=None, description="access key id; if not set, `AWS_ACCESS_KEY_ID` and the other variables of AWS"
    )
    secret_access_key: SecretStr | None = Field(default=None, description="its secret access key")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Refuse half of the credentials."""
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key belong together: set both, or neither")
        return self


class BlobsS3(S3):
    """The bucket that keeps blobs instead of the folder."""

    bucket: str | None = Field(
        default=None,
        pattern=BUCKET_NAME,
        description="bucket of an S3-compatible store that keeps the blobs; if not set, they are in `blobs.folder`",
    )
    sweep: bool = Field(
        default=True,
        description="the worker deletes expired blobs; false: a lifecycle rule of the bucket does, after two days more than "
        "`worker.retain_raw_days`",
    )

    @model_validator(mode="after")
    def _named(self) -> Self:
        """Refuse settings of a bucket that has no name."""
        if self.bucket is None and (self.endpoint or self.prefix or self.access_key_id):
            raise ValueError("bucket is not set")
        return self


class Blobs(Section):
    """Large bodies of webhooks, which are kept apart from their Kafka records. All HTTP processes and workers need the same
    store. Sizes in bytes."""

    over: int = Field(default=512 << 10, description="a body with more bytes is kept as a blob")
    folder: Path | None = Field(
        default=None, description="folder of the blobs, shared by all processes; if not set, `blobs` in the data folder"
    )
    max_bytes: int = Field(default=10 << 30, ge=1, description="most bytes of all blobs; further ones get 503")
    in_memory: int = Field(
        default=64 << 20, ge=1, description="most bytes of large bodies that one process verifies at once; others wait"
    )
    s3: BlobsS3 = BlobsS3()


class Api(Section):
    """The API, and access to the metrics and the API's description. `open` needs no key, `key` needs one (for the
    metrics with the scope `metrics:read`). If not set, they are open when the process listens on loopback only."""

    rate: float = Field(default=3000.0, gt=0, description="requests a second that one key may make, in each process")
    burst: int = Field(default=6000, ge=1, description="most requests in one burst of a key")
    metrics: Literal["open", "key"] | None = Field(
        default=None,
        description="who may read /metrics: everybody, or an API key with the scope metrics:read; if not set, open while the "
        "process listens on loopback only, else key",
    )
    description: Literal["open", "key"] | None = Field(
        default=None,
        description="who may read /openapi.json, /asyncapi.json and /docs: everybody, or any API key; if not set, open while the process listens "
        "on loopback only, else key",
    )
    keys: Literal["live", "test"] = Field(
        default="live",
        description="the kind of API keys that are made and accepted here, `tl_live_…` or `tl_test_…`: set test where nothing is real, so "
        "that no key of one system works in the other",
    )
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="a further port for /metrics, /healthz and /readyz, which need no key there; if not set, there is none",
    )


class Worker(Section):
    """The stream process (the worker). Times in seconds."""

    host: str = Field(default="127.0.0.1", description="address on which the worker listens")
    port: int = Field(default=8081, ge=1, le=65535, description="its port, for health and metrics")
    fast_batches: bool = Field(
        default=True, description="read records from Kafka in batches; false: by Faust's own consumer"
    )
    batch: int = Field(default=1000, ge=1, le=10000, description="most records in one transaction")
    stall_after: float = Field(
        default=60.0, description="seconds with lag and no progress after which the worker exits"
    )
    retain_raw_days: int = Field(default=30, ge=1, description="days that raw webhooks are kept")


class Telemetry(Section):
    """Logs, traces, metrics."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    sample: float = Field(
        default=0.01, ge=0, le=1, description="fraction of requests that are traced; failures are traced always"
    )
    trust_traceparent: bool = Field(
        default=False, description="continue the caller's trace, for use behind your own gateway"
    )
    otlp_endpoint: str | None = Field(
        default=None, description="URL of an OTLP/HTTP collector, e.g. http://localhost:4318"
    )
