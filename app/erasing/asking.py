"""What to ask the providers that reached a customer: they keep copies of their own, which Threadline does not change. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

#: The documented route of a provider's adapter, and its page.
ROUTES: Mapping[str, tuple[str, str]] = {
    "sendgrid": (
        "POST https://api.sendgrid.com/v3/recipients/erasejob with the addresses (up to 5,000)",
        "https://www.twilio.com/docs/sendgrid/api-reference/recipients-data-erasure/erase-recipients-email-data",
    ),
    "twilio": (
        "for each message, POST …/Messages/{Sid}.json with an empty Body redacts it, DELETE …/Messages/{Sid}.json removes it; "
        "likewise Media, Calls, Recordings and Transcriptions",
        "https://www.twilio.com/docs/messaging/api/message-resource",
    ),
}
_OTHERS = "no route is known here: ask the provider under your contract with it"


def to_ask(
    sources: Iterable[str], adapters: Mapping[str, str], answers: Iterable[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Return for each source that reached the customer what to ask, in order, and what came of asking, if it was asked. `adapters`:
    those of the sources' names; `answers`: `source`, and how many requests were `done` and `refused`, with the last `answer`."""
    asked: list[dict[str, Any]] = []
    taken = {row["source"]: {name: row[name] for name in ("done", "refused", "answer")} for row in answers}
    for source in sorted(set(sources)):
        adapter = adapters.get(source, source)
        route, page = ROUTES.get(adapter, (_OTHERS, None))
        asked.append({"source": source, "provider": adapter, "ask": route, "page": page, "asked": taken.get(source)})
    return asked
