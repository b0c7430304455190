"""What follows for a recipient's consent from other events."""
# ruff: noqa: RUF001 - look-alike characters are what is tested

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sending.consent import consent_event, learned
from app.sending.keywords import DICTIONARY, OPT_INS, OPT_OUTS, meaning, meaning_of_button
from schemas import validate
from schemas.events import CHANNELS, EVENT_TYPES, Error, Event, Handle

ANA = Handle("phone", "+15551234567")
NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)
OUT, IN = "RecipientUnsubscribed", "RecipientSubscribed"
REFUSED = Error("21610", "unsubscribed recipient", "opted_out")


def event(type: str = "MessageReceived", text: Any = "STOP", **more: Any) -> Event:
    """An event of Ana's; by default she writes STOP."""
    fields: dict[str, Any] = {
        "channel": "sms",
        "direction": "inbound" if type == "MessageReceived" else "outbound",
        "provider_message_id": "SM1",
        "message_id": "m1",
        "handle": ANA,
        "occurred_at": NOON,
        "payload": {"content": {"text": text}} if type == "MessageReceived" else {},
    }
    return Event(type, "twilio", "e1", **(fields | more))


@pytest.mark.parametrize("word", OPT_OUTS)
def test_each_opt_out_word_is_known_however_it_is_written(word: str) -> None:
    """In capitals or not, with white space around it and a mark at its end."""
    for text in (word, word.upper(), word.title(), f"  {word}\n", f"{word}.", f"{word}!!", f"{word} !"):
        assert meaning(text) == OUT, text


@pytest.mark.parametrize("word", OPT_INS)
def test_each_opt_in_word_is_known(word: str) -> None:
    """The same for those who want messages again."""
    for text in (word, f" {word.upper()}! "):
        assert meaning(text) == IN, text


def test_an_accent_may_be_a_character_of_its_own() -> None:
    """Some keyboards write it so."""
    assert meaning("ARRE\u0302T") == OUT


@pytest.mark.parametrize(
    "text",
    ["", " ", ".", "!", "please stop", "STOP it", "stopping", "Don't stop!", "yes", "YES", "no", "TD", "help",
     "restart", "the end", "st op", "start?", "stop smoking", "Can you stop?", "stop " * 300, "--", "#",
     "START\n\nwhen is my order due", "stop" + " " * 1200 + "it", "receber", "s" * 2000],
)  # fmt: skip
def test_what_may_mean_something_else_is_no_word(text: str) -> None:
    """Only the whole message counts; YES answers many a question."""
    assert meaning(text) is None


@pytest.mark.parametrize(
    "text",
    ["ＳＴＯＰ", "“STOP”", '"STOP"', "'stop'", "«Stop»", "‚STOP‘", "STOP,", "STOP\u200b", "\u200eSTOP", "\u200fstop", "\ufeffSTOP",
     "S\u00adTOP", "STOP\u00a0", "(stop)", "[STOP]", "*STOP*", "-stop", "stop-", "STOP…", "stop。", "Stop！", "STOP;", "¡STOP!",
     "STOP :(", "🛑 STOP", "STOP🛑\ufe0f", "#STOP", "STOP?", "stop？", "STOP  ALL", "stop\tall", "Stop\nall", "opt  out",
     "opt\u2011out", "opt\u2013out", "opt\u2212out", "Stop promotions", "STOP\nSent from my iPhone",
     "STOP\n\nSent from my iPhone", "\n\nStop\r\n-- \r\nAna", "PARAR\nEnviado desde mi iPhone", "STOP\n\nOn Monday you wrote",
     "stop" + " " * 200, "\n" * 2000 + "STOP", "STOP\n\n" + "quoted " * 500, "İPTAL", "СТОП", "ARRE\u0302TER"],
)  # fmt: skip
def test_an_opt_out_is_known_in_any_dress(text: str) -> None:
    """Width, quotes, invisible characters, punctuation, emoji, hyphens, white space and a signature change nothing, and
    neither does a question mark."""
    assert meaning(text) == OUT


@pytest.mark.parametrize(
    ("reply", "expected"),
    [({"title": "Stop promotions"}, OUT), ({"title": "Nein danke", "value": "STOP"}, OUT), ({"id": "stop-promotions"}, OUT),
     ({"title": "Cancel my order", "id": "CANCEL"}, None), ({"title": "Begin the survey", "id": "START"}, None),
     ({"title": "START"}, IN), ({"title": 7, "id": None}, None), ({}, None)],
)  # fmt: skip
def test_a_button_counts_by_its_title_or_an_unmistakable_id(reply: dict[str, Any], expected: str | None) -> None:
    """The title is what the recipient saw; the id is the sender's, and may be about an order or a survey."""
    assert meaning_of_button(reply) == expected
    found = learned(event(payload={"content": {"text": "Nein danke", "buttonReply": reply}}))
    assert [one.type for one in found] == ([expected] if expected else [])


@given(st.text())
def test_no_text_is_more_than_no_word(text: str) -> None:
    """Whatever strangers write is one of the words, or none."""
    assert meaning(text) in (None, OUT, IN)


def test_every_word_names_a_page_and_is_as_it_is_compared() -> None:
    """The table is one that can be checked, and each of its rows can be met."""
    for word, page in (OPT_OUTS | OPT_INS).items():
        assert page.startswith("https://") or page == DICTIONARY
        assert word == word.strip().casefold()
    assert not OPT_OUTS.keys() & OPT_INS.keys()


@pytest.mark.parametrize("channel", CHANNELS)
def test_words_count_where_they_are_customary(channel: str) -> None:
    """A mail or a chat that says no more than `stop` is left to whoever reads it."""
    assert bool(learned(event(channel=channel))) == (channel in ("sms", "whatsapp", "rcs"))


def test_what_follows_is_of_the_same_message_at_the_same_time() -> None:
    """Handle, channel, direction, time and ids are those of the message, the payload says what it rests on, the text is
    not in it, and the message itself stays as it was."""
    (found,) = learned(event())
    assert (found.type, found.payload) == (OUT, {"basis": "keyword"})
    assert (found.handle, found.channel, found.direction, found.occurred_at) == (ANA, "sms", "inbound", NOON)
    assert (found.source, found.provider_message_id, found.message_id, found.error) == ("twilio", "SM1", "m1", None)
    original = event()
    learned(original)
    assert original == event()


def test_a_redelivery_makes_the_same_and_another_event_another() -> None:
    """The id is made of the event's own."""
    (one,), (again,) = learned(event()), learned(event())
    other = event()
    other.source_event_id = "e2"
    (another,) = learned(other)
    assert one == again
    assert len({one.source_event_id, another.source_event_id, "e1", "e2"}) == 4


@pytest.mark.parametrize("type", ["MessageFailed", "MessageBounced", "MessageRejected"])
def test_a_refusal_of_who_opted_out_is_an_opt_out(type: str) -> None:
    """Only for that reason, and only where it is not about one list of the provider's."""
    (found,) = learned(event(type, error=REFUSED))
    assert (found.type, found.payload, found.error) == (OUT, {"basis": "error"}, None)
    assert learned(event(type, error=Error("1", None, "blocked"))) == []
    assert learned(event(type)) == []
    assert learned(event(type, error=REFUSED, payload={"list": "news"})) == []
    assert learned(event(type, error=REFUSED, payload={"unsubscribeGroup": "7"})) == []


def test_a_complaint_stops_its_channel() -> None:
    """Even where the message was one of a list: who calls it spam wants none."""
    (found,) = learned(event("MessageComplained", channel="email", payload={"unsubscribeGroup": "7"}))
    assert (found.type, found.channel, found.payload) == (OUT, "email", {"basis": "complaint"})


def test_nothing_follows_without_a_recipient() -> None:
    """Whose word it would be is not known."""
    assert learned(event(handle=None)) == []
    assert learned(event("MessageComplained", handle=None)) == []


@pytest.mark.parametrize("payload", [{}, {"content": None}, {"content": []}, {"content": {"text": 7}}])
def test_a_message_without_text_means_nothing(payload: dict[str, Any]) -> None:
    """Media, places, and what no adapter should have made."""
    assert learned(event(payload=payload)) == []


@pytest.mark.parametrize("type", sorted(EVENT_TYPES))
def test_nothing_follows_from_what_follows(type: str) -> None:
    """One step and no more; what follows fits its schema."""
    for found in learned(event(type, error=REFUSED)):
        validate(found.type, found.payload)
        assert learned(found) == []


@pytest.mark.parametrize(("state", "type"), [("out", OUT), ("in", IN)])
def test_what_is_said_by_hand_names_who_said_it(state: str, type: str) -> None:
    """An event of ours, for one channel or for all."""
    one = consent_event(ANA, "sms", state, "key 1", NOON, "id")
    assert (one.type, one.source, one.source_event_id, one.channel, one.handle) == (
        type,
        "threadline",
        "id",
        "sms",
        ANA,
    )
    assert one.payload == {"basis": "api", "agent": "key 1"}
    assert consent_event(ANA, "*", state, "key 1", NOON, "id").channel is None
    validate(one.type, one.payload)


@pytest.mark.parametrize(("direction", "expected"), [("inbound", [OUT]), ("outbound", []), (None, [])])
def test_an_edit_counts_as_what_it_says_now(direction: str | None, expected: list[str]) -> None:
    """A recipient's message that becomes STOP opts out; another's does not."""
    edit = event("MessageEdited", direction=direction, payload={"content": {"text": "STOP"}})
    assert [found.type for found in learned(edit)] == expected
