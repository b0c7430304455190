"""Has erased what Twilio keeps of messages and calls: DELETE of each one's resource.

A message goes with its media; one that is still under way is refused, and asked for again. A call's recordings are resources of
their own, which do not go with it.
https://www.twilio.com/docs/messaging/api/message-resource#delete-a-message-resource, …/voice/api/call-resource#delete-a-call-resource
"""

from collections.abc import Sequence
from urllib.parse import quote

from adapters.contract import (
    Erase,
    HttpCall,
    Outcome,
    Response,
    Unsendable,
    Values,
    accepted,
    api_of,
    refused,
    required,
)
from adapters.reading.facts import text
from adapters.reading.shapes import answer_of
from adapters.twilio.errors import ACCOUNT, error_of
from adapters.twilio.send import API, authorization

#: The resources by the beginnings of their ids: https://www.twilio.com/docs/glossary/what-is-a-sid
_RESOURCES = {"SM": "Messages", "MM": "Messages", "CA": "Calls", "RE": "Recordings"}
#: The resource cannot be deleted yet: https://www.twilio.com/docs/api/errors/20009
_UNDER_WAY = "20009"


def build(sids: Sequence[str], values: Values) -> HttpCall:
    """Build the request for one message, call or recording. Raises Unsendable for an id of another resource."""
    (sid,) = sids
    resource = _RESOURCES.get(sid[:2])
    if resource is None:
        raise Unsendable("it is the id of no message, call or recording")
    account = quote(required(values, "account_sid"), safe="")
    url = f"{api_of(values, API)}/2010-04-01/Accounts/{account}/{resource}/{quote(sid, safe='')}.json"
    return HttpCall("DELETE", url, {"authorization": authorization(values)}, b"")


def read(response: Response) -> Outcome:
    """Read 204. 404: it is gone already, as after a request whose answer was lost."""
    if 200 <= response.status < 300 or response.status == 404:
        return accepted(None)
    body = answer_of(response)
    code = text(body.get("code"))
    error = error_of(code, text(body.get("message")))
    return refused(response, error, retryable=True if code == _UNDER_WAY else None, account=code in ACCOUNT or None)


ERASE = Erase(build=build, read=read)
