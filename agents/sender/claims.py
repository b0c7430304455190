"""Claims and what came of them, between the store's rows and the rules of sending."""

from typing import Any

from app.clients.configured import Client
from app.sending.claimed import Claimed, Result
from app.sending.consent import learned
from app.sending.incoming import lane_of
from app.sending.requests import kept_request
from schemas.events import Event
from sql.messages import Health, Lane

#: Stands in where a message's client is not configured any more.
NOBODY = Client("", 0, ())


def told(result: Result) -> list[Event]:
    """Its events, and what a provider's refusal says of consent; our own refusal for want of it says nothing new."""
    if not result.settled.status:
        return result.events
    return [each for event in result.events for each in (event, *learned(event))]


def lanes(results: list[Result], now: float) -> list[Health]:
    """How the accounts did in these calls, of those where that is news: one that passed counts for those beside it that
    failed, and tells nothing of an account that was well. `now`: of the worker's clock."""
    by_lane: dict[str, list[Result]] = {}
    for result in results:
        said = result.passed is False or result.pause is not None or (result.passed and result.claimed.ailing)
        if said or result.claimed.probe:
            by_lane.setdefault(result.claimed.lane, []).append(result)
    passing: dict[str, list[Result]] = {}
    for result in results:
        if result.passed:
            passing.setdefault(result.claimed.lane, []).append(result)
    return [_health(lane, each, passing.get(lane, []), now) for lane, each in by_lane.items()]


def _health(lane: str, results: list[Result], passing: list[Result], now: float) -> Health:
    failing = [result for result in results if result.passed is False]
    began = max((result.began for result in passing or failing if result.began is not None), default=now)
    return Health(
        lane=lane,
        passed=bool(passing),
        failed=bool(failing),
        fault=any(result.fault for result in failing),
        pause=max((result.pause for result in results if result.pause is not None), default=None),
        trouble=next((result.trouble for result in reversed(results) if result.trouble), None),
        age=max(0.0, now - began),
        probe=any(result.claimed.probe for result in results),
    )


def moved(results: list[Result]) -> dict[tuple[str, str], Lane]:
    """The lanes of those that go on by another account than before: it may have none yet."""
    found: dict[tuple[str, str], Lane] = {}
    for result in results:
        client, settled = result.claimed.client, result.settled
        if settled.account != result.claimed.account:
            route = client.route_by(settled.channel, settled.account)
            found[client.id, settled.account] = lane_of(client, route)
    return found


def read(row: dict[str, Any], client: Client) -> Claimed:
    """A row of `EventStore.claim`, with `until`. Where an attempt of it is in doubt, by that attempt's channel and account."""
    return Claimed(
        id=str(row["id"]),
        claim=row["claims"],
        tries=row["tries"],
        tried=tuple(row["tried"]),
        was=row["was"],
        lane=str(row["lane"]),
        ailing=row["ailing"],
        doubted=row["doubted"],
        checks=row["checks"],
        channel=row["doubt_channel"] or row["channel"],
        account=row["doubt_account"] or row["account"],
        request=kept_request(row["client_id"], row["message_id"], row["request"], row["handles"]),
        client=client,
        probe=row["probe"],
        until=row["until"],
    )
