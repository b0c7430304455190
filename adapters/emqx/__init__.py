"""Reads EMQX rule output, posted by an HTTP server sink: messages of devices, and the delivery of messages to them.

Fields and events: https://docs.emqx.com/en/emqx/latest/data-integration/rule-sql-events-and-fields.html; the sink:
…/data-integration/data-bridge-webhook.html. A rule must select all fields (`SELECT *`) and the sink must post all of
them (`${.}`). Requests are not signed, but the sink can send configured headers. Retries follow the sink's settings.
"""

from typing import Any

from adapters.contract import Adapter, Normalized, Request, Unprocessable, Values
from adapters.emqx import plugin
from adapters.reading.addresses import of_kind
from adapters.reading.bodies import json_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_unix
from adapters.reading.words import spelled
from adapters.signing.shared_header import SETTINGS, verify_shared
from schemas.events import Error, Event

Item = dict[str, Any]

#: …/rule-sql-events-and-fields, by the field `event`. `delivered`: written to the device's socket; `acked`: confirmed by
#: the device (QoS 1 and 2 only). `message.dropped` names the publisher but no recipient.
EVENT_TYPES: dict[str, str] = {
    "message.publish": "MessageReceived",
    "message.delivered": "UserMessageSent",
    "message.acked": "MessageDelivered",
    "delivery.dropped": "MessageFailed",
    **dict.fromkeys(
        "message.dropped client.connected client.disconnected client.connack client.check_authz_complete"
        " session.subscribed session.unsubscribed".split(),
        "ProviderEventReceived",
    ),
}
#: …#events-delivery-dropped: our reason, by `reason`.
DROPS: dict[str, str] = {
    "queue_full": "unreachable",
    "qos0_msg": "unreachable",
    "expired": "expired",
    "no_local": "blocked",
}
#: Keys whose value the event has in another form: the device is in its address.
_READ = frozenset({"clientid"})
_OUTBOUND = frozenset({"message.delivered", "message.acked", "delivery.dropped"})
#: The key of the event's time, in milliseconds; for other events it is `timestamp`, the time of the rule.
_TIMES = {
    "message.publish": "publish_received_at",
    "client.connected": "connected_at",
    "client.disconnected": "disconnected_at",
}
_MARKS = (b'"event":"message.', b'"event":"delivery.', b'"event":"client.', b'"event":"session.')


def recognise(request: Request) -> bool:
    """Recognise a webhook by an event of the rule engine, a client's id and a node's name."""
    start = request.body[:16384]  # the keys are sorted, so these precede the payload
    if plugin.is_plugin(start):
        return True
    return b'"clientid"' in start and b'"node"' in start and any(mark in start for mark in _MARKS)


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify that the `webhook_header`, `basic_auth` or `url_secret` is present. Raises InvalidSignature."""
    return verify_shared(request, values)


def normalize(request: Request) -> Normalized:
    """Return the event of a rule's output. Raises Unprocessable."""
    item = json_of(request)
    if isinstance(item, dict) and "event" not in item and "action" in item:
        return Normalized([keep_rest(plugin.event(item, request), item, read=_READ)])
    word = text(item.get("event")) if isinstance(item, dict) else None
    if word is None:
        raise Unprocessable("no output of a rule of EMQX with all of its fields: it has no event")
    return Normalized([keep_rest(_event(item, word, request), item, read=_READ)])


def _event(item: Item, word: str, request: Request) -> Event:
    get = item.get
    given, word = word, spelled(word, EVENT_TYPES)
    type_ = EVENT_TYPES.get(word, "ProviderEventReceived")
    own_id, client = identifier(get("id")), text(get("clientid"))
    customer = of_kind("device_id", f"emqx:{client}") if client else None
    outbound = word in _OUTBOUND or word.startswith("delivery.")  # an unlisted one has the same form
    if type_ != "ProviderEventReceived" and (own_id is None or customer is None):
        raise Unprocessable("a message without an id, or of no client")
    payload: Item = {"providerStatus": given[:255]}
    if customer is not None:
        payload["to" if outbound else "from"] = customer.value
    for key, name in (("topic", "topic"), ("username", "username"), ("ip", "peerhost")):
        if (value := text(get(name))) and value != "undefined":
            payload[key] = value
    error: Error | None = None
    if type_ == "MessageFailed":
        reason = text(get("reason"))
        error = Error(reason, None, DROPS.get(reason or "", "unknown"))
    elif type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, item).payload["native"]
    if type_ == "MessageReceived" or outbound:
        payload["content"] = _content(get("payload"))
    message_id = own_id if type_ == "MessageReceived" else None
    if outbound and own_id and client:
        message_id = f"{own_id}:{client}"  # a message's id is the same for all of its subscribers
    happened = get(_TIMES.get(word, "timestamp")) or get("timestamp")
    stamp = text(happened)
    return Event(
        type_,
        request.source,
        fact_id("emqx", word, own_id, client, text(get("topic")), stamp, text(get("node"))),
        channel="iot",
        direction="outbound" if outbound else "inbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_unix(happened / 1000) if type(happened) is int else None,
        error=error,
        payload=payload,
    )


def _content(payload: Any) -> Item:
    """Return the published text, or as data the JSON that a rule decoded (`json_decode(payload) as payload`)."""
    if isinstance(payload, str):
        return {"text": payload} if payload else {}
    return {"data": payload} if payload is not None else {}


ADAPTER = Adapter(
    name="emqx",
    title="EMQX",
    docs="https://docs.emqx.com/en/emqx/latest/data-integration/rule-sql-events-and-fields.html",
    channels=frozenset({"iot"}),
    events=frozenset(EVENT_TYPES.values()),
    signature="signs nothing: a header, basic auth or a secret in the URL",
    signs_body=False,
    settings=SETTINGS,
    recognise=recognise,
    verify=verify,
    normalize=normalize,
)
