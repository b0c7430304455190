"""Consent of recipients: what events imply about it, and how a person records it. Pure."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from unicodedata import normalize

from adapters.reading.facts import fact_id
from schemas.event_data import OURS
from schemas.events import Event, Handle

OUT, IN = "RecipientUnsubscribed", "RecipientSubscribed"
#: The event of each state of a consent.
STATES: dict[str, str] = {"out": OUT, "in": IN}
#: The source of consents that a person records.
SOURCE = OURS
#: Stands for every channel.
ALL = "*"

# CTIA, Messaging Principles and Best Practices (May 2023), section 5.1.3; the text is also at this address.
_CTIA = "https://signalmash.com/2023/12/28/ctia-messaging-principles-best-practices-handbook"
# 47 CFR 64.1200(a)(10), as the FCC made it known.
_FCC = "https://www.govinfo.gov/content/pkg/FR-2024-03-05/html/2024-04587.htm"
_TWILIO = "https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out"
_TWILIO_CANADA = "https://support.twilio.com/hc/en-us/articles/223181928"
_TELNYX = "https://developers.telnyx.com/docs/messaging/messages/advanced-opt-in-out"
_AMAZON = "https://docs.aws.amazon.com/sms-voice/latest/userguide/keywords-required.html"
_SINCH = "https://community.sinch.com/t5/Conversation-API/Can-I-customize-opt-in-and-opt-out-keywords-for-use-with-consent/ta-p/18980"
_BIRD = (
    "https://docs.bird.com/applications/channels/channels/supported-channels/sms/concepts/opt-in-and-opt-out-compliance"
)
_SINCH_BRAZIL = (
    "https://docs-pt.sinch.com/documentacao-tecnica-whatsapp/documentacao-tecnica-whatsapp/desativacao-do-whatsapp"
)
_VONAGE = "https://developer.vonage.com/en/opt-out-assist/guides/key-word-setup"
_ENABLEX = "https://developer.enablex.io/docs/quickstart/sms/international-sms-regulations/country/norway/"

#: The words by which a recipient opts out, each with a page that lists it. Amazon's TD is left out: it is so short that
#: it may mean something else.
OPT_OUTS: dict[str, str] = {
    "stop": _CTIA,
    "end": _CTIA,
    "unsubscribe": _CTIA,
    "cancel": _CTIA,
    "quit": _CTIA,
    "revoke": _FCC,
    "opt out": _FCC,
    "optout": _TWILIO,
    "stopall": _TWILIO,
    "stop all": _TELNYX,
    "opt-out": _AMAZON,
    "remove": _AMAZON,
    "unsub": _TWILIO_CANADA,
    "arret": _TWILIO_CANADA,
    "arrêt": _TWILIO_CANADA,  # the same, as it is spelled
    "detener": _SINCH,
    "salir": _SINCH,
    "parar": _SINCH,
    "cancelar": _SINCH,
    "sair": _SINCH_BRAZIL,
    "stopp": _ENABLEX,
    "halt": _BIRD,
    "ferma": _BIRD,
    "остановить": _BIRD,
    "zatrzymaj": _BIRD,
}
#: The words by which one opts in again. Twilio takes YES as well, but not for toll-free numbers, and Telnyx does not; it
#: answers many a question, and must not undo an opt-out.
OPT_INS: dict[str, str] = {
    "start": _TELNYX,
    "unstop": _TELNYX,
    "join": _VONAGE,
    "nonarret": _BIRD,
    **dict.fromkeys(("#start", "#volver", "#recibir", "#voltar", "#receber"), _SINCH_BRAZIL),
}

_WORDS = dict.fromkeys(OPT_OUTS, OUT) | dict.fromkeys(OPT_INS, IN)
#: Longest text that is compared, in characters: a longer one is no such word.
_MOST = 100
#: Channels on which a recipient writes such words.
_WRITTEN = frozenset({"sms", "whatsapp", "rcs"})
_REFUSALS = frozenset({"MessageFailed", "MessageBounced", "MessageRejected"})
#: Keys of events that concern only one list or group at a provider.
_PARTIAL = frozenset({"list", "unsubscribeGroup"})


def learned(event: Event) -> list[Event]:
    """Return the consent events that an event implies: a recipient who writes STOP, also by an edit, is refused as opted out, or complains,
    opts out of that channel; one who writes START opts in.

    Each keeps the event's message, handle, channel, direction and time, has an id made of the event's (so a redelivery gives
    the same) and names its `basis`. Where the provider reports the same consent, the fold counts both as one. Do not call
    it for our own refusals, which rest on a known consent.
    """
    if event.handle is None or (found := _found(event)) is None:
        return []
    type, basis = found
    payload: dict[str, Any] = {"basis": basis}
    return [
        replace(
            event,
            type=type,
            source_event_id=fact_id("consent", event.source_event_id),
            error=None,
            payload=payload,
        )
    ]


def consent_event(handle: Handle, channel: str, state: str, agent: str, at: datetime, id: str) -> Event:
    """Return the event of a consent that a person (`agent`) records. `state`: `out` or `in`; `channel`: one of ours or `*`;
    `id`: unique."""
    return Event(
        STATES[state],
        SOURCE,
        id,
        channel=None if channel == ALL else channel,
        handle=handle,
        occurred_at=at,
        payload={"basis": "api", "agent": agent},
    )


def meaning(text: str) -> str | None:
    """Return the consent event type that a whole message means, or None."""
    if len(text) > _MOST:
        return None
    word = normalize("NFC", text.strip().rstrip(".!").rstrip().casefold())
    return _WORDS.get(word)


def _found(event: Event) -> tuple[str, str] | None:
    """Return the type and the basis of the implied event, or None."""
    if event.type == "MessageReceived" or (event.type == "MessageEdited" and event.direction == "inbound"):
        if event.channel not in _WRITTEN:
            return None
        content = event.payload.get("content")
        text = content.get("text") if isinstance(content, dict) else None
        type = meaning(text) if isinstance(text, str) else None
        return (type, "keyword") if type else None
    if event.type in _REFUSALS:
        refused = event.error is not None and event.error.reason == "opted_out"
        return (OUT, "error") if refused and _PARTIAL.isdisjoint(event.payload) else None
    return (OUT, "complaint") if event.type == "MessageComplained" else None
