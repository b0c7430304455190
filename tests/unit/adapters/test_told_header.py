"""A header that a provider is configured to send authenticates it."""

from datetime import UTC, datetime

import pytest

from adapters.contract import InvalidSignature, Request
from adapters.signing.shared_header import verify_shared

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def request(headers: dict[str, str], query: str = "") -> Request:
    return Request("POST", f"https://hooks.example.com/{query}", headers, b"{}", AT, "zenvia")


def test_any_of_the_configured_ways_passes() -> None:
    """A header, whatever its case; basic authentication; a secret in the URL. None configured: not verified."""
    values = {"webhook_header": ("X-Key: right",), "basic_auth": ("a:b",), "url_secret": ("s3cret",)}
    assert verify_shared(request({"x-key": "right"}), values) is True
    assert verify_shared(request({"authorization": "Basic YTpi"}), values) is True
    assert verify_shared(request({}, "?key=s3cret"), values) is True
    assert verify_shared(request({}), {}) is None


@pytest.mark.parametrize("line", ("X-Key: right", "X-Key:", "X-Key", ":right"))
@pytest.mark.parametrize("headers", ({}, {"x-key": ""}, {"x-key": "wrong"}))
def test_another_value_or_none_is_refused(line: str, headers: dict[str, str]) -> None:
    """Also where the setting itself names no header, or no value."""
    with pytest.raises(InvalidSignature):
        verify_shared(request(headers), {"webhook_header": (line,)})
