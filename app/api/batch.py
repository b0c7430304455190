"""The messages that a request's body asks for, one or many: each read or refused by itself, and told. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from app.http.problems import Problem, phrase
from app.sending.requests import Request, read_request
from schemas import SchemaError
from schemas.events import Error
from sql import Accepted

#: Messages of one call.
MOST = 50


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message is not taken: the status it would have alone, where in the body the fault is, and the words."""

    status: int
    path: str
    words: str

    def problem(self) -> Problem:
        """As the answer to a request for this message alone."""
        return Problem(self.status, f"{self.path}: {self.words}", path=self.path)

    def told(self) -> dict[str, Any]:
        """The members of that problem document."""
        members = {"type": "about:blank", "title": phrase(self.status), "status": self.status}
        return members | {"detail": f"{self.path}: {self.words}", "path": self.path}


@dataclass(slots=True)
class Item:
    """One message: where it stands in the body, what was read of it or why it is refused, and what became of it (the
    channel that is tried first, whether it was taken before, and the id that it has where that is another than was asked
    for). `keyed`: the header Idempotency-Key is its alone."""

    path: str
    document: Any
    request: Request | None = None
    refusal: Refusal | None = None
    channel: str | None = None
    duplicate: bool = False
    keyed: bool = False
    message_id: str | None = None

    def refuse(self, status: int, path: str, words: str) -> None:
        """Refuse it; `path` is seen from the message itself."""
        self.refusal = Refusal(status, self.path + path[1:], words)

    def unroutable(self, error: Error) -> None:
        """Refuse it, as the client's configuration has no way for it."""
        names = {"invalid_address": ("to",), "expired": ("sendBefore",)}.get(error.reason, ("channel", "channels"))
        self.refuse(422, self._path(*names), error.text or error.reason)

    def judge(self, accepted: Accepted) -> None:
        """Note how the store took it."""
        self.duplicate, self.refusal, self.message_id = not accepted.fresh, None, accepted.message_id
        if not accepted.same and self.keyed and "messageId" not in self.document:
            self.refuse(422, "$", "another request was taken under this Idempotency-Key; the first one counts")
        elif not accepted.same:
            path = self._path("messageId", "idempotencyKey")
            self.refuse(409, path, "another message was taken under this id (or idempotency key); the first one counts")

    def told(self) -> dict[str, Any]:
        """Its part of the answer."""
        if self.refusal is not None:
            return {"error": self.refusal.told()}
        assert self.request is not None
        id = self.message_id or self.request.message_id
        told = {"messageId": id, "state": "accepted", "channel": self.channel, "links": {"self": link(id)}}
        return told | ({"duplicate": True} if self.duplicate else {})

    def _path(self, *names: str) -> str:
        return next((f"$.{name}" for name in names if name in self.document), "$")


def link(message_id: str) -> str:
    """The path of a message."""
    return f"/v1/messages/{quote(message_id, safe='')}"


def documents_of(body: Any) -> tuple[bool, list[tuple[str, Any]]]:
    """Whether a body asks for many, and each one's document with its path. Raises Problem 422."""
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
    """Each message, read. A `key` is that of the message where there is one; of `many` each has an id that follows from
    the key and from its place."""
    own = None if many else key
    for place, (path, document) in enumerate(documents):
        item = Item(path, document, keyed=own is not None)
        try:
            name = f"{key}:{place}" if many and key is not None else None
            item.request = read_request(document, client_id=client_id, channel=channel, key=own, name=name)
        except SchemaError as error:
            item.refuse(422, error.path, error.message)
        yield item
