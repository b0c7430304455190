"""A simulated provider as a server: accepts sends by its API and posts webhooks about them, with configurable faults."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random

from starlette.requests import Request
from starlette.responses import Response

from adapters.simulating import Api, Call, Incoming, Post, Refusal, Refused, Reply, Sent, Settings, Simulator
from app.simulator import samples
from app.simulator.faults import Faults, drifted
from app.simulator.life import life, nth
from app.simulator.posting import Posting, Tally

#: Limit of the idempotency keys and of the accepted messages that are kept.
REMEMBERED = 100_000
#: Builds a webhook with the time of its event.
Build = Callable[[datetime], Post]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate. Shares are 0 to 1. `to` is the URL that webhooks are posted to, `public_url` the URL configured at
    the provider, which may differ behind a proxy and which signatures cover. The API refuses sends above `throttle` a
    second (0: no limit). A webhook is posted at most `tries` times."""

    to: str
    public_url: str
    faults: Faults = field(default_factory=Faults)
    failing: float = 0.05
    inbound: float = 0.2
    errors: float = 0.0
    throttle: float = 0.0
    customers: int = 100
    tries: int = 8
    seed: int | None = None


class Server:
    """One provider. `api` is its API as a Starlette endpoint; `posting.run()` posts its webhooks."""

    def __init__(self, simulator: Simulator, settings: Settings, plan: Plan) -> None:
        self.tally = Tally()
        self.posting = Posting(self._signed, plan.public_url, plan.to, plan.tries, self.tally)
        self._simulator, self._settings, self._plan = simulator, settings, plan
        self._draw = Random(plan.seed)  # noqa: S311  # not a secret
        self._window: list[float] = []
        #: Responses by idempotency key.
        self._replies: dict[str, Reply] = {}
        self._accepted: deque[Sent] = deque(maxlen=REMEMBERED)

    async def api(self, request: Request) -> Response:
        """Answer a call of the provider's API."""
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        call = Call(request.method, path, dict(request.headers), await request.body())
        api = self._simulator.api
        if api is None:
            reply = Reply(405, b'{"error": "the simulated provider has no API for sending"}')
            looked_up = erased = None
        else:
            looked_up = self._look_up(api, call)
            erased = None if looked_up else self._erase(api, call)
            reply = looked_up or erased or self._send(api, call)
        count = (
            "erasures asked"
            if erased
            else "look-ups"
            if looked_up
            else "sends taken"
            if reply.status < 300
            else "sends refused"
        )
        self.tally.counts[count] += 1
        return Response(reply.body, reply.status, reply.headers)

    def _look_up(self, api: Api, call: Call) -> Reply | None:
        """Return the response to a look-up, or None if the call is none."""
        if api.look_up is None:
            return None
        try:
            reply = api.look_up(call, self._settings, self._accepted)
        except Refused as refused:
            return api.refuse(refused.why)
        except KeyError:  # a setting that the source lacks, as for a send
            return api.refuse("unauthorized")
        return api.refuse(why) if reply is not None and (why := self._refusal()) else reply

    def _erase(self, api: Api, call: Call) -> Reply | None:
        """Return the response to a request to erase, or None if the call is none."""
        try:
            reply = api.erase(call, self._settings) if api.erase is not None else None
        except Refused as refused:
            return api.refuse(refused.why)
        except KeyError:  # a setting that the source lacks, as for a send
            return api.refuse("unauthorized")
        return api.refuse(why) if reply is not None and (why := self._refusal()) else reply

    def _send(self, api: Api, call: Call) -> Reply:
        if why := self._refusal():
            return api.refuse(why)
        key = api.idempotency.key(call) if api.idempotency is not None else None
        if api.idempotency is not None and key is not None and key in self._replies:
            return api.idempotency.repeat(self._replies[key])
        try:
            if api.grant is not None and (granted := api.grant(call, self._settings)) is not None:
                return granted
            sent = api.accept(call, self._settings, self._id())
        except Refused as refused:
            return api.refuse(refused.why)
        except KeyError:  # a setting that the source lacks: the provider would not accept the credentials either
            return api.refuse("unauthorized")
        accepted = [one for one in sent if one.refused is None]
        self._accepted += accepted
        for one in accepted:
            self._follow(one)
        reply = api.reply(sent)
        if key is not None:
            self._replies[key] = reply
            if len(self._replies) > REMEMBERED:
                del self._replies[next(iter(self._replies))]
        return reply

    def _refusal(self) -> Refusal | None:
        """Return why this call is refused for its rate or by chance; None if it is not."""
        now = time.monotonic()
        if self._plan.throttle:
            self._window = [at for at in self._window if now - at < 1.0]
            if len(self._window) >= self._plan.throttle:
                return "rate"
            self._window.append(now)
        return "unavailable" if self._draw.random() < self._plan.errors else None

    def invent(self) -> None:
        """Simulate one more message: from a customer, or sent by other means than this API."""
        webhooks, draw = self._simulator.webhooks, self._draw
        if webhooks is None:
            return
        channel = draw.choice(webhooks.channels)
        theirs = samples.customer(channel, self._simulator.customers)
        customer = nth(theirs, draw.randrange(self._plan.customers))
        ours = samples.ours(channel, self._simulator.senders)
        inbound = webhooks.inbound
        if inbound is not None and (webhooks.statuses is None or draw.random() < self._plan.inbound):
            text = draw.choice(samples.TEXTS)
            incoming = Incoming(self._id(), channel, customer, ours, text)
            self.tally.counts["messages from customers"] += 1
            self._post(lambda at: inbound(incoming, at, self._plan.public_url), 0.0)
        elif webhooks.statuses is not None:
            self.tally.counts["messages sent"] += 1
            self._follow(Sent(self._id(), channel, customer, ours, draw.choice(samples.TEXTS)))

    def _follow(self, sent: Sent) -> None:
        """Schedule the webhooks that report the states of a message."""
        webhooks = self._simulator.webhooks
        if webhooks is None or webhooks.statuses is None or sent.channel not in webhooks.channels:
            return
        build = webhooks.statuses.build
        for delay, state in life(webhooks.states(sent.channel), self._plan.failing, self._draw):
            self._post(partial(_status, build, sent, state, self._plan.public_url), delay)

    def _post(self, build: Build, delay: float) -> None:
        """Schedule one webhook after `delay` seconds, with the plan's faults."""
        faults, draw = self._plan.faults, self._draw
        at = datetime.now(UTC) + timedelta(seconds=delay + faults.skew)
        post = build(at)
        if faults.drifts(draw):
            post = drifted(post, draw)
            self.tally.counts["drifted"] += 1
        delays = faults.delays(draw)
        self.tally.counts["lost" if not delays else "webhooks"] += 1
        self.tally.counts["doubled"] += len(delays) > 1
        for late in delays:
            self.posting.put(time.monotonic() + delay + late, post)

    def _signed(self, post: Post) -> Post:
        """Sign a webhook by the provider's clock, again at each attempt."""
        webhooks = self._simulator.webhooks
        assert webhooks is not None
        at = datetime.now(UTC) + timedelta(seconds=self._plan.faults.skew)
        return webhooks.sign(replace(post, headers=dict(post.headers)), self._settings, at)

    def _id(self) -> str:
        return f"{self._draw.getrandbits(128):032x}"


def _status(build: Callable[[Sent, str, datetime, str], Post], sent: Sent, state: str, url: str, at: datetime) -> Post:
    return build(sent, state, at, url)
