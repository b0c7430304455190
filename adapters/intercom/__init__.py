"""Reads Intercom's webhooks: one notification per request, about a conversation or contact of a workspace.

https://developers.intercom.com/docs/webhooks (signature, the HEAD request that tests the URL),
https://developers.intercom.com/docs/webhooks/webhook-notifications (retries),
https://developers.intercom.com/docs/references/webhooks/webhook-models (topics). A message's id is
`<conversation>:<part>`; a conversation's first message is its `source`, the others are its parts. A contact's handle is
the e-mail address if the conversation came by mail and has one, else `intercom:<contact id>`.
"""

from adapters.contract import Adapter, InvalidSignature, Normalized, Request, Setting, Unprocessable, Values, secrets_of
from adapters.intercom.contacts import CONSENTS, STATS, consents, other, stat
from adapters.intercom.messages import MESSAGES, messages
from adapters.reading.bodies import json_of
from adapters.reading.facts import text
from adapters.signing.signatures import header, signs

_SIGNATURE = "x-hub-signature"


def recognise(request: Request) -> bool:
    """Recognise a webhook by its body's keys, as Meta and GitHub have the same signature header."""
    body = request.body
    return b'"notification_event"' in body and b'"topic"' in body and b'"app_id"' in body


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify HMAC-SHA1 of the body with the client secret. No time is signed, so `fresh` has no effect. Raises
    InvalidSignature."""
    secrets = secrets_of(values, "client_secret")
    if not secrets:
        return None
    given = header(request, _SIGNATURE).removeprefix("sha1=")
    if any([signs(secret, "sha1", request.body, given) for secret in secrets]):
        return True
    raise InvalidSignature("no configured client_secret makes this signature")


def normalize(request: Request) -> Normalized:
    """Return one event, or one per new part for a reply. Raises Unprocessable."""
    body = json_of(request)
    if not isinstance(body, dict):
        raise Unprocessable("not a webhook of Intercom: the body is not an object")
    topic, data = text(body.get("topic")) or "", body.get("data")
    item = data.get("item") if isinstance(data, dict) else None
    if not isinstance(item, dict):
        return Normalized([other(topic, None, body, request)])
    if topic in CONSENTS:
        found = consents(topic, item, body, request)
    elif topic in MESSAGES:
        found = messages(topic, item, body, request)
    else:
        found = [stat(topic, item, body, request)] if topic.startswith("content_stat.") else []
    return Normalized(found or [other(topic, item, body, request)])


ADAPTER = Adapter(
    name="intercom",
    title="Intercom",
    docs="https://developers.intercom.com/docs/webhooks",
    channels=frozenset({"chat", "email", "sms", "whatsapp", "push"}),
    events=frozenset(
        {
            *MESSAGES.values(),
            *(type_ for type_, _ in CONSENTS.values()),
            *STATS.values(),
            "ProviderEventReceived",
        }
    ),
    signature="HMAC-SHA1 of the body",
    signs_body=True,
    settings=(Setting("client_secret", "The app's client secret (Developer Hub, Configure, Basic information)."),),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # Intercom waits five seconds for the answer; 410 would end the subscription. It tests a new URL by a HEAD request.
)
