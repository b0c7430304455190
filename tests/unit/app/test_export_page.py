"""The page of an export: what it shows of each content, and that all of it is escaped."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.exporting.page import rows

AT = datetime(2026, 11, 29, 21, 55, tzinfo=UTC)
ONE: dict[str, Any] = {
    "timestamp": AT, "direction": "inbound", "channel": "voice", "delivery": "recorded", "status": "completed",
    "provider": "twilio", "address": {"kind": "phone", "value": "+15551234567"}, "content": {}, "error": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ({}, "(no content)"),
        ({"text": None}, "(no content)"),
        ({"text": "<b>Hello</b>"}, '<p class="text"><span>&lt;b&gt;Hello&lt;/b&gt;</span></p>'),
        ({"audioUrl": "https://a.example/?a=1&b=2"}, '<p class="text">audioUrl: https://a.example/?a=1&amp;b=2</p>'),
        ({"media": [{"url": "<"}]}, '<pre>{\n  &quot;media&quot;: ['),
    ],
)  # fmt: skip
def test_each_content_can_be_read(content: dict[str, Any], shown: str) -> None:
    """Texts and single values as text, what has parts as data, and nothing as such."""
    text, day = rows([ONE | {"content": content}], None)
    assert shown in text and day == AT.date()
    assert ("(no content)" in text) is (shown == "(no content)")
