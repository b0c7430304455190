"""All errors of a document at once."""

from typing import Any

import pytest

from app.clients.accounts import account_of
from app.sending.configuration import parse
from app.sending.requests import read_request
from schemas import SchemaError
from schemas.documents import check
from schemas.faults import LINE, LISTED, Faults, line, lines

CLIENT: dict[str, Any] = {
    "zone": "Europe/Lisbonn",
    "colour": "red",
    "channels": [{"channel": "sms", "account": "a"}, {"channel": "sms", "account": "b"}],
    "windows": {"sms": {"mon-fri": ["9-20", "08:00-08:00"], "someday": "never"}, "email": {"daily": "all day"}},
    "holidays": ["2026-13-01", "12-25", "tomorrow"],
    "retry": {"first": 60, "longest": 5},
    "callback": {"url": "http://shop.example.com", "types": ["message.deliverd", "message.failed"]},
    "unanswered": "maybe",
}


def paths(error: SchemaError) -> set[str]:
    """The paths of its errors, each of which occurs once."""
    found = [path for path, _ in error.faults]
    assert len(found) == len(set(found))
    return set(found)


def test_a_configuration_is_told_all_that_is_wrong_with_it() -> None:
    """What the schema finds, and what no schema can say of the parts that fit it."""
    with pytest.raises(SchemaError) as caught:
        parse("shop", 1, CLIENT)
    assert paths(caught.value) == {
        "$.zone", "$.colour", "$.unanswered", "$.retry.first", "$.channels[1].channel", "$.windows.sms.mon-fri[0]",
        "$.windows.sms.mon-fri[1]", "$.windows.sms.someday", "$.windows.email", "$.holidays[0]", "$.holidays[2]",
        "$.callback.url", "$.callback.types[0]",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("channels", "found"),
    [
        (None, {"$.channels"}),
        ([], {"$.channels"}),
        ([{"channel": "sms"}, {"account": "a", "acount": "b"}], {"$.channels[0].account", "$.channels[1].channel", "$.channels[1].acount"}),
        ([7, "sms"], {"$.channels[0]", "$.channels[1]"}),
    ],
)  # fmt: skip
def test_channels_that_do_not_fit_hide_no_other_error(channels: Any, found: set[str]) -> None:
    """And give no errors of windows whose channel cannot be known."""
    windows = {"sms": {"daily": "never", "xy": 5}}
    document = {"channels": channels, "windows": windows, "zone": "Nowhere"}
    with pytest.raises(SchemaError) as caught:
        parse("shop", 1, {name: value for name, value in document.items() if value is not None})
    assert paths(caught.value) == found | {"$.zone", "$.windows.sms.xy"}


@pytest.mark.parametrize("document", [None, [], "x", 5])
def test_what_is_no_object_is_one_error(document: Any) -> None:
    """At its root."""
    with pytest.raises(SchemaError) as caught:
        parse("shop", 1, document)
    assert paths(caught.value) == {"$"}


def test_an_account_is_told_all_that_is_wrong_with_it() -> None:
    """Unknown settings, a private URL and an unknown member."""
    document = {
        "adapter": "twilio",
        "settings": {"account_sidd": "AC1", "auth_token": "", "colour": "red"},
        "url": "ftp://a.example",
        "size": 3,
    }
    with pytest.raises(SchemaError) as caught:
        account_of("one", document, trusted=False)
    assert {
        "$.settings['account_sidd']",
        "$.settings.auth_token",
        "$.settings['colour']",
        "$.url",
        "$.size",
    } == paths(caught.value)
    with pytest.raises(SchemaError) as caught:
        account_of("one", {"adapter": "twillio", "settings": {"x": "y"}, "url": "nothing"}, trusted=False)
    assert paths(caught.value) == {"$.adapter", "$.url"}


def test_a_message_is_told_all_that_is_wrong_with_it() -> None:
    """First what the schema finds, then what no schema can say."""
    with pytest.raises(SchemaError) as caught:
        read_request({"to": 5, "channel": "smss", "priority": "urgent", "body": "x"}, client_id="shop")
    assert paths(caught.value) == {"$.to", "$.channel", "$.priority"}
    document = {
        "to": "+15551234567",
        "channel": "sms",
        "channels": ["email"],
        "body": "x",
        "content": {"text": "y"},
        "zone": "Mars",
        "clientId": "other",
        "variables": {"a": "b"},
    }
    with pytest.raises(SchemaError) as caught:
        read_request(document, client_id="shop")
    assert paths(caught.value) == {"$.clientId", "$.channel", "$.body", "$.variables", "$.zone"}


def test_many_errors_are_bounded() -> None:
    """Twenty are told, the others counted, and the first is the one that was always told."""
    document = {"channels": [{"channel": "fax", "account": "a"}] * 30, "zone": "Nowhere"}
    with pytest.raises(SchemaError) as caught:
        parse("shop", 1, document)
    shown = list(lines(caught.value.faults))
    assert len(shown) == LISTED + 1 and shown[-1].startswith("and ") and shown[-1].endswith(" more")
    assert shown[0] == str(caught.value)
    with pytest.raises(SchemaError) as caught:
        check("client", {"channels": [{"channel": "fax", "account": "a"}] * 2} | {f"n{n}": n for n in range(5000)})
    assert len(caught.value.faults) <= 100


def test_errors_move_together_under_a_path() -> None:
    """And what is no SchemaError is not kept."""
    faults = Faults()
    faults.refuse()
    with faults:
        check("client", {"a": 1, "b": 2})
    with pytest.raises(SchemaError) as caught:
        faults.refuse()
    moved = caught.value.under("$.clients.shop")
    assert paths(moved) == {"$.clients.shop.a", "$.clients.shop.b", "$.clients.shop.channels"}
    with pytest.raises(KeyError), faults:
        raise KeyError


def test_one_line_tells_what_it_has_room_for() -> None:
    """Whole errors, and the number of the others; the first one is cut where it alone is too long."""
    few = [("$.a", "is required"), ("$.b", "must not be empty")]
    assert line(few[:1]) == "$.a: is required"
    assert line(few) == "$.a: is required; $.b: must not be empty"
    assert line(few, 30) == "$.a: is required; and 1 more"
    many = [(f"$.items[{n}].name", "is required") for n in range(100)]
    told = line(many)
    assert 400 < len(told) <= LINE
    shown, _, more = told.rpartition("; and ")
    assert len(shown.split("; ")) + int(more.split()[0]) == 100
    assert line([("$", "x" * 900)]) == f"$: {'x' * (LINE - 4)}…"
