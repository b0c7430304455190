"""Numbers that one subscriber has are one, and those of two subscribers stay two."""

import itertools
from datetime import UTC, datetime

import orjson
import phonenumbers
import pytest

from schemas.events import Event, Handle
from schemas.numbering import CODES, RULES, canonical, folded, spelled, spellings
from sql.parameters import written

#: What was given, and what the pages of `RULES` make of it.
FOLDED = [
    ("br_ninth_digit", "+558191234567", "+5581991234567"),
    ("br_ninth_digit", "+551161234567", "+5511961234567"),
    ("br_ninth_digit", "+554871234567", "+5548971234567"),
    ("mx_mobile_1", "+5213312345678", "+523312345678"),
    ("ar_mobile_9", "+5493511234567", "+543511234567"),
    ("ar_mobile_15", "+54111523456789", "+541123456789"),
    ("ar_mobile_15", "+54223154567890", "+542234567890"),
    ("ci_2021_moov", "+22501234567", "+2250101234567"),
    ("ci_2021_mtn", "+22544123456", "+2250544123456"),
    ("ci_2021_orange", "+22507123456", "+2250707123456"),
    ("bj_2024", "+22997123456", "+2290197123456"),
    ("ga_2019_fixed", "+24101123456", "+24111123456"),
    ("ga_2019_6", "+24106123456", "+24166123456"),
    ("ga_2019_7", "+24107123456", "+24177123456"),
]
#: Each is somebody's own number: fixed lines and trunking in Brazil, 0 in Italy, services, numbers of other plans.
KEPT = [
    "+551123456789", "+551132345678", "+551143456789", "+551153456789", "+551170123456", "+551177123456", "+551178123456",
    "+551179123456", "+5511912345678", "+5511991234567", "+523312345678", "+525512345678", "+541143211234", "+543514123456",
    "+54800123456", "+22520212345", "+22530612345", "+2250707123456", "+2252720212345", "+2290197123456", "+24111123456",
    "+24162123456", "+24177123456", "+390612345678", "+39612345678", "+15551234567", "+447700900123", "+5521", "+551140041234",
]  # fmt: skip


@pytest.mark.parametrize(("rule", "given", "known"), FOLDED)
def test_one_subscriber_has_one_spelling(rule: str, given: str, known: str) -> None:
    """The former or the longer spelling becomes today's, by the rule's name; today's stays, and is a possible number."""
    assert folded(given) == (known, rule)
    assert folded(known) == (known, None)
    assert canonical(Handle("phone", given)) == Handle("phone", known)
    assert phonenumbers.is_possible_number(phonenumbers.parse(known, None))


def test_every_rule_is_tried() -> None:
    """The table above has each."""
    assert {rule for rule, _, _ in FOLDED} == {rule.name for rule in RULES}
    assert all(rule.page.startswith("http") for rule in RULES)
    assert all(given.startswith(CODES) for _, given, _ in FOLDED)


@pytest.mark.parametrize("number", KEPT)
def test_numbers_of_their_own_stay(number: str) -> None:
    """No rule takes them for another's."""
    assert folded(number) == (number, None)


def test_two_subscribers_never_become_one() -> None:
    """Of Brazil's numbers of eight digits in an area, those that fixed lines and trunking have keep their own spelling; each
    other one becomes another number of nine digits."""
    local = [f"{head}{tail}" for head in range(20, 100) for tail in ("000000", "123456", "999999")]
    made = [folded(f"+5531{one}")[0] for one in local]
    assert len(set(made)) == len(made)
    own = [number for number, one in zip(made, local, strict=True) if number == f"+5531{one}"]
    assert {number[5:7] for number in own} == {str(head) for head in (*range(20, 60), 70, 77, 78, 79)}


def test_valid_numbers_of_today_keep_their_spelling() -> None:
    """libphonenumber's examples of fixed and mobile numbers stay as they are in every region, but for Argentina's 9, and for
    Gabon's, which have the 0 of before 2019."""
    others = {"AR": {"ar_mobile_9"}, "GA": {"ga_2019_fixed", "ga_2019_6"}}
    kinds = (phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE)
    for region, kind in itertools.product(phonenumbers.SUPPORTED_REGIONS, kinds):
        if (example := phonenumbers.example_number_for_type(region, kind)) is None:
            continue
        number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        assert folded(number)[1] in {None, *others.get(region, ())}, number


def test_other_kinds_stay() -> None:
    """A user id that looks like a number is none."""
    assert canonical(Handle("user_id", "+551187654321")) == Handle("user_id", "+551187654321")


def test_what_is_stored_has_the_spelling_and_what_was_given() -> None:
    """Whoever appends an event, its handle is canonical; the event itself is not changed, and keeps what it says."""
    event = Event(
        "MessageReceived", "acme", "1", handle=Handle("phone", "+5215512345678"), payload={"from": "+5215512345678"}
    )
    record = orjson.loads(written((event, "default", datetime(2026, 1, 1, tzinfo=UTC), None)))
    assert record[8:10] == ["phone", "+525512345678"]
    assert record[12] == {"from": "+5215512345678", "handleRule": "mx_mobile_1", "handleGiven": "+5215512345678"}
    assert event.handle == Handle("phone", "+5215512345678") and event.payload == {"from": "+5215512345678"}
    plain = Event("MessageReceived", "acme", "1", handle=Handle("phone", "+525512345678"))
    assert spelled(plain) is plain


@pytest.mark.parametrize(("rule", "given", "known"), FOLDED)
def test_each_spelling_is_found_from_the_canonical_one(rule: str, given: str, known: str) -> None:
    """As whoever looks for all traces of a number needs it; and each folds back."""
    every = spellings(known)
    assert {given, known} <= every, rule
    assert {folded(one)[0] for one in every} == {known}
