"""Handles that stand for nobody, or for a desk where many people work: what programs and templates send in place of a person's
address. Linked, they would make one customer of all of them. Pure."""

import re

from schemas.events import Handle

#: Kinds that many people have in common by their nature.
_COMMON = frozenset({"short_code", "alphanumeric", "other"})
#: Values as they are compared: in lower case, without separators and brackets.
_WORDS = frozenset(
    """
    admin administrator anon anonymous anonymoususer customer default demo distinctid dummy email empty example false guest
    guestuser id inf infinity missing na nan nil no noid nobody none notauthenticated notset null object objectobject phone
    placeholder root system test testuser true undefined unknown unknownuser unset user userid username visitor void
    """.split()
)
#: Mailboxes of a role (RFC 2142 lists such names), and those that nobody reads.
_ROLES = frozenset(
    """
    abuse billing bounce bounces contact daemon donotreply enquiries hello help helpdesk hostmaster info inquiries mail
    mailerdaemon noreply office orders postmaster reception sales service support team webmaster
    """.split()
)
_SEPARATORS = re.compile(r"[\W_]+")
#: What is left of a template that was not filled in.
_TEMPLATE = re.compile(r"\{\{|\}\}|\{%|[$%#]\{|<%|\A%[\w.]+%\Z|\A\{[\w.]+\}\Z|\A<[\w .]+>\Z")
#: A country code, and then one digit only.
_ONE_DIGIT_PHONE = re.compile(r"\+(?:[17]|[2-689]\d{1,2})(\d)\1{6,}")
#: Digits that are all alike are made up from this length on; a shorter number may be a user's.
_ALIKE = 4


def is_one_persons(handle: Handle) -> bool:
    """Return whether a handle can be one person's: not of a kind that many share, no placeholder, no role's mailbox."""
    if handle.kind in _COMMON or _TEMPLATE.search(handle.value):
        return False
    if handle.kind == "phone":
        return _ONE_DIGIT_PHONE.fullmatch(handle.value) is None
    if handle.kind == "email":
        local = _plain(handle.value.rpartition("@")[0].partition("+")[0])
        return not _is_nobody(local) and local not in _ROLES
    if handle.kind == "chat_id":  # `slack:<workspace>/<user>`: each part has to be somebody's
        parts = handle.value.partition(":")[2].split("/")
        return not any(_is_minus_one(part) or _is_nobody(_plain(part)) for part in parts)
    return not _is_minus_one(handle.value) and not _is_nobody(_plain(handle.value))


def _plain(text: str) -> str:
    return _SEPARATORS.sub("", text.casefold())


def _is_minus_one(text: str) -> bool:
    return text.strip() == "-1"


def _is_nobody(plain: str) -> bool:
    """Return whether a value without separators is a placeholder: empty, a word that means nobody, zeros, one digit again and
    again, or a UUID of one digit."""
    if plain in _WORDS or plain.strip("0") == "":
        return True
    if len(set(plain)) > 1:
        return False
    return len(plain) == 32 or (plain.isdecimal() and len(plain) >= _ALIKE) or plain[0] == "x"
