"""How handles are named: one digest for each address of a client, and nothing that shows the address."""

import hashlib

import pytest

from schemas.events import Handle
from sql.handles import PEPPER_BYTES, digest_of, new_pepper, owned_by, platform_of

PEPPER = bytes(PEPPER_BYTES)


def plain_hmac(key: bytes, text: bytes) -> bytes:
    """HMAC-SHA-256 by its definition: https://www.rfc-editor.org/rfc/rfc2104#section-2."""
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in padded) + text).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in padded) + inner).digest()


def test_a_digest_is_the_hmac_of_kind_and_value() -> None:
    """As docs/customers.md states it, so that another program that has the pepper finds the row."""
    owned = owned_by("shop", Handle("phone", "+15551234567"))
    assert digest_of(owned, PEPPER) == plain_hmac(PEPPER, b"phone\x1f+15551234567")


def test_kinds_values_and_peppers_each_make_another_digest() -> None:
    """No two handles of a client share one, and equal handles of two clients do not either."""
    handles = [Handle("phone", "1"), Handle("user_id", "1"), Handle("user_id", "2"), Handle("email", "1")]
    digests = {digest_of(owned_by("shop", one), pepper) for one in handles for pepper in (PEPPER, new_pepper())}
    assert len(digests) == 8


def test_two_spellings_of_a_number_are_one_handle() -> None:
    """A Brazilian number without its ninth digit: https://en.wikipedia.org/wiki/Telephone_numbers_in_Brazil."""
    old, new = (owned_by("shop", Handle("phone", number)) for number in ("+554188887777", "+5541988887777"))
    assert old == new


@pytest.mark.parametrize("value", ["a\0b", "\ud800", "é", "用户"])
def test_any_value_has_a_digest(value: str) -> None:
    """Characters that the store cannot hold are digested as it writes them."""
    assert len(digest_of(owned_by("shop", Handle("user_id", value)), PEPPER)) == 32
    assert digest_of(owned_by("s", Handle("user_id", "a\0b")), PEPPER) == digest_of(
        owned_by("s", Handle("user_id", "a\ufffdb")), PEPPER
    )


@pytest.mark.parametrize(
    ("kind", "value", "platform"),
    [
        ("chat_id", "telegram:12345", "telegram"),
        ("chat_id", "slack:T1/U1", "slack"),
        ("chat_id", "slack:T1/D1", "slack direct"),
        ("chat_id", "15551234567:x", None),
        ("chat_id", "ana@example.com", None),
        ("user_id", "telegram:12345", None),
        ("phone", "+15551234567", None),
    ],
)
def test_a_platform_is_no_part_of_an_address(kind: str, value: str, platform: str | None) -> None:
    """It stands beside the address in clear, so only a platform's name may become one."""
    assert platform_of(kind, value) == platform
