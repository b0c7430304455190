"""Collects how accounts did in calls, by lane: the messages that one client sends by one account form a lane."""

from collections.abc import Iterable, Sequence
from typing import Literal

from agents.sender.claimed import Claimed, Settlement
from app.sending.incoming import lane_of
from sql.messages import Lane, LaneReport

#: Which results of a call count in its account's health. `no failure`: another message of the same call counts the
#: failure; `success`: the recipient chose the host, so a failure is not the account's; `nothing`: nor is a success.
Blame = Literal["all", "no failure", "success", "nothing"]


def report(
    claimed: Claimed,
    blame: Blame = "all",
    *,
    passed: bool = False,
    failed: bool = False,
    fault: bool = False,
    pause: float | None = None,
    trouble: str | None = None,
) -> LaneReport:
    """Return how the message's account did in a call; `blame` says which results count."""
    return LaneReport(
        claimed.lane,
        passed=passed and blame != "nothing",
        failed=failed and blame == "all",
        fault=fault and blame == "all",
        pause=pause if blame in ("all", "no failure") else None,
        trouble=None if blame == "success" else trouble,
        probe=claimed.probe,
    )


def reports(settlements: Iterable[Settlement], now: float) -> list[LaneReport]:
    """Return one report for each lane that has news; `now`: this worker's clock.

    A report has the successes of its lane beside the failures. A success alone is reported only if the account's last
    call had failed.
    """
    news: dict[str, list[LaneReport]] = {}
    passing: dict[str, list[float | None]] = {}
    failing: dict[str, list[float | None]] = {}
    for each in settlements:
        one = each.report
        if one.failed or one.pause is not None or (one.passed and each.claimed.ailing) or one.probe:
            news.setdefault(one.lane, []).append(one)
        if one.passed:
            passing.setdefault(one.lane, []).append(each.began)
        if one.failed:
            failing.setdefault(one.lane, []).append(each.began)
    return [_merged(every, passing.get(lane, []), failing.get(lane, []), now) for lane, every in news.items()]


def _merged(
    every: Sequence[LaneReport], passing: Sequence[float | None], failing: Sequence[float | None], now: float
) -> LaneReport:
    began = max((began for began in passing or failing if began is not None), default=now)
    return LaneReport(
        lane=every[0].lane,
        passed=bool(passing),
        failed=bool(failing),
        fault=any(one.fault for one in every),
        pause=max((one.pause for one in every if one.pause is not None), default=None),
        trouble=next((one.trouble for one in reversed(every) if one.trouble), None),
        age=max(0.0, now - began),
        probe=any(one.probe for one in every),
    )


def moved(settlements: Iterable[Settlement]) -> dict[tuple[str, str], Lane]:
    """Return the lanes of messages that go on by another account than they were claimed for: the store may not have
    these lanes yet."""
    found: dict[tuple[str, str], Lane] = {}
    for each in settlements:
        client = each.claimed.client
        if each.account != each.claimed.account:
            found[client.id, each.account] = lane_of(client, client.route_by(each.channel, each.account))
    return found
