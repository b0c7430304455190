"""Reads handles from text in one normal form, so that two spellings of an address are one handle.

The normal forms:

- phone: E.164 (https://www.itu.int/rec/T-REC-E.164), `+15551234567`, without the trunk prefix that people write after the
  country code: `+44 (0)7911 123456` is `+447911123456`. Where the 0 is part of the number (Italy), it stays.
- email: without a display name, all in lower case, the domain in its ASCII form (IDNA 2008, UTS 46). RFC 5321 section
  2.4 allows `Ana@` and `ana@` to be two mailboxes; no major provider does that, and people write both, so the local
  part is lower-cased too. Tags (`ana+shop@`) and dots stay, since providers differ there.
- whatsapp_user_id: business-scoped user id, `US.13491208655302741918`, as given (case matters).
- sip: `user@host`, host in lower case, no parameters; a user part that is a phone number makes it a phone.
- user_id, device_token, and the rest: as given, outer white space removed (case matters).
"""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

import idna
import phonenumbers

from schemas.events import HANDLE_KINDS, Handle
from schemas.numbering import parted

#: Longest value kept, in characters: a push subscription's endpoint is the longest handle there is.
MAX_LENGTH = 2048
#: RFC 5321 section 4.5.3.1.3: a path is at most 256 octets, its angle brackets included.
MAX_EMAIL = 254

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_DIGITS = re.compile(r"[1-9][0-9]{9,14}")
_SHORT_CODE = re.compile(r"[0-9]{3,8}")
_PHONE_MARKS = re.compile(r"[\s().\-/]+")
_PLAIN_EMAIL = re.compile(
    r"[a-z0-9._+\-]{1,64}@(?=[^@]{1,189}$)(?:[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"
)
#: Host names have no underscores, but mail comes from domains that do.
_ASCII_DOMAIN = re.compile(r"(?!.{254})[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]+)*")
_NAMED = re.compile(r"[^<>]*<([^<>]*)>")
_LOCAL = re.compile(r"""[^\s@<>()\[\]\\,;:"]{1,64}|"(?:[^"\\]|\\.){1,62}\"""")
_PREFIX = re.compile(r"([A-Za-z][A-Za-z0-9_]{1,31}):(.+)", re.DOTALL)
_BSUID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,128}")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

#: The kind of a text that does not show its kind, by channel; on other channels it is a service's user id.
_BARE = {
    "sms": "alphanumeric",
    "rcs": "alphanumeric",
    "voice": "other",
    "email": "other",
    "push": "device_token",
}
#: Address schemes as providers and browsers write them, and the channel for which the rest is read.
_SCHEMES = {"tel": "voice", "sms": "sms", "whatsapp": "whatsapp", "rcs": "rcs", "mailto": "email"}
_SIP = frozenset({"sip", "sips"})
#: Prefixes that stay in the handle: of chat platforms, and of Twilio clients, for which there is no kind.
_PLATFORMS = dict.fromkeys(
    ("messenger", "instagram", "telegram", "line", "viber", "slack", "intercom", "freshchat"), "chat_id"
) | {"client": "other"}


def handle_of(text: str, channel: str | None = None) -> Handle:
    """Read a handle: `+1 (555) 123-4567`, `Ana <ana@example.com>`, `whatsapp:+15551234567`,
    `tel:…`, `mailto:…`, `sip:…`, `kind:value` with one of `HANDLE_KINDS` (`user_id:42`), else a user id.

    10 to 15 digits that do not begin with 0 are a phone number if their length is possible in that country; for other
    digits `channel` (one of `CHANNELS`, if known) decides. One space before digits is read as `+`, which a URL's query
    turns into a space. Raises ValueError, with a message for people, if the text is not one address: empty, several,
    control characters, a malformed e-mail address.
    """
    if _E164.fullmatch(text):
        return Handle("phone", without_trunk(text))
    if _PLAIN_EMAIL.fullmatch(text):
        return Handle("email", text)
    clean = _clean(text)
    if phone := phone_of("+" + clean if text[0] == " " and clean.isdecimal() else clean):
        return Handle("phone", phone)
    if match := _PREFIX.fullmatch(clean):
        scheme, rest = match[1].lower(), match[2].strip()
        if scheme in HANDLE_KINDS:
            return handle_as(scheme, rest)
        if scheme in _SCHEMES:
            return handle_of(rest.partition(";")[0] if scheme in ("tel", "sms") else rest, _SCHEMES[scheme])
        if scheme in _SIP:
            return _sip(rest)
        if scheme in _PLATFORMS:
            return Handle(_PLATFORMS[scheme], f"{scheme}:{rest}")
    if "@" in clean:
        return Handle("email", email_of(clean))
    return _bare(clean, channel)


def handle_as(kind: str, value: str) -> Handle:
    """Return a handle of a known kind with its value in normal form. Raises ValueError if the value is not of that
    kind."""
    if kind not in HANDLE_KINDS:
        raise ValueError(f"{kind!r} is not a kind of handle; the kinds are: {', '.join(HANDLE_KINDS)}")
    clean = _clean(value)
    if (read := _READERS.get(kind)) is None:
        return Handle(kind, clean)
    return read(clean)


def phone_of(text: str) -> str | None:
    """Return the E.164 form of an international number (`+`, then digits with the usual separators), else None. A trunk
    prefix after the country code is removed."""
    if not text.startswith(("+", "\uff0b")):
        return None
    digits = _PHONE_MARKS.sub("", text)
    if not digits.isascii():
        digits = "+" + "".join(str(unicodedata.decimal(c, c)) for c in digits[1:])
    if not _E164.fullmatch(digits):
        return None
    return without_trunk(digits)


def without_trunk(number: str) -> str:
    """Return a number in E.164 without the 0 that follows its country code, unless the country's plan has it in the number.
    ITU-T E.123 (https://www.itu.int/rec/T-REC-E.123) writes no trunk prefix in an international number; people do."""
    if "0" not in number[2:5]:  # the usual case
        return number
    country, national = parted(number)
    return _read_by_plan(number, 1 + len(country)) if country and national.startswith("0") else number


def email_of(text: str) -> str:
    """Return the address in `text`, with or without a display name, in normal form. Raises ValueError if it is
    malformed."""
    address = text.strip()
    if "<" in address:
        if (named := _NAMED.fullmatch(address)) is None:
            raise ValueError("must be one e-mail address, not several")
        address = named[1].strip()
    local, at, domain = address.rpartition("@")
    if not at or not _LOCAL.fullmatch(local):
        raise ValueError("this is no e-mail address: the part before the @ is not valid (in a URL, write + as %2B)")
    kept = f"{unicodedata.normalize('NFC', local).lower()}@{_domain(domain)}"
    if len(kept) > MAX_EMAIL:
        raise ValueError(f"an e-mail address has at most {MAX_EMAIL} characters")
    return kept


def _clean(text: str) -> str:
    """Remove outer white space and the invisible characters that are copied along with an address. Raises
    ValueError."""
    if len(text) > MAX_LENGTH:
        raise ValueError(f"a handle has at most {MAX_LENGTH} characters")
    if not text.isascii():
        text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    if _FORBIDDEN.search(text):
        raise ValueError("a handle must not have control characters")
    if not (clean := text.strip()):
        raise ValueError("a handle is not empty")
    return clean


def _domain(domain: str) -> str:
    """Return a domain in normal form. Raises ValueError if it is not a host name."""
    domain = domain.strip().rstrip(".")
    if _ASCII_DOMAIN.fullmatch(domain):
        return domain.lower()
    if domain.startswith("[") and domain.endswith("]"):  # an address literal, RFC 5321 section 4.1.3
        return domain.lower()
    try:
        return idna.encode(domain, uts46=True, transitional=False).decode().lower()
    except idna.IDNAError as error:
        raise ValueError(f"this is no e-mail address: after the @ is no domain ({error})") from error


def _bare(text: str, channel: str | None) -> Handle:
    """Return the handle of a text that does not show its kind."""
    if channel == "push":  # a token may be digits alone
        return Handle("device_token", text)
    if _DIGITS.fullmatch(text) and (channel == "whatsapp" or _is_length(text[:3], len(text))):
        return Handle("phone", without_trunk("+" + text))
    if channel in ("sms", "rcs") and _SHORT_CODE.fullmatch(text):
        return Handle("short_code", text)
    if channel == "whatsapp":
        return Handle("whatsapp_user_id" if _BSUID.fullmatch(text) else "other", text)
    if channel in ("sms", "rcs") and len(text) > 11:  # 3GPP TS 23.040: a sender's name has at most 11 characters
        return Handle("other", text)
    return Handle("other" if text[0] == "+" else _BARE.get(channel or "", "user_id"), text)


@lru_cache(maxsize=8192)
def _read_by_plan(number: str, end: int) -> str:
    """Return a number whose country code ends before `end`, and is followed by 0, as libphonenumber reads it: without the
    country's trunk prefix. A plan that has none, and no number as long as this one, has no 0 there either."""
    try:
        while number[end] == "0":
            read = phonenumbers.parse(number, None)
            if read.italian_leading_zero and not phonenumbers.is_possible_number(read):
                shorter = phonenumbers.parse(number[:end] + number[end + 1 :], None)
                read = shorter if phonenumbers.is_possible_number(shorter) else read
            without = phonenumbers.format_number(read, phonenumbers.PhoneNumberFormat.E164)
            if without == number or not _E164.fullmatch(without):
                break
            number = without
    except phonenumbers.NumberParseException:
        pass
    return number


@lru_cache(maxsize=8192)
def _is_length(code: str, length: int) -> bool:
    """Return whether numbers that begin with these three digits can have this length. Only lengths are checked, since
    number ranges change every month; a made-up number makes the answer depend on nothing else, so it can be cached."""
    try:
        number = phonenumbers.parse(f"+{code}{'2' * (length - len(code))}", None)
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_possible_number(number))


def _sip(text: str) -> Handle:
    """Read `user@host;parameters` (RFC 3261 section 19.1)."""
    user, at, host = text.partition(";")[0].removeprefix("sip:").removeprefix("sips:").rpartition("@")
    if phone := phone_of(user.partition(":")[0]):
        return Handle("phone", phone)
    return Handle("sip", f"{user}{at}{host.lower()}")


def _phone(text: str) -> Handle:
    bare = "+" + text if _DIGITS.fullmatch(_PHONE_MARKS.sub("", text)) else text
    if (phone := phone_of(bare)) is None:
        raise ValueError("must be a phone number in E.164: +, country code, number, 7 to 15 digits")
    return Handle("phone", phone)


_READERS: dict[str, Callable[[str], Handle]] = {
    "phone": _phone,
    "email": lambda text: Handle("email", email_of(text)),
    "sip": _sip,
}
