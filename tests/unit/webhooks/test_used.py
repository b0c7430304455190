"""The door's memory of tokens that were signed apart from their bodies; and which adapters need one."""

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapters import ADAPTERS, interpret
from adapters.contract import InvalidSignature, Once, Unprocessable
from tests.fixtures import accounts, events_of
from tests.unit.adapters.test_adapters import each_fixture, request_of
from tests.unit.webhooks import doors
from webhooks.used import Used, once_of

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
KEYED = re.compile(r"HMAC|RSA|ECDSA|Ed25519|MD5|SNS|JWT|token of", re.I)


def test_a_token_is_good_for_one_body_and_its_redelivery() -> None:
    """At each source by itself, until it has expired, and of so many the youngest are remembered."""
    used, until = Used(most=3), NOW + timedelta(hours=8)
    assert used.first("a", Once(b"t", b"1", until), NOW) and used.first("a", Once(b"t", b"1", until), NOW)
    assert not used.first("a", Once(b"t", b"2", until), NOW)
    assert used.first("b", Once(b"t", b"2", until), NOW)
    assert used.first("a", Once(b"t", b"2", until), until + timedelta(seconds=1))
    for n in range(10):
        used.first("a", Once(bytes([n]), b"1", until), NOW)
    assert len(used._seen) == 3 and not used.first("a", Once(bytes([9]), b"2", until), NOW)


@pytest.mark.parametrize("form", ["json", "multipart"])
async def test_the_door_refuses_a_token_with_another_body(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real webhook passes, and again, also with another boundary; what is forged under its token is a 401; under a token
    that does not verify nothing is remembered."""
    monkeypatch.setattr(doors, "SOURCES", {"mailgun": {"signing_key": "key"}})
    now = str(int(datetime.now(UTC).timestamp()))

    def post(
        output: str, token: str = "a" * 50, key: bytes = b"key", boundary: str = "x1"
    ) -> tuple[dict[str, str], bytes]:
        signature = hmac.new(key, (now + token).encode(), hashlib.sha256).hexdigest()
        fields = {"timestamp": now, "token": token, "signature": signature}
        if form == "json":
            event = {"event": "complained", "recipient": output, "id": output}
            return {"content-type": "application/json"}, orjson.dumps({"signature": fields, "event-data": event})
        fields |= {"recipient": output, "sender": "b@example.com", "body-plain": "Hi"}
        parts = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        )
        return {"content-type": f"multipart/form-data; boundary={boundary}"}, f"{parts}--{boundary}--\r\n".encode()

    async def status(*args: Any, **kwargs: Any) -> int:
        headers, body = post(*args, **kwargs)
        answered = await door.ask(headers=headers, body=body)
        assert answered is not None
        return answered.status

    async with doors.a_door() as door:
        assert await status("eve", key=b"wrong") == 401
        assert [
            await status("ana"),
            await status("ana", boundary="other"),
            await status("eve"),
            await status("ana"),
        ] == [*(200, 200, 401, 200)]
        assert await status("eve", token="b" * 50) == 200
        assert [webhook.authentic for webhook, _ in door.keep.kept] == [True] * 4


@each_fixture
def test_what_a_signature_does_not_cover_is_used_once(provider: str, file: Path) -> None:
    """Whatever of a request can be changed without breaking its signature, so that it says something else, has a token
    that is the same and a digest that is not; else the adapter signs nothing at all, and says so."""
    adapter, values = ADAPTERS[provider], accounts(provider, file.stem).values
    first = request_of(provider, file)
    output = events_of(interpret(first, provider))
    body = first.body
    for at in range(0, len(body), max(1, len(body) // 60)):
        if not chr(body[at]).isalnum():
            continue
        changed = request_of(provider, file, body=body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
        try:
            if adapter.verify(changed, values) is not True or events_of(interpret(changed, provider)) == output:
                continue
        except (InvalidSignature, Unprocessable):
            continue
        once, other = once_of(adapter, first), once_of(adapter, changed)
        if once is None:
            assert not adapter.signs_body and not KEYED.search(adapter.signature), (provider, at)
        else:
            assert other is not None and once.token == other.token and once.digest != other.digest
            assert once.until > first.received_at
