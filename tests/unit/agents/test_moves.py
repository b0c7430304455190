"""What follows from what a provider answered: the next state, the events, and how the account did."""

import pytest

from adapters.contract import Outcome
from agents.sender import answered, answers, moves
from agents.sender.claimed import HOLD, NOBODY, Claimed, Recovery, Settlement
from app.clients.configured import Client, Fallback, Retry, Route
from app.sending.requests import read_request
from schemas.events import Error, Handle

SMS, WHATSAPP = Route("sms", "twilio"), Route("whatsapp", "meta")
TO = "+15551234567"
LATER = Outcome("retryable", None, Error("busy", "try later", "unknown"))
NEVER = Outcome("rejected", None, Error("21211", "no such number", "invalid_address"))


def claimed(
    *,
    tries: int = 0,
    client: Client | None = None,
    tried: tuple[str, ...] = (),
    doubted: bool = False,
    was: str = "queued",
    delivery: str | None = None,
) -> Claimed:
    """A message that was taken, by WhatsApp first."""
    request = read_request({"to": TO, "body": "Hello"}, client_id="shop")
    own = client or Client("shop", 1, (WHATSAPP, SMS), retry=Retry(3, 1.0, 10.0))
    return Claimed(
        tried=tried, id="id", claim=7, tries=tries, was=was, lane="lane", limits=(None, 1, 1), ailing=False,
        doubted=doubted, doubt_since=None, checks=0, channel="whatsapp", account="meta", claimed_for="meta",
        delivery=delivery, reported=False, request=request, client=own,
    )  # fmt: skip


def watched(client: Client | None = None, *, failing: bool) -> Settlement:
    """What follows for a message that was sent and watched, and was not delivered."""
    return moves.after_watching(claimed(client=client, was="watched", delivery="failed" if failing else "sent"))


def accepted(own: Claimed, route: Route, handle: Handle, source: str, outcome: Outcome, status: int) -> Settlement:
    """What follows when the provider takes it."""
    answer = answers.read(outcome, status, own.request, HOLD)
    return answered.after_call(own, route, answer, handle=handle, source=source)


def refused(
    own: Claimed, route: Route, outcome: Outcome, status: int | None, jitter: float, recovery: Recovery = HOLD
) -> Settlement:
    """What follows when the provider does not take it."""
    answer = answers.read(outcome, status, own.request, recovery)
    return answered.after_call(own, route, answer, recovery=recovery, jitter=jitter)


def falling(**fallback: object) -> Client:
    """A client that wants the next channel tried."""
    return Client("shop", 1, (WHATSAPP, SMS), fallback=Fallback(**fallback))  # type: ignore[arg-type]


def test_what_was_accepted_is_sent() -> None:
    """With the provider's id, under the account's source, so that its webhooks join."""
    result = accepted(claimed(), WHATSAPP, Handle("phone", TO), "meta_eu", Outcome("accepted", "wamid.1"), 200)
    assert (result.state, result.provider_message_id, result.report.passed) == ("sent", "wamid.1", True)
    (event,) = result.events
    assert (event.type, event.provider, event.provider_message_id) == ("UserMessageSent", "meta_eu", "wamid.1")
    assert event.payload["channel"] == "whatsapp" and event.handle == Handle("phone", TO)


def test_what_was_accepted_is_watched_where_another_channel_would_follow() -> None:
    """Until the time for its delivery is over; the last channel is not watched."""
    own = claimed(client=falling(after=60.0))
    result = accepted(own, WHATSAPP, Handle("phone", TO), "meta", Outcome("accepted", "1"), 200)
    assert (result.state, result.due_in) == ("watched", 60.0)
    last = claimed(client=falling(after=60.0), tried=("whatsapp",))
    assert accepted(last, SMS, Handle("phone", TO), "twilio", Outcome("accepted", "1"), 200).state == "sent"


def test_a_failure_that_is_reported_later_counts_as_well() -> None:
    """Where the next channel is wanted on a failure, the message is watched for a day; without one it stays sent."""
    own = claimed(client=falling(on_failure=True))
    result = accepted(own, WHATSAPP, Handle("phone", TO), "meta", Outcome("accepted", "1"), 200)
    assert (result.state, result.due_in) == ("watched", answered.WATCHED)
    assert watched(own.client, failing=False).state == "sent"
    assert watched(own.client, failing=True).channel == "sms"


def test_what_may_pass_later_is_tried_with_ever_longer_pauses() -> None:
    """Doubling, with jitter, never before Retry-After; the last try is the end of it."""
    first = refused(claimed(), WHATSAPP, LATER, 503, 1.0)
    assert (first.state, first.due_in, first.tries, first.report.failed) == ("retrying", 1.0, 1, True)
    second = refused(claimed(tries=1), WHATSAPP, LATER, 503, 0.5)
    assert second.due_in == 1.0
    assert [event.type for event in second.events] == ["MessageDelayed"]
    asked = Outcome("retryable", None, LATER.error, retry_after=7.0)
    assert refused(claimed(), WHATSAPP, asked, 503, 0.1).due_in == 7.0
    last = refused(claimed(tries=2), WHATSAPP, LATER, 503, 1.0)
    assert (last.state, [event.type for event in last.events]) == ("failed", ["MessageFailed"])


@pytest.mark.parametrize("status", [429, 200])
def test_too_many_costs_no_try_and_rests_the_account(status: int) -> None:
    """However often it is reported, and whatever status reports it."""
    rate = Outcome("retryable", None, Error("30001", "queue overflow", "rate"), retry_after=3.0)
    result = refused(claimed(tries=2), WHATSAPP, rate, status, 0.0)
    assert (result.state, result.tries, result.report.pause) == ("retrying", 2, 3.0)
    assert not result.report.passed and not result.report.failed
    assert result.events == []


def test_refused_credentials_fail_no_message() -> None:
    """The account rests, and the message waits, with a reason that is not its content."""
    error = Error("20003", "Authenticate", "account")
    result = refused(claimed(tries=2), WHATSAPP, Outcome("account", None, error), 401, 0.0)
    assert (result.state, result.tries) == ("retrying", 2)
    assert result.error and result.error["reason"] == "account"
    did = result.report
    assert did.pause and did.trouble and did.failed and did.fault and result.events == []


def test_a_wrong_sender_is_whose_who_named_it() -> None:
    """The account's, where it is that of its settings; the message's, where the request names it: no other waits for it."""
    wrong = Outcome("sender", None, Error("21606", "not yours", "account"))
    assert refused(claimed(), WHATSAPP, wrong, 400, 0.0).report.fault
    own = claimed()
    own.request.document["sender"] = "+15550000000"
    result = refused(own, WHATSAPP, wrong, 400, 0.0)
    assert (result.state, result.report.fault) == ("failed", False)
    assert result.error and result.error["reason"] == "content"


def test_what_never_passes_fails_or_goes_to_the_next_channel() -> None:
    """The next one only where it is wanted; the customer's interaction gets a delay then."""
    alone = refused(claimed(), WHATSAPP, NEVER, 400, 0.0)
    assert (alone.state, [event.type for event in alone.events], alone.report.passed) == (
        "failed",
        ["MessageRejected"],
        True,
    )
    assert alone.events[0].error == NEVER.error
    result = refused(claimed(client=falling(on_failure=True)), WHATSAPP, NEVER, 400, 0.0)
    assert (result.state, result.channel, result.account) == ("queued", "sms", "twilio")
    assert (result.tried, result.tries) == (["whatsapp"], 0)
    assert [event.type for event in result.events] == ["MessageDelayed"]
    last = claimed(client=falling(on_failure=True), tried=("whatsapp",))
    assert refused(last, SMS, NEVER, 400, 0.0).state == "failed"


@pytest.mark.parametrize("status", [502, 504])
@pytest.mark.parametrize("again", [True, False])
def test_a_gateway_without_an_answer_is_no_refusal(status: int, again: bool) -> None:
    """Who stands behind it may have taken the message: only a provider that recognises repeats is called again."""
    result = refused(claimed(), WHATSAPP, LATER, status, 0.5, Recovery(again))
    assert result.state == ("retrying" if again else "unanswered")


@pytest.mark.parametrize("again", [True, False])
def test_no_answer(again: bool) -> None:
    """Asked again where that does no harm, else held with words that say what to do."""
    answer = answers.unanswered("timeout")
    result = answered.after_call(claimed(), WHATSAPP, answer, recovery=Recovery(again), jitter=0.5)
    assert result.state == ("retrying" if again else "unanswered")
    assert result.outcome == "unanswered" and result.status is None
    if not again:
        assert "release" in (result.cause or "") and result.events[0].type == "MessageHeld"


def test_a_doubt_ends_with_an_answer_to_the_same_key() -> None:
    """An earlier call may have been taken: that the tries ran out does not say that it was not; a no to its key does."""
    later = refused(claimed(tries=1, doubted=True), WHATSAPP, LATER, 503, 0.5)
    assert (later.state, later.doubted) == ("retrying", True)
    over = refused(claimed(tries=2, doubted=True), WHATSAPP, LATER, 503, 0.5)
    assert (over.state, over.doubted) == ("unanswered", False)
    output = refused(claimed(tries=2, doubted=True), WHATSAPP, NEVER, 400, 0.5)
    assert (output.state, output.doubted) == ("failed", False)
    unable = refused(claimed(doubted=True), WHATSAPP, NEVER, 0, 0.5)
    assert unable.state == "unanswered"
    taken = accepted(claimed(doubted=True), WHATSAPP, Handle("phone", TO), "meta", Outcome("accepted", "1"), 200)
    assert (taken.state, taken.doubted) == ("sent", False)


def test_what_was_never_called_judges_no_account() -> None:
    """A message that the adapter cannot say is the message's fault."""
    result = refused(claimed(), WHATSAPP, NEVER, 0, 0.0)
    assert (result.state, result.report.trouble) == ("failed", None)
    assert not result.report.passed and not result.report.failed


@pytest.mark.parametrize("failing", [True, False])
def test_what_was_not_delivered_goes_to_the_next_channel(failing: bool) -> None:
    """And stays sent where there is none."""
    result = watched(falling(after=60.0), failing=failing)
    assert (result.state, result.channel, result.tried) == ("queued", "sms", ["whatsapp"])
    assert watched(failing=failing).state == "sent"


def test_a_failure_that_no_channel_follows_any_more_is_said() -> None:
    """While it was watched its client was not notified of the failure: if no channel follows after all, it is."""
    result = watched(failing=True)
    assert [event.type for event in result.events] == ["MessageFailed"]
    assert watched(failing=False).events == []


def test_a_watched_message_stays_watched_where_its_client_cannot_be_read() -> None:
    """It was sent: were it retried, its recipient would get it twice."""
    own = claimed(client=NOBODY, was="watched")
    assert moves.undecided(own, "a fault").state == "watched"
    assert moves.misconfigured(own, "no client").state == "watched"
