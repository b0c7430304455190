"""Moody providers to send by: their configuration, the requests, and the messages that they accepted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.faults.moody import Moody
from tests.fixtures import accounts

#: The channel of each provider, and an address. Resend and OneSignal have idempotency keys, Postmark has a look-up (and
#: batches), Twilio has neither.
PROVIDERS = {
    "resend": ("email", "ana@example.com"),
    "onesignal": ("push", "device_token:3f6b1c1e-0d61-4d52-9f6c-5d1fa1d3b001"),
    "postmark": ("email", "ana@example.com"),
    "twilio": ("sms", "+15551234567"),
}
SENDERS = {"resend": "shop@example.com", "postmark": "shop@example.com", "twilio": "+15557654321"}


def moody_providers(names: Sequence[str], share: float, seed: int) -> dict[str, Moody]:
    """Return the providers of these names. `share`: the fraction of moody answers."""
    return {name: Moody(name, accounts(name).settings, share=share, seed=seed) for name in names}


def sources(moody: Mapping[str, Moody]) -> dict[str, dict[str, str]]:
    """Return the sources for the settings; the providers must be listening."""
    return {name: {**accounts(name).settings, "api_url": each.url} for name, each in moody.items()}


def configuration(names: Sequence[str], **more: Any) -> dict[str, Any]:
    """Return a client's configuration with a route by each provider, and quick retries."""
    senders = {name: {"sender": SENDERS[name]} if name in SENDERS else {} for name in names}
    routes = [{"channel": PROVIDERS[name][0], "account": name, **senders[name]} for name in names]
    return {"channels": routes, "retry": {"attempts": 50, "first": 0.1, "longest": 1}, **more}


def request_of(names: Sequence[str], number: int) -> dict[str, Any]:
    """Return request `number`; the providers take turns."""
    channel, to = PROVIDERS[names[number % len(names)]]
    content = {"text": f"number {number}", "subject": "Hello"}
    return {"messageId": f"m{number}", "channel": channel, "to": to, "content": content}


def taken(moody: Mapping[str, Moody]) -> Counter[str]:
    """Return how often each message was accepted, by its text."""
    return sum((each.taken for each in moody.values()), Counter())


def twice(moody: Mapping[str, Moody]) -> dict[str, int]:
    """Return how many messages each provider accepted more than once."""
    return {name: sum(times > 1 for times in each.taken.values()) for name, each in moody.items()}
