"""Reads the messages of a request's body, one or many; each is accepted or refused separately. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from app.api.payload import errors
from app.http.problems import Problem, phrase
from app.sending.requests import Request, read_request
from schemas import Fault, SchemaError
from schemas.events import Error
from sql import Accepted

#: Most messages of one call.
MOST = 50


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message is refused: the HTTP status if it were the only one, the path of the fault in the body, and the
    words; `faults`: all faults, where they are several."""

    status: int
    path: str
    words: str
    faults: Sequence[Fault] = ()

    def problem(self) -> Problem:
        """Return the problem that answers a request for this message alone."""
        return Problem(self.status, f"{self.path}: {self.words}", path=self.path, **errors(self.faults))

    def to_json(self) -> dict[str, Any]:
        """Return the members of that problem document."""
        members = {"type": "about:blank", "title": phrase(self.status), "status": self.status}
        return members | {"detail": f"{self.path}: {self.words}", "path": self.path} | errors(self.faults)


@dataclass(slots=True)
class Item:
    """One message of a body, by its path. `request`: what was read, or else `refusal`; `channel`: the one tried first;
    `duplicate`: it was accepted before; `message_id`: its id, if another than the requested one; `keyed`: it is the
    only message, so the header Idempotency-Key is its key."""

    path: str
    document: Any
    request: Request | None = None
    refusal: Refusal | None = None
    channel: str | None = None
    duplicate: bool = False
    keyed: bool = False
    message_id: str | None = None

    def refuse(self, status: int, path: str, words: str) -> None:
        """Refuse the message; `path` is relative to it."""
        self.refusal = Refusal(status, self.path + path[1:], words)

    def unfit(self, error: SchemaError) -> None:
        """Refuse the message for all that is wrong with it."""
        within = error.under(self.path)
        self.refusal = Refusal(422, within.path, within.message, within.faults)

    def unroutable(self, error: Error) -> None:
        """Refuse the message, because the client's configuration has no route for it."""
        names = {"invalid_address": ("to",), "expired": ("sendBefore",)}.get(error.reason, ("channel", "channels"))
        self.refuse(422, self._path(*names), error.text or error.reason)

    def judge(self, accepted: Accepted) -> None:
        """Record whether the store accepted the message."""
        self.duplicate, self.refusal, self.message_id = not accepted.fresh, None, accepted.message_id
        if not accepted.same and self.keyed and "messageId" not in self.document:
            self.refuse(422, "$", "another request was taken under this Idempotency-Key; the first one counts")
        elif not accepted.same:
            path = self._path("messageId", "idempotencyKey")
            self.refuse(409, path, "another message was taken under this id (or idempotency key); the first one counts")

    def to_json(self) -> dict[str, Any]:
        """Return the message's part of the answer."""
        if self.refusal is not None:
            return {"error": self.refusal.to_json()}
        assert self.request is not None
        id = self.message_id or self.request.message_id
        members = {"messageId": id, "state": "accepted", "channel": self.channel, "links": {"self": link(id)}}
        return members | ({"duplicate": True} if self.duplicate else {})

    def _path(self, *names: str) -> str:
        return next((f"$.{name}" for name in names if name in self.document), "$")


def link(message_id: str) -> str:
    """Return the URL path of a message."""
    return f"/v1/messages/{quote(message_id, safe='')}"


def documents_of(body: Any) -> tuple[bool, list[tuple[str, Any]]]:
    """Return whether a body is a list of messages, and each message's path and document. Raises Problem 422."""
    if isinstance(body, list):
        found = [(f"$[{place}]", one) for place, one in enumerate(body)]
    elif isinstance(body, dict) and "messages" in body:
        if len(body) > 1 or not isinstance(body["messages"], list):
            raise Refusal(422, "$.messages", "must be a list, with nothing beside it").problem()
        found = [(f"$.messages[{place}]", one) for place, one in enumerate(body["messages"])]
    else:
        return False, [("$", body)]
    if not 0 < len(found) <= MOST:
        raise Refusal(422, "$", f"has {len(found)} messages; one call takes 1 to {MOST}").problem()
    return True, found


def items_of(
    documents: Sequence[tuple[str, Any]], client_id: str, channel: str | None, key: str | None, *, many: bool
) -> Iterator[Item]:
    """Yield each message, read or refused. A single message has `key` as its own; of `many`, each has its own."""
    own = None if many else key
    for path, document in documents:
        item = Item(path, document, keyed=own is not None)
        try:
            item.request = read_request(document, client_id=client_id, channel=channel, key=own)
        except SchemaError as error:
            item.unfit(error)
        yield item
