"""Handles: what one spelling becomes, and that no text breaks it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import CHANNELS, HANDLE_KINDS, Handle
from schemas.handles import email_of, handle_as, handle_of, phone_of

READ = [
    ("+15551234567", None, "phone", "+15551234567"),
    ("+1 (555) 123-4567", None, "phone", "+15551234567"),
    ("15551234567", None, "phone", "+15551234567"),
    (" 15551234567", None, "phone", "+15551234567"),  # the + of ?handle=+1555… as a URL decodes it
    ("\u202a+1\u00a0555 123 4567\u202c", None, "phone", "+15551234567"),  # as copied from an address book
    ("+\u0661\u0665\u0665\u0665\u0661\u0662\u0663\u0664\u0665\u0666\u0667", None, "phone", "+15551234567"),
    ("+44 (0)7911 123456", None, "phone", "+447911123456"),  # a trunk prefix
    ("+4407911123456", None, "phone", "+447911123456"),
    ("4407911123456", "whatsapp", "phone", "+447911123456"),
    ("phone:44 (0) 7911 123456", None, "phone", "+447911123456"),
    ("+49 0151 12345678", None, "phone", "+4915112345678"),
    ("+91 098765 43210", None, "phone", "+919876543210"),
    ("+972 050-123-4567", None, "phone", "+972501234567"),
    ("+36 06 20 123 4567", None, "phone", "+36201234567"),  # Hungary's trunk prefix is 06
    ("+7 (0)916 123-45-67", None, "phone", "+79161234567"),  # Russia's is 8: no number begins with 0
    ("+34 (0)612 345 678", None, "phone", "+34612345678"),  # Spain has none
    ("+39 06 12345678", None, "phone", "+390612345678"),  # Italy: part of the number
    ("+39 (0)6 12345678", None, "phone", "+390612345678"),
    ("+378 0549 886377", None, "phone", "+3780549886377"),  # San Marino
    ("+225 07 07 12 34 56", None, "phone", "+2250707123456"),  # Ivory Coast
    ("+225 07 12 34 56", None, "phone", "+22507123456"),  # the same before 2021
    ("+241 06 12 34 56", None, "phone", "+24106123456"),  # Gabon before 2019
    ("+229 01 95 12 34 56", None, "phone", "+2290195123456"),  # Benin
    ("+242 06 612 3456", None, "phone", "+242066123456"),  # Congo
    ("+20 100 123 4567", None, "phone", "+201001234567"),  # the 0 is the country code's, or later
    ("+1 305 555 0100", None, "phone", "+13055550100"),
    ("whatsapp:+15551234567", None, "phone", "+15551234567"),
    ("15551234567", "whatsapp", "phone", "+15551234567"),
    ("tel:+1-555-123-4567;ext=5", None, "phone", "+15551234567"),
    ("sip:+15551234567@gw.example;user=phone", None, "phone", "+15551234567"),
    ("phone:15551234567", None, "phone", "+15551234567"),
    ("whatsapp:US.13491208655302741918", None, "whatsapp_user_id", "US.13491208655302741918"),
    ("US.13491208655302741918", "whatsapp", "whatsapp_user_id", "US.13491208655302741918"),
    ("ana@example.com", None, "email", "ana@example.com"),
    ("Ana Souza <Ana.Souza+shop@Example.COM.>", None, "email", "ana.souza+shop@example.com"),
    ('"ana@home" <ana@example.com>', None, "email", "ana@example.com"),
    ("mailto:Ana@B\u00fccher.example", None, "email", "ana@xn--bcher-kva.example"),
    ("ana@bounce_1.example.com", None, "email", "ana@bounce_1.example.com"),
    ("sip:Ana@GW.Example;transport=tls", None, "sip", "Ana@gw.example"),
    ("user_id:42", None, "user_id", "42"),
    ("42", None, "user_id", "42"),
    ("0b0c7bd6-6c7e-4f5e-9d1f-0e9c5f1f6a10", None, "user_id", "0b0c7bd6-6c7e-4f5e-9d1f-0e9c5f1f6a10"),
    ("auth0:abc", "chat", "user_id", "auth0:abc"),
    ("12345", "sms", "short_code", "12345"),
    ("ACME", "sms", "alphanumeric", "ACME"),
    ("15551234567", "push", "device_token", "15551234567"),
    ("anonymous", "voice", "other", "anonymous"),
    ("client:alice", "voice", "other", "client:alice"),
    ("+123", None, "other", "+123"),
]


@pytest.mark.parametrize(("text", "channel", "kind", "value"), READ)
def test_text_becomes_its_handle(text: str, channel: str | None, kind: str, value: str) -> None:
    """An address, however it is written, becomes the one handle that is kept."""
    assert handle_of(text, channel) == Handle(kind, value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not empty"),
        ("  ", "not empty"),
        ("a\x00b", "control characters"),
        ("\ud800", "control characters"),
        ("x" * 3000, "at most 2048"),
        ("a@x.example, b@x.example", "%2B"),
        ("ana shop@example.com", "%2B"),
        ("<a@x.example>, <b@x.example>", "not several"),
        ("ana@", "no domain"),
        ("a" * 60 + "@" + ".".join(["b" * 60] * 4), "at most 254"),
        ("phone:home", r"E\.164"),
    ],
)
def test_what_is_no_address_is_refused_in_words(text: str, words: str) -> None:
    """A text that is no address raises ValueError, which says what is wrong with it."""
    with pytest.raises(ValueError, match=words):
        handle_of(text)


def test_an_unknown_kind_is_refused() -> None:
    """A kind that is not ours is refused, and the message lists ours."""
    with pytest.raises(ValueError, match="user_id"):
        handle_as("fax", "1")


@given(st.text(max_size=80), st.sampled_from([None, *CHANNELS]))
def test_any_text_is_a_handle_or_a_value_error(text: str, channel: str | None) -> None:
    """Whatever the text, there is a handle of a known kind or a ValueError, and reading the handle again keeps it."""
    try:
        handle = handle_of(text, channel)
    except ValueError:
        return
    assert handle.kind in HANDLE_KINDS
    assert handle.value == handle.value.strip() != ""
    assert handle_as(handle.kind, handle.value) == handle


@given(st.from_regex(r"\A\+[1-9][1-9]{3}[0-9]{3,11}\Z"))
def test_e164_is_kept_as_it_is(text: str) -> None:
    """A number in E.164 is its own spelling, with or without marks between the digits."""
    assert phone_of(text) == text
    assert phone_of("-".join(text)) == text


@given(st.from_regex(r"\A\+[1-9][0-9]{6,14}\Z"))
def test_a_number_is_its_own_spelling_once_read(text: str) -> None:
    """Reading a number twice changes nothing after the first time, whatever zeros follow its country code."""
    once = phone_of(text)
    assert once is not None and phone_of(once) == once == phone_of("-".join(text)) == handle_of(text).value


@given(st.emails())
def test_every_address_is_its_own_spelling_once_read(address: str) -> None:
    """Reading an e-mail address twice changes nothing after the first time."""
    once = email_of(address)
    assert email_of(once) == once
    assert once == once.lower()
