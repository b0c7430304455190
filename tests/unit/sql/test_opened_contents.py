"""The content of an interaction opens as that of an event's payload does, by the shorter way that a page of fifty takes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql.personal import open_payload
from sql.personal.keys import HandleKey
from sql.personal.opened import Memo, open_content
from sql.sealing import Tampered
from tests.unit.sql.test_personal_payloads import ANA, CONTENT, canonical, sealed_content, storable


@given(CONTENT.filter(storable), st.booleans())
def test_a_content_opens_as_in_a_payload(content: dict[str, Any], twice: bool) -> None:
    """Also keys that the schema does not list, null, and what was opened before."""
    sealed, memo = sealed_content(content), Memo()
    whole = open_payload("MessageReceived", {"content": sealed}, lambda _: ANA)["content"]
    for _ in range(1 + twice):
        assert canonical(open_content(sealed, lambda _: ANA, memo)) == canonical(whole)


def test_what_is_erased_is_left_out() -> None:
    """And with it the name of a key, which is as personal."""
    sealed = sealed_content({"text": "Hello", "subject": None, "unlisted": 1})

    def key_of(data: bytes) -> HandleKey | None:
        return None

    assert open_content(sealed, key_of, Memo()) == {"subject": None}
    assert (
        open_content(sealed, key_of, Memo()) == open_payload("MessageReceived", {"content": sealed}, key_of)["content"]
    )


def test_a_text_of_another_place_or_one_that_is_not_sealed_is_refused() -> None:
    """As in a payload."""
    sealed = sealed_content({"text": "Hello"})
    for changed in ({"subject": sealed["text"]}, {"text": "Hello"}, {"text": 1}, {"unlisted": sealed["text"]}):
        with pytest.raises(Tampered):
            open_content(changed, lambda _: ANA, Memo())
