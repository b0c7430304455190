"""Two moody providers, one with idempotency keys and one without: what is asked of them, and what they took."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.faults.moody import Moody
from tests.fixtures import accounts

#: A provider that has idempotency keys, and one that has none: channel, and an address.
PROVIDERS = {"resend": ("email", "ana@example.com", True), "twilio": ("sms", "+15551234567", False)}
SENDERS = {"resend": "shop@example.com", "twilio": "+15557654321"}


def moody_providers(share: float, seed: int) -> dict[str, Moody]:
    """Both; `share` of their answers are moody."""
    return {
        name: Moody(name, accounts(name).settings, idempotent=idempotent, share=share, seed=seed)
        for name, (_, _, idempotent) in PROVIDERS.items()
    }


def sources(moody: Mapping[str, Moody]) -> dict[str, dict[str, str]]:
    """The settings' sources, once both listen."""
    return {name: {**accounts(name).settings, "api_url": each.url} for name, each in moody.items()}


def configuration(**more: Any) -> dict[str, Any]:
    """A client's document that goes by both, and tries again quickly."""
    routes = [
        {"channel": channel, "account": name, "sender": SENDERS[name]} for name, (channel, _, _) in PROVIDERS.items()
    ]
    return {"channels": routes, "retry": {"attempts": 50, "first": 0.1, "longest": 1}, **more}


def asked(number: int) -> dict[str, Any]:
    """One request; every other one by each provider."""
    channel, to, _ = list(PROVIDERS.values())[number % 2]
    return {
        "messageId": f"m{number}",
        "channel": channel,
        "to": to,
        "content": {"text": f"number {number}", "subject": "Hello"},
    }


def taken(moody: Mapping[str, Moody]) -> Counter[str]:
    """How often each message was taken, by its text."""
    return sum((each.taken for each in moody.values()), Counter())


def twice(moody: Mapping[str, Moody]) -> dict[str, int]:
    """How many messages each provider took more than once."""
    return {name: sum(times > 1 for times in each.taken.values()) for name, each in moody.items()}
