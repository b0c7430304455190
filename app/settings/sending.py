"""The tables of the settings for sending, the keys of clients' secrets, callbacks, and the relay."""

import base64
import binascii
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from app.settings.sections import Section
from sql.sealing import KEY_BYTES


class Sending(Section):
    """Sending messages. Times in seconds."""

    concurrency: int = Field(
        default=128, ge=1, le=4096, description="most concurrent calls to providers, in one worker"
    )
    lease: float = Field(
        default=90.0,
        ge=5,
        description="seconds for which a worker claims a message; after that the worker counts as dead",
    )
    timeout: float = Field(
        default=30.0, gt=0, description="seconds that a provider may take to answer; less than the lease"
    )
    accepting: int = Field(
        default=200, ge=1, description="most concurrent requests to send in one HTTP process; further ones get 429"
    )
    paused: bool = Field(
        default=False, description="send nothing; requests are accepted and wait. For the time after a restore"
    )
    allowed_networks: list[IPv4Network | IPv6Network] = Field(
        default=[], description="private networks that accounts set by clients may call, e.g. 10.1.2.0/24"
    )

    @model_validator(mode="after")
    def _answers_in_time(self) -> "Sending":
        if self.timeout >= self.lease:
            raise ValueError("timeout must be less than lease: a call may not outlast its worker's claim")
        return self


class Secrets(Section):
    """The keys that encrypt clients' secrets at rest: base64 of 32 bytes each. The first encrypts, all decrypt. To
    rotate, put a new key in front, run `threadline clients reseal`, then remove the old one."""

    keys: list[SecretStr] = Field(
        default=[],
        description="keys that encrypt clients' secrets, each base64 of 32 bytes: the first encrypts, all decrypt",
    )

    @field_validator("keys")
    @classmethod
    def _sound(cls, keys: list[SecretStr]) -> list[SecretStr]:
        for key in keys:
            try:
                size = len(base64.b64decode(key.get_secret_value(), validate=True))
            except (ValueError, binascii.Error):
                size = 0
            if size != KEY_BYTES:
                raise ValueError("each key must be base64 of 32 bytes, as `openssl rand -base64 32` prints it")
        return keys


class Callbacks(Section):
    """Clients' callback URLs."""

    http_hosts: list[str] = Field(default=[], description="hosts whose callbacks may use http, e.g. localhost")
    allowed_networks: list[IPv4Network | IPv6Network] = Field(
        default=[], description="private networks that callbacks may be in, e.g. 10.1.2.0/24"
    )
    retain_days: int = Field(default=30, ge=4, description="days that deliveries are kept, and can be replayed")


class Relay(Section):
    """The relay of the log to Kafka and to clients' callbacks."""

    start: Literal["beginning", "now"] = Field(
        default="beginning", alias="from", description="where in the log the relay of a new installation begins"
    )
    held_after: float = Field(
        default=30.0,
        gt=0,
        description="seconds that one open transaction may hold the relay back before health reports it",
    )
