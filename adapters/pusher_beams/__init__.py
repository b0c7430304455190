"""Reads Pusher Beams' reports on pushes to authenticated users, from the gateways and the users' devices.

https://pusher.com/docs/beams/concepts/webhooks (headers, signature, retries),
https://pusher.com/docs/beams/reference/webhooks (payloads). A publish goes to many users under one id, so a
message is the publish id and the user.
"""

from collections.abc import Iterator
from typing import Any

from adapters.contract import (
    MAX_ID,
    Adapter,
    InvalidSignature,
    Normalized,
    Request,
    Setting,
    Unprocessable,
    Values,
    secrets_of,
)
from adapters.reading.addresses import of_kind
from adapters.reading.bodies import json_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_text
from adapters.signing.signatures import header, signs
from schemas.events import Error, Event

#: https://pusher.com/docs/beams/reference/webhooks: reports of a user's device.
USER_EVENTS: dict[str, str] = {
    "v1.UserNotificationAcknowledgement": "MessageDelivered",
    "v1.UserNotificationOpen": "MessageOpened",
}
#: …#v1-publishtousersattempt: lists of users by the gateways' response, with the reason of those that received
#: nothing.
ATTEMPTS: dict[str, tuple[str, str | None]] = {
    "users_delivered_to_gateway": ("UserMessageSent", None),
    "users_no_devices": ("MessageRejected", "unreachable"),
    "users_gateway_failed": ("MessageFailed", "unreachable"),
}
_ATTEMPT = "v1.PublishToUsersAttempt"
#: Keys whose value the event has in another form.
_READ = frozenset({"event_type"})


def recognise(request: Request) -> bool:
    """Recognise a webhook by its own headers; Standard Webhooks has a `webhook-signature` too."""
    headers = request.headers
    return "webhook-event-type" in headers and (
        "webhook-request-id-uuid" in headers or headers.get("user-agent") == "pusher-webhooks"
    )


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify HMAC-SHA1 of the body, in hex. No time is signed, so `fresh` has no effect. Raises InvalidSignature."""
    secrets = secrets_of(values, "secret")
    if not secrets:
        return None
    given = header(request, "webhook-signature")
    if any([signs(secret, "sha1", request.body, given) for secret in secrets]):
        return True
    raise InvalidSignature("no configured secret makes the webhook-signature")


def normalize(request: Request) -> Normalized:
    """Return one event for a device's report, or one per user of an attempt. Raises Unprocessable."""
    body = json_of(request)
    payload, metadata = (_part(body, name) for name in ("payload", "metadata"))
    kind, event_id = text(metadata.get("event_type")) or "", identifier(metadata.get("event_id"))
    if kind == _ATTEMPT:
        found = Normalized()
        for user, event in _attempt(payload, metadata, request):
            if isinstance(event, Event):
                found.events.append(event)
            else:
                found.unprocessable.append((user, event))
        if found.events:  # what concerns all users is kept once
            rest = {key: value for key, value in payload.items() if key not in ATTEMPTS}
            keep_rest(found.events[0], {"metadata": metadata, **body, "payload": rest}, read=_READ)
        if found.events or found.unprocessable:
            return found
    if kind in USER_EVENTS:
        event = _event(USER_EVENTS[kind], kind, payload.get("user_id"), payload, metadata, request)
        event.source_event_id = event_id or event.source_event_id
        return Normalized([keep_rest(event, body, read=_READ)])
    event = unknown(request, body, status=kind or None, event_id=event_id)
    event.occurred_at = from_text(metadata.get("created_at"))
    return Normalized([event])


def _attempt(payload: dict[str, Any], metadata: dict[str, Any], request: Request) -> Iterator[tuple[Any, Event | str]]:
    """Yield each user with the event, or with the reason why there is none."""
    for name, (type, reason) in ATTEMPTS.items():
        users = payload.get(name)
        for user in users if isinstance(users, list) else ():
            try:
                event = _event(type, name, user, payload, metadata, request)
            except Unprocessable as error:
                yield user, str(error)
                continue
            if reason is not None:
                event.error = Error(name, None, reason)
            yield user, event


def _event(
    type: str, word: str, user: Any, payload: dict[str, Any], metadata: dict[str, Any], request: Request
) -> Event:
    who, publish = identifier(user), identifier(payload.get("publish_id"))
    customer = of_kind("user_id", who)
    if who is None or customer is None or publish is None or len(who) + len(publish) >= MAX_ID:
        raise Unprocessable("the user or the publish id is missing or too long")
    return Event(
        type,
        request.source,
        fact_id(word, f"{publish}:{who}", identifier(metadata.get("event_id"))),
        channel="push",
        direction="outbound",
        provider_message_id=publish,
        handle=customer,
        occurred_at=from_text(metadata.get("created_at")),
        payload={"providerStatus": word, "to": who},
    )


def _part(body: Any, name: str) -> dict[str, Any]:
    part = body.get(name) if isinstance(body, dict) else None
    return part if isinstance(part, dict) else {}


ADAPTER = Adapter(
    name="pusher_beams",
    title="Pusher Beams",
    docs="https://pusher.com/docs/beams/concepts/webhooks",
    channels=frozenset({"push"}),
    events=frozenset({*USER_EVENTS.values(), *(type for type, _ in ATTEMPTS.values()), "ProviderEventReceived"}),
    signature="HMAC-SHA1 of the body",
    signs_body=True,
    job_ids=frozenset({"push"}),
    settings=(Setting("secret", "The secret given when the webhook was added (dashboard, Settings, Add a webhook)."),),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # Pusher waits three seconds for 200, the default answer, and retries four times within eight minutes.
)
