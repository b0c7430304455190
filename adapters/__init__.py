"""The registry of adapters, and the one way from a request to its events.

A provider is one word here: the name of its package, its default source name and its fixture folder.
"""

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from importlib import import_module
from typing import TypeVar

from adapters.contract import Adapter, Normalized, Request, TooMuch, Unprocessable, names_a_job
from adapters.keeping import Shown, fit, size_of
from adapters.reading.parameters import channel_of
from schemas import NOT_WORDED, WORDED, SchemaError
from schemas.events import Event
from schemas.faults import line as faults_line

PROVIDERS = (
    "envelope",
    # SMS, WhatsApp, voice
    "zenvia",
    "gupshup",
    "clickatell",
    "kaleyra",
    "twilio",
    "whatsapp_cloud",
    "vonage",
    "africastalking",
    "infobip",
    "bandwidth",
    "jasmin",
    "telnyx",
    "plivo",
    "turn_whatsapp",
    "messagebird",
    "sinch",
    "seven",
    "elks",
    # E-mail
    "mailgun",
    "postmark",
    "amazon_ses",
    "mailjet",
    "brevo",
    "sparkpost",
    "sendgrid",
    "resend",
    "mailersend",
    "mandrill",
    "postal",
    "mailtrap",
    "unisender_go",
    "customerio",
    "smtp",
    # Push
    "onesignal",
    "pusher_beams",
    "fcm",
    "apns",
    "webpush",
    # Chat
    "slack",
    "telegram",
    "line",
    "viber",
    "intercom",
    "freshchat",
    "facebook_messenger",
    "instagram",
    "google_rcs",
    # Devices
    "emqx",
    "the_things_stack",
    "mqtt",
    # Any
    "standard_webhooks",
)

#: Bytes of events that a webhook may make: `TIMES` its own size, and `BESIDES` for what each event adds (ids, addresses,
#: words), as a report of some kilobytes can have a thousand events.
TIMES, BESIDES = 3, 448 << 10
#: Bytes of unprocessable items that are returned, beyond the webhook's size; for further items only the reason is.
ITEMS = 64 << 10


T = TypeVar("T")


class Registry(MutableMapping[str, T]):
    """What providers have, by the provider's name. The names are known without an import; `load` is called for a name
    when it is first read. Others are added and removed as in any mapping."""

    def __init__(self, names: Iterable[str], load: Callable[[str], T]) -> None:
        self._known: dict[str, T | None] = dict.fromkeys(names)
        self._load = load

    def __getitem__(self, name: str) -> T:
        found = self._known[name]
        if found is None:
            found = self._known[name] = self._load(name)
        return found

    def __setitem__(self, name: str, value: T) -> None:
        self._known[name] = value

    def __delitem__(self, name: str) -> None:
        del self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def _adapter(name: str) -> Adapter:
    adapter: Adapter = import_module(f"adapters.{name}").ADAPTER
    return adapter


#: Adapters by name; those of definition files are added by `app.declared.register`.
ADAPTERS: Registry[Adapter] = Registry(PROVIDERS, _adapter)


def interpret(request: Request, adapter_name: str) -> Normalized:
    """Return the events of a request, each validated against its type's schema and made storable; an event that fails
    either is among the unprocessable items. Details that do not fit are in its `native`.

    Their text contains no NUL and no lone surrogate. An event of a message whose channel the webhook does not say has the one
    that the source's URL names (`?channel=sms`), if any. Raises Unprocessable if nothing of the request can be read or if it
    makes too much, KeyError if there is no such adapter.
    """
    adapter = ADAPTERS[adapter_name]
    return kept(normalized(request, adapter), request, adapter)


def normalized(request: Request, adapter: Adapter) -> Normalized:
    """Return what an adapter makes of a request, as it is: the first half of `interpret`. Raises Unprocessable."""
    try:
        return adapter.normalize(request)
    except RecursionError as error:
        raise Unprocessable("the body is nested too deeply") from error
    except TooMuch as error:
        raise Unprocessable(str(error)) from error


def kept(found: Normalized, request: Request, adapter: Adapter) -> Normalized:
    """Return what is kept of it: the second half of `interpret`. Raises Unprocessable."""
    size = len(request.body) + len(request.url)
    left, shown, movable = TIMES * size + BESIDES, Shown(size + ITEMS), WORDED
    events: list[Event] = []
    channel = channel_of(request)
    unprocessable = [(shown(item), reason) for item, reason in found.unprocessable]
    for event in found.events:
        try:
            left -= size_of(event)
            if left < 0:
                raise Unprocessable(f"makes events of more than {TIMES} times its size and {BESIDES >> 10} KiB")
            movable -= fit(event, movable)
            if event.channel is None and event.provider_message_id is not None:
                event.channel = channel
        except SchemaError as error:
            reason = faults_line(error.faults) if len(unprocessable) < WORDED else NOT_WORDED
            unprocessable.append((shown(event.payload), f"{event.type} {reason}"))
        else:
            event.per_recipient = event.per_recipient or names_a_job(event, adapter.job_ids)
            events.append(event)
    return Normalized(events, unprocessable)
