"""Maps Twilio's error codes of messages to our reasons.

Each code has a page: https://www.twilio.com/docs/api/errors/30003.
"""

from schemas.events import Error

_CODES = {
    # No such number, or one that cannot receive messages of this kind.
    "invalid_address": "21211 21214 21217 21401 21407 21421 21614 30005 30006 30011 63003 63024 63031",
    # The number may be valid; its phone or network could not be reached.
    "unreachable": "21612 30003 30017 30410 63036",
    # Refused by Twilio, the carrier, the channel, or the rules of registration.
    "blocked": (
        "21408 21606 21608 30002 30004 30010 30018 30024 30032 30033 30034 30035 30039 30040 30042 30450 30453 30454"
        " 63007 63013 63014 63015 63016 63025 63032 63033"
    ),
    # Classified as spam, or against a carrier's guidelines.
    "spam": "30007",
    "opted_out": "21610 63050",
    "content": "21602 21617 21619 21620 30019 30038 30044 63005 63019 63021 63027 63028 63030 63040 63041 63042",
    "rate": "20429 21611 30001 30022 30023 30027 63018 63038 63049",
    "expired": "30036",
    "unknown": "30008 30009 30500 63001 63009 63010 63012 63020 63023",
}
#: Errors of the API about the account: inactive, without permission, or unknown; and about a sender that it may not
#: use.
ACCOUNT = frozenset("10001 20003 20005 20403 20404 30002 90010".split())
SENDER = frozenset("21210 21212 21603 21606 21659 21660 21701 21703 21705 63007".split())
REASONS: dict[str, str] = {code: reason for reason, codes in _CODES.items() for code in codes.split()}

#: Twilio's titles of the most frequent codes: a status callback has the code alone.
TITLES: dict[str, str] = {
    "21610": "Attempt to send to unsubscribed recipient",
    "30001": "Queue overflow",
    "30002": "Account suspended",
    "30003": "Unreachable destination handset",
    "30004": "Message blocked",
    "30005": "Unknown destination handset",
    "30006": "Landline or unreachable carrier",
    "30007": "Message filtered",
    "30008": "Unknown error",
    "30036": "Validity period expired",
}


def error_of(code: str | None, text: str | None) -> Error:
    """Return the error of a failed message, from Twilio's code and the channel's text, if there are any."""
    return Error(code, text or (TITLES.get(code) if code else None), REASONS.get(code or "", "unknown"))
