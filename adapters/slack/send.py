"""Sends messages by Slack's chat.postMessage with a bot token.

https://docs.slack.dev/reference/methods/chat.postMessage (errors, limits),
https://docs.slack.dev/apis/web-api/rate-limits. There is no idempotency key. Slack repeats a message's metadata to
an app that subscribes to its own (https://docs.slack.dev/messaging/message-metadata).
"""

from datetime import datetime
from typing import Any

import orjson

from adapters.contract import (
    MAX_ID,
    HttpCall,
    Message,
    Outcome,
    Response,
    Unsendable,
    Values,
    accepted,
    optional,
    refused,
    required,
)
from adapters.reading.facts import text
from adapters.reading.own_ids import NAME, marked
from adapters.reading.shapes import answer_of
from schemas.events import Error

API = "https://slack.com/api"
#: The type of each message's metadata, for the app's `metadata_subscriptions`.
METADATA = "threadline_message"
#: Characters after which Slack truncates a text, and the maximum of a section.
MOST_TEXT, MOST_SECTION = 40_000, 3_000

_CODES = {
    "invalid_address": "channel_not_found user_not_found users_not_found invalid_channel channel_not_provided",
    "unreachable": "is_archived user_disabled is_inactive",
    # Forbidden by the workspace, the conversation or the user's settings.
    "blocked": (
        "not_in_channel restricted_action restricted_action_read_only_channel restricted_action_thread_only_channel"
        " restricted_action_non_threadable_channel restricted_action_thread_locked cannot_dm_bot messages_tab_disabled"
        " external_channel_migrating"
    ),
    "content": (
        "msg_too_long no_text too_many_attachments invalid_blocks invalid_blocks_format msg_blocks_too_long"
        " attachment_payload_limit_exceeded invalid_metadata_format invalid_metadata_schema metadata_too_large"
        " metadata_must_be_sent_from_app markdown_text_conflict"
    ),
    "rate": "ratelimited rate_limited message_limit_exceeded",
}
#: Errors of the token, its scopes, or the workspace that issued it.
_ACCOUNT = frozenset(
    "access_denied accesslimited account_inactive ekm_access_denied invalid_auth missing_scope no_permission"
    " not_allowed_token_type not_authed org_login_required team_access_not_granted token_expired token_revoked"
    " two_factor_setup_required".split()
)
_REASONS = {code: reason for reason, codes in _CODES.items() for code in codes.split()}
#: Errors after which a retry may succeed, though they come with status 200.
_RETRYABLE = frozenset(
    "ratelimited rate_limited internal_error service_unavailable request_timeout team_added_to_org"
    " external_channel_migrating".split()
)


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build a POST of JSON to chat.postMessage. The token decides the sender. Raises Unsendable."""
    token = required(values, "bot_token")
    if message.to.kind != "chat_id" or not message.to.value.startswith("slack:"):
        raise Unsendable("Slack sends to chat_id slack:<workspace>/<user or conversation>")
    if message.template is not None or message.subject is not None:
        raise Unsendable("Slack has no templates and no subjects: put it all into the text")
    words = message.text or ""
    if len(words) > MOST_TEXT:
        raise Unsendable(f"Slack truncates a text of more than {MOST_TEXT} characters: make it shorter")
    echoed = {NAME: marked(message.message_id), "to": message.to.value}
    if message.reference:
        echoed["reference"] = message.reference
    document: dict[str, Any] = {
        "channel": message.to.value.removeprefix("slack:").rpartition("/")[2],
        "text": _escaped(words),
        # The text is plain: a * in it makes nothing bold.
        "mrkdwn": False,
        "metadata": {"event_type": METADATA, "event_payload": echoed},
    }
    if message.media:
        document["blocks"] = _blocks(message)
    elif not words:
        raise Unsendable("Slack needs text or pictures")
    return HttpCall(
        "POST",
        f"{optional(values, 'api_url', API).rstrip('/')}/chat.postMessage",
        {"authorization": f"Bearer {token}", "content-type": "application/json; charset=utf-8"},
        orjson.dumps(document),
    )


def read_response(response: Response) -> Outcome:
    """Read 200 with `ok` and the message's place, or with `error`, a word; 429 has Retry-After."""
    body = answer_of(response)
    code = text(body.get("error"))
    success = 200 <= response.status < 300
    if success and (body.get("ok") is True or code is None):
        channel, stamp = text(body.get("channel")), text(body.get("ts"))
        known = channel is not None and stamp is not None and len(channel) + len(stamp) < MAX_ID
        return accepted(f"{channel}:{stamp}" if known else None)
    reason = "rate" if response.status == 429 else _REASONS.get(code or "", "unknown")
    error = Error(code[:255] if code else None, _details(body), reason)
    retryable = code in _RETRYABLE if success else None
    return refused(response, error, retryable=retryable, account=code in _ACCOUNT or None)


def _details(body: dict[str, Any]) -> str | None:
    """Return the details of an error in `response_metadata` or `needed` (a missing scope)."""
    metadata = body.get("response_metadata")
    messages = metadata.get("messages") if isinstance(metadata, dict) else None
    lines = [line for line in messages[:10] if isinstance(line, str)] if isinstance(messages, list) else []
    if needed := text(body.get("needed")):
        lines.append(f"needed: {needed}")
    return "; ".join(lines)[:2048] or None


def _escaped(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _blocks(message: Message) -> list[dict[str, Any]]:
    """Return the text, then the pictures (https://docs.slack.dev/reference/block-kit/blocks/image-block). Other
    files would have to be uploaded. Raises Unsendable."""
    words = _escaped(message.text or "")
    if len(words) > MOST_SECTION:
        raise Unsendable(f"Slack takes at most {MOST_SECTION} characters beside a picture: send them separately")
    blocks: list[dict[str, Any]] = [{"type": "section", "text": {"type": "plain_text", "text": words}}] if words else []
    for media in message.media:
        if media.type is not None and not media.type.startswith("image/"):
            raise Unsendable("Slack takes only pictures by URL: put a link to it into the text")
        blocks.append({"type": "image", "image_url": media.url, "alt_text": media.name or "image"})
    return blocks
