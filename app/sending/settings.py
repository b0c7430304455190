"""The settings of sending, of the keys of clients' secrets, of the relay and of callbacks. `app.settings` has them all."""

import base64
import binascii
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

#: Bytes of a key that encrypts secrets at rest: AES-256.
KEY_BYTES = 32


class Part(BaseModel):
    """A table of the settings. A name that it does not know is refused."""

    model_config = ConfigDict(extra="forbid")


class Sending(Part):
    """Sending. Times in seconds."""

    concurrency: int = Field(default=128, ge=1, le=4096, description="calls of providers at once, in one worker")
    lease: float = Field(
        default=90.0, ge=5, description="how long a worker has for a message before it is taken for dead"
    )
    timeout: float = Field(
        default=30.0, gt=0, description="how long a provider may take to answer; less than the lease"
    )
    accepting: int = Field(
        default=200, ge=1, description="requests for messages at work at once in one HTTP process; more get 429"
    )
    allowed_networks: list[IPv4Network | IPv6Network] = Field(
        default=[], description="networks that are not public and that accounts set by clients may call all the same"
    )

    @model_validator(mode="after")
    def _answers_in_time(self) -> "Sending":
        if self.timeout >= self.lease:
            raise ValueError("timeout must be less than lease: a call may not outlast its worker's claim")
        return self


class Secrets(Part):
    """The keys that clients' secrets are encrypted with at rest: base64 of 32 bytes each. The first seals, all open: a new
    one is put in front, and an old one may go once `threadline clients reseal` has been run."""

    keys: list[SecretStr] = Field(
        default=[],
        description="base64 of 32 bytes each, that clients' secrets are encrypted with: the first seals, all open",
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


class Callbacks(Part):
    """Clients' callback URLs."""

    http_hosts: list[str] = Field(default=[], description="hosts whose callbacks need no https, e.g. localhost")
    allowed_networks: list[IPv4Network | IPv6Network] = Field(
        default=[], description="networks that are not public and may be posted to all the same, e.g. 10.1.2.0/24"
    )
    retain_days: int = Field(default=30, ge=4, description="how long deliveries are remembered, and can be replayed")


class Relay(Part):
    """The relay of the log to Kafka and to clients' callbacks."""

    start: Literal["beginning", "now"] = Field(
        default="beginning", alias="from", description="where in the log a new installation begins"
    )
    held_after: float = Field(
        default=30.0, gt=0, description="seconds that the log may wait for one transaction before that is a fault"
    )
