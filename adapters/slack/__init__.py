"""Reads one Slack app's webhooks: the Events API, interactive payloads and slash commands.

Signature: https://docs.slack.dev/authentication/verifying-requests-from-slack. Events:
https://docs.slack.dev/apis/events-api (the handshake, and up to three retries unless answered with 2xx in three
seconds). A person is `slack:<workspace>/<user>`, as a user's id is unique in its workspace only. A message is
`<conversation>:<ts>`.
"""

from adapters.contract import (
    Adapter,
    Answer,
    InvalidSignature,
    Normalized,
    Request,
    Send,
    Setting,
    Unconfigured,
    Unprocessable,
    Values,
    secrets_of,
)
from adapters.reading.bodies import is_form, json_of
from adapters.reading.facts import identifier, text, unknown
from adapters.reading.times import from_unix
from adapters.signing.signatures import check_age, header, signs
from adapters.slack import interactions, messages
from adapters.slack.send import API, build_request, read_response

_SIGNATURE = "x-slack-signature"


def recognise(request: Request) -> bool:
    """Recognise a webhook by its signature header, or by keys that only its events have."""
    if _SIGNATURE in request.headers:
        return True
    body = request.body
    return b'"event_callback"' in body and b'"api_app_id"' in body and b'"event_id"' in body


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify HMAC-SHA256 over `v0:timestamp:body`, in `x-slack-signature: v0=…`. Raises InvalidSignature."""
    secrets = secrets_of(values, "signing_secret")
    if not secrets:
        return None
    timestamp = header(request, "x-slack-request-timestamp")
    given = header(request, _SIGNATURE).removeprefix("v0=")
    message = f"v0:{timestamp}:".encode("utf-8", "replace") + request.body
    if not any([signs(secret, "sha256", message, given) for secret in secrets]):
        raise InvalidSignature("no configured signing_secret makes this signature")
    if fresh:
        check_age(timestamp, request.received_at)
    return True


def normalize(request: Request) -> Normalized:
    """Return one event, or one per choice made in a message. Raises Unprocessable."""
    if is_form(request):
        return Normalized(interactions.events(request))
    body = json_of(request)
    if not isinstance(body, dict):
        raise Unprocessable("not a webhook of Slack: the body is not an object")
    if body.get("type") == "event_callback" and isinstance(event := body.get("event"), dict):
        return Normalized([messages.event(event, body, request)])
    event = unknown(request, body, status=text(body.get("type")), event_id=identifier(body.get("event_id")))
    event.occurred_at = from_unix(body.get("minute_rate_limited"))
    return Normalized([event])


def handshake(request: Request, values: Values) -> Answer | None:
    """Answer `url_verification` with its challenge, once verified. Raises InvalidSignature if it is not authentic,
    Unconfigured if no signing_secret is configured."""
    if b"url_verification" not in request.body[:8192] or is_form(request):
        return None
    try:
        body = json_of(request)
    except Unprocessable:
        return None
    if not isinstance(body, dict) or body.get("type") != "url_verification":
        return None
    if verify(request, values) is None:
        raise Unconfigured("no signing_secret is configured to answer the handshake with")
    return Answer(200, (text(body.get("challenge")) or "").encode("utf-8", "replace"))


#: Words that become no event of ours: messages of Slack itself and of other apps, by `subtype`
#: (https://docs.slack.dev/reference/events/message), notices, and interactions without a message.
UNMAPPED = frozenset(
    (
        *(
            f"message.{subtype}"
            for subtype in (
                *messages.MESSAGE_SUBTYPES - {""},
                *"bot_message message_changed message_deleted message_replied bot_add bot_remove channel_archive".split(),
                *"channel_join channel_leave channel_name channel_purpose channel_topic channel_unarchive".split(),
                *"group_archive group_join group_leave group_name group_purpose group_topic group_unarchive".split(),
                *"channel_convert_to_private channel_posting_permissions pinned_item unpinned_item".split(),
                *"ekm_access_denied reminder_add huddle_thread".split(),
            )
        ),
        *"message message.app_mention message_metadata_posted reaction_added reaction_removed team_join".split(),
        *"assistant_thread_started file_shared app_rate_limited ssl_check shortcut message_action view_closed dialog_cancellation".split(),
    )
)

ADAPTER = Adapter(
    name="slack",
    title="Slack",
    docs="https://docs.slack.dev/apis/events-api",
    channels=frozenset({"chat"}),
    events=frozenset(
        {"MessageReceived", "MessageEdited", "MessageDeleted", "UserMessageSent", "ProviderEventReceived"}
    ),
    unmapped=UNMAPPED,
    signature="HMAC-SHA256 over timestamp and body, five minutes",
    signs_body=True,
    settings=(
        Setting("signing_secret", "The app's signing secret (Basic Information, App Credentials)."),
        Setting("bot_token", "The bot token, xoxb-…, with the scope chat:write, for sending."),
        Setting("api_url", f"The URL of the API; {API} if not set.", secret=False),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # The default answer, 200 without a body, closes a form, and shows nothing to the user of a command.
    handshake=handshake,
    send=Send(
        channels=frozenset({"chat"}),
        build_request=build_request,
        read_response=read_response,
    ),
)
