"""Holds what the API's routes share: the store, the access checks, the tailer."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from starlette.requests import Request

from app.api.accepting import Accepting
from app.api.tailer import Tailer
from app.auditing.entering import Auditing
from app.clients.configured import Clients
from app.http.access import Access
from app.http.issued import Issuers
from app.http.rates import Rates
from app.login.people import People
from app.settings import Settings
from sql import EventStore
from webhooks.blobs import Blobs

#: Unknown addresses that one credential may ask for, in a second on average and at once, while it sees addresses masked.
UNKNOWN, UNKNOWN_BURST = 0.1, 100


@dataclass(slots=True)
class Api:
    """The API's state, one for each process, at `app.state.api`. `close` ends the streams, so that the process can
    end."""

    store: EventStore
    access: Access
    tailer: Tailer
    settings: Settings
    clients: Clients
    taking: Accepting
    rates: Rates
    blobs: Blobs
    audit: Auditing
    #: None where nobody logs in.
    people: People | None = None
    streams: Counter[str] = field(default_factory=Counter)
    accepting: int = 0
    exporting: int = 0
    #: Look-ups of unknown addresses (`app.api.lookups`).
    unknown: Rates = field(default_factory=lambda: Rates(UNKNOWN, UNKNOWN_BURST))
    #: One search for an attachment at a time, as the webhook that has it is in memory several times.
    searches: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    @classmethod
    def of(cls, store: EventStore, settings: Settings, blobs: Blobs) -> "Api":
        """Make the API for a store of events and one of blobs, which others open and close."""
        given = settings.all_issuers()
        issuers = Issuers(given) if given else None
        return cls(
            store=store,
            access=Access(store, kind=settings.api.keys, tokens=issuers),
            tailer=Tailer(store),
            settings=settings,
            clients=Clients(store, settings),
            taking=Accepting(store),
            rates=Rates(settings.api.rate, settings.api.burst),
            blobs=blobs,
            audit=Auditing(store, settings.audit),
            people=People.of(store, settings, issuers) if issuers is not None else None,
        )

    def use(self, settings: Settings) -> None:
        """Use other settings from now on."""
        self.settings = settings
        self.clients.use(settings)
        self.audit.use(settings.audit)
        self.rates.change(settings.api.rate, settings.api.burst)

    def close(self) -> None:
        """End the streams. Call it when the process is asked to end, before waiting for its connections."""
        self.tailer.close()


def api_of(request: Request) -> Api:
    """Return the API of a request's application."""
    api: Api = request.app.state.api
    return api
