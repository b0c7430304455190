"""Reads a subscription, with its broker and the door's URL, from the settings of an MQTT source."""

import ssl
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from adapters.contract import secrets_of
from webhooks.recognise import DOOR

#: The schemes of a broker's URL, and their ports: https://www.iana.org/assignments/uri-schemes/prov/mqtt.
PORTS = {"mqtt": 1883, "mqtts": 8883}
VERSIONS = ("5", "3.1.1")


class WrongSetting(ValueError):
    """A setting is missing or invalid. The message names it and says what to write."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription: the broker, its credentials, the topic filters, and the URL and headers for posting publications."""

    source: str
    host: str
    port: int
    filters: tuple[str, ...]
    client_id: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    username: str | None = None
    password: str | None = None
    version: str = VERSIONS[0]
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker's address, credentials and protocol."""

    host: str
    port: int
    username: str | None
    password: str | None
    version: str
    #: Whether to use TLS, and a file of certificate authorities that replaces the system's.
    secure: bool
    ca_file: str | None

    def context(self) -> ssl.SSLContext | None:
        """Return the TLS context, or None without TLS. Raises OSError if ca_file cannot be read."""
        return ssl.create_default_context(cafile=self.ca_file) if self.secure else None


def broker_of(source: str, values: Mapping[str, Sequence[str]]) -> Broker:
    """Return the broker of a configured source. Raises WrongSetting."""
    broker = urlsplit(_first(values, "broker") or "")
    if broker.scheme not in PORTS or not broker.hostname:
        raise WrongSetting(f"sources.{source}.broker is a URL, as mqtts://broker.example.com:8883")
    version = _first(values, "protocol") or VERSIONS[0]
    if version not in VERSIONS:
        raise WrongSetting(f"sources.{source}.protocol is one of {', '.join(VERSIONS)}, not {version!r}")
    try:
        port = broker.port or PORTS[broker.scheme]
    except ValueError as error:
        raise WrongSetting(f"sources.{source}: the broker's port cannot be used: {error}") from error
    return Broker(
        broker.hostname,
        port,
        _first(values, "username") or (unquote(broker.username) if broker.username else None),
        _first(values, "password") or (unquote(broker.password) if broker.password else None),
        version,
        broker.scheme == "mqtts",
        _first(values, "ca_file"),
    )


def subscription_of(source: str, values: Mapping[str, Sequence[str]], base: str) -> Subscription:
    """Return the subscription of a configured source. `base` is the URL of the HTTP process. Raises WrongSetting."""
    broker = broker_of(source, values)
    filters = tuple(secrets_of(values, "subscribe"))
    if not filters:
        raise WrongSetting(f"sources.{source}.subscribe is a list of topic filters, as ['devices/+/up']")
    secret, basic = _first(values, "url_secret"), _first(values, "basic_auth")
    headers = {"authorization": "Basic " + b64encode(basic.encode()).decode()} if basic else {}
    query = f"?key={quote(secret, safe='')}" if secret else ""
    try:
        tls = broker.context()
    except OSError as error:
        raise WrongSetting(f"sources.{source}: ca_file cannot be used: {error}") from error
    return Subscription(
        source,
        broker.host,
        broker.port,
        filters,
        _first(values, "client_id") or f"threadline-{source}",
        f"{base}{DOOR}/{quote(source, safe='')}{query}",
        headers,
        broker.username,
        broker.password,
        broker.version,
        tls,
    )


def _first(values: Mapping[str, Sequence[str]], name: str) -> str | None:
    found = secrets_of(values, name)
    return found[0] if found else None
