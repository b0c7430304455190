"""Reads the updates of Telegram's Bot API, one per request.

https://core.telegram.org/bots/api#update, `setWebhook` (the secret token), `Message`. Telegram signs nothing: a
header repeats the configured secret. Unless answered with 2xx, an update is retried by Telegram's own server
(https://github.com/tdlib/telegram-bot-api) with increasing delays until it expires, after 24 hours at most.
"""

from adapters.contract import (
    Adapter,
    InvalidSignature,
    Normalized,
    Request,
    Send,
    Setting,
    Unprocessable,
    Values,
    secrets_of,
)
from adapters.reading.bodies import json_of
from adapters.reading.facts import fact_id, identifier
from adapters.signing.optional import SETTINGS as _UNSIGNED
from adapters.signing.optional import WORDS, verify_signed_or_known
from adapters.signing.signatures import header, same
from adapters.telegram.send import API, build_request, read_response
from adapters.telegram.updates import UPDATES, unheard

_HEADER = "x-telegram-bot-api-secret-token"


def recognise(request: Request) -> bool:
    """Recognise a webhook by the secret token's header, or by the first key of an update."""
    return _HEADER in request.headers or request.body[:40].lstrip().startswith(b'{"update_id"')


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify that the header is a configured secret token; without one, basic authentication or the secret in the URL.
    Nothing is signed, and there is no time, so `fresh` has no effect. Raises InvalidSignature."""
    secrets = secrets_of(values, "secret_token")

    def check() -> None:
        given = header(request, _HEADER).encode("utf-8", "replace")
        if not any([same(secret.encode(), given) for secret in secrets]):
            raise InvalidSignature(f"the header {_HEADER} is not a configured secret_token")

    return verify_signed_or_known(request, values, keys=secrets, signed=_HEADER in request.headers, check=check)


def normalize(request: Request) -> Normalized:
    """Return the one event of an update, or one for each message that was deleted. Raises Unprocessable."""
    body = json_of(request)
    event_id = identifier(body.get("update_id")) if isinstance(body, dict) else None
    if event_id is None:
        raise Unprocessable("no update of Telegram: it has no update_id")
    kind = next((key for key in body if key in UPDATES), None)
    if kind is None:
        return Normalized([unheard(body, event_id, request)])
    if not isinstance(item := body[kind], dict):
        raise Unprocessable(f"an update whose {kind} is not an object")
    events = UPDATES[kind](item, kind, request)
    for event in events:
        event.source_event_id = event_id if len(events) == 1 else fact_id(event_id, event.provider_message_id)
    return Normalized(events)


ADAPTER = Adapter(
    name="telegram",
    title="Telegram",
    docs="https://core.telegram.org/bots/api#update",
    channels=frozenset({"chat"}),
    events=frozenset(
        "MessageReceived MessageEdited MessageDeleted UserMessageSent RecipientUnsubscribed RecipientSubscribed"
        " ProviderEventReceived".split()
    ),
    unmapped=frozenset({*UPDATES, "managed_bot", "subscription", "migrate_to_chat_id", "migrate_from_chat_id"}),
    signature=f"a secret token in a header, the body is not signed; {WORDS}",
    signs_body=False,
    settings=(
        Setting("secret_token", "The `secret_token` given to setWebhook; Telegram repeats it in a header."),
        *_UNSIGNED,
        Setting("bot_token", "The bot's token from @BotFather, for sending."),
        Setting("api_url", f"The URL of the Bot API; {API} if not set.", secret=False),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # The answer has no body: Telegram would read one as a call of its API.
    send=Send(
        channels=frozenset({"chat"}),
        build_request=build_request,
        read_response=read_response,
    ),
)
