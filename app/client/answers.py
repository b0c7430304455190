"""Reads answers and streams of the API. Pure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import httpx
import orjson

from app.client.calls import Answer, Call
from app.client.errors import ApiError

if TYPE_CHECKING:
    from app.client.routes import AuditEntries, ClientVersions, DeadLetters, Interaction, ListedMessages, Timeline

#: The answers that are pages.
Page = TypeVar("Page", "Timeline", "ListedMessages", "ClientVersions", "DeadLetters", "AuditEntries")


class Change(NamedTuple):
    """An interaction of a stream that changed, with the id by which the stream goes on after it."""

    id: str
    interaction: "Interaction"


def read(call: Call[Answer], response: httpx.Response) -> Answer:
    """Return the answer of a request. Raises ApiError unless it is of success."""
    if not response.is_success:
        raise ApiError(response.status_code, problem(response))
    if call.raw:
        return cast(Answer, response.content)
    return cast(Answer, orjson.loads(response.content) if response.content else None)


def problem(response: httpx.Response) -> Mapping[str, Any]:
    """Return the problem document of an answer that was read, or an empty one."""
    try:
        document = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def following(call: Call[Page], page: Page) -> Call[Page] | None:
    """Return the request of the page after a page, or None after the last."""
    following = page["next"]
    return None if following is None else call.after(following)


class Stream:
    """Reads the lines of a stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

    def __init__(self, last_event_id: str | None) -> None:
        self.last_event_id = self._id = last_event_id
        self._data: list[str] = []

    @property
    def headers(self) -> dict[str, str]:
        """The headers that open the stream where it ended."""
        return {} if self.last_event_id is None else {"last-event-id": self.last_event_id}

    def line(self, text: str) -> Change | None:
        """Take one line, and return the change that it completes, if any."""
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            self._id = value
        elif name == "data":
            self._data.append(value)
        elif not text:  # the end of an event
            self.last_event_id = self._id
            if self._data:
                data, self._data = "\n".join(self._data), []
                return Change(self.last_event_id or "", orjson.loads(data))
        return None

    def restart(self) -> None:
        """Forget an event that the end of the connection cut off."""
        self._id, self._data = self.last_event_id, []
