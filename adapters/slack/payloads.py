"""Reads what all of Slack's interactive payloads have in common: https://docs.slack.dev/reference/interaction-payloads."""

from typing import Any

from adapters.reading.facts import text

Item = dict[str, Any]


def payload_of(status: str, user: Any, channel: Any, payload: Item) -> dict[str, Any]:
    """Return what every event of an interaction says: its kind, the person and the conversation."""
    name = inner(payload, "user", "name") or inner(payload, "user", "username")
    fields = (("from", user, 2048), ("to", channel, 2048), ("displayName", name, 1024))
    return {"providerStatus": status} | {key: words[:most] for key, value, most in fields if (words := text(value))}


def team_of(payload: Item) -> Any:
    """Return the workspace, or the user's workspace if an app of a whole organization gives none."""
    return inner(payload, "team", "id") or inner(payload, "user", "team_id")


def inner(item: Item, key: str, name: str) -> Any:
    """Return a value of an object within the item, or None."""
    part = item.get(key)
    return part.get(name) if isinstance(part, dict) else None
