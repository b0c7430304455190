"""The check of `threadline doctor` on weak set-ups: what is not encrypted beyond this machine, and secrets that are examples."""

from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_address

from psycopg.conninfo import conninfo_to_dict

from adapters.checked import public_names
from app.cli.doctor.finding import Finding
from app.settings import Settings

#: Values of secrets that stand in documentation, or that people put where a secret is to come. In small letters.
EXAMPLES = frozenset(
    {"…", "...", "secret", "password", "changeme", "change-me", "example", "test", "token", "todo", "xxx"}
)
#: How PostgreSQL's clients verify the server's certificate (libpq, section 32.19.1).
VERIFIED = ("verify-ca", "verify-full")


async def exposure(settings: Settings) -> AsyncIterator[Finding]:
    """Check that what leaves this machine is encrypted, and that no source's secret is an example."""
    found = [*_listeners(settings), *_kafka(settings), *_postgres(settings), *_examples(settings)]
    for each in found:
        yield each
    if not found:
        yield Finding("Exposure", "ok", "no plain connection leaves this machine, and no secret is an example")


def _listeners(settings: Settings) -> Iterator[Finding]:
    door, worker = settings.door, settings.worker
    if not is_loopback(door.host) and door.tls.certificate is None:
        found = f"listens on {door.host}:{door.port} without TLS"
        if door.trusted_proxies:
            yield Finding("Door and API", "note", f"{found}, for the proxies of door.trusted_proxies")
        else:
            todo = "set door.tls, or listen on loopback behind a proxy: docs/door.md, TLS"
            yield Finding("Door and API", "look", found, todo)
    if not is_loopback(worker.host):
        found = f"health and metrics are on {worker.host}:{worker.port} without TLS or key"
        yield Finding("Worker", "note", found, "let only the network of the monitoring reach it")
    if settings.api.metrics_port is not None and not is_loopback(door.host):
        found = f"health and metrics are on {door.host}:{settings.api.metrics_port} without TLS or key"
        yield Finding("Door and API", "note", found, "let only the network of the monitoring reach it")


def _kafka(settings: Settings) -> Iterator[Finding]:
    kafka = settings.kafka
    hosts = [
        server.strip().rpartition(":")[0].strip("[]") or server.strip() for server in (kafka.bootstrap or "").split(",")
    ]
    away = [host for host in hosts if host and not is_loopback(host)]
    if away and kafka.security_protocol in ("PLAINTEXT", "SASL_PLAINTEXT"):
        found = f"connections to {', '.join(away)} are not encrypted ({kafka.security_protocol})"
        yield Finding("Kafka", "look", found, "set kafka.security_protocol to SASL_SSL or SSL, and kafka.ca_file")
    elif away and kafka.security_protocol == "SSL" and kafka.cert_file is None:
        found = f"connections to {', '.join(away)} have no user: the broker cannot tell who writes"
        yield Finding(
            "Kafka", "look", found, "set kafka.security_protocol to SASL_SSL, or kafka.cert_file and key_file"
        )


def _postgres(settings: Settings) -> Iterator[Finding]:
    for name in ("dsn", "direct_dsn", "owner_dsn"):
        dsn = getattr(settings.postgres, name)
        given = conninfo_to_dict(dsn.get_secret_value() if dsn else "")
        hosts = str(given.get("hostaddr") or given.get("host") or "").split(",")
        away = [host for host in hosts if host and not host.startswith("/") and not is_loopback(host)]
        if away and given.get("sslmode") not in VERIFIED:
            found = f"postgres.{name} reaches {', '.join(away)} without a verified certificate (sslmode={given.get('sslmode', 'prefer')})"
            yield Finding("PostgreSQL", "look", found, "add sslmode=verify-full and sslrootcert=FILE to it")


def _examples(settings: Settings) -> Iterator[Finding]:
    for name, source in settings.sources.items():
        adapter = settings.adapter_of(name)
        public = public_names(adapter) if adapter is not None else frozenset()
        for key, values in source.values.items():
            if key not in public and any(value.strip().casefold() in EXAMPLES for value in values):
                todo = "set the provider's own, or a random one: openssl rand -hex 32"
                yield Finding(f"Source {name}", "wrong", f"its {key} is an example, which anybody can guess", todo)


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a host, by its address or as `localhost`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"
