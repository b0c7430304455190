"""Gives phone numbers that are one subscriber's one spelling, by the rules of national numbering plans.

Some plans changed, or write a mobile number with a digit that only says how to reach it. Providers mix the spellings:
WhatsApp's `wa_id` keeps the one of the day on which a user registered, while networks and address books use today's.
A handle has the canonical spelling; what is dialled stays as it was given.

A rule is only for spellings of which the plan gives one subscriber: the spelling that is folded is assigned to nobody
else. No rule is possible for Italy, where the 0 after +39 is part of a fixed line's number, and none is needed for +1.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import phonenumbers

from schemas.events import Event, Handle


def parted(number: str) -> tuple[str, str]:
    """Return the digits of the country of a number in E.164, and those after them; "" and all digits if no country has such a code."""
    for end in (2, 3, 4):  # no country code begins with another
        if int(number[1:end]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            return number[1:end], number[end:]
    return "", number[1:]


class Rule(NamedTuple):
    """One rule: its name, which an event's payload keeps; the page that it rests on; the numbers that it folds, in E.164;
    and the function that returns the canonical spelling of a match (None: it is none of these after all)."""

    name: str
    page: str
    pattern: re.Pattern[str]
    canonical: Callable[[re.Match[str]], str | None]


def _template(text: str) -> Callable[[re.Match[str]], str | None]:
    return lambda match: match.expand(text)


def _without_15(match: re.Match[str]) -> str | None:
    """Return an Argentine number without the 15 after its area code, whose length (two to four digits) libphonenumber
    knows."""
    try:
        number = phonenumbers.parse(match[0], None)
    except phonenumbers.NumberParseException:
        return None
    national = str(number.national_number)
    return f"+54{national[1:]}" if len(national) == 11 and national.startswith("9") else None


#: Anatel: https://www.gov.br/anatel/pt-br/regulado/numeracao/plano-de-numeracao-brasileiro; the last area codes got their
#: ninth digit in November 2016. Fixed lines (2 to 5) and trunking (70, 77, 78, 79) keep eight digits.
_BRAZIL = "https://en.wikipedia.org/wiki/Telephone_numbers_in_Brazil#Mobile_telephones"
_ARGENTINA = "https://en.wikipedia.org/wiki/Telephone_numbers_in_Argentina#Mobile_phone_numbers"
_IVORY_COAST = "https://fr.wikipedia.org/wiki/Liste_des_indicatifs_t%C3%A9l%C3%A9phoniques_en_C%C3%B4te_d%27Ivoire"

RULES: tuple[Rule, ...] = (
    # Mobile numbers got a 9 before their eight digits. WhatsApp leaves it out in most area codes above 30.
    Rule("br_ninth_digit", _BRAZIL, re.compile(r"\+55([1-9][1-9])([689]\d{7}|7[1-6]\d{6})"), _template(r"+55\g<1>9\2")),
    # The 1 before mobile numbers was abolished on 3 August 2019. WhatsApp keeps it.
    Rule(
        "mx_mobile_1",
        "https://docslib.org/doc/6606047/1-28-mexico-country-code-52",
        re.compile(r"\+521([2-9]\d{9})"),
        _template(r"+52\1"),
    ),
    # Fixed and mobile lines share one plan of ten digits; the 9 from abroad and the 15 within the country only say that
    # the caller pays for a mobile line. Text messages are sent without them.
    Rule("ar_mobile_9", _ARGENTINA, re.compile(r"\+549([1-3]\d{9})"), _template(r"+54\1")),
    Rule("ar_mobile_15", _ARGENTINA, re.compile(r"\+549?(?=\d{2,4}15)[1-3]\d{11}"), _without_15),
    # On 31 January 2021 each operator's mobile numbers of eight digits got its two digits in front.
    Rule("ci_2021_moov", _IVORY_COAST, re.compile(r"\+225(0[1-3]\d{6}|[457][0-3]\d{6})"), _template(r"+22501\1")),
    Rule("ci_2021_mtn", _IVORY_COAST, re.compile(r"\+225([04-9][4-6]\d{6})"), _template(r"+22505\1")),
    Rule("ci_2021_orange", _IVORY_COAST, re.compile(r"\+225([04-8][7-9]\d{6}|9[78]\d{6})"), _template(r"+22507\1")),
    # On 30 November 2024 all numbers of eight digits got 01 in front.
    Rule(
        "bj_2024",
        "https://lecooperant.bj/passage-a-10-chiffres-au-benin-lassociation-jaie-outille-les-jeunes-et-leaders-de-loueme-pour-la-reussite-de-la-reforme-des-10-chiffres",
        re.compile(r"\+229([2-9]\d{7})"),
        _template(r"+22901\1"),
    ),
    # On 15 November 2019 the 0 after +241 became a 1 (fixed lines), 6 or 7 (mobile). Which of the last two, by
    # libphonenumber's ranges of today: 62, 65, 66, 74, 77.
    Rule(
        "ga_2019_fixed", "http://www.rfi.fr/afrique/20191115-changement-numerotation-telephonique-gabon",
        re.compile(r"\+2410(1\d{6})"), _template(r"+2411\1"),
    ),
    Rule(
        "ga_2019_6", "http://www.rfi.fr/afrique/20191115-changement-numerotation-telephonique-gabon",
        re.compile(r"\+2410([256]\d{6})"), _template(r"+2416\1"),
    ),
    Rule(
        "ga_2019_7", "http://www.rfi.fr/afrique/20191115-changement-numerotation-telephonique-gabon",
        re.compile(r"\+2410([47]\d{6})"), _template(r"+2417\1"),
    ),
)  # fmt: skip
#: What the numbers begin with that a rule may fold: a cheap check first.
CODES = ("+55", "+521", "+54", "+225", "+229", "+241")

#: What has to be undone to get a spelling that a rule folds, where it begins: how many digits are left out, and what stands there. For
#: numbers of Argentina also the 15 after the area code, whose length is not known (see `spellings`).
_EDITS = ((5, 1, ""), (3, 0, "1"), (3, 0, "9"), (4, 2, ""), (4, 1, "0"))


def canonical(handle: Handle) -> Handle:
    """Return the handle in its canonical spelling: itself, unless it is a phone number that a rule folds."""
    if handle.kind != "phone":
        return handle
    number, rule = folded(handle.value)
    return handle if rule is None else Handle("phone", number)


def folded(number: str) -> tuple[str, str | None]:
    """Return the canonical spelling of a phone number in E.164, and the name of the rule that gave it (None: it is spelled
    so already)."""
    return _folded(number) if number.startswith(CODES) else (number, None)


@lru_cache(maxsize=8192)
def _folded(number: str) -> tuple[str, str | None]:
    for rule in RULES:
        if (match := rule.pattern.fullmatch(number)) and (spelled := rule.canonical(match)):
            return spelled, rule.name
    return number, None


def spellings(number: str) -> frozenset[str]:
    """Return all spellings that the rules fold to a canonical number in E.164, and that itself."""
    tried = {number[:at] + new + number[at + left :] for at, left, new in _EDITS}
    tried |= {f"{one[:at]}15{one[at:]}" for one in (number, f"{number[:3]}9{number[3:]}") for at in range(5, 9)}
    return frozenset((number, *(one for one in tried if folded(one)[0] == number)))


def spelled(event: Event) -> Event:
    """Return the event with its handle in the canonical spelling. If that is another than the given one, the payload keeps
    the rule's name (`handleRule`) and the given spelling (`handleGiven`)."""
    handle = event.handle
    if handle is None or handle.kind != "phone":
        return event
    number, rule = folded(handle.value)
    if rule is None:
        return event
    kept = {"handleRule": rule, "handleGiven": handle.value}
    return replace(event, handle=Handle("phone", number), payload=event.payload | kept)
