"""Builds the id of a Telegram message, whose number is unique only within its chat."""

from typing import Any

from adapters.reading.facts import text


def message_id_of(item: dict[str, Any]) -> str | None:
    """Return `<chat id>:<message id>`, the same in an update and in the response to a send; None if a part is
    missing.

    In a business account's chat the connection comes first: such a chat has the customer's id, like the bot's own
    chat with that customer, but numbers its messages separately. A message with the number 0 does not exist yet
    (https://core.telegram.org/bots/api#message), unless it is an ephemeral one, which has a number of its own.
    """
    chat = item.get("chat")
    where = text(chat.get("id")) if isinstance(chat, dict) else None
    number = text(item.get("message_id"))
    if where is None:
        return None
    if number is None or number == "0":
        ephemeral = text(item.get("ephemeral_message_id"))
        return f"{where}:ephemeral:{ephemeral}" if ephemeral else None
    connection = text(item.get("business_connection_id"))
    return f"{connection}:{where}:{number}" if connection else f"{where}:{number}"
