"""A provider as a server: takes sends as its API does, and tells what becomes of them, with the faults asked for."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from adapters.simulating import Call, Post, Refusal, Refused, Reply, Said, Sent, Settings, Simulated
from app.simulator import samples
from app.simulator.faults import Faults, drifted
from app.simulator.life import life, nth
from app.simulator.posting import Posting, Tally

#: Idempotency keys, and messages taken, that are remembered.
REMEMBERED = 100_000
#: Makes a webhook of the time it is told at.
Making = Callable[[datetime], Post]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to play. Shares are 0 to 1. `told` is the webhook's URL as the provider was told it, `to` where it really is;
    `throttle` is the sends per second above which the API answers "too many" (0: no limit); `tries` of each webhook."""

    to: str
    told: str
    faults: Faults = field(default_factory=Faults)
    failing: float = 0.05
    inbound: float = 0.2
    errors: float = 0.0
    throttle: float = 0.0
    customers: int = 100
    tries: int = 8
    seed: int | None = None


class Server:
    """One provider: `api` is its API as a Starlette endpoint; `posting` must run for its webhooks to be posted."""

    def __init__(self, simulated: Simulated, settings: Settings, plan: Plan) -> None:
        self.tally = Tally()
        self.posting = Posting(self._signed, plan.told, plan.to, plan.tries, self.tally)
        self._simulated, self._settings, self._plan = simulated, settings, plan
        self._draw = Random(plan.seed)  # noqa: S311  # chance to play with, not a secret
        self._window: list[float] = []
        #: Answers by idempotency key, for as long as this runs.
        self._replies: dict[str, Reply] = {}
        self._taken: deque[Sent] = deque(maxlen=REMEMBERED)

    async def api(self, request: Request) -> Response:
        """A call of the provider's API."""
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        call = Call(request.method, path, dict(request.headers), await request.body())
        looked_up = self._look_up(call)
        reply = looked_up or self._answer(call)
        what = "look-ups" if looked_up else "sends taken" if reply.status < 300 else "sends refused"
        self.tally.counts[what] += 1
        return Response(reply.body, reply.status, reply.headers)

    def _look_up(self, call: Call) -> Reply | None:
        """The answer to a call that asks for what was taken."""
        simulated = self._simulated
        if not hasattr(simulated, "look_up"):
            return None
        try:
            told = simulated.look_up(call, self._settings, self._taken)
        except Refused as refused:
            return simulated.refuse(refused.why)
        except KeyError:  # as of a send
            return simulated.refuse("unauthorized")
        return simulated.refuse(why) if told is not None and (why := self._mood()) else told

    def _answer(self, call: Call) -> Reply:
        simulated = self._simulated
        if not hasattr(simulated, "accept"):
            return Reply(405, b'{"error": "this provider is played without an API to send by"}')
        if why := self._mood():
            return simulated.refuse(why)
        key = simulated.key(call) if hasattr(simulated, "key") else None
        if key is not None and key in self._replies:
            first = self._replies[key]
            return simulated.repeated(first) if hasattr(simulated, "repeated") else first
        try:
            if hasattr(simulated, "grant") and (granted := simulated.grant(call, self._settings)) is not None:
                return cast(Reply, granted)
            sent = simulated.accept(call, self._settings, self._id())
        except Refused as refused:
            return simulated.refuse(refused.why)
        except KeyError:  # a setting that the source lacks: the API would not know it either
            return simulated.refuse("unauthorized")
        taken = [one for one in sent if one.refused is None]
        self._taken += taken
        for one in taken:
            self._follow(one)
        reply = simulated.reply(sent)
        if key is not None:
            self._replies[key] = reply
            if len(self._replies) > REMEMBERED:
                del self._replies[next(iter(self._replies))]
        return reply

    def _mood(self) -> Refusal | None:
        """Whether this call is refused, whatever it asks."""
        now = time.monotonic()
        if self._plan.throttle:
            self._window = [at for at in self._window if now - at < 1.0]
            if len(self._window) >= self._plan.throttle:
                return "rate"
            self._window.append(now)
        return "unavailable" if self._draw.random() < self._plan.errors else None

    def invent(self) -> None:
        """One message more: a customer writes, or one that was sent by other means is told of."""
        simulated, draw = self._simulated, self._draw
        writes = hasattr(simulated, "inbound")
        if not simulated.CHANNELS:
            return
        channel = draw.choice(simulated.CHANNELS)
        theirs = samples.customer(channel, getattr(simulated, "CUSTOMERS", None))
        customer = nth(theirs, draw.randrange(self._plan.customers))
        ours = samples.ours(channel, getattr(simulated, "SENDERS", None))
        if writes and (not simulated.STATES or draw.random() < self._plan.inbound):
            text = draw.choice(samples.TEXTS)
            said = Said(self._id(), channel, customer, ours, text)
            self.tally.counts["messages from customers"] += 1
            self._tell(lambda at: simulated.inbound(said, at, self._plan.told), 0.0)
        elif simulated.STATES:
            self.tally.counts["messages sent"] += 1
            self._follow(Sent(self._id(), channel, customer, ours, draw.choice(samples.TEXTS)))

    def _follow(self, sent: Sent) -> None:
        """Let everything happen to a message that will."""
        if sent.channel in self._simulated.CHANNELS:
            for delay, state in life(self._simulated.STATES, self._plan.failing, self._draw):
                self._tell(partial(self._status, sent, state), delay)

    def _status(self, sent: Sent, state: str, at: datetime) -> Post:
        return self._simulated.status(sent, state, at, self._plan.told)

    def _tell(self, make: Making, delay: float) -> None:
        """Have one webhook posted after so many seconds."""
        faults, draw = self._plan.faults, self._draw
        at = datetime.now(UTC) + timedelta(seconds=delay + faults.skew)
        post = make(at)
        if faults.drifts(draw):
            post = drifted(post, draw)
            self.tally.counts["drifted"] += 1
        delays = faults.delays(draw)
        self.tally.counts["lost" if not delays else "told"] += 1
        self.tally.counts["doubled"] += len(delays) > 1
        for late in delays:
            self.posting.put(time.monotonic() + delay + late, post)

    def _signed(self, post: Post) -> Post:
        """Signed for now, as each try of a webhook is, by the provider's clock."""
        at = datetime.now(UTC) + timedelta(seconds=self._plan.faults.skew)
        return self._simulated.sign(replace(post, headers=dict(post.headers)), self._settings, at)

    def _id(self) -> str:
        return f"{self._draw.getrandbits(128):032x}"
