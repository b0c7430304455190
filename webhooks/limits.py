"""Defines the limits of a door."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one door; sizes are in bytes. At most `max_in_flight` requests of `max_bytes` in all are kept at once, shared
    among sources; a quarter of that may wait for verification, shared among callers. `share` of the webhooks is traced."""

    max_body: int = 1 << 20
    #: The largest body of each source that has a limit of its own, by name.
    max_body_of: Mapping[str, int] = field(default_factory=dict)
    #: The names of client certificates that may post to a source, by its name. Other sources take any caller.
    client_names_of: Mapping[str, frozenset[str]] = field(default_factory=dict)
    max_in_flight: int = 2000
    max_bytes: int = 64 << 20
    #: The largest record that Kafka accepts, without its frame.
    max_record: int = (1 << 20) + (256 << 10)
    share: float = 0.0
    trust_traceparent: bool = False
