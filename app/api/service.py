"""What the routes of the API work with: the store, the keys, and the reader of the log's end."""

from collections import Counter
from dataclasses import dataclass, field

from starlette.requests import Request

from app.access import Access, Forbidden, Key, Unauthenticated
from app.api.tailer import Tailer
from app.problems import Problem
from app.sending.accepting import Accepting
from app.sending.clients import Clients
from app.settings import Settings
from sql import EventStore

REALM = "threadline"


@dataclass(slots=True)
class Api:
    """One of a process, at `app.state.api`; `close` lets the streams go, so that the process can end."""

    store: EventStore
    access: Access
    tailer: Tailer
    settings: Settings
    clients: Clients
    taking: Accepting
    streams: Counter[str] = field(default_factory=Counter)
    accepting: int = 0

    @classmethod
    def of(cls, store: EventStore, settings: Settings) -> "Api":
        """The API on a store."""
        return cls(store, Access(store), Tailer(store), settings, Clients(store, settings), Accepting(store))

    def close(self) -> None:
        """To be called when the process is told to end, before its connections are waited for."""
        self.tailer.close()


def api_of(request: Request) -> Api:
    """The API that a request is put to."""
    api: Api = request.app.state.api
    return api


async def caller(request: Request, scope: str) -> Key:
    """The key of a request, which must have the scope. Raises Problem 401 and 403 (RFC 6750 section 3)."""
    header = request.headers.get("authorization")
    try:
        return await api_of(request).access.check(header, scope)
    except Unauthenticated as error:
        # RFC 6750 section 3.1: who sent no credentials is told no error code.
        code = ', error="invalid_token"' if header else ""
        raise Problem(401, str(error), headers={"www-authenticate": f'Bearer realm="{REALM}"{code}'}) from error
    except Forbidden as error:
        challenge = f'Bearer realm="{REALM}", error="insufficient_scope", scope="{scope}"'
        detail = f"This API key has no scope {scope}."
        raise Problem(403, detail, scope=scope, headers={"www-authenticate": challenge}) from error
