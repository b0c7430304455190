"""Maps the names of Infobip's errors and statuses to our reasons; the numbers differ between Infobip's products.

https://www.infobip.com/docs/developer-resources/api-fundamentals/error-code-reference
"""

from typing import Any

from adapters.reading.facts import text
from schemas.events import Error

_ERRORS = {
    "invalid_address": (
        "EC_UNKNOWN_SUBSCRIBER EC_UNIDENTIFIED_SUBSCRIBER EC_UNKNOWN_EQUIPMENT EC_ILLEGAL_SUBSCRIBER"
        " EC_BEARER_SERVICE_NOT_PROVISIONED EC_TELESERVICE_NOT_PROVISIONED EC_ILLEGAL_EQUIPMENT"
        " EC_FACILITY_NOT_SUPPORTED EC_SM_DF_EQUIPMENTNOTSM_EQUIPPED EC_NNR_NOTRANSLATIONFORTHISSPECIFICADDRESS"
    ),
    "unreachable": (
        "EC_UNKNOWN_BASE_STATION EC_UNKNOWN_MSC EC_ABSENT_SUBSCRIBER_SM EC_ROAMING_NOT_ALLOWED EC_ABSENT_SUBSCRIBER"
        " EC_SUBSCRIBER_BUSY_FOR_MT_SMS EC_SM_DELIVERY_FAILURE EC_MESSAGE_WAITING_LIST_FULL EC_SYSTEM_FAILURE"
        " EC_RESOURCE_LIMITATION EC_SM_DF_MEMORYCAPACITYEXCEEDED EC_TIME_OUT EC_OR_REMOTENODENOTREACHABLE"
        " EC_NNR_SUBSYSTEMCONGESTION EC_NNR_SUBSYSTEMFAILURE EC_NNR_NETWORKCONGESTION EC_NO_RESPONSE"
        " EC_VOICE_USER_BUSY EC_VOICE_NO_ANSWER"
    ),
    "blocked": (
        "EC_CALL_BARRED EC_IMSI_BLACKLISTED EC_DEST_ADDRESS_BLACKLISTED EC_BLACKLISTED_DESTINATIONADDRESS"
        " EC_BLACKLISTED_SENDERADDRESS EC_SOURCE_ADDRESS_BLACKLISTED"
    ),
    "content": "EC_INVALID_PDU_FORMAT EC_UNKNOWN_ALPHABET",
    "rate": "EC_DESTINATION_FLOODING EC_DESTINATION_TXT_FLOODING",
    "expired": "EC_VALIDITYEXPIRED EC_MESSAGE_CANCELED",
}
_STATUSES = {
    "invalid_address": (
        "REJECTED_PREFIX_MISSING REJECTED_DESTINATION REJECTED_INVALID_DESTINATION REJECTED_MISSING_TO"
        " REJECTED_DESTINATION_NOT_REGISTERED"
    ),
    "blocked": (
        "REJECTED_NETWORK REJECTED_SOURCE REJECTED_SENDER REJECTED_NOT_ENOUGH_CREDITS REJECTED_ROUTE_NOT_AVAILABLE"
        " REJECTED_PREPAID_PACKAGE_EXPIRED UNDELIVERABLE_REJECTED_OPERATOR"
    ),
    "opted_out": "REJECTED_DND",
    "content": "REJECTED_INVALID_UDH REJECTED_MESSAGE_TOO_LONG",
    "rate": "REJECTED_FLOODING_FILTER",
}
#: Statuses in a response: no credit (`ACCOUNT`), or a sender that the account does not own (`SENDER`).
ACCOUNT = frozenset({"REJECTED_NOT_ENOUGH_CREDITS", "REJECTED_PREPAID_PACKAGE_EXPIRED"})
SENDER = frozenset({"REJECTED_SENDER", "REJECTED_SOURCE"})
_REASONS = {name: reason for table in (_STATUSES, _ERRORS) for reason, names in table.items() for name in names.split()}
_NONE = frozenset({"NO_ERROR", ""})


def error_of(error: Any, status: Any) -> Error:
    """Return the error of a report, from its error or else its status: a rejected message often has no error."""
    problem = error if isinstance(error, dict) else {}
    state = status if isinstance(status, dict) else {}
    name, state_name = (text(part.get("name")) or "" for part in (problem, state))
    source = problem if name.upper() not in _NONE else state
    code = text(source.get("name"))
    reason = _REASONS.get(name.upper()) or _REASONS.get(state_name.upper())
    if reason is None and text(state.get("groupName")) == "EXPIRED":
        reason = "expired"
    return Error(code[:255] if code else None, text(source.get("description")), reason or "unknown")
