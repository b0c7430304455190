"""Webhooks of every simulated provider, signed at each try, because signatures expire."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Protocol

from adapters.contract import Request
from adapters.simulating import Incoming, Post, Sent
from app.simulator import SIMULATED, samples, webhooks_of
from app.simulator.life import life, nth
from tests.fixtures import accounts
from tests.support import traffic

#: The simulated providers, without those of `tests.support.traffic`.
NAMES = [
    name
    for name, simulator in SIMULATED.items()
    if simulator.webhooks is not None and name not in (*traffic.SOURCES, "envelope")
]
SOURCES: Mapping[str, Any] = {**traffic.SOURCES, **{name: accounts(name).settings for name in NAMES}}
#: Customers of each provider.
PEOPLE = 20


class Webhook(Protocol):
    """A webhook that can be posted at any time."""

    @property
    def source(self) -> str: ...

    def request(self, base: str, now: datetime) -> Request:
        """Return the request to the door at `base`, as of `now`."""
        ...


@dataclass(slots=True)
class Signed:
    """A webhook that was signed when it was made."""

    post: traffic.Post

    @property
    def source(self) -> str:
        """The name of its source."""
        return self.post.source

    def request(self, base: str, now: datetime) -> Request:
        """Return the request, to a URL without a source's name, so that the door must recognise the source."""
        return Request("POST", f"{base}/webhooks/aggregate", self.post.headers, self.post.body, now, self.source)


@dataclass(slots=True)
class Played:
    """An unsigned webhook of a simulated provider; `post.url` is the path at the door."""

    source: str
    post: Post

    def request(self, base: str, now: datetime) -> Request:
        """Return the request to the door at `base`, as of `now`."""
        account = accounts(self.source)
        post = Post(base + self.post.url, self.post.body, dict(self.post.headers), self.post.method)
        signed = webhooks_of(self.source).sign(post, account.settings | {"private_key": account.private_key}, now)
        headers = {name.lower(): value for name, value in signed.headers.items()}
        return Request(signed.method, signed.url, headers, signed.body, now, self.source)


def played(count: int, seed: int) -> list[Played]:
    """Return `count` webhooks, provider after provider, each message with all of its statuses."""
    rng, found = Random(seed), list[Played]()
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=2)
    while len(found) < count:
        for name in NAMES:
            found += _message(name, rng, start)
    return found[:count]


def _message(name: str, rng: Random, start: datetime) -> list[Played]:
    webhooks, path, id = webhooks_of(name), f"/webhooks/aggregate/{name}", f"{rng.getrandbits(128):032x}"
    channel = rng.choice(webhooks.channels)
    customer = nth(samples.customer(channel, SIMULATED[name].customers), rng.randrange(PEOPLE))
    ours = samples.ours(channel, SIMULATED[name].senders)
    at = start + timedelta(seconds=rng.randrange(60))
    if webhooks.inbound is not None and (webhooks.statuses is None or rng.random() < 0.3):
        incoming = Incoming(id, channel, customer, ours, rng.choice(samples.TEXTS))
        return [Played(name, webhooks.inbound(incoming, at, path))]
    sent = Sent(id, channel, customer, ours, rng.choice(samples.TEXTS))
    assert webhooks.statuses is not None
    states, build = life(webhooks.states(channel), 0.2, rng), webhooks.statuses.build
    return [Played(name, build(sent, state, at + timedelta(seconds=later), path)) for later, state in states]
