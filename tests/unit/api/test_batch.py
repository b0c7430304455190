"""What a body asks for, and the keys of requests: shapes and errors."""

from typing import Any

import pytest
from starlette.requests import Request

from app.api.batch import MOST, Item, documents_of, items_of, link
from app.api.idempotency import fingerprint, key_of
from app.http.problems import Problem
from schemas.events import Error
from sql import Accepted

SMS = {"channel": "sms", "to": "+15551234567", "body": "Hello"}


def request(*headers: tuple[str, str], path: str = "/v1/messages") -> Request:
    """A POST with these headers."""
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return Request({"type": "http", "method": "POST", "path": path, "headers": raw, "query_string": b""})


@pytest.mark.parametrize(
    ("body", "many", "paths"),
    [
        (SMS, False, ["$"]),
        ("no object", False, ["$"]),
        ([SMS, 1], True, ["$[0]", "$[1]"]),
        ({"messages": [SMS, SMS]}, True, ["$.messages[0]", "$.messages[1]"]),
    ],
)
def test_one_or_many(body: Any, many: bool, paths: list[str]) -> None:
    """A list, or an object with `messages`, asks for many; each has its path."""
    found, documents = documents_of(body)
    assert (found, [path for path, _ in documents]) == (many, paths)


@pytest.mark.parametrize("body", [[], [SMS] * (MOST + 1), {"messages": {}}, {"messages": [SMS], "to": "x"}])
def test_unfit_batches(body: Any) -> None:
    """Too few, too many, and what is between one and many, is refused as a whole."""
    with pytest.raises(Problem) as raised:
        documents_of(body)
    assert raised.value.status == 422 and raised.value.extensions["path"].startswith("$")


def test_each_message_of_several_has_an_id_of_its_own() -> None:
    """A new one, which is not made of the request's key, or the one that it asks for."""

    def ids(key: str | None, *documents: Any) -> list[str]:
        _, found = documents_of(list(documents))
        return [item.request.message_id for item in items_of(found, "shop", None, key, many=True) if item.request]

    assert len(set(ids("k", SMS, SMS) + ids("k", SMS, SMS) + ids(None, SMS, SMS))) == 6
    assert ids("k", SMS | {"messageId": "m-1"}) == ["m-1"]


def test_a_refusal_tells_the_place_in_the_body() -> None:
    """The path within the whole, and the words; the document's own text is not repeated."""
    _, found = documents_of({"messages": [SMS, SMS | {"to": "secret"}]})
    good, bad = items_of(found, "shop", "sms", None, many=True)
    assert good.refusal is None and bad.refusal is not None
    reported = bad.to_json()["error"]
    assert (reported["status"], reported["path"]) == (422, "$.messages[1].to")
    assert reported["detail"].startswith("$.messages[1].to: ") and "secret" not in reported["detail"]


def test_verdicts() -> None:
    """Fresh, taken before, and another under the same id, which is judged anew where the transaction was."""
    (item,) = items_of([("$", SMS | {"messageId": "m-1"})], "shop", None, None, many=False)
    item.channel = "sms"
    item.judge(Accepted(False, False))
    assert item.to_json()["error"]["status"] == 409 and item.to_json()["error"]["path"] == "$.messageId"
    item.judge(Accepted(False, True))
    assert item.to_json()["duplicate"] is True
    item.judge(Accepted(True, True))
    links = {"self": "/v1/messages/m-1"}
    assert item.to_json() == {"messageId": "m-1", "state": "accepted", "channel": "sms", "links": links}


@pytest.mark.parametrize(
    ("document", "reason", "path"),
    [
        (SMS, "unknown", "$[3].channel"),
        ({"channels": ["sms"], "to": "x"}, "unknown", "$[3].channels"),
        ({"to": "x"}, "invalid_address", "$[3].to"),
        ({"to": "x"}, "unknown", "$[3]"),
    ],
)
def test_what_no_route_takes(document: Any, reason: str, path: str) -> None:
    """The path is that of the choice that cannot be met."""
    item = Item("$[3]", document)
    item.unroutable(Error(None, "no way", reason))
    assert item.to_json()["error"]["path"] == path


def test_a_link_holds_any_id() -> None:
    """An id is one segment of the path."""
    assert link("a/b?c#d%") == "/v1/messages/a%2Fb%3Fc%23d%25"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324"),
        (' "abc" ', "abc"),
        (r'"a\"b\\c d"', r'a"b\c d'),
        ("x" * 255, "x" * 255),
    ],
)
def test_keys(text: str, key: str) -> None:
    """A string of RFC 9651, or bare."""
    assert key_of(request(("Idempotency-Key", text))) == key


def test_no_key() -> None:
    """The header may be left out."""
    assert key_of(request()) is None


@pytest.mark.parametrize(
    "text", ["", '""', "a b", '"a', 'a"', r'"a\b"', '"a";p=1', "a, b", "\xe9", '"\xe9"', "x" * 256]
)
def test_malformed_keys(text: str) -> None:
    """400, which names the header."""
    with pytest.raises(Problem) as raised:
        key_of(request(("Idempotency-Key", text)))
    assert (raised.value.status, raised.value.extensions["parameter"]) == (400, "Idempotency-Key")


def test_a_fingerprint_is_of_what_is_said() -> None:
    """The same for another order of keys, another for another path or body."""
    here = request()
    turned = dict(reversed(SMS.items()))
    assert fingerprint(here, SMS) == fingerprint(here, turned)
    others = [fingerprint(here, [SMS]), fingerprint(request(path="/v1/sms/messages"), SMS), fingerprint(here, None)]
    assert len({fingerprint(here, SMS), *others}) == 4


def test_a_refusal_tells_all_that_is_wrong_with_a_message() -> None:
    """In `errors`, with the paths in the whole body, where it is more than one."""
    _, found = documents_of([SMS | {"channel": "fax", "priority": "urgent"}, SMS | {"priority": "urgent"}])
    several, one = (item.to_json()["error"] for item in items_of(found, "shop", None, None, many=True))
    assert {each["path"] for each in several["errors"]} == {"$[0].channel", "$[0].priority"}
    assert several["errors"][0] == {"path": several["path"], "detail": several["detail"]}
    assert one["path"] == "$[1].priority" and "errors" not in one
