"""A webhook on Kafka: one line of JSON that says how it came, then its body, byte for byte.

The head is `{"id", "source", "adapter", "client", "method", "url", "headers", "receivedAt", "authentic"}`; the body
follows the first newline unchanged. What was sent to prove who calls is cut out of URL and headers (`webhooks.cutting`),
so that a signature in them can be checked again, but no secret be read. The trace context travels
"""

from dataclasses import dataclass
from datetime import datetime

import orjson


@dataclass(slots=True)
class Webhook:
    """One received webhook. `id` is ours (a UUID, version 7); `authentic` is None where nothing was there to check.

    `adapter` names the module that reads it (`envelope` for the JSON wrapper), `client` whose it is.
    """

    id: str
    source: str
    adapter: str
    client: str
    method: str
    url: str
    headers: dict[str, str]
    received_at: datetime
    authentic: bool | None
    body: bytes


def encode(webhook: Webhook) -> bytes:
    """The record's value."""
    head = {
        "id": webhook.id,
        "source": webhook.source,
        "adapter": webhook.adapter,
        "client": webhook.client,
        "method": webhook.method,
        "url": webhook.url,
        "headers": webhook.headers,
        "receivedAt": webhook.received_at,
        "authentic": webhook.authentic,
    }
    return orjson.dumps(head, option=orjson.OPT_UTC_Z) + b"\n" + webhook.body


def decode(value: bytes) -> Webhook:
    """The webhook of a record's value. Raises ValueError (with its reason) where the value is not one."""
    line, newline, body = value.partition(b"\n")
    if not newline:
        raise ValueError("the record has no head line")
    try:
        head = orjson.loads(line)
        return Webhook(
            id=head["id"],
            source=head["source"],
            adapter=head["adapter"],
            client=head["client"],
            method=head["method"],
            url=head["url"],
            headers=head["headers"],
            received_at=datetime.fromisoformat(head["receivedAt"]),
            authentic=head["authentic"],
            body=body,
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the record's head cannot be read: {error!r}") from error
