"""Reads the webhook plugin of EMQX 4 and before (emqx_web_hook): the word is `action`, and messages have no id.

https://github.com/emqx/emqx/blob/main-v4.3/apps/emqx_web_hook/README.md; releases before 4 name the device `client_id`.
`ts` is the message's own time, the same in each of its events, so that with sender, topic and payload it identifies it.
"""

from typing import Any

import orjson

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import of_kind
from adapters.reading.facts import fact_id, text, unknown
from adapters.reading.times import from_unix_or_millis
from schemas.events import Event

Item = dict[str, Any]

#: `action`; the rest report what a device's connection or session does.
ACTIONS: dict[str, str] = {
    "message_publish": "MessageReceived",
    "message_delivered": "UserMessageSent",
    "message_deliver": "UserMessageSent",
    "message_acked": "MessageDelivered",
    **dict.fromkeys(
        "client_connect client_connack client_connected client_disconnected client_subscribe client_unsubscribe"
        " session_created session_subscribed session_unsubscribed session_terminated".split(),
        "ProviderEventReceived",
    ),
}
_MARKS = tuple(f'"action":"{word}"'.encode() for word in ACTIONS)


def is_plugin(start: bytes) -> bool:
    """Return whether a body begins as the plugin's do: an action, and the device's id."""
    squeezed = start.replace(b'": "', b'":"')
    return b"client_id" in start or b'"clientid"' in start if any(mark in squeezed for mark in _MARKS) else False


def event(item: Item, request: Request) -> Event:
    """Return the event of an action. Raises Unprocessable for a message of no device."""
    get, word = item.get, text(item.get("action")) or ""
    type_ = ACTIONS.get(word, "ProviderEventReceived")
    sender = text(get("from_client_id"))
    client = text(get("clientid")) or text(get("client_id"))
    outbound = type_ in ("UserMessageSent", "MessageDelivered")
    who = client if outbound or type_ == "ProviderEventReceived" else sender
    customer = of_kind("device_id", f"emqx:{who}") if who else None
    if type_ != "ProviderEventReceived" and customer is None:
        raise Unprocessable("a message of no client")
    payload: Item = {"providerStatus": word[:255]}
    if customer is not None:
        payload["to" if outbound else "from"] = customer.value
    for key, names in (("topic", ("topic",)), ("username", ("username", "from_username")), ("ip", ("ipaddress",))):
        if found := next((value for name in names if (value := text(get(name))) and value != "undefined"), None):
            payload[key] = found
    stamp = text(get("ts")) or text(get("connected_at"))
    body = get("payload")
    own_id: str | None = None
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, item).payload["native"]
    else:
        payload["content"] = {"text": body} if isinstance(body, str) else {"data": body} if body is not None else {}
        own_id = fact_id("message", sender, text(get("topic")), stamp, _text(body))
    return Event(
        type_,
        request.source,
        fact_id("emqx", word, own_id, who, text(get("topic")), stamp, text(get("reason"))),
        channel="iot",
        direction="outbound" if outbound else "inbound",
        provider_message_id=f"{own_id}:{who}" if outbound else own_id,
        handle=customer,
        occurred_at=from_unix_or_millis(get("ts") or get("connected_at")),
        payload=payload,
    )


def _text(body: Any) -> str:
    return body if isinstance(body, str) else orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode()
