"""In which records an address is found, however it is written, and in which it is not."""

import base64
import json
import quopri
import random
from functools import partial
from urllib.parse import quote, quote_plus, urlencode

import pytest

from app.erasing.spelled import Named, naming
from app.erasing.views import plain, views_of
from sql.handles import Owned
from tests.support.costs import is_within

PHONE = Owned("shop", "phone", "+15558675309")
LONDON = Owned("shop", "phone", "+447911123456")
MAIL = Owned("shop", "email", "ana.lopez@example.com")
CHAT = Owned("shop", "chat_id", "telegram:48151623")
DIRECT = Owned("shop", "chat_id", "slack:T024BE7LD/D0G9QPY56")
SHORT = Owned("shop", "user_id", "u42")
SHORT_CHAT = Owned("shop", "chat_id", "telegram:42")


def named_by_none(record: bytes, wanted: list[Named]) -> None:
    assert not naming(record, wanted)


def found(owned: Owned, data: bytes | str) -> bool:
    """Whether an address is found in a record."""
    return naming(data if isinstance(data, bytes) else data.encode(), [Named(owned)])


NUMBERS = [
    "+1 555 867 5309",
    "+1 (555) 867-5309",
    "(555) 867-5309",
    "555.867.5309",
    "1-555-867-5309",
    "001 555 867 5309",
    "+1\u00a0555\u00a0867\u00a05309",
    "\uff0b\uff11 \uff15\uff15\uff15 \uff18\uff16\uff17 \uff15\uff13\uff10\uff19",
    "+\u0661 \u0665\u0665\u0665 \u0668\u0666\u0667 \u0665\u0663\u0660\u0669",
    "+1\u200b555\u200b867\u200b5309",
    "tel:+1-555-867-5309",
    "+1/555/867/5309",
]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_in_every_spelling_and_encoding(number: str) -> None:
    """In bodies as providers post them: JSON, a form, XML, mail, a record in a record."""
    text = f"call {number} now"
    mail = f"Content-Transfer-Encoding: quoted-printable\r\n\r\n{quopri.encodestring(text.encode()).decode()}"
    for body in (
        json.dumps({"from": number}),
        json.dumps({"from": number}, ensure_ascii=False),
        urlencode({"From": number, "Body": "Hi"}),
        f"<sms><from>{number}</from></sms>",
        f"<p>{''.join(f'&#{ord(char)};' for char in number)}</p>",
        quote(quote_plus(number)),
        mail,
        json.dumps({"message": {"data": base64.b64encode(json.dumps({"to": number}).encode()).decode()}}),
        json.dumps({"Message": json.dumps({"mail": json.dumps({"to": [number]})})}),
        base64.encodebytes(f"{'x' * 80} {text}".encode()).decode(),
        text.encode().hex(),
        json.dumps({"messageId": f"m-{base64.b32encode(text.encode()).decode()}"}),
        json.dumps({"messageId": base64.b32encode(f"id:{text}".encode()).decode().lower().rstrip("=")}),
        text.encode("utf-16"),
    ):
        assert found(PHONE, body), body
        assert not found(LONDON, body) and not found(MAIL, body), body


@pytest.mark.parametrize(
    "number",
    ["+44 (0)7911 123456", "07911 123456", "07911-123-456", "0044 7911 123 456", "7911123456", "447911 123456"],
)
def test_a_number_with_the_digit_that_is_dialled_at_home(number: str) -> None:
    """People write it after the country's digits too."""
    assert found(LONDON, json.dumps({"msisdn": number}))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        json.dumps({"from": "+15558675308", "ref": "25558675309"}),
        json.dumps({"ids": ["8e03978e-40d5-43e8-bc93-6894a57f9324", "25558675309"]}),
        "2026-11-29T18:02:00Z 1764439412123",
        base64.b64encode(bytes(range(256)) * 8).decode(),
    ],
)
def test_other_numbers_are_not_it(body: str) -> None:
    """Another digit is another number."""
    assert not any(found(one, body) for one in (PHONE, LONDON, MAIL, CHAT, DIRECT, SHORT, SHORT_CHAT))


@pytest.mark.parametrize(
    "body",
    [
        {"to": "Ana Lopez <Ana.Lopez@Example.COM>"},
        {"to": "ana.lopez%40example.com"},
        {"raw": base64.b64encode(b"To: ana.lopez@example.com\r\n").decode()},
        {"to": "ana.lopez&#64;example.com"},
        {"to": "ana.lopez=40example.com"},
        {"to": "\uff41na.lopez@example.com"},
        {"to": "Ana.Lopez (at) Example.com"},
        {"to": "ana.lopez[at]example[dot]com"},
        {"to": "ana dot lopez at example dot com"},
        {"messageId": "order-7-ana.lopez_at_example.com"},
        {"messageId": base64.b32encode(b"x/ANA.lopez@example.com").decode()},
        {"messageId": base64.b32encode(b"ana.lopez(AT)example.com").decode().lower()},
    ],
)
def test_mail(body: dict[str, str]) -> None:
    """In another case, or encoded."""
    assert found(MAIL, json.dumps(body)) and not found(PHONE, json.dumps(body))


def test_a_domain_of_other_letters() -> None:
    """A handle has its ASCII form; a body may have the letters."""
    assert found(Owned("shop", "email", "ana@xn--mller-kva.example"), '{"to": "ana@m\u00fcller.example"}')


@pytest.mark.parametrize(
    ("owned", "body", "is_there"),
    [
        (CHAT, '{"message": {"chat": {"id": 48151623}}}', True),
        (CHAT, "chat_id=48151623&text=x", True),
        (CHAT, '{"message": {"chat": {"id": 148151623}}}', False),
        (DIRECT, '{"team_id": "T024BE7LD", "event": {"channel": "D0G9QPY56"}}', True),
        (DIRECT, '{"team_id": "T024BE7LD", "event": {"channel": "D0G9QPY57"}}', False),
        (Owned("shop", "device_id", "emqx:truck-7"), '{"clientid": "truck-7"}', True),
        (SHORT, '{"userId": "u42", "text": "x"}', True),
        (SHORT, '{"user": {"id": "u42"}}', True),
        (SHORT, "user_id=u42&x=1", True),
        (SHORT, "<UserId>u42</UserId>", True),
        (SHORT, '{"to": ["u42"]}', True),
        (SHORT, '{"recipient": "u423"}', False),
        (SHORT, '{"text": "u42 is a bus"}', False),
        (SHORT, '{"data": "eyJ1c2VySWQiOiAidTQyIn0="}', True),
        (SHORT_CHAT, '{"chat": {"id": 42}, "count": 1}', True),
        (SHORT_CHAT, '{"chat": {"id": 43}, "count": 42, "size": "42"}', False),
        (SHORT_CHAT, '{"at": "2026-11-42", "id": 420}', False),
    ],
)
def test_ids_without_their_platform_and_short_ones(owned: Owned, body: str, is_there: bool) -> None:
    """A short one only where a member names somebody: any record has a 42."""
    assert found(owned, body) is is_there


def test_a_large_record_takes_seconds_at_most() -> None:
    """Whatever it has: digits, base64 or percents without end."""
    wanted = [Named(one) for one in (PHONE, LONDON, MAIL, CHAT, DIRECT, SHORT, SHORT_CHAT)]
    for part in (
        b"1 ",
        b" at ",
        b"[dot]",
        b"A",
        b"%41",
        b"&amp;",
        b'\\"',
        b"=3D",
        b"15558675 ",
        b"user_id = ",
        b"deadbeef",
        b"abcd ",
    ):
        assert is_within(20, partial(named_by_none, part * ((1 << 20) // len(part)), wanted), tries=1), part


@pytest.mark.parametrize(
    "record",
    [
        b"a" * (1 << 20) + b' "u42"',
        b"a." * (1 << 18) + b" u42" + b"]" * (1 << 18),
        b"a" + b" " * (1 << 20) + b"u42 ",
        b"u42," * (1 << 18),
        ("a" + "\u0300\u0316" * (1 << 17)).encode(),
        "\ufdfa".encode() * (1 << 18),
        random.Random(1).randbytes(1 << 19),
    ],
    ids=[
        "a long name",
        "a name of many parts",
        "blanks",
        "many values",
        "accents",
        "one letter for eighteen",
        "no text",
    ],
)
def test_a_hostile_record_costs_no_more_than_another(record: bytes) -> None:
    """Neither time that grows with its square nor many times its own room."""
    wanted = [Named(one) for one in (PHONE, MAIL, SHORT, SHORT_CHAT)]
    assert is_within(20, partial(named_by_none, record, wanted), tries=1)
    assert sum(map(len, views_of(record))) < 16 * len(record)


def test_letters_are_compared_as_they_are_read() -> None:
    """Composed or not, wide, of another script's digits, with what is not seen between them."""
    for text in ("\uff21na.Erased@Example.com", "ana.er\u200based@example.com", "ana.erased\uff20example\uff0ecom"):
        assert plain(text) == "ana.erased@example.com"
    assert plain("Zoe\u0308 \u0663\uff13") == "zo\u00eb 33"
