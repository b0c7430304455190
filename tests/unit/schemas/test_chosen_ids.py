"""Which ids have an address in them, and which do not."""

import base64
import random
from uuid import UUID

import pytest

from schemas.chosen_ids import address_in
from schemas.events import Handle

PHONE, MAIL, CHAT = (
    Handle("phone", "+15558675309"),
    Handle("email", "ana.lopez@example.com"),
    Handle("chat_id", "telegram:48151623"),
)


@pytest.mark.parametrize(
    "id",
    [
        "ana.lopez@example.com",
        "welcome-Ana.Lopez@EXAMPLE.com-7",
        "order%3Aana%40example.co.uk",
        "ana%2540example.com",
        "mailto:ana+shop@example.com",
        "<20261129.1@mail.example.com>",
        "+15558675309",
        "otp:+1-555-867-5309",
        "otp_%2B15558675309_2",
        "whatsapp:+49(30)901820",
        "tel:+4930901820",
        "ana@m\u00fcnchen.example",
        "ana\uff20example\uff0ecom",
        "ana%EF%BC%A0example.com",
        "+1\u200b5558675309",
        "\uff0b\uff11\uff15\uff15\uff15\uff18\uff16\uff17\uff15\uff13\uff10\uff19",
        "ana.lopez(at)example.com",
        "welcome ana [AT] example [dot] com",
        "ana%28at%29example.com",
    ],
)
def test_what_shows_that_it_is_an_address(id: str) -> None:
    """Whoever it is of."""
    assert address_in(id) in ("an e-mail address", "a phone number")


@pytest.mark.parametrize(
    ("id", "handle"),
    [
        ("15558675309", PHONE),
        ("otp-15558675309-1", PHONE),
        ("5558675309", PHONE),
        ("20261129-555-867-5309", PHONE),
        ("sms_1.555.867.5309", PHONE),
        (base64.b64encode(b"15558675309").decode().rstrip("="), PHONE),
        ("x" + base64.urlsafe_b64encode(b"to 15558675309 now").decode().rstrip("="), PHONE),
        (b"+15558675309".hex(), PHONE),
        ("otp." + base64.b64encode(b"Ana.Lopez@example.com").decode().rstrip("="), MAIL),
        (b"ana.lopez@example.com".hex().upper(), MAIL),
        (base64.b32encode(b"15558675309").decode().rstrip("="), PHONE),
        ("m-" + base64.b32encode(b"to +15558675309 now").decode().rstrip("=").lower(), PHONE),
        (base64.b32encode(b"x/Ana.Lopez@example.com").decode(), MAIL),
        ("order-7-ana.lopez_at_example.com", MAIL),
        ("ana.lopez at example dot com", MAIL),
        ("reply-48151623", CHAT),
        ("telegram:48151623/2", CHAT),
        ("4930901820", Handle("phone", "+4930901820")),
        ("5491123456789", Handle("phone", "+541123456789")),
    ],
)
def test_the_recipients_own_address(id: str, handle: Handle) -> None:
    """In digits alone, grouped, without the country, encoded; it says nothing where it is of somebody else."""
    assert address_in(id, [handle]) is not None
    assert address_in(id, [Handle("phone", "+447911123456"), Handle("email", "bo@example.org")]) is None


@pytest.mark.parametrize(
    "id",
    [
        "order-1002",
        "8e03978e-40d5-43e8-bc93-6894a57f9324",
        "01JDV5K2Q3W8XG4R7T6Y9ZB0NC",
        "20261129153012001",
        "1764439412123",
        "4912345678",
        "2026-11-29T18:02:00+0100",
        "job+7",
        "a+1234567b",
        "user@host",
        "@daily",
        "build/1.2.3+20261129.4711",
        "c2hvcC0xMjM0NTY3ODkwMTIzNDU2Nzg5MA==",
        "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U",
        "arrives_at_example.com",
        "job(at)noon",
    ],
)
def test_usual_ids(id: str) -> None:
    """Also where the recipients are known."""
    assert address_in(id, [PHONE, MAIL, CHAT, Handle("short_code", "12345"), Handle("user_id", "42")]) is None


def test_random_ids_are_not_refused() -> None:
    """A hundred thousand of each of three sorts."""
    dice = random.Random(7)
    for _ in range(20_000):
        number = f"{dice.randrange(10**14):014}"
        coded = base64.b64encode(dice.randbytes(24)).decode()
        for id in (str(UUID(int=dice.getrandbits(128), version=4)), number, coded):
            assert address_in(id, [PHONE, MAIL, CHAT]) is None, id
