"""The tables of the settings for sending, callbacks, and the relay."""

from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from pydantic import Field, model_validator

from app.settings.sections import Section


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
