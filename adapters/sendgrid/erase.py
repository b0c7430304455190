"""Has erased what SendGrid keeps of addresses: Recipients' Data Erasure.

https://www.twilio.com/docs/sendgrid/api-reference/recipients-data-erasure/erase-recipients-email-data: at most 5,000 addresses and
256 KB; 202 with `job_id`. The API key needs the permission recipients.erasejob.create, which accounts from before 2023-07-25 get from
the support.
"""

from collections.abc import Sequence

import orjson

from adapters.contract import Erase, HttpCall, Outcome, Response, Values, accepted, optional, refused, required
from adapters.reading.facts import text
from adapters.reading.shapes import answer_of, list_of, object_of
from adapters.sendgrid.send import API
from schemas.events import Error

#: Fewer than 5,000, so that addresses of 254 bytes fit into 256 KB.
MOST = 1000


def build(addresses: Sequence[str], values: Values) -> HttpCall:
    """Build the request for some addresses. Raises Unsendable without an API key."""
    return HttpCall(
        "POST",
        f"{optional(values, 'api_url', API)}/v3/recipients/erasejob",
        {"authorization": f"Bearer {required(values, 'api_key')}", "content-type": "application/json"},
        orjson.dumps({"email_addresses": list(addresses)}),
    )


def read(response: Response) -> Outcome:
    """Read 202 with `job_id`; an error has `errors`, as in sending."""
    body = answer_of(response)
    if 200 <= response.status < 300:
        return accepted(text(body.get("job_id")))
    first = object_of(next(iter(list_of(body.get("errors"))), None))
    return refused(response, Error(str(response.status), text(first.get("message")), "unknown"))


ERASE = Erase(kinds=frozenset({"email"}), most=MOST, build=build, read=read)
