"""Zones: whose clock counts, how it is known, and names that are none."""

import pytest

from app.sending import zones
from app.sending.zones import Zone, zone_named, zone_of
from schemas import SchemaError
from schemas.events import Handle

ROME = Handle("phone", "+390612345678")
SYDNEY_OR_PERTH = Handle("phone", "+61412345678")


@pytest.mark.parametrize(
    ("reported", "zone"),
    [
        (("Asia/Tokyo", "Asia/Seoul", ROME, "UTC"), Zone("Asia/Tokyo", "request")),
        ((None, "Asia/Seoul", ROME, "UTC"), Zone("Asia/Seoul", "profile")),
        ((None, None, ROME, "UTC"), Zone("Europe/Rome", "phone number")),
        ((None, None, None, "UTC"), Zone("UTC", "client")),
        ((None, None, None, None), None),
        # One of many zones, a number that no plan has, no number at all, an address of another kind.
        ((None, None, SYDNEY_OR_PERTH, "UTC"), Zone("UTC", "client")),
        ((None, None, SYDNEY_OR_PERTH, None), None),
        ((None, None, Handle("phone", "+15551234567"), "UTC"), Zone("UTC", "client")),
        ((None, None, Handle("phone", "+999123"), None), None),
        ((None, None, Handle("phone", "home"), None), None),
        ((None, None, Handle("email", "+390612345678"), None), None),
        # A name that is not there is not known, and nothing else is believed in its place.
        (("Europe/Nowhere", "Asia/Seoul", ROME, "UTC"), None),
        ((None, "Europe/Nowhere", ROME, "UTC"), None),
        ((None, None, None, "Europe/Nowhere"), None),
        (("", None, ROME, "UTC"), None),
    ],
)
def test_the_zone_is_the_first_that_is_known(
    reported: tuple[str | None, str | None, Handle | None, str | None], zone: Zone | None
) -> None:
    """The request's, the profile's, the number's, the client's; None holds the message."""
    assert zone_of(*reported) == zone


def test_a_zone_is_found_by_its_name() -> None:
    """Its key is the name."""
    assert zone_named("Europe/Lisbon", "$.zone").key == "Europe/Lisbon"
    assert zone_named("UTC", "$.zone").key == "UTC"


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("Europe/Lisboa", "Europe/Lisbon"),
        ("europe/lisbon", "Europe/Lisbon"),
        ("Lisbon", "Europe/Lisbon"),
        ("New York", "America/New_York"),
        ("Asia/Calcuta", "Asia/Calcutta"),
    ],
)
def test_a_name_that_is_none_is_refused_with_those_near_it(text: str, near: str) -> None:
    """Spelled wrongly, in another case, or the city alone: the name that was meant comes first."""
    with pytest.raises(SchemaError, match=rf"did you mean {near}\b") as raised:
        zone_named(text, "$.zone")
    assert raised.value.path == "$.zone"


@pytest.mark.parametrize(
    "text", ["", "../../etc/passwd", "/etc/localtime", "Factory", "localtime", "Europe/Lisbon\0", "q" * 100_000]
)
def test_a_text_that_is_no_name_is_refused(text: str) -> None:
    """No path, no file of another kind, nothing long, and the text is not repeated."""
    with pytest.raises(SchemaError, match=r"\$\.zone: must be a name of the IANA time zone database") as raised:
        zone_named(text, "$.zone")
    assert len(raised.value.message) < 200


def test_a_sign_that_people_read_the_other_way_is_not_proposed() -> None:
    """Etc/GMT+2 is two hours behind, so whoever writes GMT+2 is not led there."""
    with pytest.raises(SchemaError) as raised:
        zone_named("GMT+2", "$.zone")
    assert "Etc/" not in raised.value.message


def test_a_system_without_a_database_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the name is to blame, and what is to be installed is named."""
    monkeypatch.setattr(zones, "zone_names", frozenset)
    with pytest.raises(SchemaError, match="no time zone database; install the package tzdata"):
        zone_named("Europe/Lisbon", "$.zone")
    assert zone_of("Europe/Lisbon", None, None, None) is None
