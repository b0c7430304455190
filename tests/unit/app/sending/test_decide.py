"""What is done with a message that is due."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.clients.configured import Client, Route
from app.sending.decide import End, Hold, Known, Send, decide
from app.sending.requests import Request, read_request
from app.sending.windows import parse

TO = "+3545551234"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # a Monday
DAYTIME = parse({"mon-fri": ["09:00-20:00"]})
SMS = Route("sms", "twilio", windows=DAYTIME)
MAIL = Route("email", "resend")
CLIENT = Client("shop", 1, (SMS, MAIL), zone="Europe/Lisbon", exempt=frozenset({"transactional"}))


def asked(**more: Any) -> Request:
    """A request by both channels."""
    to = {"sms": TO, "email": "ana@example.com"}
    return read_request({"to": to, "body": "Hello"} | more, client_id="shop")


def test_it_leaves_by_the_first_channel_within_its_window() -> None:
    """The client's order, or that of the request."""
    first, other = (
        decide(asked(), CLIENT, Known(), NOON),
        decide(asked(channels=["email", "sms"]), CLIENT, Known(), NOON),
    )
    assert isinstance(first, Send) and first.route is SMS and first.handle.value == TO
    assert isinstance(other, Send) and other.route is MAIL


def test_outside_of_its_window_it_is_held_and_says_why() -> None:
    """Until the window opens by the recipient's clock, whose zone it names with the source of it."""
    found = decide(asked(), CLIENT, Known(profile_zone="Asia/Tokyo"), NOON)
    assert isinstance(found, Hold)
    assert found.opens == found.until == datetime(2026, 11, 24, 0, 0, tzinfo=UTC)
    assert found.cause == (
        "held until 2026-11-24 09:00 Asia/Tokyo: sms may be sent Monday to Friday 09:00 to 20:00; "
        "it is Monday 21:00 in Asia/Tokyo; zone known from the customer profile"
    )


@pytest.mark.parametrize(
    ("request_zone", "profile", "opens"),
    [("America/New_York", "Asia/Tokyo", 14), (None, "America/New_York", 14), (None, None, 12)],
)
def test_the_request_knows_the_zone_best(request_zone: str | None, profile: str | None, opens: int) -> None:
    """Then the profile, then the number (Iceland's), then the client."""
    found = decide(asked(**({"zone": request_zone} if request_zone else {})), CLIENT, Known(profile_zone=profile), NOON)
    if opens == 12:
        assert isinstance(found, Send)
    else:
        assert isinstance(found, Hold) and found.until == NOON.replace(hour=opens)


def test_a_zone_that_nobody_knows_holds() -> None:
    """It is looked at again, and the reason says what to do."""
    nowhere = Client("shop", 1, (SMS,))
    request = read_request({"to": "+447911123456", "channel": "sms", "body": "x"}, client_id="shop")
    found = decide(request, nowhere, Known(), NOON)
    assert isinstance(found, Hold) and found.opens is None and NOON < found.until
    assert "time zone is not known" in found.cause


def test_released_passes_the_window_and_not_before() -> None:
    """It is on record."""
    late = NOON.replace(hour=23)
    later = asked(notBefore=(late + timedelta(days=1)).isoformat())
    assert isinstance(decide(later, CLIENT, Known(), late), Hold)
    assert isinstance(decide(later, CLIENT, Known(released=True), late), Send)


def test_held_no_longer_than_it_is_worth() -> None:
    """It expires before the window opens; and is expired then."""
    soon = NOON.replace(hour=22)
    found = decide(asked(), CLIENT, Known(expires_at=soon), NOON.replace(hour=21))
    assert isinstance(found, Hold) and found.until == soon
    end = decide(asked(), CLIENT, Known(expires_at=soon), soon)
    assert isinstance(end, End) and (end.state, end.error.reason) == ("expired", "expired")


def test_who_opted_out_is_left_alone() -> None:
    """On that channel, or on all; but for what the client exempts."""
    found = decide(asked(), CLIENT, Known(opted_out=["sms"]), NOON)
    assert isinstance(found, Send) and found.route is MAIL
    end = decide(asked(), CLIENT, Known(opted_out=["*"]), NOON)
    assert isinstance(end, End) and (end.state, end.error.reason) == ("failed", "opted_out")
    exempt = decide(asked(category="transactional"), CLIENT, Known(opted_out=["*"]), NOON)
    assert isinstance(exempt, Send) and exempt.route is SMS
    assert isinstance(decide(asked(category="marketing"), CLIENT, Known(opted_out=["*"]), NOON), End)


def test_channels_that_were_given_up_are_not_tried_again() -> None:
    """Until none is left."""
    found = decide(asked(), CLIENT, Known(tried=["sms"]), NOON)
    assert isinstance(found, Send) and found.route is MAIL
    end = decide(asked(), CLIENT, Known(tried=["sms", "email"]), NOON)
    assert isinstance(end, End) and end.error.text == "no channel is left to try"


def test_what_the_client_has_not_is_said() -> None:
    """With what it has."""
    request = read_request({"to": TO, "channel": "whatsapp", "body": "x"}, client_id="shop")
    end = decide(request, CLIENT, Known(), NOON)
    assert isinstance(end, End) and end.error.text == "the client has no channel whatsapp (it has: sms, email)"


def test_cancelled_is_cancelled() -> None:
    """Before all else."""
    end = decide(asked(), CLIENT, Known(cancelled=True, expires_at=NOON), NOON)
    assert isinstance(end, End) and end.state == "cancelled"


def test_windows_that_never_open_fail() -> None:
    """Rather than hold for ever."""
    never = Client("shop", 1, (Route("sms", "twilio", windows=parse({"daily": "never"})),), zone="Europe/Lisbon")
    end = decide(asked(channel="sms"), never, Known(), NOON)
    assert isinstance(end, End) and end.error.text == "the client's windows for sms never open"
