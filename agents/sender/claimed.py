"""A claimed message, and its settlement: what to write about it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import Any, NamedTuple

from app.clients.configured import Client, Route
from app.sending.decide import Known, routes
from app.sending.requests import Request, kept_request
from schemas.events import Event
from sql import Settled
from sql.messages import LaneReport

#: A client without channels, in place of one that is no longer configured.
NOBODY = Client("", 0, ())


@dataclass(slots=True, kw_only=True)  # not frozen, which would triple what it costs to make one
class Claimed(Known):
    """A message that this worker claimed: a row of `EventStore.claim`, with its request and client.

    `was`: its state before the claim; `channel`, `account`: those of the unanswered attempt, if there is one, else those it
    was claimed for (`claimed_for`: that account); `ailing`: its account's last call failed; `probe`: it is the one
    message that tests whether the account works again; `doubted`: a repeat with the same key is under way;
    `doubt_since`: when the earliest call without an answer began; `reported`: the provider's webhooks mention it;
    `until`: when the lease ends, by this worker's clock; `trace`: the
    `traceparent` of its request, if that was traced.
    """

    id: str
    claim: int
    tries: int
    was: str
    lane: str
    limits: tuple[float | None, int, int]
    ailing: bool
    doubted: bool
    doubt_since: datetime | None
    checks: int
    channel: str
    account: str
    claimed_for: str
    delivery: str | None
    reported: bool
    request: Request
    client: Client
    probe: bool = False
    until: float = inf
    trace: str | None = None

    @property
    def in_doubt(self) -> bool:
        """Whether the provider may have taken it: a call went unanswered, or a worker died during one."""
        return self.doubted or (self.was == "sending" and self.doubt_since is not None)

    @property
    def route(self) -> Route:
        """The route of its channel, by its account."""
        return self.client.route_by(self.channel, self.account)


class Recovery(NamedTuple):
    """How to recover from an unanswered call: repeat it (harmless with an idempotency key, `keyed`; else its client accepts
    the risk), ask the provider after `ask_after` seconds, or, with neither, hold the message."""

    repeat: bool = False
    keyed: bool = False
    ask_after: float | None = None


#: Nothing can be done but hold the message.
HOLD = Recovery()


@dataclass(slots=True, kw_only=True)
class Settlement(Settled):
    """What to write about a claim: its message's next state, the events, and how its account did. `began`: when the call did,
    by this worker's clock (None: no call was made)."""

    claimed: Claimed
    report: LaneReport
    events: list[Event] = field(default_factory=list)
    began: float | None = None


def read(row: Mapping[str, Any], client: Client) -> Claimed:
    """Return the message of a row of `EventStore.claim`, to which `until` was added."""
    return Claimed(
        expires_at=row["expires_at"],
        tried=tuple(row["tried"]),
        cancelled=row["cancelled"],
        released=row["released"],
        opted_out=row["opted_out"] or (),
        profile_zone=row["zone"],
        id=str(row["id"]),
        claim=row["claims"],
        tries=row["tries"],
        was=row["was"],
        lane=str(row["lane"]),
        limits=(row["rate"], row["burst"], row["concurrency"]),
        ailing=row["ailing"],
        doubted=row["doubted"],
        doubt_since=row["doubt_since"],
        checks=row["checks"],
        channel=row["doubt_channel"] or row["channel"],
        account=row["doubt_account"] or row["account"],
        claimed_for=row["account"],
        delivery=row["delivery"],
        reported=row["reported"],
        request=kept_request(row["client_id"], row["message_id"], row["request"], row["handles"]),
        client=client,
        probe=row["probe"],
        until=row["until"],
        trace=row["trace"],
    )


def following(claimed: Claimed, route: Route) -> Route | None:
    """Return the route to try after this one. None if no channel is left, or if fall-back is off (by the request, else
    by the client's configuration)."""
    fallback = claimed.client.fallback
    if not claimed.request.document.get("fallback", fallback.on_failure or fallback.after is not None):
        return None
    gone = {*claimed.tried, route.channel}
    return next((each for each in routes(claimed.request, claimed.client) if each.channel not in gone), None)
