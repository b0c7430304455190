"""What follows from what a provider answered: the next state, the events, and how the account did."""

import pytest

from adapters.contract import Outcome
from app.clients.configured import Client, Fallback, Retry, Route
from app.sending import outcomes, uncalled
from app.sending.claimed import Claimed, Recourse
from app.sending.requests import read_request
from schemas.events import Error, Handle

SMS, WHATSAPP = Route("sms", "twilio"), Route("whatsapp", "meta")
TO = "+15551234567"
LATER = Outcome("retryable", None, Error("busy", "try later", "unknown"))
NEVER = Outcome("rejected", None, Error("21211", "no such number", "invalid_address"))


def claimed(
    *, tries: int = 0, client: Client | None = None, tried: tuple[str, ...] = (), doubted: bool = False
) -> Claimed:
    """A message that was taken, by WhatsApp first."""
    request = read_request({"to": TO, "body": "Hello"}, client_id="shop")
    own = client or Client("shop", 1, (WHATSAPP, SMS), retry=Retry(3, 1.0, 10.0))
    return Claimed("id", 7, tries, tried, "queued", "lane", False, doubted, 0, "whatsapp", "meta", request, own)


def falling(**fallback: object) -> Client:
    """A client that wants the next channel tried."""
    return Client("shop", 1, (WHATSAPP, SMS), fallback=Fallback(**fallback))  # type: ignore[arg-type]


def test_what_was_accepted_is_sent() -> None:
    """With the provider's id, under the account's source, so that its webhooks join."""
    result = outcomes.accepted(claimed(), WHATSAPP, Handle("phone", TO), "meta_eu", Outcome("accepted", "wamid.1"), 200)
    assert (result.settled.state, result.settled.provider_message_id, result.passed) == ("sent", "wamid.1", True)
    (event,) = result.events
    assert (event.type, event.provider, event.provider_message_id) == ("UserMessageSent", "meta_eu", "wamid.1")
    assert event.payload["channel"] == "whatsapp" and event.handle == Handle("phone", TO)


def test_what_was_accepted_is_watched_where_another_channel_would_follow() -> None:
    """Until the time for its delivery is over; the last channel is not watched."""
    own = claimed(client=falling(after=60.0))
    result = outcomes.accepted(own, WHATSAPP, Handle("phone", TO), "meta", Outcome("accepted", "1"), 200)
    assert (result.settled.state, result.settled.due_in) == ("watched", 60.0)
    last = claimed(client=falling(after=60.0), tried=("whatsapp",))
    assert (
        outcomes.accepted(last, SMS, Handle("phone", TO), "twilio", Outcome("accepted", "1"), 200).settled.state
        == "sent"
    )


def test_a_failure_that_is_told_later_counts_as_well() -> None:
    """Where the next channel is wanted on a failure, the message is watched for a day; without one it stays sent."""
    own = claimed(client=falling(on_failure=True))
    result = outcomes.accepted(own, WHATSAPP, Handle("phone", TO), "meta", Outcome("accepted", "1"), 200)
    assert (result.settled.state, result.settled.due_in) == ("watched", outcomes.WATCHED)
    assert uncalled.undelivered(own, failing=False).settled.state == "sent"
    assert uncalled.undelivered(own, failing=True).settled.channel == "sms"


def test_what_may_pass_later_is_tried_with_ever_longer_pauses() -> None:
    """Doubling, with jitter, never before Retry-After; the last try is the end of it."""
    first = outcomes.refused(claimed(), WHATSAPP, LATER, 503, 1.0)
    assert (first.settled.state, first.settled.due_in, first.settled.tries, first.passed) == ("retrying", 1.0, 1, False)
    second = outcomes.refused(claimed(tries=1), WHATSAPP, LATER, 503, 0.5)
    assert second.settled.due_in == 1.0
    assert [event.type for event in second.events] == ["MessageDelayed"]
    asked = Outcome("retryable", None, LATER.error, retry_after=7.0)
    assert outcomes.refused(claimed(), WHATSAPP, asked, 503, 0.1).settled.due_in == 7.0
    last = outcomes.refused(claimed(tries=2), WHATSAPP, LATER, 503, 1.0)
    assert (last.settled.state, [event.type for event in last.events]) == ("failed", ["MessageFailed"])


@pytest.mark.parametrize("status", [429, 200])
def test_too_many_costs_no_try_and_rests_the_account(status: int) -> None:
    """However often it is said, and whatever status says it."""
    rate = Outcome("retryable", None, Error("30001", "queue overflow", "rate"), retry_after=3.0)
    result = outcomes.refused(claimed(tries=2), WHATSAPP, rate, status, 0.0)
    assert (result.settled.state, result.settled.tries, result.pause, result.passed) == ("retrying", 2, 3.0, None)
    assert result.events == []


def test_refused_credentials_fail_no_message() -> None:
    """The account rests, and the message waits, with a reason that is not its content."""
    error = Error("20003", "Authenticate", "account")
    result = outcomes.refused(claimed(tries=2), WHATSAPP, Outcome("account", None, error), 401, 0.0)
    assert (result.settled.state, result.settled.tries) == ("retrying", 2)
    assert result.settled.error and result.settled.error["reason"] == "account"
    assert result.pause and result.trouble and result.passed is False and result.fault and result.events == []


def test_a_wrong_sender_is_whose_who_named_it() -> None:
    """The account's, where it is that of its settings; the message's, where the request names it: no other waits for it."""
    wrong = Outcome("sender", None, Error("21606", "not yours", "account"))
    assert outcomes.refused(claimed(), WHATSAPP, wrong, 400, 0.0).fault
    own = claimed()
    own.request.document["sender"] = "+15550000000"
    result = outcomes.refused(own, WHATSAPP, wrong, 400, 0.0)
    assert (result.settled.state, result.fault) == ("failed", False)
    assert result.settled.error and result.settled.error["reason"] == "content"


def test_what_never_passes_fails_or_goes_to_the_next_channel() -> None:
    """The next one only where it is wanted; the customer's interaction is told of a delay then."""
    alone = outcomes.refused(claimed(), WHATSAPP, NEVER, 400, 0.0)
    assert (alone.settled.state, [event.type for event in alone.events], alone.passed) == (
        "failed",
        ["MessageRejected"],
        True,
    )
    assert alone.events[0].error == NEVER.error
    result = outcomes.refused(claimed(client=falling(on_failure=True)), WHATSAPP, NEVER, 400, 0.0)
    assert (result.settled.state, result.settled.channel, result.settled.account) == ("queued", "sms", "twilio")
    assert (result.settled.tried, result.settled.tries) == (["whatsapp"], 0)
    assert [event.type for event in result.events] == ["MessageDelayed"]
    last = claimed(client=falling(on_failure=True), tried=("whatsapp",))
    assert outcomes.refused(last, SMS, NEVER, 400, 0.0).settled.state == "failed"


@pytest.mark.parametrize("status", [502, 504])
@pytest.mark.parametrize("again", [True, False])
def test_a_gateway_without_an_answer_is_no_refusal(status: int, again: bool) -> None:
    """Who stands behind it may have taken the message: only a provider that can tell is asked again."""
    result = outcomes.refused(claimed(), WHATSAPP, LATER, status, 0.5, Recourse(again))
    assert result.settled.state == ("retrying" if again else "unanswered")


@pytest.mark.parametrize("again", [True, False])
def test_no_answer(again: bool) -> None:
    """Asked again where that does no harm, else held with words that say what to do."""
    result = outcomes.unanswered(claimed(), WHATSAPP, Recourse(again), "timeout", 0.5)
    assert result.settled.state == ("retrying" if again else "unanswered")
    assert result.settled.outcome == "unanswered" and result.settled.status is None
    if not again:
        assert "release" in (result.settled.cause or "") and result.events[0].type == "MessageHeld"


def test_a_doubt_ends_with_an_answer_to_the_same_key() -> None:
    """An earlier call may have been taken: that the tries ran out does not say that it was not; a no to its key does."""
    later = outcomes.refused(claimed(tries=1, doubted=True), WHATSAPP, LATER, 503, 0.5)
    assert (later.settled.state, later.settled.doubted) == ("retrying", True)
    over = outcomes.refused(claimed(tries=2, doubted=True), WHATSAPP, LATER, 503, 0.5)
    assert (over.settled.state, over.settled.doubted) == ("unanswered", False)
    said = outcomes.refused(claimed(tries=2, doubted=True), WHATSAPP, NEVER, 400, 0.5)
    assert (said.settled.state, said.settled.doubted) == ("failed", False)
    unable = outcomes.refused(claimed(doubted=True), WHATSAPP, NEVER, 0, 0.5)
    assert unable.settled.state == "unanswered"
    taken = outcomes.accepted(
        claimed(doubted=True), WHATSAPP, Handle("phone", TO), "meta", Outcome("accepted", "1"), 200
    )
    assert (taken.settled.state, taken.settled.doubted) == ("sent", False)


def test_what_was_never_called_judges_no_account() -> None:
    """A message that the adapter cannot say is the message's fault."""
    result = outcomes.refused(claimed(), WHATSAPP, NEVER, 0, 0.0)
    assert (result.settled.state, result.passed, result.trouble) == ("failed", None, None)


@pytest.mark.parametrize("failing", [True, False])
def test_what_was_not_delivered_goes_to_the_next_channel(failing: bool) -> None:
    """And stays sent where there is none."""
    result = uncalled.undelivered(claimed(client=falling(after=60.0)), failing)
    assert (result.settled.state, result.settled.channel, result.settled.tried) == ("queued", "sms", ["whatsapp"])
    assert uncalled.undelivered(claimed(), failing).settled.state == "sent"


def test_a_failure_that_no_channel_follows_any_more_is_said() -> None:
    """While it was watched its client was not told of the failure: where no channel follows after all, we say so."""
    result = uncalled.undelivered(claimed(), True)
    assert [event.type for event in result.events] == ["MessageFailed"]
    assert uncalled.undelivered(claimed(), False).events == []
