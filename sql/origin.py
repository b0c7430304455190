"""Says on whose behalf the current task works, for the audit: set where a request or a command begins, read where a change is
written."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Origin:
    """Who acts: `key:NAME` with the API key's id, `cli:USER`, or a part of Threadline; from which address, by which request."""

    actor: str = "threadline"
    key_id: UUID | None = None
    address: str | None = None
    request_id: str | None = None
    #: The API key or the session that is used; and who has seen that key (`sql.parties`).
    credential: UUID | None = None
    makers: tuple[str, ...] = ()

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of statements that write to the audit."""
        return {
            "by_actor": self.actor,
            "by_key": self.key_id,
            "address": self.address,
            "request_id": self.request_id,
        }


ORIGIN: ContextVar[Origin] = ContextVar("origin")


def origin() -> Origin:
    """Return on whose behalf the current task works."""
    return ORIGIN.get(Origin())


def noted() -> dict[str, Any]:
    """Return the parameters by which a statement that changes something notes in the audit who acts."""
    return origin().parameters
