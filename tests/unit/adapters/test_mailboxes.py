"""Mailboxes are found in what providers and senders write for one: RFC 5322 section 3.4."""

import pytest

from adapters.reading.addresses import handle, recipients
from adapters.reading.mailboxes import mailbox_of, mailboxes
from schemas.events import Handle
from tests.support.costs import is_within

ANA = Handle("email", "ana@example.com")
#: One recipient, as it is written.
SPELLINGS = [
    "ana@example.com",
    "ANA@Example.COM",
    " <ana@example.com> ",
    "Ana López <ana@example.com>",
    '"López, Ana" <Ana@example.com>',
    '"Ana <the first>" <ana@example.com>',
    "=?utf-8?q?L=C3=B3pez?= <ana@example.com>",
    "=?iso-8859-1?B?TPNwZXo=?= =?iso-8859-1?q?=2C_Ana?= <ana@EXAMPLE.com>",
    "ana@example.com (Ana)",
    "line: Ana <ana@example.com>",
    "Customers: ana@example.com;",
    "mailto:ana@example.com",
    '"unclosed <ana@example.com>',
    "<@relay.example,@other.example:ana@example.com>",
]


@pytest.mark.parametrize("written", SPELLINGS)
def test_one_recipient_is_one_handle(written: str) -> None:
    """Whatever name, comment, group or case is written with the address."""
    assert handle(written, "email") == ANA
    assert recipients(written) == recipients([written]) == recipients([{"email": written}]) == [(ANA, ANA.value)]


@pytest.mark.parametrize("written", ["ana@bücher.example", "Ana <ANA@BÜCHER.example>", "ana@xn--bcher-kva.example"])
def test_an_international_domain_is_one_handle(written: str) -> None:
    """In letters or in its ASCII form (IDNA 2008)."""
    assert handle(written, "email") == Handle("email", "ana@xn--bcher-kva.example")


@pytest.mark.parametrize("written", ["a@example.com, b@example.com", "Team: a@example.com, b@example.com;"])
def test_several_are_no_handle_and_each_is_a_recipient(written: str) -> None:
    """None of them is chosen for all."""
    assert handle(written, "email") is None
    assert [address for _, address in recipients(written)] == ["a@example.com", "b@example.com"]


def test_recipients_are_named_once_and_invalid_ones_are_kept() -> None:
    """In the order in which they came."""
    given = ['"B" <b@example.com>', {"Address": "B@example.com"}, "no address", 7, None, "undisclosed-recipients:;"]
    assert recipients(given) == [
        (Handle("email", "b@example.com"), "b@example.com"),
        (Handle("other", "no address"), "no address"),
        (Handle("other", "undisclosed-recipients:;"), "undisclosed-recipients:;"),
    ]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("A <a@x.example>, b@x.example", [("A", "a@x.example"), ("", "b@x.example")]),
        ('G: "a, b" <a@x.example>, c@x.example;, d@x.example', [("a, b", "a@x.example"), ("", "c@x.example"), ("", "d@x.example")]),
        (r'"a\"b" <a@x.example>', [('a"b', "a@x.example")]),
        ("a@[IPv6:2001:db8::1]", [("", "a@[IPv6:2001:db8::1]")]),
        ("undisclosed-recipients:;", []),
        ("(only (a) comment)", []),
        ("a@x.example (unclosed, b@x.example", [("unclosed, b@x.example", "a@x.example")]),
    ],
)  # fmt: skip
def test_a_header_is_taken_apart(written: str, found: list[tuple[str, str]]) -> None:
    """Names without their quotes, groups without their names."""
    assert mailboxes(written) == found


@pytest.mark.parametrize(
    "unit", ['"', "(", "<", '"\\', "[(", "a,", ":", "=?utf-8?q?", '"a', "<a@b>", "a@b(", "@", "@:"]
)
def test_a_header_made_to_cost_is_read_in_time(unit: str) -> None:
    """A megabyte of what opens and does not close."""
    written = unit * (1_000_000 // len(unit))
    assert is_within(0.2, lambda: (mailboxes(written), mailbox_of(written)))


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("López, Ana <ana@example.com>", "López, Ana"),
        ("=?utf-8?q?L=C3=B3pez?=, Ana <ana@example.com>", "López, Ana"),
        ("López, Ana, Dr. <ana@example.com>", "López, Ana, Dr."),
        ('"López, Ana" <ana@example.com>', "López, Ana"),
        ("Ana <ana@example.com>, Ben <ben@example.com>", "Ana"),
        ("López, ana@example.com", ""),
    ],
)
def test_a_name_with_a_comma_that_was_decoded_is_one_name(written: str, name: str) -> None:
    """SendGrid's `from` is decoded, without the quotes that such a name needs."""
    assert mailbox_of(written) == (name, "ana@example.com")
